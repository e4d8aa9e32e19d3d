"""The log files of a job on another host, read by offset: a cut loses and doubles no line."""

import secrets
import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from nemorun_cli.core.errors import UnreachableError
from nemorun_cli.core.jobs import LogLine
from nemorun_cli.core.ports import Tunnel
from nemorun_cli.jobfiles import JobFiles, first_failure
from nemorun_cli.joblogs import LogFile, chosen
from nemorun_cli.logfiles import Lines
from nemorun_cli.watching import nap

CHUNK = 1024 * 1024
"""Bytes of one file that one trip brings at most."""
PATIENCE = 600.0
"""Seconds without an answer after which following gives up."""
_TICK = 1.0
_LONGEST_PAUSE = 15.0
_LOOK = r"""
cd "$folder" 2>/dev/null || exit 0
mark() { printf '\n%s %s\n' "$token" "$*"; }
[ ! -e exit.json ] || mark ended
for file in logs/*/first_failure.json; do
    [ ! -e "$file" ] || { mark failure "$file" && cat "$file"; }
done
for file in logs/[0-9]*/*.log logs/[0-9]*/*.err; do
    [ -e "$file" ] || continue
    size=$(wc -c <"$file") begin=0
    [ -z "$lines" ] || begin=$((size - $(tail -n "$lines" "$file" | wc -c)))
    mark file "$file" "$((size))" "$begin"
done
while read -r file offset; do
    size=$(wc -c <"$file")
    length=$((size - offset))
    [ "$length" -le "$chunk" ] || length=$chunk
    [ "$length" -gt 0 ] || continue
    mark data "$file" "$length"
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
    _readers: dict[str, tuple[LogFile, Lines]] = field(default_factory=dict)
    _offsets: dict[str, int] = field(default_factory=dict)
    _sizes: dict[str, int] = field(default_factory=dict)
    ended: bool = False
    """Whether the job has left its verdict."""

    def read(self) -> Iterator[LogLine]:
        """What stands in the files now."""
        self._look()
        while self._behind():
            yield from self._look()
        yield from self._rest()

    def follow(self, over: Callable[[], bool]) -> Iterator[LogLine]:
        """The same, and then each line as it comes, until the job has ended and all was given.

        An interrupted connection is taken up again where it broke. UnreachableError when it stays
        so for ten minutes.
        """
        pause, heard = _TICK, time.monotonic()
        while True:
            try:
                ended = self.ended or over()
                yield from self._look()
                if ended and not self._behind():
                    yield from self._rest()
                    return
                pause, heard = _TICK, time.monotonic()
            except UnreachableError:
                if time.monotonic() - heard > PATIENCE:
                    raise
                pause = min(2 * pause, _LONGEST_PAUSE)
            if not self._behind():
                nap(pause)

    def _behind(self) -> bool:
        return any(self._offsets[name] < self._sizes.get(name, 0) for name in self._readers)

    def _look(self) -> list[LogLine]:
        """One trip: what files there are, and the next part of those that are read."""
        token = f"@{secrets.token_hex(8)}"
        names = {"folder": self.folder, "token": token, "chunk": str(CHUNK)}
        names["lines"] = "" if self.tail is None else str(self.tail)
        head = "".join(f"{name}={shlex.quote(value)}\n" for name, value in names.items())
        wanted = "".join(f"logs/{name} {self._offsets[name]}\n" for name in self._readers)
        finished = self.tunnel.run(head + _LOOK, data=wanted.encode())
        return self._taken(finished.out, token.encode())

    def _taken(self, out: bytes, token: bytes) -> list[LogLine]:
        lines: list[LogLine] = []
        begins: dict[str, int] = {}
        failures: dict[int, str] = {}
        mark, at = b"\n" + token + b" ", 0
        while (at := out.find(mark, at)) >= 0:
            end = out.index(b"\n", at + len(mark))
            what, *words = out[at + len(mark) : end].decode(errors="replace").split()
            at = end + 1
            if what == "ended":
                self.ended = True
            elif what == "failure":
                stop = out.find(mark, at)
                text = out[at : stop if stop >= 0 else len(out)]
                failures[int(words[0].split("/")[1])] = text.decode(errors="replace")
            elif what == "file":
                name = words[0].removeprefix("logs/")
                self._sizes[name], begins[name] = int(words[1]), int(words[2])
            elif what == "data":
                data = out[at : at + int(words[1])]
                at += len(data)
                lines += self._given(words[0].removeprefix("logs/"), data)
        self._choose(begins, failures)
        return lines

    def _given(self, name: str, data: bytes) -> list[LogLine]:
        file, reader = self._readers[name]
        self._offsets[name] += len(data)
        return [file.line(text) for text in reader.lines(data)]

    def _choose(self, begins: Mapping[str, int], failures: Mapping[int, str]) -> None:
        files = JobFiles(failures=failures)

        def failed(attempt: int) -> int | None:
            return (first_failure(files, attempt) or {}).get("rank")

        for file in chosen(set(begins), self.rank, failed):
            if file.name not in self._readers and file.name in begins:
                self._readers[file.name] = (file, Lines())
                self._offsets[file.name] = begins[file.name] if self.tail is not None else 0

    def _rest(self) -> Iterator[LogLine]:
        for file, reader in self._readers.values():
            yield from (file.line(text) for text in reader.last())
