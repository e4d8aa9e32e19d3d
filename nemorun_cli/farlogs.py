"""The log files of a job on another host, read by offset: a cut loses and doubles no line."""

import secrets
import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from nemorun_cli.core.errors import UnreachableError
from nemorun_cli.core.jobs import REMARK, LogLine
from nemorun_cli.core.ports import Tunnel
from nemorun_cli.jobfiles import JobFiles, first_failure
from nemorun_cli.joblogs import LogFile, chosen
from nemorun_cli.logfiles import Lines
from nemorun_cli.watching import nap

CHUNK = 1024 * 1024
"""Bytes of one file that one trip brings at most."""
PATIENCE = 600.0
"""Seconds without an answer after which following gives up."""
_LONGEST_PAUSE = 15.0
_LOOK = r"""
cd "$folder" 2>/dev/null || exit 0
mark() { printf '\n%s %s\n' "$token" "$*"; }
[ ! -e exit.json ] || mark ended
for file in logs/*/first_failure.json; do
    [ ! -e "$file" ] || { mark failure 0 0 "$file" && cat "$file"; }
done
for file in logs/[0-9]*/*.log logs/[0-9]*/*.err; do
    [ -e "$file" ] || continue
    size=$(wc -c <"$file") begin=0
    [ -z "$lines" ] || begin=$((size - $(tail -n "$lines" "$file" | wc -c)))
    mark file "$((size))" "$begin" "$file"
done
while read -r file offset; do
    size=$(wc -c <"$file")
    length=$((size - offset))
    [ "$length" -le "$chunk" ] || length=$chunk
    [ "$length" -gt 0 ] || continue
    mark data "$length" 0 "$file"
    tail -c "+$((offset + 1))" "$file" | head -c "$length"
done
exit 0
"""


@dataclass
class FarLogs:
    """The output of one job, as far as it has been given."""

    tunnel: Tunnel
    folder: str
    """The job's folder on the host."""
    rank: int | None
    tail: int | None
    tick: float = 1.0
    """Seconds between two trips, while there is nothing new."""
    chunk: int = CHUNK
    patience: float = PATIENCE
    _readers: dict[str, tuple[LogFile, Lines]] = field(default_factory=dict)
    _offsets: dict[str, int] = field(default_factory=dict)
    _sizes: dict[str, int] = field(default_factory=dict)
    _held: dict[str, list[LogLine]] | None = None
    """With a tail: the lines of each file until all that stood there has been read."""
    ended: bool = False
    """Whether the job has left its verdict."""

    def __post_init__(self) -> None:
        self._held = None if self.tail is None else {}

    def read(self) -> Iterator[LogLine]:
        """What stands in the files now; with a tail, the last lines of all."""
        self._look()
        while self._behind():
            yield from self._look()
        yield from self._rest()

    def follow(self, over: Callable[[], bool]) -> Iterator[LogLine]:
        """The same, and then each line as it comes, until the job has ended and all was given.

        An interrupted connection is taken up again where it broke; a remark tells of it, and one
        when the host is back. UnreachableError when it stays so for ten minutes.
        """
        pause, heard, lost = self.tick, time.monotonic(), False
        while True:
            try:
                ended = self.ended or over()
                lines = self._look()
                if lost:
                    lost = False
                    yield self._remark("answers again")
                yield from lines
                if not self._behind():
                    yield from self._released()
                    if ended:
                        yield from self._rest()
                        return
                    nap(self.tick)
                pause, heard = self.tick, time.monotonic()
            except UnreachableError as error:
                if time.monotonic() - heard > self.patience:
                    raise
                if not lost:
                    lost = True
                    yield self._remark(f"does not answer, and is asked again: {error.message}")
                pause = min(2 * pause, _LONGEST_PAUSE)
                nap(pause)

    def _remark(self, text: str) -> LogLine:
        return LogLine(text=f"{self.tunnel.host or 'this machine'} {text}", stream=REMARK)

    def _behind(self) -> bool:
        return any(self._offsets[name] < self._sizes.get(name, 0) for name in self._readers)

    def _look(self) -> list[LogLine]:
        """One trip: what files there are, and the next part of those that are read."""
        token = f"@{secrets.token_hex(8)}"
        names = {"folder": self.folder, "token": token, "chunk": str(self.chunk)}
        names["lines"] = "" if self._held is None else str(self.tail)
        head = "".join(f"{name}={shlex.quote(value)}\n" for name, value in names.items())
        wanted = "".join(f"logs/{name} {self._offsets[name]}\n" for name in self._readers)
        finished = self.tunnel.run(head + _LOOK, data=wanted.encode())
        return self._taken(finished.out, f"\n{token} ".encode())

    def _taken(self, out: bytes, mark: bytes) -> list[LogLine]:
        lines: list[LogLine] = []
        begins: dict[str, int] = {}
        failures: dict[int, str] = {}
        for part in out.split(mark)[1:]:
            head, _, data = part.partition(b"\n")
            what, *words = head.decode(errors="replace").split(" ", 3)
            if what == "ended":
                self.ended = True
                continue
            first, second, path = (*words, "0", "0", "")[:3]
            name = path.removeprefix("logs/")
            if what == "failure" and name.partition("/")[0].isdecimal():
                failures[int(name.partition("/")[0])] = data.decode(errors="replace")
            elif what == "file":
                self._sizes[name], begins[name] = int(first), int(second)
            elif what == "data":
                lines += self._given(name, data[: int(first)])
        self._choose(begins, failures)
        return lines

    def _given(self, name: str, data: bytes) -> list[LogLine]:
        file, reader = self._readers[name]
        self._offsets[name] += len(data)
        lines = [file.line(text) for text in reader.lines(data)]
        if self._held is None:
            return lines
        self._held.setdefault(name, []).extend(lines)
        return []

    def _released(self) -> list[LogLine]:
        """What was held back, now that it is known which lines are the last."""
        held, self._held = self._held, None
        lines = [line for name in self._readers for line in (held or {}).get(name, ())]
        return lines[max(0, len(lines) - (self.tail or 0)) :]

    def _choose(self, begins: Mapping[str, int], failures: Mapping[int, str]) -> None:
        files = JobFiles(failures=failures)

        def failed(attempt: int) -> int | None:
            return (first_failure(files, attempt) or {}).get("rank")

        for file in chosen(set(begins), self.rank, failed):
            if file.name not in self._readers and file.name in begins:
                self._readers[file.name] = (file, Lines())
                self._offsets[file.name] = begins[file.name]

    def _rest(self) -> list[LogLine]:
        """What stands after the last line ends; and what is held back."""
        held = self._held
        lines = {
            name: [file.line(text) for text in reader.last()]
            for name, (file, reader) in self._readers.items()
        }
        if held is None:
            return [line for each in lines.values() for line in each]
        for name, each in lines.items():
            held.setdefault(name, []).extend(each)
        return self._released()
