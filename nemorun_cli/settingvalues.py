"""The values of settings: read by the type of their field, and shown as they would be typed."""

import json
import types
import typing
from collections.abc import Mapping
from typing import Any

from nemorun_cli.core.durations import format_duration, parse_duration


def as_text(value: object, kind: str = "") -> str:
    """A value as it would be typed after `-x NAME=`; unset is an empty text."""
    if value is None:
        return ""
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    if kind == "duration" and isinstance(value, int):
        return format_duration(value)
    if isinstance(value, dict):
        return json.dumps(value) if value else ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def type_text(annotation: Any, kind: str) -> str:  # noqa: ANN401
    """The type of a setting in a word or two."""
    if kind:
        return kind
    members = [each for each in typing.get_args(annotation) if each not in (type(None), ...)]
    if isinstance(annotation, types.UnionType):
        return "|".join(type_text(each, "") for each in members)
    if typing.get_origin(annotation) is tuple:
        return "list"
    if typing.get_origin(annotation) is Mapping:
        return "table"
    return getattr(annotation, "__name__", str(annotation))


def fitting(value: Any, annotation: Any, kind: str) -> Any:  # noqa: ANN401
    """The value of a setting of this type; ValueError saying what was expected."""
    members = typing.get_args(annotation)
    if isinstance(annotation, types.UnionType):
        if isinstance(value, str) and value.lower() in ("none", "null", ""):
            return None
        (annotation,) = (each for each in members if each is not type(None))
    if kind == "duration":
        return value * 60 if isinstance(value, int) else parse_duration(str(value))
    if typing.get_origin(annotation) is tuple:
        texts = value.split(",") if isinstance(value, str) else value
        return tuple(str(each).strip() for each in texts if str(each).strip())
    return _READERS.get(annotation, str)(value)


def _whole(value: Any) -> int:  # noqa: ANN401
    try:
        return int(str(value))
    except ValueError:
        raise ValueError(f"expects a whole number, got {value!r}") from None


def _truth(value: Any) -> bool:  # noqa: ANN401
    word = str(value).lower()
    if word not in ("true", "false"):
        raise ValueError(f"expects true or false, got {value!r}")
    return word == "true"


def _number(value: Any) -> float:  # noqa: ANN401
    try:
        return float(str(value))
    except ValueError:
        raise ValueError(f"expects a number, got {value!r}") from None


def _table(value: Any) -> dict[str, Any]:  # noqa: ANN401
    if isinstance(value, str):
        try:
            value = json.loads(value or "{}")
        except ValueError as error:
            raise ValueError(f"expects a table in JSON, got {value!r}: {error}") from None
    if not isinstance(value, dict):
        raise ValueError(f"expects a table, got {value!r}")
    return value


_READERS: Mapping[Any, Any] = {
    int: _whole,
    bool: _truth,
    str: str,
    float: _number,
    Mapping[str, Any]: _table,
}
