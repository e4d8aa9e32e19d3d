"""A job's own folder, as every executor with a shared disk finds it: state, attempts and logs."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nemorun_cli.core.jobs import Attempt, JobState, JobStatus, LogLine, Plan, Reason
from nemorun_cli.core.runs import Process
from nemorun_cli.logfiles import Reader, offset_of_tail


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
    begun = [line for line in _history(folder) if "session" in line]
    if not begun:
        return None
    return replace(wrapper, pid=begun[-1]["session"], start=begun[-1].get("session_start", 0))


def progress(folder: Path, *, detail: str = "") -> JobStatus:
    """The status of a job that is known to be alive."""
    attempts = _attempts(folder)
    if attempts:
        return JobStatus(
            state=JobState.RUNNING,
            reason_detail=detail,
            attempt=attempts[-1].number,
            started_at=attempts[-1].started_at,
            attempts=attempts,
        )
    if (folder / "waiting").exists():
        return JobStatus(
            state=JobState.PENDING,
            reason=Reason.WAITING,
            reason_detail=f"after {(folder / 'waiting').read_text().strip()}",
        )
    return JobStatus(state=JobState.PENDING)


def verdict(folder: Path) -> JobStatus | None:
    """What the job itself wrote when it ended; None while it has not."""
    try:
        told = json.loads((folder / "exit.json").read_text())
        status = JobStatus(
            state=JobState(told["state"]),
            reason=Reason(told["reason"]) if told["reason"] else None,
            exit_code=told["exit_code"],
            signal=told["signal"],
            attempt=told["attempt"] or 1,
            started_at=told["started_at"],
            ended_at=told["ended_at"],
            attempts=_attempts(folder),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return _with_first_failure(folder, status) if status.state is JobState.FAILED else status


def without_verdict(folder: Path, *, detail: str) -> JobStatus:
    """The verdict on a job of which no process is left and which has not told how it ended."""
    known = progress(folder)
    was_cancelled = (folder / "cancel").exists()
    return replace(
        known,
        state=JobState.CANCELLED if was_cancelled else JobState.LOST,
        reason=Reason.CANCELLED if was_cancelled else Reason.LOST,
        reason_detail="" if was_cancelled else detail,
    )


def _with_first_failure(folder: Path, status: JobStatus) -> JobStatus:
    """The same verdict in the words of the rank that failed first."""
    failure = first_failure(folder, status.attempt)
    if failure is None or status.reason is Reason.TIME_LIMIT:
        return status
    import_error = failure.get("kind") == "import_error"
    several = len(list((folder / "logs" / str(status.attempt)).glob("[0-9]*.log"))) > 1
    rank = failure.get("rank") if several else None
    message = str(failure.get("message") or "")
    return replace(
        status,
        reason=Reason.IMPORT_ERROR if import_error else status.reason,
        reason_detail=message if rank is None else f"rank {rank}: {message}",
        failing_rank=rank,
    )


def first_failure(folder: Path, attempt: int) -> dict[str, Any] | None:
    """What the rank that failed first in this attempt left behind."""
    try:
        told = json.loads((folder / "logs" / str(attempt) / "first_failure.json").read_text())
    except (OSError, ValueError):
        return None
    return told if isinstance(told, dict) else None


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON objects of a file that holds one a line; torn lines are passed over."""
    try:
        file = path.open(errors="replace")
    except OSError:
        return
    with file:
        for line in file:
            try:
                entry = json.loads(line)
            except ValueError:  # A full disk tears lines.
                continue
            if isinstance(entry, dict):
                yield entry


def _history(folder: Path) -> list[dict[str, Any]]:
    lines = read_lines(folder / "attempts.jsonl")
    return [entry for entry in lines if isinstance(entry.get("attempt"), int)]


def _attempts(folder: Path) -> tuple[Attempt, ...]:
    merged: dict[int, dict[str, Any]] = {}
    for entry in _history(folder):
        merged.setdefault(entry["attempt"], {}).update(entry)
    return tuple(
        Attempt(
            number=number,
            started_at=entry.get("started_at"),
            ended_at=entry.get("ended_at"),
            exit_code=entry.get("exit_code"),
            signal=entry.get("signal"),
            reason=entry.get("reason"),
        )
        for number, entry in sorted(merged.items())
    )


@dataclass(frozen=True, kw_only=True)
class _LogFile:
    path: Path
    attempt: int
    rank: int | None
    stream: str | None


def _log_files(folder: Path, rank: int | None) -> list[_LogFile]:
    """The files to read, attempts in order; in each, rank 0 and the first failing one."""
    found: list[_LogFile] = []
    attempts = [int(path.name) for path in (folder / "logs").glob("[0-9]*") if path.is_dir()]
    for attempt in sorted(attempts):
        found += _attempt_files(folder, attempt, rank)
    return found


def _attempt_files(folder: Path, attempt: int, rank: int | None) -> list[_LogFile]:
    logs = folder / "logs" / str(attempt)
    ranks: list[int | None] = [rank]
    if rank is None:
        failed = (first_failure(folder, attempt) or {}).get("rank")
        ranks = [0] if failed in (None, 0) else [0, failed]
        if not (logs / "0.log").exists():
            ranks = [None]  # The launcher ended before any rank could start.
    return [
        _LogFile(path=path, attempt=attempt, rank=each, stream=stream)
        for each in ranks
        for path, stream in _streams(logs, "launcher" if each is None else str(each))
    ]


def _streams(logs: Path, name: str) -> list[tuple[Path, str | None]]:
    error = logs / f"{name}.err"
    if error.exists():
        return [(logs / f"{name}.log", "stdout"), (error, "stderr")]
    return [(logs / f"{name}.log", None)]


def read_logs(folder: Path, *, tail: int | None, rank: int | None) -> Iterator[LogLine]:
    """What stands in the log files now; with `tail`, the last lines of all, oldest first."""
    follower = _Follower(folder, rank)
    follower.skip_to_tail(tail)
    yield from follower.new_lines()
    yield from follower.last_lines()


def follow_logs(
    folder: Path,
    ended: Callable[[], bool],
    *,
    tail: int | None,
    rank: int | None,
) -> Iterator[LogLine]:
    """The same, and then each line as it comes, until the job has ended and all was given."""
    from nemorun_cli.watching import Watcher

    follower = _Follower(folder, rank)
    follower.skip_to_tail(tail)
    with Watcher() as watcher:
        while True:
            watcher.add(folder)
            watcher.add(folder / "logs")
            for log in (folder / "logs").glob("[0-9]*"):
                watcher.add(log)
            over = ended()
            yield from follower.new_lines()
            if over:
                yield from follower.last_lines()
                return
            watcher.wait(1.0)


@dataclass
class _Follower:
    folder: Path
    rank: int | None
    readers: dict[Path, tuple[_LogFile, Reader]] = field(default_factory=dict)

    def _known(self) -> list[tuple[_LogFile, Reader]]:
        for file in _log_files(self.folder, self.rank):
            self.readers.setdefault(file.path, (file, Reader(file.path)))
        return list(self.readers.values())

    def skip_to_tail(self, tail: int | None) -> None:
        """Leave out all but the last `tail` lines of the newest files."""
        left = tail
        for _, reader in reversed(self._known()):
            if left is None:
                return
            reader.offset, given = offset_of_tail(reader.path, left)
            left -= given

    def new_lines(self) -> Iterator[LogLine]:
        for file, reader in self._known():
            yield from (_line(file, text) for text in reader.lines())

    def last_lines(self) -> Iterator[LogLine]:
        for file, reader in self.readers.values():
            yield from (_line(file, text) for text in reader.last())


def _line(file: _LogFile, text: str) -> LogLine:
    return LogLine(text=text, rank=file.rank, stream=file.stream, attempt=file.attempt)
