"""The content of a project: its files, what stat(2) says of them, and the hash of it all."""

import hashlib
import os
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from nemorun_cli.core.errors import RefusedError
from nemorun_cli.core.sizes import closely
from nemorun_cli.packagers.digests import Digests
from nemorun_cli.packagers.projectfiles import Listing, beyond_links
from nemorun_cli.packagers.rows import EXECUTABLE, LINK, PLAIN, Entry, Rows

MOST_FILES = 100_000
MOST_BYTES = 2**30
_SETTLED_NS = 2_000_000_000
"""A file younger than this may change again within the same tick of its clock."""
_SHOWN = 10
_NEARLY_ALL = 0.9


@dataclass(frozen=True, kw_only=True)
class Tree:
    """The files of a project and of what goes with it: path in the snapshot to what it is."""

    root: Path
    entries: Mapping[str, Entry]
    listings: tuple[Listing, ...] = ()
    young: frozenset[str] = frozenset()
    """What has changed so lately that git may have looked at it before."""

    @property
    def sources(self) -> Iterator[tuple[str, str]]:
        """Where each file lies: its path in the snapshot, and on this disk."""
        for listing in self.listings:
            start = os.path.join(listing.folder, "")  # noqa: PTH118
            for path in listing.paths:
                if (name := listing.place + path) in self.entries:
                    yield name, start + path

    @cached_property
    def rows(self) -> Rows:
        """The entries, sorted by path."""
        return self.entries if isinstance(self.entries, Rows) else Rows.of(self.entries)

    @cached_property
    def hash(self) -> str:
        """The same for the same paths, modes and contents, wherever they lie."""
        return hashlib.sha256(self.rows.manifest).hexdigest()


class _File(NamedTuple):
    path: str
    """In the snapshot."""
    source: str
    mark: str
    status: os.stat_result


def scan(
    listings: Sequence[Listing],
    digests: Digests,
    *,
    now: float,
    without: Path,
    limit: int | None = MOST_BYTES,
) -> Tree:
    """What lies at the paths of these listings, but for those in the folder `without`.

    RefusedError for a tree that is too large, before its files are read, and for a file that
    cannot be read. `limit` is in bytes; None is no limit at all.
    """
    root = listings[0].folder
    found = [each for one in listings for each in _statuses(one, without)]
    if limit is not None:
        sizes = {each.path: each.status.st_size for each in found}
        refuse_if_too_large(root, sizes, limit=limit)
    entries: dict[str, Entry] = {}
    young = set()
    for each in found:
        if is_young := _is_young(each.status, now):
            young.add(each.path)
        try:
            digest = _digest(each, digests, young=is_young)
        except FileNotFoundError:
            continue  # It has just gone.
        except OSError as error:
            raise unreadable(each.source, error) from None
        entries[each.path] = entry_of(each.status, digest)
    return Tree(root=root, entries=entries, listings=tuple(listings), young=frozenset(young))


def weigh(listings: Sequence[Listing], *, without: Path, limit: int | None) -> None:
    """RefusedError for what is too large."""
    if limit is not None:
        found = (each for one in listings for each in _statuses(one, without))
        sizes = {each.path: each.status.st_size for each in found}
        refuse_if_too_large(listings[0].folder, sizes, limit=limit)


def entry_of(status: os.stat_result, digest: str) -> Entry:
    """What a file or link is, given what stat(2) says and the digest of its content."""
    if stat.S_ISLNK(status.st_mode):
        return Entry(mode=LINK, digest=digest)
    mode = EXECUTABLE if status.st_mode & stat.S_IXUSR else PLAIN
    return Entry(mode=mode, digest=digest, size=status.st_size)


def mark_of(status: os.stat_result) -> str:
    """The same as long as a file is, as far as stat(2) can tell."""
    times = f"{status.st_mtime_ns} {status.st_ctime_ns}"
    return f"{status.st_mode:o} {status.st_size} {times} {status.st_ino}"


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


def refuse_if_too_large(root: Path, sizes: Mapping[str, int], *, limit: int = MOST_BYTES) -> None:
    """RefusedError for a tree with too many files or bytes; it names where most of them are."""
    total = sum(sizes.values())
    if len(sizes) <= MOST_FILES and total <= limit:
        return
    # Where only the number is too large, it says more than the bytes do.
    heaviest = sum if total > limit else len
    groups = sorted(_by_name(sizes, 0).values(), key=lambda group: -heaviest(group.values()))
    largest = (_narrowed(group, heaviest) for group in groups[:_SHOWN])
    listed = ", ".join(f"{name} ({_amount(group.values())})" for name, group in largest)
    raise RefusedError(
        f"a snapshot of {root} would hold {_amount(sizes.values())}, "
        f"and may hold {closely(limit)} in {MOST_FILES:,} files; the largest: {listed}",
        hint="list what is no code in .nemorunignore; local jobs can read it all the same, if it is"
        " at the project's top; --yes-large takes all of it",
    )


def _by_name(sizes: Mapping[str, int], depth: int) -> dict[str, dict[str, int]]:
    """The files by the first names of their paths, `depth` of them and one more."""
    groups: dict[str, dict[str, int]] = {}
    for path, size in sizes.items():
        groups.setdefault("/".join(path.split("/")[: depth + 1]), {})[path] = size
    return groups


def _narrowed(
    sizes: Mapping[str, int], heaviest: Callable[[Collection[int]], int]
) -> tuple[str, Mapping[str, int]]:
    """What of these files is nearly all of them: a folder, as deep down as can be, or a file."""
    depth = 0
    while True:
        groups = _by_name(sizes, depth)
        name = max(groups, key=lambda each: heaviest(groups[each].values()))
        enough = heaviest(groups[name].values()) >= _NEARLY_ALL * heaviest(sizes.values())
        if depth and not enough:
            return "/".join(next(iter(sizes)).split("/")[:depth]), sizes
        if name in sizes:
            return name, groups[name]
        sizes, depth = groups[name], depth + 1


def unreadable(path: str, error: OSError) -> RefusedError:
    """What to say of a file that belongs to the project and cannot be read."""
    return RefusedError(
        f"cannot read {path} for the snapshot: {error.strerror or error}",
        hint="make it readable, or list it in .nemorunignore",
    )


def _own(listing: Listing, without: Path) -> str | None:
    """The part of a listing that is the store's own, as the start of a path."""
    folder, top = without.resolve(), listing.folder.resolve()
    if folder == top:
        raise RefusedError(
            f"the runs are kept in the project's own folder, {listing.folder}",
            hint="set NEMORUN_HOME to another folder, or to one inside it",
        )
    return f"{folder.relative_to(top)}/" if folder.is_relative_to(top) else None


def _statuses(listing: Listing, without: Path) -> Iterator[_File]:
    start, place = os.path.join(listing.folder, ""), listing.place  # noqa: PTH118
    own = _own(listing, without)
    beyond = beyond_links(listing.folder, listing.paths)
    for path in listing.paths:
        if path in beyond or (own and f"{path}/".startswith(own)):
            continue
        try:
            status = os.lstat(start + path)
        except (FileNotFoundError, NotADirectoryError):
            continue  # Tracked, and deleted.
        except OSError as error:
            raise unreadable(start + path, error) from None
        if stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
            yield _File(place + path, start + path, mark_of(status), status)


def _digest(file: _File, digests: Digests, *, young: bool) -> str:
    """The digest of a file, which is read only if it has changed."""
    row = digests.recall(file.path, file.mark)
    if row is not None:
        return row[2]
    digest = _digest_of(file.source, file.status)
    size = 0 if stat.S_ISLNK(file.status.st_mode) else file.status.st_size
    digests.remember(file.path, "" if young else file.mark, size, digest)
    return digest


def _is_young(status: os.stat_result, now: float) -> bool:
    return now * 1e9 - max(status.st_mtime_ns, status.st_ctime_ns) <= _SETTLED_NS


def _digest_of(path: str, status: os.stat_result) -> str:
    if stat.S_ISLNK(status.st_mode):
        return hashlib.sha256(os.fsencode(os.readlink(path))).hexdigest()  # noqa: PTH115
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123
        return hashlib.file_digest(file, "sha256").hexdigest()


def _amount(sizes: Iterable[int]) -> str:
    listed = list(sizes)
    files = "1 file" if len(listed) == 1 else f"{len(listed):,} files"
    return f"{closely(sum(listed))} in {files}"


def _raise(error: OSError) -> None:
    raise error
