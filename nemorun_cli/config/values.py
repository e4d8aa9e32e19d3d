"""Values of a config as people would type them."""

from datetime import date, datetime, time, timedelta
from pathlib import PurePath
from typing import Any

from nemorun_cli.config import nodes
from nemorun_cli.config.items import as_member
from nemorun_cli.core.durations import format_duration


def as_text(value: Any) -> str:
    """A value as it would be typed; a node by what it calls, and what is too deep by dots."""
    try:
        return _text(value)
    except RecursionError:
        return "..."


def _text(value: Any) -> str:
    if nodes.is_node(value):
        return f"{nodes.callee(value)}(...)"
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple, set, frozenset)):
        return _bracketed(value)
    if isinstance(value, dict):
        pairs = (f"{_member(key)}: {_member(each)}" for key, each in value.items())
        return f"{{{', '.join(pairs)}}}"
    return _scalar(value)


def _bracketed(value: Any) -> str:
    inside = ", ".join(map(_member, value))
    if isinstance(value, list):
        return f"[{inside}]"
    if not isinstance(value, tuple):
        return f"{{{inside}}}"
    return f"({inside},)" if len(value) == 1 else f"({inside})"


def _member(value: Any) -> str:
    return as_member(value) if isinstance(value, str) else _text(value)


def _scalar(value: Any) -> str:
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, timedelta):
        return _duration(value)
    if isinstance(value, PurePath):
        return str(value)
    return str(getattr(value, "name", getattr(value, "__name__", value)))


def _duration(value: timedelta) -> str:
    whole = value >= timedelta() and not value.microseconds
    return format_duration(int(value.total_seconds())) if whole else f"{value.total_seconds()}s"
