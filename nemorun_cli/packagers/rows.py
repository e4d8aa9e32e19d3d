"""The entries of a tree as the text of its manifest: cheap to read, to change and to write."""

import os
from array import array
from collections.abc import ItemsView, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, Self

PLAIN, EXECUTABLE, LINK = 0o644, 0o755, 0o120000
"""Of files, as git writes them."""


class Entry(NamedTuple):  # There are many: a dataclass would take five times as long.
    """One file or symbolic link."""

    mode: int
    """PLAIN, EXECUTABLE or LINK."""
    digest: str
    """SHA-256 of the content, or of the link's target."""
    size: int = 0


@dataclass(frozen=True, eq=False)
class Rows(Mapping[str, Entry]):
    """Entries by path, of which only those are taken apart that are asked for."""

    text: str
    """`MODE DIGEST PATH` and a NUL for each, sorted by path."""
    sizes: "array[int]"
    """Those of the same files."""
    known: dict[str, Entry] = field(default_factory=dict)
    """Some that are at hand."""

    @classmethod
    def of(cls, entries: Mapping[str, Entry]) -> Self:
        """The rows of these entries."""
        found = sorted(entries.items())
        text = "".join([_row(path, entry) for path, entry in found])
        return cls(text, array("q", [entry.size for _, entry in found]))

    @cached_property
    def manifest(self) -> bytes:
        """The text, as it is stored."""
        return os.fsencode(self.text)

    @property
    def bytes(self) -> int:
        """Of all files together."""
        return sum(self.sizes)

    def names(self, folder: str) -> Iterator[str]:
        """What lies in a folder (empty, or with `/` at its end); names of folders end so, too."""
        at, _ = self._place(folder)
        while (row := self._row_at(at)) and (path := _path(row)).startswith(folder):
            name, slash, _ = path[len(folder) :].partition("/")
            yield name + slash
            # The character behind "/": no path in that folder is as great.
            at = self._place(f"{folder}{name}0", at)[0] if slash else at + len(row) + 1

    def changed(self, entries: Mapping[str, Entry | None]) -> Self:
        """The same, with other entries at these paths; None for no entry."""
        pieces, sizes, at, number = [], array("q"), 0, 0
        for path, entry in sorted(entries.items()):
            start, end = self._place(path, at)
            before = number + self.text.count("\0", at, start)
            pieces.append(self.text[at:start])
            sizes += self.sizes[number:before]
            if entry is not None:
                pieces.append(_row(path, entry))
                sizes.append(entry.size)
            at, number = end, before + (end > start)
        known = {path: entry for path, entry in entries.items() if entry is not None}
        text = "".join([*pieces, self.text[at:]])
        return type(self)(text, sizes + self.sizes[number:], known)

    def row(self, path: str) -> str | None:
        """`MODE DIGEST PATH` of a file; None where there is none."""
        start, end = self._place(path)
        return self.text[start : end - 1] if end > start else None

    def __getitem__(self, path: str) -> Entry:
        if path not in self.known:
            start, end = self._place(path)
            if start == end:
                raise KeyError(path)
            size = self.sizes[self.text.count("\0", 0, start)]
            self.known[path] = _entry(self.text[start : end - 1], size)
        return self.known[path]

    def __contains__(self, path: object) -> bool:
        return isinstance(path, str) and self.row(path) is not None

    def __iter__(self) -> Iterator[str]:
        return map(_path, self.text.split("\0")[:-1])

    def __len__(self) -> int:
        return len(self.sizes)

    def items(self) -> ItemsView[str, Entry]:
        """All of them, taken apart."""
        rows = zip(self.text.split("\0")[:-1], self.sizes, strict=True)
        return {_path(row): _entry(row, size) for row, size in rows}.items()

    def _place(self, path: str, low: int = 0) -> tuple[int, int]:
        """Where the row of this path begins and ends; twice where it would, if there is none.

        `low` is where some row begins that is not behind it.
        """
        text, high = self.text, len(self.text)
        while low < high:
            middle = (low + high) // 2
            start = text.rfind("\0", low, middle) + 1 or low
            end = text.index("\0", middle)
            if _path(text[start:end]) < path:
                low = end + 1
            else:
                high = start
        row = self._row_at(low)
        return low, low + len(row) + 1 if row and _path(row) == path else low

    def _row_at(self, at: int) -> str:
        """The row that begins there, without its NUL; empty at the end."""
        return self.text[at : self.text.index("\0", at)] if at < len(self.text) else ""


def _row(path: str, entry: Entry) -> str:
    return f"{entry.mode:o} {entry.digest} {path}\0"


def _entry(row: str, size: int) -> Entry:
    mode, digest, _ = row.split(" ", 2)
    return Entry(mode=int(mode, 8), digest=digest, size=size)


def _path(row: str) -> str:
    return row.split(" ", 2)[2]
