"""Readers of the types whose values have no parts: numbers, texts, paths, lengths of time."""

import contextlib
import difflib
import enum
import math
import pathlib
import re
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from nemorun_cli.config.annotations import name_of
from nemorun_cli.config.items import Bare, Item
from nemorun_cli.core.durations import parse_duration
from nemorun_cli.core.overrides import Step

_NONE_WORDS = ("none", "null")
_TRUE_FALSE = {"true": True, "false": False}
WORDS = (*_NONE_WORDS, *_TRUE_FALSE)
"""What stands for a value of its own, in any case."""
_INTEGER = re.compile(r"[+-]?(?:\d[\d_]*|0[xX][\da-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+)", re.ASCII)
_ROUND = re.compile(r"([+-]?\d{1,15})[eE]\+?(\d{1,2})", re.ASCII)
_FLOAT = re.compile(r"[+-]?(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?", re.ASCII)
_NOT_FINITE = re.compile(r"[+-]?\.?(?:inf|infinity|nan)", re.IGNORECASE)
_LONGEST = 100  # characters of a text that is shown
_MOMENTS = {datetime: "2026-05-01T12:00", date: "2026-05-01", time: "12:00"}


class MismatchError(ValueError):
    """The text is no value of the type."""

    def __init__(self, expected: str, item: Item, hint: str = "") -> None:
        super().__init__(expected)
        self.expected = expected
        self.item = item
        self.hint = hint
        self.path: tuple[Step, ...] = ()
        """From the value that was read to the part of it that does not fit."""

    @property
    def got(self) -> str:
        """The wrong part, as it may be shown."""
        value = self.item.value
        if is_null(self.item):
            return "nothing"
        if isinstance(value, str):
            return repr(value if len(value) <= _LONGEST else f"{value[: _LONGEST - 3]}...")
        return "a mapping" if isinstance(value, dict) else "a list"


@contextlib.contextmanager
def within(name: object) -> Iterator[None]:
    """What does not fit inside is a part of this name or index."""
    try:
        yield
    except MismatchError as error:
        step = Step(name=name if isinstance(name, (int, str)) else str(name))
        error.path = (step, *error.path)
        raise


def read_text(item: Item, annotation: Any) -> str:
    """Any text, as it is."""
    if not isinstance(item.value, str):
        raise MismatchError(name_of(annotation), item)
    return item.value


def read_str(item: Item, annotation: Any) -> str:
    """Any text; what a file leaves out is none."""
    if is_null(item):
        raise MismatchError(name_of(annotation), item, "'' would be an empty text")
    return read_text(item, annotation)


def is_null(item: Item) -> bool:
    """Whether a file says in so many words, or by leaving it out, that there is no value."""
    return isinstance(item.value, Bare) and item.value in ("", "null")


def read_word(item: Item, annotation: Any) -> str:
    """A text without quotes, which may be a number or the like."""
    text = read_text(item, annotation)
    word = text.strip()
    if item.quoted:
        is_word = looks_like_number(word) or word.lower() in WORDS
        raise MismatchError(name_of(annotation), item, "without the quotes" if is_word else "")
    return word


def read_int(item: Item, annotation: Any) -> int:
    """Also `0x10`, `1_000` and `1e6`."""
    word = read_word(item, annotation)
    rounded = _ROUND.fullmatch(word)
    if rounded:
        return int(rounded.group(1)) * int(10 ** int(rounded.group(2)))
    try:
        if _INTEGER.fullmatch(word):
            return int(word, 10 if word.lstrip("+-").isdigit() else 0)
    except ValueError:
        pass
    raise MismatchError("int", item)


def read_float(item: Item, annotation: Any) -> float:
    """A finite number, or `inf` or `nan` in so many words."""
    word = read_word(item, annotation)
    if _NOT_FINITE.fullmatch(word):
        return float(word.replace(".", ""))
    try:
        value = float(word) if _FLOAT.fullmatch(word) else math.inf
    except ValueError:
        value = math.inf
    if math.isinf(value):
        raise MismatchError("float", item)
    return value


def read_bool(item: Item, annotation: Any) -> bool:
    """`true` or `false`, in any case."""
    found = _TRUE_FALSE.get(read_word(item, annotation).lower())
    if found is None:
        raise MismatchError("true or false", item)
    return found


def read_none(item: Item, annotation: Any) -> None:
    """`none` or `null`, or nothing at all in a file."""
    if item.is_nothing:
        return
    if read_word(item, annotation).lower() not in _NONE_WORDS:
        raise MismatchError("none", item)


def read_path(item: Item, annotation: Any) -> pathlib.Path:
    """Any text that can be a path."""
    text = read_str(item, annotation)
    if "\0" in text:
        raise MismatchError("a path", item)
    return pathlib.Path(text)


def read_bytes(item: Item, annotation: Any) -> bytes:
    """The text in UTF-8."""
    try:
        return read_str(item, annotation).encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # Half of a pair, as JSON can hold.
        raise MismatchError("text that can be written in UTF-8", item) from None


def read_timedelta(item: Item, annotation: Any) -> timedelta:
    """`30s`, `10m`, `2h`; a bare number is minutes."""
    try:
        return timedelta(seconds=parse_duration(read_text(item, annotation)))
    except (ValueError, OverflowError):
        raise MismatchError("a length of time such as 30s, 10m or 2h", item) from None


def read_moment(item: Item, annotation: Any) -> datetime | date | time:
    """A date, a time or both, as in ISO 8601; the time zone only if it is written."""
    try:
        return annotation.fromisoformat(read_text(item, annotation).strip())  # type: ignore[no-any-return]
    except ValueError:
        example = _MOMENTS[annotation]
        raise MismatchError(f"a {annotation.__name__} such as {example}", item) from None


def read_enum(item: Item, annotation: Any) -> enum.Enum:
    """A member by its name, else by its value."""
    text = read_text(item, annotation)
    named = annotation.__members__.get(text)
    found = named or next((each for each in annotation if str(each.value) == text), None)
    if found is None:
        raise MismatchError(
            f"one of {', '.join(annotation.__members__)}", item, near(text, annotation.__members__)
        )
    return found  # type: ignore[no-any-return]


def near(text: str, names: Iterable[str]) -> str:
    """A did-you-mean for the hint; empty if nothing is near."""
    known = {name.casefold(): name for name in names}
    found = difflib.get_close_matches(text.casefold(), known, n=1)
    return f"did you mean {known[found[0]]!r}?" if found else ""


def is_written_as_float(item: Item) -> bool:
    """Whether it is a number with a point or an exponent."""
    text = "" if item.quoted or not isinstance(item.value, str) else item.value.strip()
    return looks_like_number(text) and any(sign in text for sign in ".eE")


def looks_like_number(text: str) -> bool:
    """Whether it is a decimal number, with or without an exponent."""
    return _FLOAT.fullmatch(text.strip()) is not None
