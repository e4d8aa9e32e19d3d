"""The entries of a tree as the lines of its manifest: cheap to read, to change and to write."""

import os
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
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

    lines: list[str]
    """`MODE DIGEST PATH` each, sorted by path."""
    sizes: list[str]
    """Those of the same files."""

    @classmethod
    def of(cls, entries: Mapping[str, Entry]) -> Self:
        """The rows of these entries."""
        found = sorted(entries.items())
        lines = [f"{mode:o} {digest} {path}" for path, (mode, digest, _) in found]
        return cls(lines, [str(entry.size) for _, entry in found])

    @cached_property
    def manifest(self) -> bytes:
        """All lines, each with a NUL at its end."""
        return os.fsencode("\0".join([*self.lines, ""]))

    @property
    def bytes(self) -> int:
        """Of all files together."""
        return sum(map(int, self.sizes))

    def names(self, folder: str) -> Iterator[str]:
        """What lies in a folder (empty, or with `/` at its end); names of folders end so, too."""
        at = bisect_left(self.lines, folder, key=_path)
        while at < len(self.lines) and (path := _path(self.lines[at])).startswith(folder):
            name, slash, _ = path[len(folder) :].partition("/")
            yield name + slash
            # The character behind "/": no path in that folder is as great.
            at = bisect_left(self.lines, f"{folder}{name}0", at, key=_path) if slash else at + 1

    def changed(self, entries: Mapping[str, Entry | None]) -> Self:
        """The same, with other entries at these paths; None for no entry."""
        lines, sizes = [*self.lines], [*self.sizes]
        for path, entry in entries.items():
            at = bisect_left(lines, path, key=_path)
            end = at + (at < len(lines) and _path(lines[at]) == path)
            new = [] if entry is None else [entry]
            lines[at:end] = [f"{mode:o} {digest} {path}" for mode, digest, _ in new]
            sizes[at:end] = [str(each.size) for each in new]
        return replace(self, lines=lines, sizes=sizes)

    def __getitem__(self, path: str) -> Entry:
        at = bisect_left(self.lines, path, key=_path)
        if at == len(self.lines) or _path(self.lines[at]) != path:
            raise KeyError(path)
        mode, digest, _ = self.lines[at].split(" ", 2)
        return Entry(mode=int(mode, 8), digest=digest, size=int(self.sizes[at]))

    def __iter__(self) -> Iterator[str]:
        return map(_path, self.lines)

    def __len__(self) -> int:
        return len(self.lines)


def _path(line: str) -> str:
    return line.split(" ", 2)[2]
