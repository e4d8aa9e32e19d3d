"""A job's own folder on a disk that is read here: written once, then asked how the job is."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from nemorun_cli import disk, jobfiles
from nemorun_cli.core.jobs import JobStatus, Plan
from nemorun_cli.core.runs import Process
from nemorun_cli.jobfiles import JobFiles
from nemorun_cli.logfiles import offset_of_tail


def write(path: Path, text: str) -> None:
    """Write a small file that nobody else can read, whole or not at all."""
    part = path.with_name(f"{path.name}.new")
    _create(part, text)
    part.replace(path)


def fill(folder: Path, plan: Plan, more: Mapping[str, str]) -> None:
    """Make a job's folder: its files, its working folder and the links in that."""
    folder.mkdir(mode=0o700)
    for name, text in {**plan.files, **more}.items():
        path = folder / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _create(path, text)
    work = folder / "work"
    work.mkdir(mode=0o700)
    for name, target in plan.links.items():
        path = work / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.symlink_to(target)
    (folder / "logs").mkdir(mode=0o700)


def _create(path: Path, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(fd, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:  # noqa: PTH123
        file.write(text)


def process(path: Path) -> Process | None:
    """The process that a file names; None when there is no such file, or not yet a whole one."""
    try:
        return Process(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def session(folder: Path, wrapper: Process) -> Process | None:
    """The leader of the session in which the last attempt runs or ran."""
    history = jobfiles.history_of(_text(folder / "attempts.jsonl"))
    begun = [line for line in history if "session" in line]
    if not begun:
        return None
    return replace(wrapper, pid=begun[-1]["session"], start=begun[-1].get("session_start", 0))


def files(folder: Path) -> JobFiles:
    """The small files of a job as they are now."""
    failures = {
        int(path.parent.name): _text(path)
        for path in (folder / "logs").glob("[0-9]*/first_failure.json")
    }
    history = _text(folder / "attempts.jsonl")
    last = max((each.number for each in jobfiles.attempts_of(history)), default=1)
    return JobFiles(
        verdict=_text(folder / "exit.json"),
        history=history,
        failures=failures,
        ranks=len(list((folder / "logs" / str(last)).glob("[0-9]*.log"))),
        waiting=_text(folder / "waiting"),
        cancelled=(folder / "cancel").exists(),
    )


def progress(folder: Path, *, detail: str = "") -> JobStatus:
    """The status of a job that is known to be alive."""
    return jobfiles.progress_of(files(folder), detail=detail)


def verdict(folder: Path) -> JobStatus | None:
    """What the job itself wrote when it ended; None while it has not."""
    if not (folder / "exit.json").exists():
        return None
    return jobfiles.verdict_of(files(folder))


def without_verdict(folder: Path, *, detail: str) -> JobStatus:
    """The verdict on a job of which no process is left and which has not told how it ended."""
    return jobfiles.without_verdict(files(folder), detail=detail)


def environment(folder: Path) -> dict[str, Any] | None:
    """What the job has recorded of its environment; None where it has not."""
    return jobfiles.environment_of(_text(folder / "environment.json"))


def read_lines(path: Path, *, tail: int | None = None) -> Iterator[dict[str, Any]]:
    """The JSON objects of a file that holds one a line; torn lines are passed over.

    With `tail`, those of the last lines alone.
    """
    try:
        start = 0 if tail is None else offset_of_tail(path, tail)[0]
        file = path.open("rb")
    except OSError:
        return
    with file:
        file.seek(start)
        yield from jobfiles.objects(line.decode(errors="replace") for line in file)


def sizes(folder: Path, keys: Iterable[str]) -> dict[str, int]:
    """Bytes that come free with each of these folders that is there, when all of them go."""
    found = [key for key in keys if (folder / key).is_dir()]
    return dict(zip(found, disk.freed(folder / key for key in found), strict=True))


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
