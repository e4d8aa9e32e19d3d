"""What differs between two stored configs, path by path. Nothing is imported."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nemorun_cli.config.render import Row, call_of, rows


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One path whose value is not the same; None where there is none."""

    path: str
    before: str | None
    after: str | None


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Each path that one config has and the other has not, or has otherwise, in their order."""
    old, new = _by_path(before), _by_path(after)
    return tuple(
        Difference(path=path, before=told[0], after=told[1])
        for path in {**old, **new}
        if (told := _told(old.get(path), new.get(path)))
    )


def _by_path(document: Mapping[str, Any]) -> dict[str, Row]:
    whole = Row("", str(document.get("_target_")), "", "", value=call_of(document))
    return {row.path: row for row in (whole, *rows(document))}


def _told(old: Row | None, new: Row | None) -> tuple[str | None, str | None] | None:
    """What to show of two that differ; their text alone, if that tells them apart."""
    before, after = old and old.text, new and new.text
    if old is None or new is None or before != after:
        return (before, after) if before != after else None
    if old.value == new.value or _without_ids(old.value) == _without_ids(new.value):
        return None
    return _exactly(old), _exactly(new)


def _exactly(row: Row) -> str:
    """With quotes around a text, and with the module of what is named: `5` is not `"5"`."""
    if not isinstance(row.value, dict):
        return json.dumps(row.value, ensure_ascii=False)
    return " ".join(
        each if isinstance(each, str) else json.dumps(each) for each in row.value.values()
    )


def _without_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_ids(each) for key, each in value.items() if key != "_id_"}
    return list(map(_without_ids, value)) if isinstance(value, list) else value
