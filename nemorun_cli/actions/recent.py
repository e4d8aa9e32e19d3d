"""The newest runs, read from their files alone, for completion: light, and never an error."""

import json
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from nemorun_cli.core.ids import is_id, matching
from nemorun_cli.store import layout

MOST = 50


class Recent(NamedTuple):
    """What is told of a run where there is little time."""

    id: str
    recipe: str
    name: str
    state: str
    """Empty while it may be alive."""
    experiment: str
    tags: tuple[str, ...]


def recent(home: Path) -> Iterator[Recent]:
    """The newest runs, at most fifty; what cannot be read is passed over."""
    for run_id in islice(layout.ids(home, _names), MOST):
        folder = layout.folder_of(home, run_id)
        record = _read(folder / "run.json")
        verdict = _read(folder / "verdict.json").get("status")
        labels = _read(folder / "labels.json")
        tags = labels.get("tags", record.get("tags"))
        yield Recent(
            id=run_id,
            recipe=_text(record.get("recipe")),
            name=_text(record.get("name")),
            state=_text(verdict.get("state")) if isinstance(verdict, dict) else "",
            experiment=_text(record.get("experiment")),
            tags=tuple(map(_text, tags)) if isinstance(tags, list) else (),
        )


def config_of(argument: str, home: Path) -> dict[str, Any]:
    """The config stored with the run that `argument` means; empty if there is none."""
    run_id = _meant(argument, layout.ids(home, _names))
    return _read(layout.folder_of(home, run_id) / "config.json") if run_id else {}


def _meant(argument: str, ids: Iterator[str]) -> str:
    if is_id(argument):
        return argument
    back = "1" if argument == "last" else argument.removeprefix("@-")
    if back != argument and back.isdecimal() and int(back):
        return next(islice(ids, int(back) - 1, None), "")
    found = matching(argument, ids)
    return found[0] if len(found) == 1 else ""


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208
    except OSError:
        return []


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _text(value: Any) -> str:  # noqa: ANN401
    return value if isinstance(value, str) else ""
