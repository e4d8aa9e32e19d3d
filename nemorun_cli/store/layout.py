"""Where the store keeps each run. Imports next to nothing, for those who look for names alone."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from nemorun_cli.core.ids import is_id

_MONTH = re.compile(r"\d{4}-\d{2}")


def folder_of(home: Path, run_id: str) -> Path:
    """The folder of a run, be it there or not."""
    return home / f"runs/{run_id[:4]}-{run_id[4:6]}/{run_id}"


def ids(home: Path, names: Callable[[Path], list[str]]) -> Iterator[str]:
    """All runs, newest first by id; `names` lists what is in a folder."""
    root = home / "runs"
    for month in sorted(filter(is_month, names(root)), reverse=True):
        # What does not belong in this month cannot be found by its id either.
        start = month.replace("-", "")
        found = (name for name in names(root / month) if name.startswith(start))
        yield from sorted(filter(is_id, found), reverse=True)


def is_month(name: str) -> bool:
    """Whether a folder of this name holds the runs of a month."""
    return _MONTH.fullmatch(name) is not None
