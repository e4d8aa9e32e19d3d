"""Files that arrive from elsewhere: whole or not at all, resumed, and never outside a folder."""

import errno
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from nemorun_cli.core.errors import NotFoundError, RefusedError
from nemorun_cli.core.jobs import JobFile
from nemorun_cli.workfiles import inside

_PART = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
_FULL = (errno.ENOSPC, errno.EDQUOT)
_RESUMED = "a second call goes on where this one ended"
_ELSEWHERE = "-o names another folder"


def place(folder: Path, path: str) -> Path:
    """Where a file of this path belongs. RefusedError for one that leads out of the folder."""
    target = folder / path
    if not inside(path) or "\0" in path or not _within(folder, target.parent):
        raise RefusedError(f"{path!r} leads out of {folder}: it is not fetched")
    return target


def is_there(target: Path, file: JobFile) -> bool:
    """Whether this very file has arrived before, by its size and the time of its last change."""
    with suppress(OSError):
        status = target.lstat()
        return (status.st_size, status.st_mtime_ns) == (file.size, file.modified_ns)
    return False


def land(
    target: Path,
    file: JobFile,
    read: Callable[[int], Iterator[bytes]],
    *,
    tell: Callable[[int], None],
) -> None:
    """Have the file at its place; `read` gives its content from a byte on.

    What an earlier call that broke off has brought is not read again, unless the file has changed
    since. `tell` is called with the bytes that are here. RefusedError when it cannot be written,
    when another process is at it, or when it turns out shorter than it was; then nothing stands
    there that did not before. Of a file that `read` does not find, nothing is kept.
    """
    if target.is_dir() and not target.is_symlink():
        raise RefusedError(
            f"cannot write {target}: a folder of this name is there", hint=_ELSEWHERE
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = _part(target, file)
        with open(os.open(part, _PART, 0o666), "r+b") as writing:  # noqa: PTH123
            fcntl.flock(writing, fcntl.LOCK_EX | fcntl.LOCK_NB)
            try:
                _pour(file, read, writing, tell)
            except NotFoundError:
                part.unlink()  # There is nothing to go on with.
                raise
            writing.flush()
            os.utime(part, ns=(file.modified_ns, file.modified_ns))
            part.replace(target)
    except (BlockingIOError, FileNotFoundError):
        if is_there(target, file):
            return  # Another command was quicker.
        raise RefusedError(f"another command is fetching {target}", hint="wait for it") from None
    except OSError as error:
        raise RefusedError(
            f"cannot write {target}: {(error.strerror or str(error)).lower()}",
            hint=_RESUMED if error.errno in _FULL else _ELSEWHERE,
        ) from None
    finally:
        with suppress(OSError):
            _folder(target).rmdir()


def _within(folder: Path, place: Path) -> bool:
    return place.resolve().is_relative_to(folder.resolve())


def _part(target: Path, file: JobFile) -> Path:
    """Where the file grows, named for what it will be; parts of what it was before are removed."""
    folder = _folder(target)
    folder.mkdir(exist_ok=True)
    if folder.is_symlink():
        raise NotADirectoryError(errno.ENOTDIR, f"{folder.name} is a link")
    part = folder / f"{file.size}-{file.modified_ns}"
    for other in folder.iterdir():
        if other != part:
            other.unlink(missing_ok=True)
    return part


def _folder(target: Path) -> Path:
    name = hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]
    return target.with_name(f".{name}.part")


def _pour(
    file: JobFile,
    read: Callable[[int], Iterator[bytes]],
    writing: BinaryIO,
    tell: Callable[[int], None],
) -> None:
    here = writing.seek(min(writing.seek(0, os.SEEK_END), file.size))
    pieces = read(here) if here < file.size else iter(())
    for piece in pieces:
        here += writing.write(piece[: file.size - here])
        tell(here)
        if here == file.size:
            break
    if here < file.size:
        raise RefusedError(
            f"{file.path} has become shorter while it was read", hint="fetch it again"
        )
    writing.truncate(here)
