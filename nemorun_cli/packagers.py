"""How code gets to a job: a snapshot of the working tree, stored under the hash of its content."""

import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from nemorun_cli.core.errors import RefusedError, StoreError
from nemorun_cli.core.jobs import Code
from nemorun_cli.trees import (
    EXECUTABLE,
    LINK,
    PLAIN,
    Entry,
    Hashes,
    Tree,
    scan,
    stored,
    unreadable,
)

_CACHE = ".cache"
_STAGE = ".new-"
_DAY = 86400.0
_NOT_LINKED = frozenset({".git", "__pycache__"})
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_WRITE = os.O_WRONLY | os.O_CLOEXEC | os.O_CREAT | os.O_EXCL
_CHUNK = 2**20
_FULL = (errno.ENOSPC, errno.EDQUOT)


def measure(  # noqa: PLR0913 # As `take`.
    root: Path,
    store: Path,
    *,
    home: Path,
    workdir: str,
    now: float,
    only: Sequence[str] | None = None,
) -> Code:
    """The snapshot that `take` would make now. Nothing is written."""
    hashes = Hashes.of(root, store / _CACHE)
    return _code(scan(root, hashes, now=now, without=home, only=only), store, workdir)


def look(
    root: Path, store: Path, *, home: Path, now: float, only: Sequence[str] | None = None
) -> Tree:
    """The files that such a snapshot would hold. Nothing is written."""
    return scan(root, Hashes.of(root, store / _CACHE), now=now, without=home, only=only)


def take(  # noqa: PLR0913 # All of them say what the snapshot is of, or where it goes.
    root: Path,
    store: Path,
    *,
    home: Path,
    workdir: str,
    now: float,
    only: Sequence[str] | None = None,
) -> Code:
    """Store a snapshot of the tracked and the untracked, not ignored files below `root`.

    `only`: of these paths and no others, whoever tracks them.

    Stored once: the same content is the same folder, read-only, in `store`. What is stored is what
    was copied, also when a file changes meanwhile. `home`, the store itself, is never taken.
    RefusedError for a tree that is too large, or a file that cannot be read; StoreError, and no
    snapshot, when it cannot be written.
    """
    hashes = Hashes.of(root, store / _CACHE)
    tree = scan(root, hashes, now=now, without=home, only=only)
    if not (store / tree.hash).is_dir():
        tree = _copy(tree, store, now)
    hashes.save()
    return _code(tree, store, workdir)


def verify(folder: Path, expected: str) -> bool:
    """Whether a stored snapshot still is what its name says."""
    try:
        return stored(folder).hash == expected
    except OSError:
        return False


def discard(folder: Path) -> None:
    """Delete a snapshot, read-only as it is. A second call does nothing."""
    for at, _, _ in os.walk(folder):
        Path(at).chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


def ignored_entries(root: Path, code: Code) -> tuple[str, ...]:
    """The top-level names of the project that are not in the snapshot.

    Except for `.git`, caches of byte code, and the folder in which the store lies.
    """
    taken = {entry.partition("/")[0] for entry in code.entries}
    snapshot, top = Path(code.path).resolve(), root.resolve()
    own = {snapshot.relative_to(top).parts[0]} if snapshot.is_relative_to(top) else set()
    return tuple(sorted({each.name for each in root.iterdir()} - taken - own - _NOT_LINKED))


def _code(tree: Tree, store: Path, workdir: str) -> Code:
    return Code(
        hash=tree.hash,
        path=str(store / tree.hash),
        root=str(tree.root),
        entries=_layout(tree.entries, workdir),
        files=len(tree.entries),
        bytes=sum(entry.size for entry in tree.entries.values()),
        commit=tree.commit,
    )


def _layout(paths: Iterable[str], workdir: str) -> tuple[str, ...]:
    """The paths of a snapshot to which a working folder links.

    The top-level ones; but folders on the way to `workdir` are made, and what is in them is
    linked, so that a job that starts there writes into a folder of its own.
    """
    parts = workdir.split("/")
    made = {"/".join(parts[: number + 1]) for number in range(len(parts))}
    linked = set()
    for path in paths:
        end = path.find("/")
        while end != -1 and path[:end] in made:
            end = path.find("/", end + 1)
        linked.add(path if end == -1 else path[:end])
    return tuple(sorted(linked - made))


def _copy(tree: Tree, store: Path, now: float) -> Tree:
    """Copy the tree under the name that what was copied deserves."""
    stage = store / f"{_STAGE}{os.urandom(6).hex()}"
    try:
        _make_folder(store)
        _sweep(store, now)
        stage.mkdir(mode=0o700)
        tree = replace(tree, entries=_copied(tree, stage))
        for at, _, _ in os.walk(stage):
            Path(at).chmod(0o500)
        _publish(stage, store / tree.hash)
    except OSError as error:
        room = "free some space there, or " if error.errno in _FULL else ""
        raise StoreError(
            f"cannot store the snapshot in {store}: {error.strerror or error}",
            hint=f"{room}set NEMORUN_HOME to a folder that you may write to",
        ) from None
    finally:
        discard(stage)
    return tree


def _publish(stage: Path, folder: Path) -> None:
    try:
        stage.rename(folder)
    except OSError:
        if not folder.is_dir():  # Somebody else was quicker with the same tree.
            raise


def _copied(tree: Tree, stage: Path) -> dict[str, Entry]:
    """Copy all files; what became of each, but for those that have gone meanwhile."""
    copied = {}
    folders = {""}
    for path, entry in tree.entries.items():
        folder = path.rpartition("/")[0]
        if folder not in folders:
            (stage / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
            folders.add(folder)
        source, target = f"{tree.root}/{path}", f"{stage}/{path}"
        found = _link(source, target) if entry.mode == LINK else _file(source, target)
        if found is not None:
            copied[path] = found
    return copied


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
        reading = os.open(source, _READ)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unreadable(source, error) from None
    try:
        status = os.fstat(reading)
        if not stat.S_ISREG(status.st_mode):
            raise RefusedError(f"{source} has just been replaced", hint="launch again")
        mode = EXECUTABLE if status.st_mode & stat.S_IXUSR else PLAIN
        writing = os.open(target, _WRITE, 0o500 if mode == EXECUTABLE else 0o400)
        try:
            digest, size = _pour(reading, writing)
        finally:
            os.close(writing)
    finally:
        os.close(reading)
    return Entry(mode=mode, digest=digest, size=size)


def _pour(reading: int, writing: int) -> tuple[str, int]:
    """Copy from one file to another; the digest and the size of what was copied."""
    digest, size = hashlib.sha256(), 0
    while chunk := os.read(reading, _CHUNK):
        digest.update(chunk)
        size += len(chunk)
        while chunk:
            chunk = chunk[os.write(writing, chunk) :]
    return digest.hexdigest(), size


def _make_folder(path: Path) -> None:
    """Make a folder, and those above it that are missing, for the user alone."""
    for folder in reversed([path, *path.parents]):
        if not folder.exists():
            folder.mkdir(mode=0o700, exist_ok=True)


def _sweep(store: Path, now: float) -> None:
    """Delete what killed commands left behind."""
    for each in store.glob(f"{_STAGE}*"):
        try:
            old = now - each.stat().st_mtime > _DAY
        except FileNotFoundError:
            continue
        if old:
            discard(each)
