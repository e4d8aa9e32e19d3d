"""What a snapshot leaves out of a project, and how large that is."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from nemorun_cli.packagers import ignorefile, projectfiles

_LOOKED_AT = 20_000
"""Files whose sizes are asked for, in all: a folder may hold millions."""
_SHOWN = 10
_NEVER = ("__pycache__/",)


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """A file, or a folder with all that is left out of it."""

    path: str
    by: str
    """The file that says so."""
    bytes: int
    whole: bool
    """Whether all of it was added up; else it is larger."""


def skipped(root: Path) -> tuple[Skipped, ...]:
    """The largest of what `.gitignore` and `.nemorunignore` leave out, in a bounded time."""
    found = [(path, ".gitignore") for path in projectfiles.ignored(root)]
    if (root / ignorefile.NAME).exists():
        listed = projectfiles.listings(root)[0]
        taken = {*listed.paths}
        found = [(path, by) for path, by in found if path not in taken]
        found += [(path, ignorefile.NAME) for path in listed.left_out]
    found = [each for each in found if not each[0].endswith(_NEVER)]
    most = _LOOKED_AT // max(len(found), 1) + 1
    sizes = [_weighed(root, path, by, most) for path, by in found]
    joined = _joined(sizes)
    return tuple(sorted(joined, key=lambda each: -each.bytes)[:_SHOWN])


def _weighed(root: Path, path: str, by: str, most: int) -> Skipped:
    total = count = 0
    for status in _statuses(root / path):
        if count == most:
            return Skipped(path=path, by=by, bytes=total, whole=False)
        total, count = total + status.st_size, count + 1
    return Skipped(path=path, by=by, bytes=total, whole=True)


def _statuses(path: Path) -> Iterator[os.stat_result]:
    waiting = [str(path)]
    while waiting:
        each = waiting.pop()
        try:
            if os.path.isdir(each) and not os.path.islink(each):  # noqa: PTH112, PTH114
                waiting += (entry.path for entry in os.scandir(each))
            else:
                yield os.lstat(each)
        except OSError:
            continue


def _joined(sizes: Iterable[Skipped]) -> Iterator[Skipped]:
    """Files that are left out one by one, by the folder at the top that holds them."""
    groups: dict[tuple[str, str], list[Skipped]] = {}
    for each in sizes:
        top, slash, _ = each.path.partition("/")
        path = each.path if each.path.endswith("/") else f"{top}{slash}"
        groups.setdefault((path, each.by), []).append(each)
    for (path, by), group in groups.items():
        total, whole = sum(each.bytes for each in group), all(each.whole for each in group)
        yield Skipped(path=path, by=by, bytes=total, whole=whole)
