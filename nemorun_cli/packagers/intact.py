"""Whether a stored snapshot still is what its name says; it is read again only if it was touched.

What lstat(2) says of its files is remembered. Whoever writes to one of them, as its owner can,
gives it another time of change, whatever else is set back; so does who restores a backup. Then all
of it is read, once.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from nemorun_cli.core.errors import CorruptError
from nemorun_cli.packagers.trees import Tree, mark_of, stored

_SHOWN = 3


def refuse_damaged(tree: Tree, store: Path, cache: Path) -> None:
    """CorruptError for a stored snapshot that is not this tree any more; it names what is not.

    It is left as it is: jobs may be reading it. Nothing happens where there is none.
    """
    folder = store / tree.hash
    try:
        if not folder.is_dir() or _look(folder) == _known(folder, cache):
            return
        found = stored(folder)
    except OSError as error:
        raise _damaged(folder, f"cannot read {error.filename}: {error.strerror}") from None
    if found.hash != tree.hash:
        paths = found.entries.keys() | tree.entries.keys()
        wrong = sorted(each for each in paths if found.entries.get(each) != tree.entries.get(each))
        more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise _damaged(folder, f"{', '.join(wrong[:_SHOWN])}{more}")
    remember(folder, cache)


def remember(folder: Path, cache: Path) -> None:
    """Keep that this snapshot is what its name says. What cannot be written is only slow."""
    path = _place(folder, cache)
    part = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    try:
        cache.mkdir(mode=0o700, exist_ok=True)
        part.touch(mode=0o600)
        part.write_text(_look(folder))
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)


def _look(folder: Path) -> str:
    """The same as long as nobody has touched, added or removed a file of this folder."""
    return hashlib.sha256(os.fsencode("".join(sorted(_rows(folder))))).hexdigest()


def _rows(folder: Path) -> Iterator[str]:
    waiting = [(str(folder), "")]
    while waiting:
        at, start = waiting.pop()
        with os.scandir(at) as entries:
            for each in entries:
                status = each.stat(follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    waiting.append((each.path, f"{start}{each.name}/"))
                else:
                    yield f"{mark_of(status)} {start}{each.name}\0"


def _known(folder: Path, cache: Path) -> str | None:
    try:
        return _place(folder, cache).read_text()
    except (OSError, ValueError):
        return None


def _place(folder: Path, cache: Path) -> Path:
    return cache / f"{folder.name}.intact"


def _damaged(folder: Path, what: str) -> CorruptError:
    return CorruptError(
        f"the snapshot {folder} is not what was stored: {what}",
        hint="somebody has changed it: delete that folder once no live run uses it; launch again",
    )
