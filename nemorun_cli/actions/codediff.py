"""What differs between the code of two sides, file by file."""

import difflib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nemorun_cli.core.errors import RefusedError
from nemorun_cli.packagers.rows import LINK, Entry
from nemorun_cli.packagers.trees import Tree

ADDED, REMOVED, CHANGED, MODE = "added", "removed", "changed", "mode"
_LINE = re.compile(rb"[^\n]*\n|[^\n]+")
_LARGEST = 4 * 2**20  # bytes of a file whose lines are compared


@dataclass(frozen=True, kw_only=True)
class FileChange:
    """One file or symbolic link that is not the same on both sides."""

    path: str
    change: str
    """`added`, `removed`, `changed`, or `mode`: another kind of file with the same content."""


def file_changes(before: Tree | None, after: Tree | None) -> tuple[FileChange, ...]:
    """The files that only one side has, or has otherwise, by path."""
    old = {} if before is None else before.entries
    new = {} if after is None else after.entries
    return tuple(
        FileChange(path=path, change=change)
        for path in sorted({**old, **new})
        if (change := _change(old.get(path), new.get(path)))
    )


def patch(before: Tree | None, after: Tree | None) -> Iterator[bytes]:
    """A unified diff of all that differs, as `patch -p1` reads it; of other than text the name.

    RefusedError for a file that has gone or cannot be read.
    """
    for each in file_changes(before, after):
        old, new = _entry(before, each.path), _entry(after, each.path)
        yield from _modes(each, old, new)
        if each.change != MODE:
            yield from _lines(each, _content(before, old, each), _content(after, new, each))


def _change(old: Entry | None, new: Entry | None) -> str:
    if old is None or new is None:
        return ADDED if old is None else REMOVED
    if old.digest != new.digest:
        return CHANGED
    return MODE if old.mode != new.mode else ""


def _entry(tree: Tree | None, path: str) -> Entry | None:
    return None if tree is None else tree.entries.get(path)


def _modes(each: FileChange, old: Entry | None, new: Entry | None) -> Iterator[bytes]:
    if old is not None and new is not None and old.mode != new.mode:
        path = os.fsencode(each.path)
        yield b"diff --git a/%b b/%b\n" % (path, path)
        yield f"old mode {_mode(old):o}\nnew mode {_mode(new):o}\n".encode()


def _mode(entry: Entry) -> int:
    return entry.mode if entry.mode == LINK else entry.mode | 0o100000


def _content(tree: Tree | None, entry: Entry | None, each: FileChange) -> bytes | None:
    """What is in the file, the target of a link; None where there is none."""
    if tree is None or entry is None:
        return None
    path = Path(tree.root, each.path)
    try:
        return os.fsencode(path.readlink()) if entry.mode == LINK else path.read_bytes()
    except OSError as error:
        raise RefusedError(f"cannot read {path}: {error.strerror or error}") from None


def _lines(each: FileChange, old: bytes | None, new: bytes | None) -> Iterator[bytes]:
    path = os.fsencode(each.path)
    names = (
        b"/dev/null" if old is None else b"a/" + path,
        b"/dev/null" if new is None else b"b/" + path,
    )
    before, after = old or b"", new or b""
    if any(b"\0" in part or len(part) > _LARGEST for part in (before, after)):
        yield b"Binary files %b and %b differ\n" % names
        return
    lines = _LINE.findall(before), _LINE.findall(after)
    told = difflib.diff_bytes(difflib.unified_diff, lines[0], lines[1], names[0], names[1])
    for line in told:
        yield line if line.endswith(b"\n") else line + b"\n\\ No newline at end of file\n"
