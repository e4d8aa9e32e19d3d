"""The lines of a patch as git writes it, read strictly: what git never writes is refused."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

_MODE = re.compile(rb"(old mode|new mode|deleted file mode|new file mode) (100644|100755|120000)")
_INDEX = re.compile(rb"index ([0-9a-f]{40,64})\.\.([0-9a-f]{40,64})(?: ([0-7]{6}))?")
_HUNK = re.compile(rb"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@.*", re.DOTALL)
_NO_NEWLINE = b"\\ No newline at end of file"
_ESCAPE = re.compile(rb"\\([0-3][0-7]{2}|.)", re.DOTALL)
_ESCAPES = {
    b"a": b"\a",
    b"b": b"\b",
    b"t": b"\t",
    b"n": b"\n",
    b"v": b"\v",
    b"f": b"\f",
    b"r": b"\r",
    b'"': b'"',
    b"\\": b"\\",
}
STRANGE = "it is no patch as git writes it"


class MisfitError(Exception):
    """What is wrong with a patch, in words."""


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a patch says of a file before it tells its lines."""

    path: str
    """From the top of the repository."""
    names: tuple[bytes, bytes]
    """The path before and after, as it is written."""
    modes: Mapping[bytes, bytes]
    before: str | None = None
    """The blob in the commit; zeros: there is none; None: nothing but the mode changes."""
    after: str | None = None
    kept: bytes | None = None
    """The mode, if it stays."""

    @property
    def is_new(self) -> bool:
        """Whether the commit has no such file."""
        return b"new file mode" in self.modes

    @property
    def is_gone(self) -> bool:
        """Whether it is deleted."""
        return b"deleted file mode" in self.modes

    @property
    def mode(self) -> bytes | None:
        """The mode that it has in the end."""
        return self.modes.get(b"new file mode") or self.modes.get(b"new mode") or self.kept


@dataclass(frozen=True, kw_only=True)
class Hunk:
    """Lines that follow each other, and what they were."""

    first: tuple[int, int]
    """The number of the first of them, before and after the change, counted from 1."""
    lines: tuple[int, int]
    """How many there are."""
    before: bytes
    after: bytes


class Lines:
    """The lines of a patch, one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def ended(self) -> bool:
        """Whether there are no more."""
        return self._at == len(self._data)

    def peek(self) -> bytes:
        """The next line, without its end; empty where there is none."""
        end = self._data.find(b"\n", self._at)
        return b"" if end == -1 else self._data[self._at : end]

    def next(self) -> bytes:
        """The same, and go on behind it; MisfitError where there is none."""
        end = self._data.find(b"\n", self._at)
        if end == -1:
            raise MisfitError("it ends early")
        line, self._at = self._data[self._at : end], end + 1
        return line

    def names(self) -> str:
        """The path of the file that comes next."""
        return _names(self.peek())[0]

    def header(self) -> Header:
        """What comes next: the beginning of what is said of a file."""
        path, names = _names(self.next())
        modes: dict[bytes, bytes] = {}
        while found := _MODE.fullmatch(self.peek()):
            modes[found[1]] = found[2]
            self.next()
        index = _INDEX.fullmatch(self.peek())
        if index is None and modes.keys() == {b"old mode", b"new mode"}:
            return Header(path=path, names=names, modes=modes)
        if index is None:
            raise MisfitError(f"it does not tell what {path} is")
        self.next()
        header = Header(
            path=path,
            names=names,
            modes=modes,
            before=index[1].decode(),
            after=index[2].decode(),
            kept=index[3],
        )
        absent = tuple(not each.strip(b"0") for each in index.group(1, 2))
        if absent != (header.is_new, header.is_gone):
            raise MisfitError(f"it does not tell what {path} is")
        return header

    def hunk(self) -> Hunk | None:
        """The hunk that comes next; None where there is none."""
        found = _HUNK.fullmatch(self.peek())
        if found is None:
            return None
        self.next()
        old, new = (1 if each is None else int(each) for each in found.group(2, 4))
        lines = (old, new)
        first = (int(found[1]) + (old == 0), int(found[3]) + (new == 0))
        before, after = bytearray(), bytearray()
        while old > 0 or new > 0:
            mark, text = self._line()
            if mark in b" -":
                before += text
                old -= 1
            if mark in b" +":
                after += text
                new -= 1
        if old or new:
            raise MisfitError(STRANGE)
        return Hunk(first=first, lines=lines, before=bytes(before), after=bytes(after))

    def _line(self) -> tuple[bytes, bytes]:
        line = self.next()
        mark, text = line[:1], line[1:] + b"\n"
        if not mark or mark not in b" +-":
            raise MisfitError(STRANGE)
        if self.peek() == _NO_NEWLINE:
            self.next()
            return mark, text[:-1]
        return mark, text


def _names(line: bytes) -> tuple[str, tuple[bytes, bytes]]:
    """The path that the first line about a file names, and how it is written there."""
    words = line.removeprefix(b"diff --git ")
    half = len(words) // 2
    names = (words[:half], words[half + 1 :])
    before, after = map(_unquoted, names)
    if words == line or words[half : half + 1] != b" " or before[:2] != "a/" or after[:2] != "b/":
        raise MisfitError(STRANGE)
    if before[2:] != after[2:]:
        raise MisfitError(f"{before[2:]} is renamed in it")
    return after[2:], names


def _unquoted(name: bytes) -> str:
    """A path as git writes it: odd ones between quotation marks, with escapes."""
    if name[:1] == name[-1:] == b'"':
        name = _ESCAPE.sub(_meant, name[1:-1])
    elif b'"' in name:
        raise MisfitError(STRANGE)
    return os.fsdecode(name)


def _meant(escape: "re.Match[bytes]") -> bytes:
    told = escape[1]
    return _ESCAPES.get(told) or bytes([int(told, 8)])
