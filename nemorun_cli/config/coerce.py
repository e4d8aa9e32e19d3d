"""Text to a value, by the type that its field declares. Nothing in the text is called."""

import enum
import pathlib
import types
import typing
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from nemorun_cli.config import scalars
from nemorun_cli.config.annotations import (
    LISTS,
    MAPPINGS,
    SETS,
    bare,
    is_enum,
    kind_of,
    members,
    name_of,
    takes_text,
)
from nemorun_cli.config.items import (
    Item,
    UnreadableError,
    looks_quoted,
    looks_structured,
    plain,
    structured,
)
from nemorun_cli.config.scalars import MismatchError


def coerce(text: str, annotation: Any) -> Any:
    """The value that a text means where this type is declared.

    A `str` takes the text as it is. Where text is one of several types, the others are tried
    first, and quotes make it text. MismatchError, which names the part that does not fit.
    """
    return read(plain(text), annotation)


def read(item: Item, annotation: Any) -> Any:
    """The same for what was read from a file."""
    annotation = bare(annotation)
    kind = kind_of(annotation)
    if is_enum(kind):
        return scalars.read_enum(item, annotation)
    reader = _READERS.get(kind)
    if reader is None:
        raise MismatchError(name_of(annotation), item, "it cannot be given as text")
    return reader(item, annotation)


def _literal(item: Item, annotation: Any) -> Any:
    choices = typing.get_args(annotation)
    text = scalars.read_text(item, annotation)
    for choice in choices:
        if isinstance(choice, str):
            matches = text == choice
        elif isinstance(choice, enum.Enum):
            matches = text == choice.name
        else:
            matches = _fits(item, type(choice)) and read(item, type(choice)) == choice
        if matches:
            return choice
    listed = ", ".join(str(getattr(each, "name", each)) for each in choices)
    raise MismatchError(f"one of {listed}", item, scalars.near(text, map(str, choices)))


def _fits(item: Item, annotation: Any) -> bool:
    try:
        read(item, annotation)
    except MismatchError:
        return False
    return True


def _union(item: Item, annotation: Any) -> Any:
    alternatives = [bare(each) for each in members(annotation)]
    item = _unquoted(item, annotation)
    if item.quoted and str in alternatives:
        return item.value
    misfits = []
    for member in sorted(alternatives, key=_rank):
        try:
            return read(item, member)
        except MismatchError as misfit:
            misfits.append((member, misfit))
    useful = [misfit for member, misfit in misfits if member is not type(None)]
    if len(useful) == 1 and len(misfits) > 1:
        raise MismatchError(f"{useful[0].expected} or none", useful[0].item, useful[0].hint)
    raise MismatchError(name_of(annotation), item)


def _unquoted(item: Item, annotation: Any) -> Item:
    """A text in quotes where it has to be told from other values."""
    if not isinstance(item.value, str) or not looks_quoted(item.value) or item.quoted:
        return item
    try:
        found = structured(item.value)
    except UnreadableError:
        return item
    return found if takes_text(annotation) and isinstance(found.value, str) else item


def _rank(member: Any) -> int:
    """What is told from other text by its form comes first, text last."""
    order = (type(None), bool, int, float)
    if member in order:
        return order.index(member)
    return {bytes: 97, pathlib.Path: 98, str: 99, Any: 100, object: 100}.get(member, len(order))


def _anything(item: Item, annotation: Any) -> Any:
    """A literal if it looks like one, else text."""
    item = _unquoted(item, annotation)
    if item.quoted:
        return item.value
    if isinstance(item.value, str):
        if looks_structured(item.value):
            return _anything(_opened(item, "a list or mapping, or text in quotes"), annotation)
        for kind in (type(None), bool, int):
            if _fits(item, kind):
                return read(item, kind)
        is_number = scalars.looks_like_number(item.value)
        return scalars.read_float(item, annotation) if is_number else item.value
    if isinstance(item.value, dict):
        return {_anything(key, Any): _anything(each, Any) for key, each in item.value.items()}
    return [_anything(each, Any) for each in item.value]


def _opened(item: Item, expected: str) -> Item:
    """What a bracketed text holds."""
    if not isinstance(item.value, str):
        return item
    hint = "such as {a: 1, b: 2}" if expected.startswith(("dict", "Map")) else "such as [1, 2]"
    text = item.value.strip()
    if item.quoted or not looks_structured(text):
        raise MismatchError(expected, item, hint)
    try:
        return structured(text)
    except UnreadableError as error:
        at = Item(text, error.at, error.at + 1)
        raise MismatchError(expected, at, error.message) from None


def _items(item: Item, annotation: Any) -> list[Item]:
    opened = _opened(item, name_of(annotation))
    if isinstance(opened.value, dict) and not any(each.value for each in opened.value.values()):
        return list(opened.value)  # As Python writes a set: {a, b}.
    if not isinstance(opened.value, tuple):
        raise MismatchError(name_of(annotation), item, "such as [1, 2]")
    return list(opened.value)


def _collection(make: Callable[[typing.Iterable[Any]], Any]) -> Callable[[Item, Any], Any]:
    def reader(item: Item, annotation: Any) -> Any:
        inner = (typing.get_args(annotation) or (Any,))[0]
        return make(read(each, inner) for each in _items(item, annotation))

    return reader


def _tuple(item: Item, annotation: Any) -> tuple[Any, ...]:
    inner = typing.get_args(annotation) or (Any, ...)
    items = _items(item, annotation)
    if inner == ((),):
        inner = ()
    if inner[-1:] == (...,):
        return tuple(read(each, inner[0]) for each in items)
    if len(items) != len(inner):
        raise MismatchError(name_of(annotation), item, f"{len(inner)} items, not {len(items)}")
    return tuple(read(each, kind) for each, kind in zip(items, inner, strict=True))


def _mapping(item: Item, annotation: Any) -> dict[Any, Any]:
    keys, values = typing.get_args(annotation) or (Any, Any)
    opened = _opened(item, name_of(annotation))
    if not isinstance(opened.value, dict):
        raise MismatchError(name_of(annotation), item, "such as {a: 1, b: 2}")
    found: dict[Any, Any] = {}
    for key, value in opened.value.items():
        if value.value == "" and not value.quoted and ":" in str(key.value):
            raise MismatchError(name_of(annotation), key, "a space belongs after the colon")
        found[read(key, keys)] = read(value, values)
    return found


_READERS: Mapping[Any, Callable[[Item, Any], Any]] = {
    str: scalars.read_text,
    int: scalars.read_int,
    float: scalars.read_float,
    bool: scalars.read_bool,
    type(None): scalars.read_none,
    bytes: scalars.read_bytes,
    pathlib.Path: scalars.read_path,
    pathlib.PurePath: scalars.read_path,
    timedelta: scalars.read_timedelta,
    typing.Literal: _literal,
    typing.Union: _union,
    types.UnionType: _union,
    tuple: _tuple,
    frozenset: _collection(frozenset),
    Any: _anything,
    object: _anything,
    **dict.fromkeys(LISTS, _collection(list)),
    **dict.fromkeys(SETS, _collection(set)),
    **dict.fromkeys(MAPPINGS, _mapping),
}
