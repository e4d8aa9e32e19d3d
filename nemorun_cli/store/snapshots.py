"""The snapshots in the store: none goes that a launch may be about to name in its record.

One of which only what is new is there, until its job starts, is a snapshot as any other.
"""

import os
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from nemorun_cli.job.layingout import PENDING, base_of
from nemorun_cli.store.writing import locked, make_folder

DAY = 86400.0
"""A snapshot stays so long after its last use, whether or not a run names it."""
_LOCK = ".lock"
_RETIRED = ".new-gone-"
"""What begins so and is a day old is deleted by the next launch, should nobody else do it."""


@contextmanager
def safe(code: Path) -> Iterator[None]:
    """While this lasts, no snapshot in this folder is retired; any number of processes may be here.

    Whoever has found one, and has called `touch`, may name it in a record within a day.
    """
    with ExitStack() as held:
        with suppress(OSError):  # Who cannot write here is told so when something is stored.
            make_folder(code)
            held.enter_context(locked(code / _LOCK, shared=True))
        yield


def claim(folder: Path) -> bool:
    """Whether this snapshot is there; it then stays for a day at least."""
    if not folder.is_dir() and not _pending(folder).is_dir():
        return False
    with safe(folder.parent):
        return touch(folder)


def touch(folder: Path) -> bool:
    """Whether this snapshot is there; it is used now. To be called in `safe`."""
    there = False
    for each in (folder, _pending(folder)):
        try:
            os.utime(each)
        except FileNotFoundError:
            continue
        except OSError:  # Others may own it, and it is there.
            pass
        there = True
    return there


def unused(code: Path, named: Collection[str], *, now: float) -> list[Path]:
    """The snapshots that none of these hashes names, and nobody has used for a day."""
    try:
        found = sorted(code.iterdir())
    except OSError:
        return []
    hashes = {path: path.name.removeprefix(PENDING) for path in found}
    old = [
        path
        for path, code_hash in hashes.items()
        if code_hash.isalnum() and code_hash not in named and _is_old(path, now)
    ]
    bases = {base_of(path) for path in found if path.name.startswith(PENDING)}
    return [path for path in old if path.name not in bases]


def retire(folder: Path, *, now: float) -> Path | None:
    """Take a snapshot out of use by a rename, for its caller to delete; None if it is in use.

    Nobody can have found it in the same moment: see `safe`.
    """
    gone = folder.with_name(f"{_RETIRED}{os.urandom(6).hex()}")
    with locked(folder.parent / _LOCK):
        if not _is_old(folder, now):
            return None
        folder.rename(gone)
    return gone


def _pending(folder: Path) -> Path:
    return folder.with_name(f"{PENDING}{folder.name}")


def _is_old(folder: Path, now: float) -> bool:
    try:
        return folder.is_dir() and now - folder.stat().st_mtime > DAY
    except FileNotFoundError:
        return False
