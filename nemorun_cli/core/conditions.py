"""What can be asked of a run: comparisons and what joins them, and whether they hold."""

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from nemorun_cli.core.fieldnames import TIMES
from nemorun_cli.core.fields import Kind, Name, Plain
from nemorun_cli.core.metrics import number

UNREAD: Final = object()
"""In place of a value that was not looked for yet."""
NULLS = ("null", "none")
_ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One value of a run beside one that was typed."""

    name: Name
    sign: str
    """`=`, `!=`, `<`, `<=`, `>`, `>=` or `~`."""
    text: str
    quoted: bool = False
    """Whether the text is a text, and nothing else that it may spell."""
    time: float | None = None
    """What the text stands for where a time is asked for."""
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)
    """Where the name is in what was typed."""


@dataclass(frozen=True, kw_only=True)
class Negation:
    """`not` and what follows."""

    inner: "Expression"


@dataclass(frozen=True, kw_only=True)
class Joined:
    """Two or more, of which all, or one at least, have to hold."""

    word: str
    """`and` or `or`."""
    parts: tuple["Expression", ...]


Expression = Comparison | Negation | Joined
Values = Callable[[Name], Plain | tuple[str, ...] | object]


def comparisons(expression: Expression) -> Iterator[Comparison]:
    """All that are in it, from left to right."""
    if isinstance(expression, Comparison):
        yield expression
    elif isinstance(expression, Negation):
        yield from comparisons(expression.inner)
    else:
        for part in expression.parts:
            yield from comparisons(part)


def asks_for_none(comparison: Comparison) -> bool:
    """Whether it asks if there is anything at all."""
    return not comparison.quoted and comparison.text.lower() in NULLS


def holds(expression: Expression, values: Values) -> bool | None:
    """Whether it is true of these values; None where that cannot be told.

    As in SQL, nothing can be told of what is not there, or is of another kind than what it is
    compared with; nor by `not`. `= null` and `!= null` alone ask whether it is there.
    """
    if isinstance(expression, Comparison):
        return _compared(expression, values(expression.name))
    if isinstance(expression, Negation):
        told = holds(expression.inner, values)
        return None if told is None else not told
    decisive = expression.word == "or"
    found = {holds(part, values) for part in expression.parts}
    return decisive if decisive in found else None if None in found else not decisive


def _compared(wanted: Comparison, value: Any) -> bool | None:  # noqa: ANN401
    if value is UNREAD:
        return None
    if asks_for_none(wanted):
        return (value is None) == (wanted.sign == "=")
    if isinstance(value, tuple):
        return _among(wanted, value)
    meant = _meant(wanted, value)
    if value is None or meant is None:
        return None
    return _told(wanted.sign, value, meant)


def _told(sign: str, value: Any, meant: Any) -> bool | None:  # noqa: ANN401
    if sign in ("=", "!="):
        both_nan = value != value and meant != meant  # noqa: PLR0124
        return (both_nan or bool(value == meant)) == (sign == "=")
    if sign == "~":
        return meant.casefold() in value.casefold() if isinstance(value, str) else None
    return None if isinstance(value, bool) else _ORDERS[sign](value, meant)


def _among(wanted: Comparison, values: tuple[str, ...]) -> bool | None:
    if wanted.sign == "~":
        return any(wanted.text.casefold() in each.casefold() for each in values)
    if wanted.sign in ("=", "!="):
        return (wanted.text in values) == (wanted.sign == "=")
    return None


def _meant(wanted: Comparison, value: Any) -> Any:  # noqa: ANN401
    """What was typed, as a value of the same kind as this one; None if it spells none."""
    if wanted.name.kind is Kind.FIELD and wanted.name.text in TIMES:
        return wanted.time
    if isinstance(value, str):
        return wanted.text
    if wanted.quoted:
        return None
    if isinstance(value, bool):
        return {"true": True, "false": False}.get(wanted.text.lower())
    return _number(wanted.text)


def _number(text: str) -> int | float | None:
    try:
        return int(text)
    except ValueError:
        return number(text)
