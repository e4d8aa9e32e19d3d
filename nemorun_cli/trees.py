"""The content of a project: its files, what stat(2) says of them, and the hash of it all."""

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from nemorun_cli import projectfiles
from nemorun_cli.core.errors import RefusedError

MOST_FILES = 100_000
MOST_BYTES = 2**30
PLAIN, EXECUTABLE, LINK = 0o644, 0o755, 0o120000
_SETTLED_NS = 2_000_000_000
"""A file younger than this may change again within the same tick of its clock."""
_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One file or symbolic link."""

    mode: int
    """PLAIN, EXECUTABLE or LINK."""
    digest: str
    """SHA-256 of the content, or of the link's target."""
    size: int = 0


@dataclass(frozen=True, kw_only=True)
class Tree:
    """The files of a project: relative path to what it is."""

    root: Path
    entries: Mapping[str, Entry]
    commit: str | None = None

    @cached_property
    def hash(self) -> str:
        """The same for the same paths, modes and contents, wherever they lie."""
        digest = hashlib.sha256()
        for path in sorted(self.entries):
            entry = self.entries[path]
            digest.update(f"{entry.mode:o} {entry.digest} ".encode() + os.fsencode(path) + b"\0")
        return digest.hexdigest()


@dataclass
class Hashes:
    """Digests remembered by what stat(2) says of a file, so that an unchanged one is not read."""

    path: Path
    known: dict[str, Any] = field(default_factory=dict)
    fresh: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, root: Path, cache: Path) -> "Hashes":
        """Those of an earlier scan of this folder; none if there was none or they are damaged."""
        path = cache / (hashlib.sha256(os.fsencode(root)).hexdigest()[:16] + ".json")
        try:
            known = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError):
            known = {}
        return cls(path=path, known=known if isinstance(known, dict) else {})

    def save(self) -> None:
        """Remember what was seen. A cache that cannot be written is only slow."""
        if self.fresh == self.known:
            return
        part = self.path.with_name(f".{self.path.name}.{os.urandom(4).hex()}")
        try:
            self.path.parent.mkdir(mode=0o700, exist_ok=True)
            part.write_text(json.dumps(self.fresh))
            part.replace(self.path)
        except OSError:
            part.unlink(missing_ok=True)

    def digest(self, root: str, path: str, status: os.stat_result, *, now: float) -> str:
        """The digest of a file, which is read only if it has changed."""
        mark = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
        before = self.known.get(path)
        if isinstance(before, list) and before[:4] == mark and isinstance(before[-1], str):
            self.fresh[path] = before
            return str(before[-1])
        digest = _digest_of(root + path, status)
        if now * 1e9 - max(status.st_mtime_ns, status.st_ctime_ns) > _SETTLED_NS:
            self.fresh[path] = [*mark, digest]
        return digest


def scan(
    root: Path, hashes: Hashes, *, now: float, without: Path, only: Sequence[str] | None = None
) -> Tree:
    """The files that belong to the project in `root`, but for those in the folder `without`.

    `only`: these and no others, where there is no project.

    RefusedError for a tree that is too large, before its files are read, and for a file that
    cannot be read.
    """
    listed = projectfiles.listing(root) if only is None else projectfiles.Listing(paths=(*only,))
    found = _statuses(root, listed.paths, _own(root, without))
    refuse_if_too_large(root, {path: status.st_size for path, status in found.items()})
    start = os.path.join(root, "")  # noqa: PTH118
    entries = {}
    for path, status in found.items():
        try:
            digest = hashes.digest(start, path, status, now=now)
        except FileNotFoundError:
            continue  # It has just gone.
        except OSError as error:
            raise unreadable(start + path, error) from None
        entries[path] = entry_of(status, digest)
    return Tree(root=root, entries=entries, commit=listed.commit)


def entry_of(status: os.stat_result, digest: str) -> Entry:
    """What a file or link is, given what stat(2) says and the digest of its content."""
    if stat.S_ISLNK(status.st_mode):
        return Entry(mode=LINK, digest=digest)
    mode = EXECUTABLE if status.st_mode & stat.S_IXUSR else PLAIN
    return Entry(mode=mode, digest=digest, size=status.st_size)


def stored(folder: Path) -> Tree:
    """Everything that lies in a stored snapshot; OSError if it cannot be read."""
    entries = {}
    for at, folders, files in os.walk(folder, onerror=_raise):
        for name in (*files, *folders):
            path = Path(at, name)
            status = path.lstat()
            if not stat.S_ISDIR(status.st_mode):
                relative = str(path.relative_to(folder))
                entries[relative] = entry_of(status, _digest_of(str(path), status))
    return Tree(root=folder, entries=entries)


def bytes_in(folder: Path) -> int:
    """Bytes of all files below a folder, as far as they can be seen; links count as themselves."""
    total = 0
    for at, folders, files in os.walk(folder):
        for name in (*files, *folders):
            with suppress(OSError):
                total += os.lstat(f"{at}/{name}").st_size
    return total


def refuse_if_too_large(root: Path, sizes: Mapping[str, int]) -> None:
    """RefusedError for a tree with too many files or bytes; it names where most of them are."""
    total = sum(sizes.values())
    if len(sizes) <= MOST_FILES and total <= MOST_BYTES:
        return
    folders: dict[str, list[int]] = {}
    for path, size in sizes.items():
        folders.setdefault(path.partition("/")[0], []).append(size)
    # Where only the number is too large, it says more than the bytes do.
    heaviest = sum if total > MOST_BYTES else len
    largest = sorted(folders, key=lambda name: -heaviest(folders[name]))[:_SHOWN]
    listed = ", ".join(f"{name} ({_amount(folders[name])})" for name in largest)
    raise RefusedError(
        f"a snapshot of {root} would hold {_amount(sizes.values())}, "
        f"and may hold 1 GiB in {MOST_FILES:,} files; the largest: {listed}",
        hint="add to .gitignore what is no code; local jobs can read it all the same",
    )


def unreadable(path: str, error: OSError) -> RefusedError:
    """What to say of a file that belongs to the project and cannot be read."""
    return RefusedError(
        f"cannot read {path} for the snapshot: {error.strerror or error}",
        hint="make it readable, or add it to .gitignore",
    )


def _own(root: Path, without: Path) -> str | None:
    """The part of the project that is the store's own, as the start of a path."""
    folder = without.resolve()
    if folder == root.resolve():
        raise RefusedError(
            f"the runs are kept in the project's own folder, {root}",
            hint="set NEMORUN_HOME to another folder, or to one inside it",
        )
    if not folder.is_relative_to(root.resolve()):
        return None
    return f"{folder.relative_to(root.resolve())}/"


def _statuses(root: Path, paths: Iterable[str], own: str | None) -> dict[str, os.stat_result]:
    found = {}
    start = os.path.join(root, "")  # noqa: PTH118
    waiting = list(paths)
    for path in waiting:
        if own and f"{path}/".startswith(own):
            continue
        try:
            status = os.lstat(start + path)
        except (FileNotFoundError, NotADirectoryError):
            continue  # Tracked, and deleted.
        except OSError as error:
            raise unreadable(start + path, error) from None
        if stat.S_ISDIR(status.st_mode):
            waiting += projectfiles.inside(root, path)
        elif stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
            found[path] = status
    return found


def _digest_of(path: str, status: os.stat_result) -> str:
    if stat.S_ISLNK(status.st_mode):
        return hashlib.sha256(os.fsencode(os.readlink(path))).hexdigest()  # noqa: PTH115
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123
        return hashlib.file_digest(file, "sha256").hexdigest()


def _amount(sizes: Iterable[int]) -> str:
    listed = list(sizes)
    files = "1 file" if len(listed) == 1 else f"{len(listed):,} files"
    return f"{sum(listed) / 2**20:,.1f} MiB in {files}"


def _raise(error: OSError) -> None:
    raise error
