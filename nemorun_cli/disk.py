"""What lies on the disk, and how much room it takes."""

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from glob import glob
from pathlib import Path

_BLOCK = 512
"""Bytes, in which `st_blocks` counts (stat(2))."""


def matching(folder: Path, pattern: str) -> list[Path]:
    """What lies in a folder and matches, hidden or not, sorted; what goes meanwhile may be missing.

    `Path.glob` fails where a folder goes in which it is about to look.
    """
    found = glob(pattern, root_dir=folder, include_hidden=True)  # noqa: PTH207
    return [folder / name for name in sorted(found)]


def freed(paths: Iterable[Path]) -> list[int]:
    """Bytes on the disk that come free when all of these go: for each, those that go with it.

    Files and folders with all in them, as far as they can be seen. What has several names goes with
    the last of them, and stays if it has one elsewhere; holes take no room.
    """
    seen: dict[tuple[int, int], int] = {}
    return [sum(_going(path, seen) for path in _paths_in(path)) for path in paths]


def _paths_in(top: Path) -> Iterator[str]:
    """A path and, if it is a folder, all that is below it."""
    yield str(top)
    for at, folders, files in os.walk(top):
        yield from (f"{at}/{name}" for name in (*files, *folders))


def _going(path: str, seen: dict[tuple[int, int], int]) -> int:
    with suppress(OSError):
        status = os.lstat(path)
        if status.st_nlink == 1 or stat.S_ISDIR(status.st_mode):
            return status.st_blocks * _BLOCK
        key = status.st_dev, status.st_ino
        seen[key] = seen.get(key, 0) + 1
        if seen[key] == status.st_nlink:
            return status.st_blocks * _BLOCK
    return 0
