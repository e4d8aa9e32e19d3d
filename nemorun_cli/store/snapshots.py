"""Snapshots, their patches, environments: none goes that a launch may be about to name.

Each kind lies in a folder of its own, under names that say what it holds. A snapshot of which only
what is new is there, until its job starts, is one as any other.
"""

import os
import re
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from nemorun_cli.job.layingout import PENDING, base_of
from nemorun_cli.store.writing import locked, make_folder

DAY = 86400.0
"""What a run may name stays so long after its last use at least, whether or not one does."""
_LOCK = ".lock"
RETIRED = ".new-gone-"
"""What begins so is in use no more. Folders that are a day old go with the next launch."""
_NAME = re.compile(r"[0-9A-Za-z]+(\.diff)?")


@contextmanager
def safe(folder: Path) -> Iterator[None]:
    """While this lasts, nothing is retired from this folder; any number of processes may be here.

    Whoever has found one, and has called `touch`, may name it in a record within a day.
    """
    with ExitStack() as held:
        with suppress(OSError):  # Who cannot write here is told so when something is stored.
            make_folder(folder)
            held.enter_context(locked(folder / _LOCK, shared=True))
        yield


def claim(path: Path) -> bool:
    """Whether this is there; it is used now."""
    if not there(path):
        return False
    with safe(path.parent):
        return touch(path)


def there(path: Path) -> bool:
    """Whether this is there, be it for its job to lay out."""
    return path.exists() or _pending(path).exists()


def touch(path: Path) -> bool:
    """Whether this is there; it is used now. To be called in `safe`."""
    found = False
    for each in (path, _pending(path)):
        try:
            os.utime(each)
        except FileNotFoundError:
            continue
        except OSError:  # Others may own it, and it is there.
            pass
        found = True
    return found


def name_of(path: Path) -> str:
    """The name by which a run may name it."""
    return path.name.removeprefix(PENDING)


def unused(folder: Path, named: Collection[str], *, now: float, age: float = DAY) -> list[Path]:
    """What in this folder none of these names names, and nobody has used for so long."""
    try:
        found = sorted(folder.iterdir())
    except OSError:
        return []
    names = {path: name_of(path) for path in found}
    old = [
        path
        for path, name in names.items()
        if _NAME.fullmatch(name) and name not in named and _is_old(path, now, age)
    ]
    bases = {base_of(path) for path in found if path.name.startswith(PENDING)}
    return [path for path in old if path.name not in bases]


def retire(path: Path, *, now: float, age: float = DAY, held: Path | None = None) -> Path | None:
    """Take it out of use by a rename, for its caller to delete; None if it is in use.

    Nobody can have found it in the same moment: see `safe`, which was called with `held`, or else
    with the folder that it lies in.
    """
    folder = held or path.parent
    gone = folder / f"{RETIRED}{os.urandom(6).hex()}"
    with locked(folder / _LOCK):
        if not _is_old(path, now, age):
            return None
        path.rename(gone)
    return gone


def _pending(path: Path) -> Path:
    return path.with_name(f"{PENDING}{path.name}")


def _is_old(path: Path, now: float, age: float) -> bool:
    try:
        return now - path.stat().st_mtime > age
    except FileNotFoundError:
        return False
