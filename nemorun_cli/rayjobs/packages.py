"""Packages for a Ray cluster: a snapshot under its hash, and a job's own files."""

import os
import stat
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from nemorun_cli.core.errors import RefusedError
from nemorun_cli.core.jobs import Code

LIMIT = 512 * 1024 * 1024
"""Bytes of a package that Ray takes (ray._private.ray_constants.GRPC_CPP_MAX_MESSAGE_SIZE)."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
_SHOWN = 10
_MEGABYTE = 1_000_000


def code_package(code: Code) -> str:
    """What the package with a snapshot is called: the same content is the same package."""
    return f"nemorun_code_{code.hash}.zip"


def write_code(code: Code, file: IO[bytes]) -> int:
    """Write a snapshot as a package; its size. RefusedError for what Ray would not take.

    A package knows no links: what one points to inside of the snapshot is there twice.
    """
    root = Path(code.path)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as package:
        for name, path in _files(root):
            _add(package, name, path.read_bytes(), executable=os.access(path, os.X_OK))
        if not package.namelist():
            _add(package, ".nemorun", b"", executable=False)  # Ray takes no empty package.
    size = file.tell()
    if size >= LIMIT:
        raise RefusedError(
            f"the code is {shown(size)} when packed, and Ray takes at most {shown(LIMIT - 1)}",
            hint=f"largest: {', '.join(_largest(root))}; list in .gitignore what need not travel",
        )
    file.seek(0)
    return size


def write_job(files: Mapping[str, str], file: IO[bytes]) -> int:
    """Write these files, by their paths in the package, as a package; its size."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as package:
        for name, text in files.items():
            data = text.encode("utf-8", "surrogateescape")
            _add(package, name, data, executable=False)
    size = file.tell()
    file.seek(0)
    return size


def shown(size: int) -> str:
    """Bytes as people read them."""
    if size < _MEGABYTE:
        return f"{size / 1000:.1f} kB"
    return f"{size / _MEGABYTE:.1f} MB"


def _add(package: zipfile.ZipFile, name: str, data: bytes, *, executable: bool) -> None:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.external_attr = (stat.S_IFREG | (0o700 if executable else 0o600)) << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    package.writestr(entry, data)


def _files(root: Path) -> Iterator[tuple[str, Path]]:
    """All files below, and those that links lead to and that are below too."""
    for at, folders, names in os.walk(root):
        folders.sort()
        for name in sorted([*names, *folders]):
            path = Path(at, name)
            inside = str(path.relative_to(root))
            if path.is_symlink():
                yield from _behind(path, inside, root.resolve())
            elif path.is_file():
                yield inside, path


def _behind(link: Path, inside: str, top: Path) -> Iterator[tuple[str, Path]]:
    to, here = link.resolve(), link.parent.resolve()
    if not to.is_relative_to(top):
        return
    if to.is_file():
        yield inside, to
    elif to.is_dir() and to not in (here, *here.parents):  # A loop, else.
        for each in sorted(to.rglob("*")):
            if each.is_file() and not each.is_symlink():
                yield f"{inside}/{each.relative_to(to)}", each


def _largest(root: Path) -> list[str]:
    sizes: Counter[str] = Counter()
    for name, path in _files(root):
        top, slash, _ = name.rpartition("/")
        sizes[f"{top}/" if slash else name] += path.stat().st_size
    return [f"{name} {shown(size)}" for name, size in sizes.most_common(_SHOWN)]
