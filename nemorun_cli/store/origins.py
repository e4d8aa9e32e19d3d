"""Runs that were not launched from here: which they are, and where their jobs' files lie."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nemorun_cli.core.errors import CorruptError
from nemorun_cli.store import layout, reading

ORIGIN = "imported.json"


def imported(home: Path, run_id: str) -> Path | None:
    """The run's folder, which holds its job's folder too; None for a run that was launched."""
    folder = layout.folder_of(home, run_id)
    return folder if (folder / ORIGIN).exists() else None


def origin_of(home: Path, run_id: str) -> Mapping[str, Any] | None:
    """Where an imported run comes from; None for a run that was launched.

    CorruptError if that cannot be read.
    """
    if (folder := imported(home, run_id)) is None:
        return None
    try:
        found = reading.load(folder / ORIGIN)
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("files"), dict):
        raise CorruptError(f"{run_id}: its {ORIGIN} cannot be read")
    return found


def documents(home: Path, run_id: str) -> tuple[Path, ...]:
    """The files of a run's record, sorted."""
    folder = layout.folder_of(home, run_id)
    return tuple(path for path in sorted(folder.iterdir()) if path.is_file())
