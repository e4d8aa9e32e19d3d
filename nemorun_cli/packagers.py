"""How code gets to a job: a snapshot of the working tree, stored under the hash of its content."""

import os
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from nemorun_cli.core.errors import StoreError
from nemorun_cli.core.jobs import Code
from nemorun_cli.trees import EXECUTABLE, Entry, Tree, digest_of, entry, scan

MARKERS = (".git", "nemorun.toml", "pyproject.toml")


def find_root(start: Path, *, home: Path) -> Path | None:
    """The nearest folder, from `start` upwards, with `.git`, `nemorun.toml` or `pyproject.toml`.

    Never the home folder or `/`; the search ends at a folder that is not the user's own or that
    others may write to, since what lies there could be anybody's.
    """
    for folder in (start, *start.parents):
        if folder in (home, Path(folder.anchor)):
            return None
        status = folder.stat()
        if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return None
        if any((folder / name).exists() for name in MARKERS):
            return folder
    return None


def measure(root: Path, store: Path, *, home: Path, workdir: str, now: float) -> Code:
    """The snapshot that `take` would make now, without storing it."""
    return _code(scan(root, cache=store / ".cache", now=now, without=home), store, workdir)


def take(root: Path, store: Path, *, home: Path, workdir: str, now: float) -> Code:
    """Store a snapshot of the tracked and the untracked, not ignored files below `root`.

    Stored once: the same content is the same folder, read-only, in `store`. What is stored is what
    was copied, also when a file changes meanwhile. `home`, the store itself, is never taken.
    RefusedError for a tree that is too large, or a file that cannot be read.
    """
    tree = scan(root, cache=store / ".cache", now=now, without=home)
    if not (store / tree.hash).is_dir():
        tree = _copy(tree, store)
    return _code(tree, store, workdir)


def verify(folder: Path, expected: str) -> bool:
    """Whether a stored snapshot still is what its name says."""
    paths = [
        os.path.relpath(os.path.join(at, name), folder)  # noqa: PTH118
        for at, folders, files in os.walk(folder)
        for name in (*files, *(each for each in folders if Path(at, each).is_symlink()))
    ]
    entries = {path: entry(folder / path, digest_of(folder / path)) for path in paths}
    return Tree(root=folder, entries=entries).hash == expected


def ignored_entries(root: Path, code: Code) -> tuple[str, ...]:
    """The top-level names of the project that are not in the snapshot, except `.git`."""
    taken = {entry.split("/")[0] for entry in code.entries}
    return tuple(sorted({path.name for path in root.iterdir()} - taken - {".git"}))


def _layout(paths: Iterable[str], workdir: str) -> tuple[str, ...]:
    """The paths of a snapshot to which a working folder links.

    The top-level ones; but folders on the way to `workdir` are made, and what is in them is
    linked, so that a job that starts there writes into a folder of its own.
    """
    made = {".", workdir, *map(str, PurePosixPath(workdir).parents)}
    linked = set()
    for path in paths:
        at = PurePosixPath(path)
        while str(at.parent) not in made:
            at = at.parent
        linked.add(str(at))
    return tuple(sorted(linked - made))


def _code(tree: Tree, store: Path, workdir: str) -> Code:
    name = tree.hash
    return Code(
        hash=name,
        path=str(store / name),
        root=str(tree.root),
        entries=_layout(tree.entries, workdir),
        files=len(tree.entries),
        bytes=sum(entry.size for entry in tree.entries.values()),
        commit=tree.commit,
    )


def _copy(tree: Tree, store: Path) -> Tree:
    """Copy the tree under the name that what was copied deserves."""
    stage = store / f".new-{os.getpid()}-{tree.hash[:12]}"
    try:
        stage.mkdir(mode=0o700, parents=True)
        copied = {path: _copied(tree, path, stage) for path in tree.entries}
        tree = Tree(root=tree.root, entries=copied, commit=tree.commit)
        for folder in (stage, *(path for path in stage.rglob("*") if path.is_dir())):
            if not folder.is_symlink() and folder != stage:
                folder.chmod(0o500)
        try:
            stage.rename(store / tree.hash)
        except OSError:
            if not (store / tree.hash).is_dir():  # Somebody else was quicker with the same tree.
                raise
    except OSError as error:
        raise StoreError(
            f"cannot store the snapshot in {store}: {error.strerror}",
            hint="free some space there, or set NEMORUN_HOME to a folder with room",
        ) from None
    finally:
        if stage.is_dir():
            discard(stage)
    return tree


def discard(folder: Path) -> None:
    """Delete a snapshot, read-only as it is."""
    for at, folders, _ in os.walk(folder):
        for name in folders:
            if not Path(at, name).is_symlink():
                Path(at, name).chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


def _copied(tree: Tree, path: str, stage: Path) -> Entry:
    source, target = tree.root / path, stage / path
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copyfile(source, target, follow_symlinks=False)
    if not target.is_symlink():
        target.chmod(0o500 if tree.entries[path].mode == EXECUTABLE else 0o400)
    return entry(target, digest_of(target))
