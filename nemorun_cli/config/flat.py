"""A stored config as plain values by path, as a condition compares them. Imports nothing of it."""

from collections.abc import Iterator, Mapping
from typing import Any

from nemorun_cli.config.render import rows, text_of
from nemorun_cli.core.fields import Plain
from nemorun_cli.core.metrics import number
from nemorun_cli.core.overrides import Step, format_path

_LISTS = ("list", "tuple", "set", "frozenset")


def flat(document: Mapping[str, Any]) -> dict[str, Plain]:
    """Each path, without quotes that it does not need, with its value.

    What is no number, text, bool or null is the text that an override would have; a list or dict
    is one too, and so is each of its items.
    """
    found: dict[str, Plain] = {}
    for row in rows(document):
        if row.is_part or row.same_as:
            found[row.path] = row.text
        else:
            found.update(_inside(row.path, row.value))
    found.pop("", None)
    return found


def _inside(path: str, value: Any) -> Iterator[tuple[str, Plain]]:
    yield path, _plain(value)
    for step, each in _items(value):
        inner = format_path((Step(name=step),))
        yield from _inside(path + (inner if inner.startswith("[") else f".{inner}"), each)


def _items(value: Any) -> Iterator[tuple[str | int, Any]]:
    kind = value.get("_type_") if isinstance(value, Mapping) else None
    if isinstance(value, list):
        yield from enumerate(value)
    elif kind in _LISTS:
        yield from enumerate(value["value"])
    elif kind == "dict":
        yield from ((key, each) for key, each in value["value"] if isinstance(key, (str, int)))
    elif isinstance(value, Mapping) and kind is None:
        yield from value.items()


def _plain(value: Any) -> Plain:
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, Mapping) and value.get("_type_") == "float":
        return number(value.get("value"))
    return text_of(value)
