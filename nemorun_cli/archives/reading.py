"""Reading an archive, whoever wrote it: nothing is believed that was not checked."""

import hashlib
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nemorun_cli.archives import manifest as manifests
from nemorun_cli.archives.manifest import Manifest, Member
from nemorun_cli.archives.packing import SEAL
from nemorun_cli.core.errors import CorruptError, NewerError, NewerFormatError, UsageError

_CHUNK = 2**20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# What zipfile raises over bytes that were made to confuse it.
_BROKEN = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError, OverflowError),
    *(ValueError, LookupError, RuntimeError, NotImplementedError),
)
_ITSELF = "the container: its bytes are not those that were written"


@dataclass(frozen=True, kw_only=True)
class Archive:
    """An archive that is open, whole, and holds what its manifest says, as far as names go."""

    path: Path
    manifest: Manifest
    digest: str
    """SHA-256 of the manifest: the same for the same content."""
    container: zipfile.ZipFile

    def pour(self, member: Member, write: Callable[[bytes], object]) -> None:
        """Give the content of a member, piece by piece; never more than the manifest says.

        CorruptError when it is not what the manifest says.
        """
        if why := _fault(self.container, member, write):
            raise _damaged(self.path, why)

    def check(self) -> None:
        """Look at the content of all members; CorruptError if one is not what the manifest says."""
        for member in self.manifest.members:
            self.pour(member, lambda _: None)

    def content(self, member: Member) -> bytes:
        """The whole content of a small member."""
        pieces: list[bytes] = []
        self.pour(member, pieces.append)
        return b"".join(pieces)


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """The archive in this file. Every byte of it has been looked at.

    UsageError for a file that cannot be read; CorruptError for one that is no whole archive, or
    whose manifest names what no archive may hold; NewerError for one of a later format.
    """
    if not _sealed(path):
        raise _damaged(path, next(iter(damage(path)), _ITSELF))
    with _container(path) as container:
        if isinstance(container, str):
            raise _damaged(path, container)
        found = _manifest(container)
        if isinstance(found, str):
            raise _damaged(path, found)
        manifest, digest = found
        yield Archive(path=path, manifest=manifest, digest=digest, container=container)


def damage(path: Path) -> Iterator[str]:
    """Each thing that is wrong with the archive in this file, in words.

    UsageError for a file that cannot be read, NewerError for an archive of a later format. Nothing
    is given for an archive of which not a bit has changed since it was written.
    """
    sealed, told = _sealed(path), False
    with _container(path) as container:
        if isinstance(container, str):
            yield container
            return
        found = _manifest(container)
        if isinstance(found, str):
            yield found
            return
        for member in found[0].members:
            if why := _fault(container, member, lambda _: None):
                told = True
                yield why
    if not sealed and not told:
        yield _ITSELF


def _sealed(path: Path) -> bool:
    """Whether the file ends with the digest of all its bytes before."""
    digest = hashlib.sha256()
    if path.exists() and not path.is_file():  # A pipe would be waited for.
        raise UsageError(f"cannot read {path}: it is not a plain file")
    try:
        with path.open("rb", buffering=0) as file:
            left = os.fstat(file.fileno()).st_size - SEAL
            while left > 0 and (block := file.read(min(_CHUNK, left))):
                digest.update(block)
                left -= len(block)
            return left == 0 and file.read(SEAL + 1) == digest.hexdigest().encode()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"cannot read {path}: {reason}") from None


@contextmanager
def _container(path: Path) -> Iterator[zipfile.ZipFile | str]:
    """The ZIP file, or what is wrong with it."""
    try:
        container = zipfile.ZipFile(path)
    except _BROKEN as error:
        yield f"the container: it is no whole ZIP file ({error})"
        return
    with container:
        yield container


def _manifest(container: zipfile.ZipFile) -> tuple[Manifest, str] | str:
    """The manifest and its digest, or what is wrong with it or with the list of members."""
    for info in container.infolist():
        if info.compress_type not in _METHODS:
            return f"{info.filename}: it is compressed as no archive of runs is"
    try:
        with container.open(manifests.NAME) as file:
            text = file.read(manifests.MOST_BYTES + 1)
        if len(text) > manifests.MOST_BYTES:
            return f"{manifests.NAME}: it is too large"
        manifest = manifests.parse(text)
    except NewerFormatError:
        raise NewerError(str(container.filename)) from None
    except _BROKEN as error:
        return f"{manifests.NAME}: {error}"
    listed = sorted([manifests.NAME, *(each.name for each in manifest.members)])
    held = sorted(container.namelist())
    if held != listed:
        odd = sorted(set(held) ^ set(listed)) or [name for name in held if held.count(name) > 1]
        return f"{odd[0]}: it is not listed once in {manifests.NAME} and held once"
    return manifest, hashlib.sha256(text).hexdigest()


def _fault(
    container: zipfile.ZipFile, member: Member, write: Callable[[bytes], object]
) -> str | None:
    """What is wrong with a member, whose content is given meanwhile; None if nothing is."""
    digest, left = hashlib.sha256(), member.size
    try:
        info = container.getinfo(member.name)
        if info.file_size != member.size:
            return f"{member.name}: its size is not the one listed"
        with container.open(info) as file:
            while block := file.read(min(_CHUNK, left + 1)):
                left -= len(block)
                if left < 0:
                    return f"{member.name}: it is larger than listed"
                digest.update(block)
                write(block)
    except _BROKEN as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        return f"{member.name}: {error}"
    if left or digest.hexdigest() != member.sha256:
        return f"{member.name}: its content is not what was written"
    return None


def _damaged(path: Path, why: str) -> CorruptError:
    return CorruptError(
        f"{path} is damaged, or no archive of runs: {why}",
        hint=f"get it again; `nemorun verify {path}` tells all that is wrong",
    )
