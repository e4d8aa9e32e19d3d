"""Whether a patch is one that makes a snapshot of its commit: told by the snapshot, without git."""

import base64
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nemorun_cli.packagers import patches
from nemorun_cli.packagers.gitobjects import blob_name, hasher
from nemorun_cli.packagers.patchlines import STRANGE, Header, Lines, MisfitError
from nemorun_cli.packagers.rows import Entry
from nemorun_cli.packagers.trees import Tree

_BINARY = re.compile(rb"(literal|delta) (\d{1,12})")
_NOTHING = b"/dev/null"
_LENGTHS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""Of the bytes in a line of base 85: its first letter's place here, and one more."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """What a patch is to make of a commit: the files of one repository in a snapshot."""

    patch: str
    """Its name."""
    commit: str
    start: str
    """Of the paths of its files in the snapshot."""
    entries: Mapping[str, Entry]
    """By the rest of their paths."""
    read: Callable[[str], bytes]
    """What git stores of a file of the snapshot."""


def made(code: Mapping[str, Any], tree: Tree, read: Callable[[str], bytes]) -> Iterator[Made]:
    """What the patches of a run's code, which is as in its record, are to make of their commits.

    `tree` is the snapshot, and `read` gives what git stores of a file of it.
    """
    known = code.get("repositories") or ()
    starts = [f"{each['place']}/" if each.get("place") else "" for each in known]
    for start, each in zip(starts, known, strict=True):
        if each.get("patch"):
            inner = tuple(other for other in starts if other != start and other.startswith(start))
            yield Made(
                patch=each["patch"],
                commit=str(each.get("commit")),
                start=start,
                entries={
                    path[len(start) :]: entry
                    for path, entry in tree.entries.items()
                    if path.startswith(start) and not path.startswith(inner)
                },
                read=read,
            )


def misfit(patch: bytes, made: Made) -> str | None:
    """Why this patch does not make that, in words; None if it does.

    Each file that it changes must be as it says, line by line, and before it what the patch says it
    was in the commit. Of the differences between binary files git itself checks what they make.
    """
    lines = Lines(patch)
    try:
        prefix = _prefix(lines, made)
        gone: set[str] = set()
        seen: set[str] = set()
        while not lines.ended:
            path, is_gone = _checked(lines, prefix, made)
            if path in seen or (path in gone and is_gone):
                return f"{path} is in it twice"
            (gone if is_gone else seen).add(path)
        if left := (gone & made.entries.keys()) - seen:
            return f"{min(left)} is not deleted in the code"
    except MisfitError as error:
        return str(error)
    except (ValueError, zlib.error):
        return STRANGE
    return None


def _prefix(lines: Lines, made: Made) -> str:
    """The path of the folder in its repository: the one that, with the rest, gives the name."""
    path = lines.names()
    tree = Tree(root=Path(), entries=made.entries)
    at = 0
    while patches.name(made.commit, path[:at], tree) != made.patch:
        at = path.find("/", at) + 1
        if at == 0:
            raise MisfitError("it is not that of this commit and this code")
    return path[:at]


def _checked(lines: Lines, prefix: str, made: Made) -> tuple[str, bool]:
    """Look at what the patch says of its next file: the file's path, and whether it goes."""
    header = lines.header()
    path = header.path.removeprefix(prefix)
    if not header.path.startswith(prefix) or (header.is_new and header.is_gone):
        raise MisfitError(f"{header.path} cannot be in it")
    data = b"" if header.is_gone else _content(path, header, made)
    if header.before is not None and header.after is not None:
        if lines.peek() == b"GIT binary patch":
            lines.next()
            _check_binary(lines, path, header.after)
            _check_binary(lines, path, header.before)
        elif _before(lines, header, data) != header.before:
            raise MisfitError(f"{path} was not so in the commit")
    return path, header.is_gone


def _content(path: str, header: Header, made: Made) -> bytes:
    """The content of a file in the snapshot, which is what the patch says."""
    entry = made.entries.get(path)
    if entry is None:
        raise MisfitError(f"{path} is not in the code")
    if header.mode != patches.mode(entry).encode():
        raise MisfitError(f"{path} has another mode in the code")
    if entry.size > patches.MOST_BYTES:
        raise MisfitError(f"{path} is too large for a patch")
    data = made.read(made.start + path)
    if header.after is not None and blob_name(data, like=header.after) != header.after:
        raise MisfitError(f"{path} is not so in the code")
    return data


def _check_names(lines: Lines, header: Header) -> None:
    before = _NOTHING if header.is_new else header.names[0]
    after = _NOTHING if header.is_gone else header.names[1]
    for mark, name in ((b"--- ", before), (b"+++ ", after)):
        if lines.next().removesuffix(b"\t") != mark + name:
            raise MisfitError(f"{header.path} has two names in it")


def _before(lines: Lines, header: Header, after: bytes) -> str:
    """What git called the content before these changes, given that after them."""
    before = bytearray()
    at, number, more = 0, 1, 0
    if lines.peek().startswith(b"--- "):
        _check_names(lines, header)
    while hunk := lines.hunk():
        while number < hunk.first[1]:
            end = after.find(b"\n", at) + 1
            if end == 0:
                raise MisfitError(f"{header.path} has not so many lines in the code")
            before += after[at:end]
            at, number = end, number + 1
        end = at + len(hunk.after)
        whole = hunk.after.endswith(b"\n") or not hunk.after or end == len(after)
        here = hunk.first == (number + more, number) and after.startswith(hunk.after, at)
        if not whole or not here:
            raise MisfitError(f"{header.path} has other lines in the code")
        before += hunk.before
        at, number, more = end, number + hunk.lines[1], more + hunk.lines[0] - hunk.lines[1]
    before += after[at:]
    if header.is_new and not before:
        return header.before or ""
    return blob_name(bytes(before), like=header.before or "")


def _check_binary(lines: Lines, path: str, name: str) -> None:
    """Look at one side of a binary file: if it is told as a whole, it must be this blob."""
    found = _BINARY.fullmatch(lines.next())
    if found is None:
        raise MisfitError(STRANGE)
    size, left = int(found[2]), int(found[2])
    digest = hasher(size, like=name)
    unpacking = zlib.decompressobj()
    while line := lines.next():
        count = _LENGTHS.index(line[:1]) + 1
        data = base64.b85decode(line[1:])[:count]
        if len(data) != count or line[1:] != base64.b85encode(data, pad=True):
            raise MisfitError(STRANGE)
        while data:
            piece = unpacking.decompress(data, 2**20)
            left -= len(piece)
            digest.update(piece)
            data = unpacking.unconsumed_tail
            if left < 0:
                break
    same = digest.hexdigest() == name if name.strip("0") else size == 0
    if left or not unpacking.eof or not (same or found[1] == b"delta"):
        raise MisfitError(f"{path} is not what it tells")
