"""The files that a job has left in its working folder, on a disk that is read here."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from nemorun_cli.core.errors import NotFoundError
from nemorun_cli.core.globs import matcher
from nemorun_cli.core.jobs import JobFile

CHUNK = 2**20


def listed(work: Path, pattern: str) -> Iterator[JobFile]:
    """The files that the pattern means, in the order of their paths.

    Links to files of the folder count as these; other links are passed over.
    """
    meant = matcher(pattern)
    found = (path for path in _paths(work) if meant(path))
    return (file for path in sorted(found) if (file := _file(work, path)))


def content(work: Path, path: str, *, offset: int = 0) -> Iterator[bytes]:
    """A file of the folder from this byte on. NotFoundError if there is none."""
    if not inside(path) or not _is_own(work, path):
        raise missing(work, path)
    try:
        with (work / path).open("rb") as file:
            file.seek(offset)
            while piece := file.read(CHUNK):
                yield piece
    except OSError as error:
        raise NotFoundError(f"cannot read {work / path}: {error.strerror or error}") from None


def inside(path: str) -> bool:
    """Whether a path leads to something below the folder it starts in, by its words alone."""
    parts = path.split("/")
    return not PurePosixPath(path).is_absolute() and not {"", ".", ".."} & set(parts)


def missing(work: object, path: str) -> NotFoundError:
    """What to say of a file that is not there."""
    return NotFoundError(f"no file {path!r} in {work}", hint="`nemorun pull RUN` lists them")


def _paths(work: Path) -> Iterator[str]:
    for at, _, names in os.walk(work):
        folder = os.path.relpath(at, work)
        yield from (name if folder == "." else f"{folder}/{name}" for name in names)


def _file(work: Path, path: str) -> JobFile | None:
    full = work / path
    try:
        if not full.is_file() or not _is_own(work, path):
            return None
        status = full.stat()
    except OSError:
        return None  # It has just gone.
    return JobFile(path=path, size=status.st_size, modified_ns=status.st_mtime_ns)


def _is_own(work: Path, path: str) -> bool:
    return (work / path).resolve().is_relative_to(work.resolve())
