"""Writing files so that each is there whole or not at all, on the disk, and only its owner's."""

import errno
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_TAKEN = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


def make_folder(path: Path) -> None:
    """Make a folder, and those above it that are missing, for the user alone."""
    try:
        path.mkdir(mode=0o700)
    except FileNotFoundError:
        make_folder(path.parent)
        make_folder(path)
    except FileExistsError:
        if not path.is_dir():
            raise


def publish(folder: Path, fill: Callable[[Path], None], *, stage: Path) -> None:
    """Have a folder, which `fill` fills, appear by one rename; FileExistsError if there is one.

    `stage`, on the same file system, is where it is made; on an error nothing is left of it.
    """
    stage.mkdir(mode=0o700)
    try:
        fill(stage)
        sync_folder(stage)
        stage.rename(folder)
    except BaseException as error:
        shutil.rmtree(stage, ignore_errors=True)
        if isinstance(error, OSError) and error.errno in _TAKEN:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
        raise


def clear(folder: Path, *, older: float | None = None) -> None:
    """Delete what lies in a folder, if it was changed more than `older` seconds ago.

    What cannot be deleted stays.
    """
    try:
        found = [folder / name for name in os.listdir(folder)]  # noqa: PTH208
    except OSError:
        return
    for each in found:
        with suppress(OSError):
            if older is None or time.time() - each.stat().st_mtime > older:
                shutil.rmtree(each, ignore_errors=True)


def write_new(path: Path, text: str) -> None:
    """Write a file that must not exist yet; it is on the disk on return."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(fd, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:  # noqa: PTH123
        file.write(text)
        file.flush()
        os.fsync(fd)


def sync_folder(path: Path) -> None:
    """Have the names in this folder on the disk."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_first(path: Path, text: str) -> bool:
    """Write a file unless it exists; whether it is ours. Of several writers one wins, whole."""
    part = _part_of(path)
    try:
        write_new(part, text)
        os.link(part, path)
    except FileExistsError:
        # A file server whose reply was lost answers the second request with "exists".
        return part.stat().st_nlink > 1
    finally:
        part.unlink(missing_ok=True)
    return True


def replace_file(path: Path, text: str) -> None:
    """Write a file in the place of the one that may be there."""
    part = _part_of(path)
    try:
        write_new(part, text)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def append_line(path: Path, line: str) -> None:
    """Add a line by one write; a torn line before it spoils only itself."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        size = os.fstat(fd).st_size
        torn = size > 0 and os.pread(fd, 1, size - 1) != b"\n"
        data = ("\n" * torn + line + "\n").encode()
        if os.write(fd, data) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(fd)


@contextmanager
def locked(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Alone with this file, or, shared, without those who are; a killed holder holds nothing.

    Its holder may delete it. Where the file system knows no locks, it goes on without.
    """
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if _held(fd, path, shared=shared):
                yield
                return
        finally:
            os.close(fd)


def _held(fd: int, path: Path, *, shared: bool) -> bool:
    """Whether it is this file that is locked now, and no other one is in its place."""
    import fcntl

    try:
        fcntl.flock(fd, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return True
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:
        return False


def _part_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.urandom(6).hex()}")
