"""The output of a job on a cluster: from files here, or by offset over SSH."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from nemorun_cli.core.errors import UnreachableError
from nemorun_cli.core.jobs import LogLine
from nemorun_cli.core.ports import Tunnel

_FRESH_NOW = 2.0


@dataclass(frozen=True, kw_only=True)
class Output:
    """What is wanted of the output of one job."""

    folder: str
    """The job's folder."""
    way: Tunnel | None
    """How to get there; None if it is on a disk of this machine."""
    rank: int | None
    tail: int | None

    def read(self) -> Iterator[LogLine]:
        """The lines that are there."""
        if self.way is not None:
            from nemorun_cli.farlogs import FarLogs

            return FarLogs(
                tunnel=self.way, folder=self.folder, rank=self.rank, tail=self.tail
            ).read()
        from nemorun_cli.joblogs import read_logs

        return read_logs(Path(self.folder), tail=self.tail, rank=self.rank)

    def follow(self, over: Callable[[], bool], over_now: Callable[[], bool]) -> Iterator[LogLine]:
        """The same, and each line as it comes, until the job has ended.

        `over` may tell late of that, `over_now` not; both may raise UnreachableError.
        """

        def ended() -> bool:
            with suppress(UnreachableError):  # Lines come all the same.
                return over()
            return False

        if self.way is None:
            from nemorun_cli.joblogs import follow_logs

            return follow_logs(Path(self.folder), ended, tail=self.tail, rank=self.rank)
        from nemorun_cli.farlogs import FarLogs

        far = FarLogs(tunnel=self.way, folder=self.folder, rank=self.rank, tail=self.tail)
        return _to_the_end(far.follow(ended), over_now)


def _to_the_end(lines: Iterator[LogLine], over_now: Callable[[], bool]) -> Iterator[LogLine]:
    """These lines; then who asks next is told that the job has ended."""
    from nemorun_cli.watching import nap

    yield from lines
    with suppress(UnreachableError):
        for _ in range(3):  # An answer that many share may be older than the end.
            if over_now():
                return
            nap(_FRESH_NOW)
