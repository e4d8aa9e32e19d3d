"""The order in which `list --sort` puts runs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from nemorun_cli.core.fields import Name, name_of

_Item = TypeVar("_Item")


@dataclass(frozen=True, kw_only=True)
class Key:
    """What to sort by; `typed` as it was, for messages."""

    name: Name
    descending: bool
    typed: str


def key_of(text: str) -> Key:
    """`metric.loss`, or `-metric.loss` from the greatest down; UsageError for what is no name."""
    name = text.removeprefix("-")
    return Key(name=name_of(name), descending=name != text, typed=text)


def ordered(
    items: Sequence[_Item], keys: Sequence[Key], value_of: Callable[[_Item, Name], Any]
) -> list[_Item]:
    """The items by the first key, those that are equal in it by the second, and so on.

    Numbers come before texts; what is not there, or no number, comes last in both directions.
    Items that are equal in all keys stay in their order.
    """
    found = list(items)
    for key in reversed(keys):
        ranks = [(_rank(value_of(item, key.name)), item) for item in found]
        having = [each for each in ranks if each[0] is not None]
        having.sort(key=lambda each: each[0] or (0, 0, ""), reverse=key.descending)
        found = [item for _, item in having] + [item for rank, item in ranks if rank is None]
    return found


def _rank(value: Any) -> tuple[int, float, str] | None:  # noqa: ANN401
    if isinstance(value, tuple):
        value = ",".join(value) or None
    if isinstance(value, str):
        return (1, 0, value)
    return None if value is None or value != value else (0, value, "")  # noqa: PLR0124 # nan
