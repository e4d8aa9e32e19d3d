"""Where the values of a stored config come from. Nothing is imported."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nemorun_cli.config import render
from nemorun_cli.core.errors import UsageError
from nemorun_cli.core.overrides import Step, format_path, parse


@dataclass(frozen=True, kw_only=True)
class Explained:
    """One path, its value, and what set it."""

    path: str
    value: str
    """As it would be typed."""
    origins: tuple[Mapping[str, Any], ...]
    """In their order, the last one winning: `kind`, `place` and `value` of each."""

    @property
    def winner(self) -> Mapping[str, Any]:
        """What set the value that counts."""
        return self.origins[-1]


def explain(
    document: Mapping[str, Any], origins: Mapping[str, Any], path: str | None
) -> tuple[Explained, ...]:
    """The path, and all below it; of a value inside of another one, that one. None: all paths.

    UsageError for a path that the config does not have.
    """
    rows = {row.path: row for row in render.rows(document)}
    found = list(rows.values()) if path is None else _at(path, rows)
    return tuple(_explained(row, origins) for row in found)


def _at(path: str, rows: Mapping[str, render.Row]) -> list[render.Row]:
    """The row of a path and those below it, or that of the value it is inside of."""
    steps = _by_first_path(parse(f"{path}=").path, rows)
    wanted = format_path(steps)
    found = [row for each, row in rows.items() if _is_below(each, wanted)]
    inside = steps
    while not found and len(inside) > 1:
        inside = inside[:-1]
        row = rows.get(format_path(inside))
        if row is not None:
            found = [] if row.is_part else [row]
            break
    if not found:
        near = difflib.get_close_matches(wanted, rows, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "without a path all of them are shown"
        raise UsageError(f"the config has no {wanted!r}", hint=hint)
    return found


def _by_first_path(steps: tuple[Step, ...], rows: Mapping[str, render.Row]) -> tuple[Step, ...]:
    """The same path through the place where a shared node was met first."""
    for count in range(len(steps), 0, -1):
        row = rows.get(format_path(steps[:count]))
        if row is not None and row.same_as:
            return (*parse(f"{row.same_as}=").path, *steps[count:])
    return steps


def _is_below(path: str, wanted: str) -> bool:
    return path == wanted or path.startswith((f"{wanted}.", f"{wanted}["))


def _explained(row: render.Row, origins: Mapping[str, Any]) -> Explained:
    told = origins.get(row.argument)
    default = {"kind": "default", "place": row.owner, "value": row.text}
    return Explained(path=row.path, value=row.text, origins=tuple(told or (default,)))
