"""What an override makes of the value at the end of its path."""

import copy
from collections.abc import Callable, Iterable
from typing import Any

from nemorun_cli.config import annotations, nodes
from nemorun_cli.config.assignments import Assignment
from nemorun_cli.config.coerce import Parts, is_document, read
from nemorun_cli.config.composing import UnreadableError, structured
from nemorun_cli.config.containers import read_keys
from nemorun_cli.config.items import Item, looks_structured
from nemorun_cli.config.scalars import MismatchError
from nemorun_cli.config.values import as_text
from nemorun_cli.core.overrides import APPEND, REMOVE, RESET, SET

Change = Callable[[Any, Any], Any]
"""From what is there (MISSING if nothing is) and its declared type to what shall be there.

MismatchError when the text cannot become that.
"""
DELETED = nodes.Missing()
"""What a change returns to leave a place empty."""


def change_of(assignment: Assignment, parts: Parts) -> Change:
    """The change that an assignment makes; `parts` is what it can name."""
    item = assignment.item
    changes: dict[str, Change] = {
        SET: lambda value, declared: _value(value, declared, item, parts),
        RESET: lambda value, declared: DELETED,  # noqa: ARG005
        APPEND: lambda value, declared: _appended(value, declared, item, parts),
        REMOVE: lambda value, declared: _removed(value, declared, item, parts),
    }
    return changes[assignment.override.operation]


def opened_mapping(assignment: Assignment) -> Item | None:
    """The mapping that is assigned, if it is one of members to be set."""
    item = assignment.item
    if assignment.override.operation != SET or item.quoted:
        return None
    if isinstance(item.value, str) and item.value.startswith("{"):
        try:
            item = structured(item.value, item.start)
        except UnreadableError as error:
            at = Item(item.value, error.at, error.at + 1)
            raise MismatchError("a mapping of paths to values", at, error.message) from None
    return item if isinstance(item.value, dict) and not is_document(item) else None


def _value(value: Any, declared: Any, item: Item, parts: Parts) -> Any:
    """What the item means; in the place of an untyped node a name is that of a factory."""
    is_name = isinstance(item.value, str) and not looks_structured(item.value)
    if not is_name or not nodes.is_node(value) or not annotations.is_untyped(declared):
        return read(item, declared, parts)
    try:
        return parts.named(item, declared)
    except LookupError as unknown:
        found = read(item, declared, parts)
        if isinstance(found, str):
            expected = f"a factory, as it holds {nodes.callee(value)}"
            raise MismatchError(expected, item, str(unknown)) from None
        return found


def _appended(value: Any, declared: Any, item: Item, parts: Parts) -> Any:
    """The sum of numbers and texts; the items of both; the keys of both, the new ones winning."""
    present = _present(value, item)
    _require_open(declared, item)
    if isinstance(present, dict):
        return {**present, **_like(present, declared, item, parts)}
    if isinstance(present, (list, tuple)):
        return type(present)([*present, *_more(present, declared, item, parts)])
    if isinstance(present, (set, frozenset)):
        return present | type(present)(_more(present, declared, item, parts))
    return present + _like(present, declared, item, parts)


def _removed(value: Any, declared: Any, item: Item, parts: Parts) -> Any:
    """The difference of numbers; without the first item, the member or the key of that value."""
    present = _present(value, item)
    _require_open(declared, item)
    if isinstance(present, (int, float)):
        return present - _like(present, declared, item, parts)
    if isinstance(present, str):
        raise MismatchError("a number, list, set or mapping for -=", item)
    if isinstance(present, dict) and isinstance(item.value, str):
        wanted = [next((key for key in present if as_text(key) == item.value), item.value)]
    elif isinstance(present, dict):
        raise MismatchError("the key to leave out", item)
    else:
        wanted = list(_more(present, declared, item, parts))
    left = dict(present) if isinstance(present, dict) else list(present)
    for each in wanted:
        if isinstance(present, dict) and each in annotations.needed_keys(declared):
            raise MismatchError(f"a key that it can be without, not {each!r}", item)
        if each not in left:
            listed = ", ".join(map(str, present)) or "nothing"
            raise MismatchError("what is there", item, f"it holds: {listed}")
        left.pop(each) if isinstance(left, dict) else left.remove(each)
    return left if isinstance(left, dict) else type(present)(left)


def _require_open(declared: Any, item: Item) -> None:
    length = annotations.length_of(declared)
    if length is not None:
        expected = f"{annotations.name_of(declared)}, which has always {length} items"
        raise MismatchError(expected, item, "set an item by its index")


def _present(value: Any, item: Item) -> Any:
    """A copy of what can be added to."""
    if value is nodes.MISSING:
        raise MismatchError("a value to start from: it is not set", item, "use =")
    kinds = (int, float, str, list, tuple, set, frozenset, dict)
    if isinstance(value, bool) or not isinstance(value, kinds) or hasattr(value, "_fields"):
        what = nodes.callee(value) if nodes.is_node(value) else repr(value)
        raise MismatchError(f"a number, text or collection to change, not {what}", item)
    return copy.copy(value)


def _like(present: Any, declared: Any, item: Item, parts: Parts) -> Any:
    """The text as something that can be added to what is there."""
    typed = type(present) if annotations.is_untyped(declared) else declared
    if isinstance(present, dict) and annotations.declared_keys(declared):
        typed = annotations.bare(declared)
        return read_keys(item, typed, lambda each, kind: read(each, kind, parts))
    found = read(item, typed, parts)
    addable = isinstance(found, (int, float)) and isinstance(present, (int, float))
    if not addable and type(found) is not type(present):
        raise MismatchError(annotations.name_of(type(present)), item)
    return found


def _more(present: Any, declared: Any, item: Item, parts: Parts) -> Iterable[Any]:
    """The text as several items of a collection, else as one."""
    if not isinstance(item.value, str) or looks_structured(item.value.strip()):
        kind = type(present)
        inner = annotations.item_type(declared)
        several = kind[inner, ...] if kind is tuple else kind[inner]
        try:
            return read(item, several, parts)  # type: ignore[no-any-return]
        except MismatchError:
            if annotations.is_untyped(inner):
                raise
    return [read(item, annotations.item_type(declared), parts)]
