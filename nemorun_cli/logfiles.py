"""Reading log files: the last lines without the rest, and new lines as they come."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

BLOCK = 64 * 1024
LONGEST = 1024 * 1024
"""Bytes after which a line without an end is given in pieces."""


@dataclass
class Lines:
    """Makes lines of bytes that come in pieces; a line counts when its end is there."""

    _rest: bytes = field(default=b"", init=False)

    def lines(self, block: bytes) -> Iterator[str]:
        """The lines that this piece completes."""
        *whole, self._rest = (self._rest + block).split(b"\n")
        yield from map(_text, whole)
        if len(self._rest) > LONGEST:
            yield _text(self._rest)
            self._rest = b""

    def last(self) -> Iterator[str]:
        """What stands after the last line end, once nobody writes any more."""
        rest, self._rest = self._rest, b""
        if rest:
            yield _text(rest)


@dataclass
class Reader:
    """Reads a growing file line by line, from `offset`."""

    path: Path
    offset: int = 0
    _lines: Lines = field(default_factory=Lines, init=False)

    def lines(self) -> Iterator[str]:
        """The lines that were completed since the last call; none if there is no file yet."""
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            return
        with file:
            file.seek(self.offset)
            while block := file.read(BLOCK):
                self.offset += len(block)
                yield from self._lines.lines(block)

    def last(self) -> Iterator[str]:
        """What stands after the last line end, once nobody writes any more."""
        return self._lines.last()


def offset_of_tail(path: Path, lines: int) -> tuple[int, int]:
    """Where the last `lines` lines of a file begin, and how many there really are.

    Reads from the end only as much as that takes.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return 0, 0
    with file:
        position = size = file.seek(0, 2)
        if lines <= 0:
            return size, 0
        found = 0
        while position:
            start = max(0, position - BLOCK)
            file.seek(start)
            block = file.read(position - start)
            end = len(block)
            while (end := block.rfind(b"\n", 0, end)) >= 0:
                if start + end + 1 == size:
                    continue  # The end of the last line begins no other.
                found += 1
                if found == lines:
                    return start + end + 1, lines
            position = start
    return 0, found + (size > 0)


def _text(line: bytes) -> str:
    return line.decode("utf-8", "surrogateescape")
