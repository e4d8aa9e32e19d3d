"""Where a project begins, and where the runs are kept."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

MARKERS = (".git", "nemorun.toml", "pyproject.toml")


def find_root(start: Path, *, home: Path) -> Path | None:
    """The nearest folder, from `start` upwards, with `.git`, `nemorun.toml` or `pyproject.toml`.

    Never the home folder or `/`; the search ends at a folder that is not the user's own or that
    others may write to, since what lies there could be anybody's.
    """
    ends = (home, home.resolve(), Path(start.anchor))
    for folder in (start, *start.parents):
        if folder in ends or not trusted(folder):
            return None
        if any((folder / name).exists() for name in MARKERS):
            return folder
    return None


def passed_over(start: Path, *, home: Path) -> Path | None:
    """The folder that looks like a project where `find_root` finds none: it is not trusted."""
    ends = (home, home.resolve(), Path(start.anchor))
    for folder in (start, *start.parents):
        if folder in ends:
            return None
        if any((folder / name).exists() for name in MARKERS):
            return folder
    return None


def home_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """NEMORUN_HOME, else `nemorun` in XDG_STATE_HOME, else `~/.local/state/nemorun`."""
    if chosen := environ.get("NEMORUN_HOME"):
        return Path(chosen).expanduser().absolute()
    if state := environ.get("XDG_STATE_HOME"):
        return Path(state).absolute() / "nemorun"
    if home := environ.get("HOME"):
        return Path(home).absolute() / ".local/state/nemorun"
    from nemorun_cli.core.errors import UsageError

    raise UsageError("there is no HOME to keep the runs in", hint="set NEMORUN_HOME to a folder")


def trusted(folder: Path) -> bool:
    """Whether nobody but this user may have put there what lies in this folder.

    A folder that its group may write to is trusted if the group is the user's own, as it is where
    the umask is 002.
    """
    try:
        status = folder.stat()
    except OSError:
        return False
    if status.st_uid != os.geteuid() or status.st_mode & stat.S_IWOTH:
        return False
    return not status.st_mode & stat.S_IWGRP or _is_own_group(status.st_gid)


def _is_own_group(number: int) -> bool:
    import grp
    import pwd

    try:
        group, user = grp.getgrgid(number), pwd.getpwuid(os.geteuid())
    except KeyError:
        return False
    return group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}
