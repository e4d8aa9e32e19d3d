"""What the last snapshot of a project held, so that the next looks only at what may differ."""

import hashlib
import json
import os
import sys
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from nemorun_cli.packagers import git, ignorefile
from nemorun_cli.packagers.digests import Digests, Row
from nemorun_cli.packagers.rows import Rows
from nemorun_cli.packagers.trees import Tree

MOST = 500
"""Of the files that are looked at one by one: for more, a look at all is as quick."""
_FORMAT = f"nemorun latest 2 {sys.byteorder}"


class Doubtful(NamedTuple):
    """A file that is not known to be what git's index tells."""

    row: Row
    commit: str
    """Its mode and object in the commit; empty if it is not there."""
    tracked: bool
    staged: bool
    """Whether the index has it as the commit has not."""


@dataclass(frozen=True, kw_only=True)
class Latest:
    """The last snapshot of a project."""

    rows: Rows
    mark: str
    """What git knew then; see `mark_of`."""
    base: str
    """The hash of a snapshot that is whole in the store, this one or one before it."""
    new: frozenset[str]
    """Where that does not hold what this one holds."""
    doubtful: Mapping[str, Doubtful]
    """All that is new, or not as git's index tells, or too young to say."""


def mark_of(root: Path) -> str:
    """As long as it is the same, git has the same files; empty where it has none.

    Of the index, the commit, and the project's rules.
    """
    repository = git.repository(root)
    commit = None if repository is None else git.head(repository).commit
    if repository is None or commit is None:
        return ""
    try:
        with git.index(repository).open("rb") as file:
            status = os.fstat(file.fileno())
            file.seek(-min(20, status.st_size), os.SEEK_END)
            checksum = file.read().hex()
        rules = root / ignorefile.NAME
        ruled = hashlib.sha256(rules.read_bytes()).hexdigest() if rules.exists() else ""
    except OSError:
        return ""
    times = f"{status.st_mtime_ns} {status.st_ctime_ns}"
    return f"{status.st_ino} {status.st_size} {times} {checksum} {commit} {ruled}"


def recall(root: Path, cache: Path) -> Latest | None:
    """The last snapshot of this project that builds on another; None if nothing is known of it."""
    try:
        head, _, rest = _path(root, cache).read_bytes().partition(b"\n")
        known = json.loads(head)
        sizes = array("q")
        end = known["files"] * sizes.itemsize
        sizes.frombytes(rest[:end])
        rows = Rows(os.fsdecode(rest[end:]), sizes)
        if known["format"] != _FORMAT or rows.text.count("\0") != len(sizes):
            return None
        doubtful = {
            path: Doubtful((mark, size, digest), *rest)
            for path, (mark, size, digest, *rest) in known["doubtful"].items()
        }
        return Latest(
            rows=rows,
            mark=known["mark"],
            base=known["base"],
            new=frozenset(known["new"]),
            doubtful=doubtful,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def keep(  # noqa: PLR0913
    tree: Tree, digests: Digests, cache: Path, *, mark: str, base: str, new: frozenset[str]
) -> None:
    """Keep what this snapshot holds. What cannot be written is only slow.

    `mark` is from before the look; empty where a look at what may differ would not be enough.
    """
    doubtful = _doubtful(tree, digests, new) if mark and mark_of(tree.root) == mark else None
    known = {
        "format": _FORMAT,
        "files": len(tree.rows),
        "mark": "" if doubtful is None else mark,
        "base": base,
        "new": sorted(new),
        "doubtful": doubtful or {},
    }
    head = f"{json.dumps(known)}\n".encode()
    path = _path(tree.root, cache)
    part = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    try:
        cache.mkdir(mode=0o700, exist_ok=True)
        part.touch(mode=0o600)
        part.write_bytes(head + tree.rows.sizes.tobytes() + tree.rows.manifest)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)


def differing(tree: Tree, latest: Latest, *, among: Iterable[str] | None = None) -> frozenset[str]:
    """Where the base of an earlier snapshot does not hold what this tree holds.

    `among`: at these paths alone the tree may be another than the snapshot was.
    """
    old, rows = latest.rows, tree.rows
    if among is None:
        lines = set(rows.text.split("\0")).difference(old.text.split("\0"))
        among = (line.split(" ", 2)[2] for line in lines)
    changed = {path for path in among if rows.row(path) not in {None, old.row(path)}}
    return frozenset(changed.union(path for path in latest.new if path in rows))


def _doubtful(
    tree: Tree, digests: Digests, new: frozenset[str]
) -> Mapping[str, tuple[str | bool, ...]] | None:
    """None where git's word is not enough to tell what the project holds."""
    listing, rules = tree.listings[0], ignorefile.rules(tree.root)
    state = listing.state
    if state is None or state.unwatched or listing.inside or (rules is not None and rules.taken):
        return None
    names = state.changed | state.untracked | tree.young | new
    if len(names) > MOST:
        return None
    unknown = ("", "", "")
    return {
        name: (
            *digests.fresh.get(name, unknown),
            state.base.get(name, ""),
            name not in state.untracked,
            name in state.staged,
        )
        for name in names
    }


def _path(root: Path, cache: Path) -> Path:
    return cache / f"{hashlib.sha256(os.fsencode(root)).hexdigest()[:16]}.latest"
