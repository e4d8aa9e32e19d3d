"""Files on their way into the store: what is written there is whole, or not there at all."""

import errno
import hashlib
import json
import os
import stat
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from nemorun_cli import disk
from nemorun_cli.core.errors import RefusedError, StoreError
from nemorun_cli.job.layingout import (
    CHANGED,
    MANIFEST,
    ORIGIN,
    PENDING,
    READ,
    STAGE,
    WRITE,
    discard,
    pour,
)
from nemorun_cli.packagers import patches
from nemorun_cli.packagers.digests import Digests
from nemorun_cli.packagers.projectfiles import Listing
from nemorun_cli.packagers.rows import EXECUTABLE, LINK, PLAIN, Entry
from nemorun_cli.packagers.trees import Tree, unreadable

_DAY = 86400.0
_FULL = (errno.ENOSPC, errno.EDQUOT)


def copy(tree: Tree, store: Path, *, now: float, digests: Digests) -> Tree:
    """Copy a tree into the store, under the hash of what was copied; the tree as it is there.

    No snapshot shares a file with another one: whoever writes to one, as its owner can, damages it
    alone.
    """
    with _staged(store, now) as stage:
        tree = _copied(tree, stage, digests, tree.entries)
        _publish(stage, store / tree.hash)
    return tree


def copy_new(  # noqa: PLR0913
    tree: Tree, new: Collection[str], store: Path, *, base: str, now: float, digests: Digests
) -> Tree:
    """Store what a tree has at these paths, to be laid out with the rest of a snapshot there.

    `base` is the hash of that one, which holds all else; it is used now. The tree as it is stored.
    FileNotFoundError where there is no such snapshot.
    """
    os.utime(store / base)
    with _staged(store, now) as stage:
        (stage / CHANGED).mkdir(mode=0o700)
        tree = _copied(tree, stage / CHANGED, digests, new)
        (stage / MANIFEST).write_bytes(tree.rows.manifest)
        (stage / ORIGIN).write_text(json.dumps({"base": base, "root": str(tree.root)}))
        _publish(stage, store / f"{PENDING}{tree.hash}")
    return tree


def receive(code_hash: str, store: Path, fill: Callable[[Path], None], *, now: float) -> None:
    """Store the snapshot of this hash, which `fill` puts into a folder; if it is there, do nothing.

    StoreError, and no snapshot, when it cannot be written; what `fill` raises leaves none either.
    """
    if not (store / code_hash).is_dir():
        with _staged(store, now) as stage:
            fill(stage)
            _publish(stage, store / code_hash)


def receive_patch(name: str, store: Path, fill: Callable[[Path], None], *, now: float) -> None:
    """Store the patch of this name, which `fill` writes to a path; errors as `receive`."""
    target = store / patches.FOLDER / name
    if not target.exists():
        with _staged(store, now) as stage:
            fill(stage / name)
            _make_folder(target.parent)
            (stage / name).replace(target)


def patch(
    listing: Listing, tree: Tree, paths: Collection[str], *, files: Path, target: Path
) -> bool:
    """Store the patch from a commit to a tree; False if there is none.

    They differ at these paths alone; what the tree has there is stored in the folder `files`.
    """
    store = target.parent.parent
    scratch = store / f"{STAGE}{os.urandom(6).hex()}"
    try:
        scratch.mkdir(mode=0o700)
        return patches.write(listing, tree, paths, files=files, to=target, scratch=scratch)
    except OSError as error:
        raise unwritable(store, error) from None
    finally:
        discard(scratch)


@contextmanager
def _staged(store: Path, now: float) -> Iterator[Path]:
    """A new folder in which a snapshot is made; nothing is left of it but what was published."""
    stage = store / f"{STAGE}{os.urandom(6).hex()}"
    try:
        _make_folder(store)
        _sweep(store, now)
        stage.mkdir(mode=0o700)
        yield stage
    except OSError as error:
        raise unwritable(store, error) from None
    finally:
        discard(stage)


def unwritable(store: Path, error: OSError) -> StoreError:
    """What to say of a store in which nothing can be written."""
    room = "free some space there, or " if error.errno in _FULL else ""
    return StoreError(
        f"cannot store the snapshot in {store}: {error.strerror or error}",
        hint=f"{room}set NEMORUN_HOME to a folder that you may write to",
    )


def _publish(stage: Path, folder: Path) -> None:
    for at, _, _ in os.walk(stage):
        Path(at).chmod(0o500)
    try:
        stage.rename(folder)
    except OSError:
        if not folder.is_dir():  # Somebody else was quicker with the same tree.
            raise


def _copied(tree: Tree, stage: Path, digests: Digests, paths: Collection[str]) -> Tree:
    """Copy these files; the tree as it then is, without those that have gone meanwhile."""
    copied: dict[str, Entry | None] = {}
    folders = {""}
    changed = set(tree.young)
    for path, source in tree.sources:
        if path not in paths:
            continue
        folder = path.rpartition("/")[0]
        if folder not in folders:
            (stage / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
            folders.add(folder)
        entry, target = tree.entries[path], f"{stage}/{path}"
        found = _link(source, target) if entry.mode == LINK else _file(source, target)
        if found != entry:
            copied[path] = found
            changed.add(path)
            digests.forget(path)
    if not copied:
        return tree
    return replace(tree, entries=tree.rows.changed(copied), young=frozenset(changed))


def _link(source: str, target: str) -> Entry | None:
    try:
        to = os.readlink(source)  # noqa: PTH115
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unreadable(source, error) from None
    os.symlink(to, target)  # noqa: PTH211
    return Entry(mode=LINK, digest=hashlib.sha256(os.fsencode(to)).hexdigest())


def _file(source: str, target: str) -> Entry | None:
    try:
        reading = os.open(source, READ)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unreadable(source, error) from None
    try:
        status = os.fstat(reading)
        if not stat.S_ISREG(status.st_mode):
            raise RefusedError(f"{source} has just been replaced", hint="launch again")
        mode = EXECUTABLE if status.st_mode & stat.S_IXUSR else PLAIN
        writing = os.open(target, WRITE, 0o500 if mode == EXECUTABLE else 0o400)
        try:
            digest, size = pour(reading, writing)
        finally:
            os.close(writing)
    finally:
        os.close(reading)
    return Entry(mode=mode, digest=digest, size=size)


def _make_folder(path: Path) -> None:
    """Make a folder, and those above it that are missing, for the user alone."""
    for folder in reversed([path, *path.parents]):
        if not folder.exists():
            folder.mkdir(mode=0o700, exist_ok=True)


def _sweep(store: Path, now: float) -> None:
    """Delete what killed commands left behind."""
    for each in disk.matching(store, f"{STAGE}*"):
        try:
            old = now - each.stat().st_mtime > _DAY
        except FileNotFoundError:
            continue
        if old:
            discard(each)
