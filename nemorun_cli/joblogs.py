"""A job's log files: which of them to read, and reading them as they grow."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from nemorun_cli.core.jobs import LogLine
from nemorun_cli.jobfiles import first_failure
from nemorun_cli.jobfolder import files
from nemorun_cli.logfiles import Reader, offset_of_tail


@dataclass(frozen=True, kw_only=True)
class LogFile:
    """One file of a job's output."""

    name: str
    """Below the job's folder `logs`: `1/0.log`."""
    attempt: int
    rank: int | None
    """None: the launcher's own output."""
    stream: str | None

    def line(self, text: str) -> LogLine:
        """A line of this file."""
        return LogLine(text=text, rank=self.rank, stream=self.stream, attempt=self.attempt)


def chosen(
    names: Collection[str],
    rank: int | None,
    failed: Callable[[int], int | None],
) -> list[LogFile]:
    """Which of these files, named relative to `logs`, to read; attempts in order.

    Those of one rank; else of rank 0 and of the one that `failed` tells was first to fail in an
    attempt; the launcher's where no rank could start.
    """
    folders = {name.partition("/")[0] for name in names}
    attempts = sorted({int(folder) for folder in folders if folder.isdecimal()})
    return [
        LogFile(name=name, attempt=attempt, rank=each, stream=stream)
        for attempt in attempts
        for each in _ranks(names, attempt, rank, failed)
        for name, stream in _streams(names, attempt, each)
    ]


def _ranks(
    names: Collection[str],
    attempt: int,
    rank: int | None,
    failed: Callable[[int], int | None],
) -> list[int | None]:
    if rank is not None:
        return [rank]
    if f"{attempt}/0.log" not in names:
        return [None]  # The launcher ended before any rank could start.
    first = failed(attempt)
    return [0] if first in (None, 0) else [0, first]


def _streams(
    names: Collection[str], attempt: int, rank: int | None
) -> list[tuple[str, str | None]]:
    stem = f"{attempt}/{'launcher' if rank is None else rank}"
    if f"{stem}.err" in names:
        return [(f"{stem}.log", "stdout"), (f"{stem}.err", "stderr")]
    return [(f"{stem}.log", None)]


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
    readers: dict[str, tuple[LogFile, Reader]] = field(default_factory=dict)

    def _known(self) -> list[tuple[LogFile, Reader]]:
        logs = self.folder / "logs"
        names = {str(path.relative_to(logs)) for path in logs.glob("[0-9]*/*.*")}
        for file in chosen(names, self.rank, self._failed):
            self.readers.setdefault(file.name, (file, Reader(logs / file.name)))
        return list(self.readers.values())

    def _failed(self, attempt: int) -> int | None:
        told = first_failure(files(self.folder), attempt) or {}
        return told.get("rank")

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
            yield from (file.line(text) for text in reader.lines())

    def last_lines(self) -> Iterator[LogLine]:
        for file, reader in self.readers.values():
            yield from (file.line(text) for text in reader.last())
