"""Lays out a snapshot of which only what is new was stored, beside an earlier one with the rest.

A launch writes `.pending-<hash>/` in the folder of the snapshots: `manifest`, with a row for each
file; `changed/`, the files that the earlier snapshot, the base, does not hold; `origin.json`, which
names the base and the project's folder. It is copied into the job: standard library only.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Iterator

PENDING, MANIFEST, ORIGIN, CHANGED = ".pending-", "manifest", "origin.json", "changed"
STAGE = ".new-"
LINK, EXECUTABLE = "120000", "755"
_CHUNK = 2**20
READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
WRITE = os.O_WRONLY | os.O_CLOEXEC | os.O_CREAT | os.O_EXCL


class DamagedError(Exception):
    """The content of a file is not in the store any more."""


def lay_out(store: Path, code_hash: str) -> None:
    """Have the folder `store/code_hash`, read-only, with exactly the files of its manifest.

    Any number of processes may do so at once: one works, the others wait for it. A file is taken
    from wherever its content still is: what was stored as new, the base, or the project.
    DamagedError if it is nowhere, FileNotFoundError if the store knows nothing of this snapshot,
    OSError for what cannot be read or written. Then the snapshot is not there, and what was stored
    of it is as it was.
    """
    folder, pending = store / code_hash, store / f"{PENDING}{code_hash}"
    if folder.is_dir():
        discard(pending)  # Whoever laid it out may have been killed before that.
        return
    with _alone(pending):
        if folder.is_dir():
            return
        if not pending.is_dir():
            raise FileNotFoundError(errno.ENOENT, "the store has no such snapshot", str(folder))
        stage = store / f"{STAGE}{os.urandom(6).hex()}"
        try:
            stage.mkdir(mode=0o700)
            _fill(str(stage), pending)
            stage.rename(folder)
        except (OSError, DamagedError):
            if not folder.is_dir():  # Where there are no locks, somebody else was quicker.
                raise
        finally:
            discard(stage)
        discard(pending)


def base_of(pending: Path) -> str | None:
    """The hash of the snapshot that holds the rest; None where nothing tells."""
    try:
        return str(json.loads((pending / ORIGIN).read_text())["base"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def whole(pending: Path) -> bool:
    """Whether it tells all that a layout has to know; not whether the content is still there."""
    try:
        return bool(_told(pending))
    except (OSError, DamagedError):
        return False


def discard(folder: Path) -> None:
    """Delete a folder, read-only as it is. A second call, also at the same time, does nothing."""
    for at, _, _ in os.walk(folder):
        with suppress(FileNotFoundError):
            Path(at).chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _alone(pending: Path) -> Iterator[None]:
    try:
        lock = os.open(pending, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:  # Somebody may have laid it out in this moment.
        yield
        return
    try:
        with suppress(OSError):  # Not every file system has locks.
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _fill(stage: str, pending: Path) -> None:
    manifest, base, root = _told(pending)
    places = (str(pending / CHANGED), str(pending.parent / base), root)
    made = {""}
    for row in manifest.split("\0")[:-1]:
        mode, digest, path = row.split(" ", 2)
        folder = path.rpartition("/")[0]
        if folder not in made:
            Path(stage, folder).mkdir(mode=0o700, parents=True, exist_ok=True)
            made.add(folder)
        target = f"{stage}/{path}"
        found = (
            _link(f"{place}/{path}", target, digest)
            if mode == LINK
            else _file(f"{place}/{path}", target, digest, 0o500 if mode == EXECUTABLE else 0o400)
            for place in places
        )
        if not any(found):
            raise DamagedError(f"the content of {path} is not in the store any more")
    for at, _, _ in os.walk(stage):
        Path(at).chmod(0o500)


def _told(pending: Path) -> tuple[str, str, str]:
    """The manifest, the base and the project's folder; DamagedError if they are not as stored."""
    try:
        manifest = (pending / MANIFEST).read_bytes()
        origin = json.loads((pending / ORIGIN).read_text())
        base, root = str(origin["base"]), str(origin["root"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        manifest, base, root = b"", "", ""
    if hashlib.sha256(manifest).hexdigest() != pending.name[len(PENDING) :] or not base:
        raise DamagedError(f"what {pending.name} tells of it is damaged")
    return os.fsdecode(manifest), base, root


def _link(source: str, target: str, digest: str) -> bool:
    """Whether there was a link with this digest, and now is one there."""
    try:
        to = os.readlink(source)  # noqa: PTH115
    except OSError:
        return False
    if hashlib.sha256(os.fsencode(to)).hexdigest() != digest:
        return False
    os.symlink(to, target)  # noqa: PTH211
    return True


def _file(source: str, target: str, digest: str, mode: int) -> bool:
    """Whether there was a file with this digest, and now is one there."""
    try:
        reading = os.open(source, READ)
    except OSError:
        return False
    found = ""
    try:
        writing = os.open(target, WRITE, mode)
        try:
            with suppress(IsADirectoryError):
                found, _ = pour(reading, writing)
        finally:
            os.close(writing)
    finally:
        os.close(reading)
    if found == digest:
        return True
    os.unlink(target)  # noqa: PTH108
    return False


def pour(reading: int, writing: int) -> tuple[str, int]:
    """Copy from one file to another; the SHA-256 and the size of what was copied."""
    digest, size = hashlib.sha256(), 0
    while chunk := os.read(reading, _CHUNK):
        digest.update(chunk)
        size += len(chunk)
        while chunk:
            chunk = chunk[os.write(writing, chunk) :]
    return digest.hexdigest(), size


if __name__ == "__main__":
    try:
        lay_out(Path(sys.argv[1]), sys.argv[2])
    except (OSError, DamagedError) as error:
        sys.exit(f"nemorun: cannot lay out the code: {error}")
