"""Runs on their way out: no run any more, but kept until the folder of their job is deleted."""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from nemorun_cli import disk
from nemorun_cli.core.errors import NemorunError
from nemorun_cli.core.ids import is_id
from nemorun_cli.core.runs import Run
from nemorun_cli.store import reading, writing

STAGES = ".new"
GONE = ".gone"
GOING = ".going"
_DAY = 86400.0


def hide(folder: Path) -> Path:
    """Take a run's folder out of the store by one rename; where it is now."""
    return _moved(folder, _runs(folder) / GOING)


def show(hidden: Path, folder: Path) -> None:
    """Have it back in the store. FileNotFoundError if somebody has deleted it meanwhile."""
    hidden.rename(folder)
    with suppress(OSError):
        hidden.parent.rmdir()


def take(hidden: Path) -> Path | None:
    """Have what somebody else has hidden for oneself, where it is now; None if it is not there."""
    try:
        mine = _moved(hidden, hidden.parent.parent)
    except FileNotFoundError:
        return None
    with suppress(OSError):
        hidden.parent.rmdir()
    return mine


def delete(hidden: Path) -> bool:
    """Delete it; False if somebody else does. A kill halfway leaves what is no run any more."""
    gone = _runs(hidden.parent) / GONE
    writing.make_folder(gone)
    try:
        hidden.parent.rename(gone / hidden.parent.name)
    except FileNotFoundError:
        return False
    shutil.rmtree(gone / hidden.parent.name, ignore_errors=True)
    return True


def unfinished(runs: Path) -> Iterator[tuple[Path, Run]]:
    """What commands that were killed, or are at work, have hidden; those that can be read."""
    for hidden in disk.matching(runs / GOING, "*/*"):
        if is_id(hidden.name):
            try:
                yield hidden, reading.run_in(hidden)
            except NemorunError:
                continue


def sweep(runs: Path) -> None:
    """Delete what killed commands left behind, and no run needs."""
    writing.clear(runs / GONE)
    writing.clear(runs / STAGES, older=_DAY)


def _moved(folder: Path, top: Path) -> Path:
    """Where it is now: in a new folder in this one. OSError, and nothing has changed."""
    place = top / os.urandom(6).hex()
    writing.make_folder(place)
    try:
        return folder.rename(place / folder.name)
    except OSError:
        place.rmdir()
        raise


def _runs(folder: Path) -> Path:
    return folder.parent.parent
