"""How jobs in containers are, and what is left to do once one has ended.

A container is removed only when the verdict is on disk, and exit.json is there only when the
container is gone: whoever is interrupted in between leaves what the next one needs.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from nemorun_cli import jobfolder, processes
from nemorun_cli.containers.arguments import JOBS, KEY, NODE, container_name
from nemorun_cli.containers.engine import Engine
from nemorun_cli.containers.reading import ENDED, ended, last_words
from nemorun_cli.core.jobs import JobState, JobStatus, Reason

WORDS = "last_words.json"


def statuses(engine: Engine, jobs: Path, keys: Iterable[str]) -> dict[str, JobStatus]:
    """The status of each job; one request, and a few for each that has ended since."""
    found = {key: jobfolder.verdict(jobs / key) for key in keys}
    open_ones = [key for key, status in found.items() if status is None]
    if open_ones:
        listed = listed_by_key(engine, jobs)
        for key in open_ones:
            found[key] = _status(engine, jobs / key, listed.get(key, ()))
        for key in listed.keys() - found.keys():
            _sweep(engine, jobs / key, listed[key])
    return {key: status for key, status in found.items() if status is not None}


def listed_by_key(engine: Engine, jobs: Path) -> dict[str, list[dict[str, Any]]]:
    """The containers of the jobs of this folder, by the key that their label tells."""
    found: dict[str, list[dict[str, Any]]] = {}
    for entry in engine.containers(f"{JOBS}={jobs}"):
        found.setdefault(str(_labels(entry).get(KEY)), []).append(entry)
    return found


def give_up(engine: Engine, folder: Path) -> None:
    """Remove what there is of a job that can never start: its token was taken.

    By its labels: the name may have been somebody else's before.
    """
    _remove(engine, folder, listed_by_key(engine, folder.parent).get(folder.name, ()), force=True)
    with suppress(OSError):
        (folder / "secrets").unlink(missing_ok=True)


def _remove(
    engine: Engine, folder: Path, entries: Sequence[Mapping[str, Any]], *, force: bool = False
) -> None:
    """Remove these containers of a job, its first one last but for the network of several."""
    others = [entry for entry in entries if NODE in _labels(entry)]
    for entry in others:
        engine.remove(str(entry.get("Id")), running=True)
    for entry in entries:
        if entry not in others:
            engine.remove(str(entry.get("Id")), running=force)
    if others or (folder / "nodes").is_dir():
        engine.remove_network(container_name(folder.name))


def _status(engine: Engine, folder: Path, entries: Sequence[Mapping[str, Any]]) -> JobStatus:
    others = [entry for entry in entries if NODE in _labels(entry)]
    first = next((entry for entry in entries if entry not in others), {})
    state = str(first.get("State", "removing"))
    if state == "removing":
        return _gone(engine, folder, others)
    if state in ENDED:
        return _settled(engine, folder, entries)
    if state == "created":
        return JobStatus(state=JobState.PENDING, reason_detail="the container is being started")
    if any(each.get("State") in ENDED for each in others):
        # Before all of them were there: then it can never begin, and ends by this.
        with suppress(OSError):
            (folder / "ready").rename(folder / "void")
    return jobfolder.progress(folder, detail="paused" if state == "paused" else "")


def _settled(engine: Engine, folder: Path, entries: Sequence[Mapping[str, Any]]) -> JobStatus:
    """The verdict on a job whose container has ended: written down, then the container removed."""
    name = container_name(folder.name)
    seen = engine.inspect(name)
    if seen is None:
        return _gone(engine, folder, [entry for entry in entries if NODE in _labels(entry)])
    if not ended(seen):
        return jobfolder.progress(folder)
    files = replace(jobfolder.files(folder), last_words=_text(folder / WORDS))
    printed = "" if files.last_words else "".join(engine.output(each["Id"]) for each in entries)
    words = last_words(seen, files, printed)
    try:
        if not _same(words, files.last_words):
            jobfolder.write(folder / WORDS, words)
    except OSError as error:
        detail = f"it has ended, but that cannot be written down: {error.strerror}"
        return jobfolder.progress(folder, detail=detail)
    with suppress(OSError):
        (folder / "secrets").unlink(missing_ok=True)
    _remove(engine, folder, entries)
    return _published(folder)


def _gone(engine: Engine, folder: Path, others: Sequence[Mapping[str, Any]]) -> JobStatus:
    """The status of a job whose container the engine does not have; that of others is removed."""
    _remove(engine, folder, others)
    if (folder / WORDS).exists() or (folder / "exit.json").exists():
        return _published(folder)
    if not folder.is_dir():
        return JobStatus(
            state=JobState.LOST,
            reason=Reason.LOST,
            reason_detail=f"its folder {folder} has been deleted",
        )
    if not (folder / "accepted").exists() and not (folder / "started.json").exists():
        return JobStatus(state=JobState.UNKNOWN, reason_detail="the job has not been started")
    if not _is_its_own(engine, folder):
        return JobStatus(
            state=JobState.UNKNOWN,
            reason=Reason.UNREACHABLE,
            reason_detail=f"another engine answers at {engine.address}",
        )
    # It may have been removed, and the end written down, between the two looks.
    detail = "its container was removed before anybody could see how it ended"
    return jobfolder.verdict(folder) or jobfolder.without_verdict(folder, detail=detail)


def _is_its_own(engine: Engine, folder: Path) -> bool:
    told = started(folder).get("engine")
    return not told or told == engine.info().get("ID")


def started(folder: Path) -> dict[str, Any]:
    """What was written down when the container had started; empty where nothing was."""
    try:
        found = json.loads((folder / "started.json").read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def environment(folder: Path) -> dict[str, Any] | None:
    """What the job has recorded of its environment, and its image by digest, or by id."""
    told = started(folder)
    image = next(iter(told.get("digests") or ()), None) or told.get("image_id")
    recorded = jobfolder.environment(folder)
    return {**(recorded or {}), "image": image} if recorded or image else None


def _published(folder: Path) -> JobStatus:
    """The verdict, now that no container is left: everybody may see it."""
    with suppress(FileNotFoundError):  # Somebody else was quicker.
        (folder / WORDS).rename(folder / "exit.json")
    return jobfolder.verdict(folder) or jobfolder.without_verdict(
        folder, detail="what the job left of its end cannot be read"
    )


def _sweep(engine: Engine, folder: Path, entries: Sequence[Mapping[str, Any]]) -> None:
    """Remove what nobody will ask for: of a job that is over, or can never start."""
    idle = all(entry.get("State") in (*ENDED, "created") for entry in entries)
    over = not folder.is_dir() or (folder / "exit.json").exists()
    submitter = jobfolder.process(folder / "submitter.json")
    abandoned = submitter is not None and processes.alive(submitter) is False
    void = (folder / "void").exists()
    if (over and idle) or (void and abandoned):
        _remove(engine, folder, entries, force=void and abandoned)


def _labels(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    return entry.get("Labels") or {}


def _same(words: str, before: str) -> bool:
    try:
        return bool(json.loads(words) == json.loads(before))
    except ValueError:
        return False


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
