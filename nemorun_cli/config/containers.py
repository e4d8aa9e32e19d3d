"""Readers of the types whose values have parts: lists, tuples, sets and mappings."""

import typing
from collections.abc import Callable, Iterable
from typing import Any

from nemorun_cli.config import scalars
from nemorun_cli.config.annotations import keys_of, length_of, name_of, required_keys
from nemorun_cli.config.composing import UnreadableError, structured
from nemorun_cli.config.items import Item, looks_structured
from nemorun_cli.config.scalars import MismatchError

Read = Callable[[Item, Any], Any]
"""Reads an item as a value of a declared type; MismatchError if it is none."""


def opened(item: Item, expected: str) -> Item:
    """What a bracketed text holds; what is no text is open already."""
    if not isinstance(item.value, str):
        return item
    hint = "such as {a: 1, b: 2}" if expected.startswith(("dict", "Map")) else "such as [1, 2]"
    text = item.value.strip()
    if item.quoted or not looks_structured(text):
        raise MismatchError(expected, item, hint)
    try:
        return structured(text, item.start + item.value.index(text))
    except UnreadableError as error:
        at = Item(text, error.at, error.at + 1)
        raise MismatchError(expected, at, error.message) from None


def items_of(item: Item, annotation: Any) -> list[Item]:
    """The items of what is written as a list."""
    found = opened(item, name_of(annotation)).value
    if isinstance(found, dict) and all(each.is_nothing for each in found.values()):
        return list(found)  # As Python writes a set: {a, b}.
    if not isinstance(found, tuple):
        raise MismatchError(name_of(annotation), item, "such as [1, 2]")
    return list(found)


def collection(make: Callable[[Iterable[Any]], Any]) -> Callable[[Item, Any, Read], Any]:
    """The reader of a class of collections whose items have one type."""

    def reader(item: Item, annotation: Any, read: Read) -> Any:
        inner = (typing.get_args(annotation) or (Any,))[0]
        items = items_of(item, annotation)
        values = [_part(index, each, inner, read) for index, each in enumerate(items)]
        try:
            return make(values)
        except TypeError:
            raise MismatchError(name_of(annotation), item, "its items cannot be in a set") from None

    return reader


def read_tuple(item: Item, annotation: Any, read: Read) -> tuple[Any, ...]:
    """As many items as are declared, each of its own type."""
    items = items_of(item, annotation)
    length = length_of(annotation)
    given = typing.get_args(annotation) or (Any,)
    inner = (given[0],) * len(items) if length is None else given[:length]
    if len(items) != len(inner):
        raise MismatchError(name_of(annotation), item, f"{len(inner)} items, not {len(items)}")
    pairs = zip(items, inner, strict=True)
    return tuple(_part(index, each, kind, read) for index, (each, kind) in enumerate(pairs))


def pairs_of(item: Item, annotation: Any) -> dict[Item, Item]:
    """The pairs of what is written as a mapping."""
    found = opened(item, name_of(annotation)).value
    if not isinstance(found, dict):
        raise MismatchError(name_of(annotation), item, "such as {a: 1, b: 2}")
    for key, value in found.items():
        if value.is_nothing and not key.quoted and ":" in str(key.value):
            raise MismatchError(name_of(annotation), key, "a space belongs after the colon")
    return found


def read_mapping(item: Item, annotation: Any, read: Read) -> dict[Any, Any]:
    """Keys and values each of their type."""
    keys, values = typing.get_args(annotation) or (Any, Any)
    found: dict[Any, Any] = {}
    for key, value in pairs_of(item, annotation).items():
        name = read(key, keys)
        made = _part(name, value, values, read)
        try:
            found[name] = made
        except TypeError:
            raise MismatchError("what can be a key", key) from None
    return found


def read_typed_dict(item: Item, annotation: Any, read: Read) -> dict[str, Any]:
    """The keys that are declared and no others, each of its type; the required ones are there."""
    found = read_keys(item, annotation, read)
    lacking = [name for name in keys_of(annotation) if name in required_keys(annotation) - {*found}]
    if lacking:
        raise MismatchError(name_of(annotation), item, f"it lacks {', '.join(lacking)}")
    return found


def read_keys(item: Item, annotation: Any, read: Read) -> dict[str, Any]:
    """Some of the keys that are declared, and no others, each of its type."""
    known = keys_of(annotation)
    pairs = pairs_of(item, annotation)
    for key in pairs:
        if key.value not in known:
            hint = scalars.near(str(key.value), known) or f"there are: {', '.join(known)}"
            raise MismatchError(f"a key of {name_of(annotation)}", key, hint)
    given = {str(key.value): value for key, value in pairs.items()}
    return {name: _part(name, value, known[name], read) for name, value in given.items()}


def _part(name: object, item: Item, annotation: Any, read: Read) -> Any:
    with scalars.within(name):
        return read(item, annotation)
