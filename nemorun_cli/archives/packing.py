"""Writing an archive: a ZIP file that ends with the digest of all its other bytes.

The same content gives the same bytes: members are sorted, without times, owners or hosts.
"""

import hashlib
import os
import stat
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nemorun_cli.archives import manifest as manifests
from nemorun_cli.archives.manifest import Manifest, Member
from nemorun_cli.core.errors import RefusedError
from nemorun_cli.packagers.rows import LINK, PLAIN

SEAL = 64
"""Bytes at the end of an archive, the comment of the ZIP file: SHA-256 in hexadecimal digits."""
_CHUNK = 2**20
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_EPOCH = (1980, 1, 1, 0, 0, 0)
_UNIX = 3


@dataclass(frozen=True, kw_only=True)
class Source:
    """A file or link of this machine, and its name in the archive."""

    name: str
    path: Path
    mode: int = PLAIN
    skip: int = 0
    """Bytes at its beginning that are left out."""


def measure(source: Source) -> Member:
    """The member that this source makes now; OSError if it cannot be read."""
    digest, size = hashlib.sha256(), 0
    for block in _blocks(source):
        digest.update(block)
        size += len(block)
    return Member(name=source.name, mode=source.mode, sha256=digest.hexdigest(), size=size)


def pack(manifest: Manifest, sources: Sequence[Source], write: Callable[[bytes], object]) -> None:
    """Write an archive of these sources, of which the manifest tells, piece by piece.

    RefusedError for a source that is not any more what the manifest says; OSError for one that
    cannot be read.
    """
    seal = _Seal(write)
    members = {each.name: each for each in manifest.members}
    with zipfile.ZipFile(seal, "w") as container:
        container.comment = b"0" * SEAL
        text = manifests.text_of(manifest).encode()
        with container.open(_entry(manifests.NAME, PLAIN, len(text)), "w") as file:
            file.write(text)
        for source in sorted(sources, key=lambda each: each.name):
            member, digest = members[source.name], hashlib.sha256()
            with container.open(_entry(member.name, member.mode, member.size), "w") as file:
                for block in _blocks(source):
                    digest.update(block)
                    file.write(block)
            if digest.hexdigest() != member.sha256:
                raise RefusedError(
                    f"{source.path} has just been changed",
                    hint="export again when nothing writes there",
                )
    seal.close()


class _Seal:
    """Passes on what is written, but for the last bytes: they become the digest of the others."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._digest = hashlib.sha256()
        self._held = b""

    def write(self, data: bytes) -> int:
        whole = self._held + data
        ready, self._held = whole[:-SEAL], whole[-SEAL:]
        self._digest.update(ready)
        self._write(ready)
        return len(data)

    def flush(self) -> None:
        """There is nothing to flush before the end."""

    def close(self) -> None:
        self._write(self._digest.hexdigest().encode())


def _entry(name: str, mode: int, size: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = _UNIX
    info.external_attr = (mode if mode == LINK else stat.S_IFREG | mode) << 16
    info.file_size = size
    return info


def _blocks(source: Source) -> Iterator[bytes]:
    if source.mode == LINK:
        yield os.fsencode(os.readlink(source.path))  # noqa: PTH115 # As it is: `./x` stays `./x`.
        return
    fd = os.open(source.path, _READ)
    with open(fd, "rb", buffering=0) as file:  # noqa: PTH123
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(0, "it is not a plain file", str(source.path))
        file.seek(source.skip)
        while block := file.read(_CHUNK):
            yield block
