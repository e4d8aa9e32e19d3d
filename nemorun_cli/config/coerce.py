"""Text and data to values, by the type that their field declares. Nothing in them is called."""

import enum
import os
import pathlib
import types
import typing
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, Protocol

from nemorun_cli.config import scalars
from nemorun_cli.config.annotations import (
    LISTS,
    MAPPINGS,
    PATHS,
    SETS,
    bare,
    classes_of,
    fields_of,
    is_enum,
    is_known,
    is_record,
    is_typed_dict,
    is_untyped,
    kind_of,
    members,
    name_of,
    specialised,
    takes_text,
)
from nemorun_cli.config.composing import UnreadableError, structured
from nemorun_cli.config.containers import (
    Read,
    collection,
    opened,
    read_mapping,
    read_tuple,
    read_typed_dict,
)
from nemorun_cli.config.items import (
    Item,
    looks_quoted,
    looks_structured,
    plain,
)
from nemorun_cli.config.scalars import MismatchError

_DOCUMENT = ("_target_", "_type_", "_ref_")


class Parts(Protocol):
    """What a text or a mapping can stand for beside plain values."""

    def named(self, item: Item, annotation: Any) -> Any:
        """What a text such as `adamw(lr=1e-3)` asks for; LookupError if nothing has the name."""

    def record(self, kind: Any, item: Item, read: Read) -> Any:
        """The part that a mapping of arguments makes of a class."""

    def document(self, item: Item, annotation: Any, read: Read) -> Any:
        """What a mapping with `_target_`, `_type_` or `_ref_` stands for."""


def coerce(text: str, annotation: Any, parts: Parts | None = None) -> Any:
    """The value that a text means where this type is declared.

    A `str` takes the text as it is. Where text is one of several types, the others are tried
    first, and quotes make it text. MismatchError, which names the part that does not fit.
    """
    return read(plain(text), annotation, parts)


def read(item: Item, annotation: Any, parts: Parts | None = None) -> Any:
    """The same for what was read from a file."""

    def inner(item: Item, annotation: Any) -> Any:
        return _read(item, bare(annotation), parts, inner)

    return inner(item, annotation)


def is_plain_text(text: str) -> bool:
    """Whether a text means itself where no type is declared."""
    try:
        return bool(coerce(text, Any) == text)
    except MismatchError:
        return False


def is_document(item: Item) -> bool:
    """Whether it is written as in a stored config, and says itself what it is."""
    return isinstance(item.value, dict) and any(key.value in _DOCUMENT for key in item.value)


def _read(item: Item, annotation: Any, parts: Parts | None, read: Read) -> Any:
    if parts is not None:
        item = _as_document(item, annotation)
        if is_document(item):
            return parts.document(item, annotation, read)
        if _may_name(item, annotation):
            try:
                return parts.named(item, annotation)
            except LookupError as unknown:
                return _unnamed(item, annotation, read, str(unknown))
        record = _record_of(item, annotation)
        if record is not None:
            opened_item = opened(item, name_of(annotation))
            return parts.record(specialised(annotation, record), opened_item, read)
    return _plain(item, annotation, read)


def _plain(item: Item, annotation: Any, read: Read) -> Any:
    """The value of a type that has a form in text."""
    kind = kind_of(annotation)
    if is_enum(kind):
        return scalars.read_enum(item, annotation)
    if is_typed_dict(kind):
        return read_typed_dict(item, annotation, read)
    reader = _READERS.get(kind)
    if reader is None and is_known(annotation):
        names = fields_of(kind)
        hint = f"such as {{{names[0]}: VALUE}}" if names else "it cannot be given as text"
        raise MismatchError(name_of(annotation), item, hint)
    return (reader or _anything)(item, annotation, read)


def _may_name(item: Item, annotation: Any) -> bool:
    """Text is text where text is taken; elsewhere a name may stand for what a factory makes."""
    if not isinstance(item.value, str) or looks_structured(item.value):
        return False
    name, bracket, _ = item.value.partition("(")
    is_call = bool(bracket) and name.isidentifier()
    if is_untyped(annotation) or takes_text(annotation):
        has_calls = is_untyped(annotation) or bool(classes_of(annotation))
        return has_calls and is_call and item.value.endswith(")") and not item.quoted
    return bool(classes_of(annotation)) and (is_call or not bracket)


def _as_document(item: Item, annotation: Any) -> Item:
    """A text that is written as in a stored config, opened."""
    if not isinstance(item.value, str) or item.quoted or not item.value.startswith("{"):
        return item
    if takes_text(annotation) or not any(name in item.value for name in _DOCUMENT):
        return item
    found = opened(item, name_of(annotation))
    return found if is_document(found) else item


def _unnamed(item: Item, annotation: Any, read: Read, unknown: str) -> Any:
    try:
        return _plain(item, annotation, read)
    except MismatchError as misfit:
        if misfit.item is not item:
            raise
        raise MismatchError(name_of(annotation), item, unknown) from None


def _record_of(item: Item, annotation: Any) -> Any:
    """The one class that a mapping can only be meant for."""
    is_text = isinstance(item.value, str)
    if is_text and (item.quoted or not looks_structured(str(item.value))):
        return None
    records = [each for each in classes_of(annotation) if is_record(each)]
    others = [bare(each) for each in members(annotation)]
    if is_text and not str(item.value).startswith("{"):
        return None
    if len(records) != 1 or takes_text(annotation) or any(_is_mapping(each) for each in others):
        return None
    return records[0] if is_text or isinstance(item.value, dict) else None


def _is_mapping(annotation: Any) -> bool:
    return kind_of(annotation) in MAPPINGS or is_typed_dict(annotation)


def _literal(item: Item, annotation: Any, read: Read) -> Any:
    choices = typing.get_args(annotation)
    text = scalars.read_text(item, annotation)
    for choice in choices:
        if isinstance(choice, str):
            matches = text == choice
        elif isinstance(choice, enum.Enum):
            matches = text == choice.name
        else:
            matches = _fits(item, type(choice), read) and read(item, type(choice)) == choice
        if matches:
            return choice
    listed = [_spelled(each) for each in choices]
    raise MismatchError(f"one of {', '.join(listed)}", item, scalars.near(text, listed))


def _spelled(choice: Any) -> str:
    """A choice as it would be typed."""
    if choice is None or isinstance(choice, bool):
        return str(choice).lower()
    return choice.decode(errors="replace") if isinstance(choice, bytes) else _name(choice)


def _name(choice: Any) -> str:
    return str(choice.name if isinstance(choice, enum.Enum) else choice)


def _fits(item: Item, annotation: Any, read: Read) -> bool:
    try:
        read(item, annotation)
    except MismatchError:
        return False
    return True


def _union(item: Item, annotation: Any, read: Read) -> Any:
    alternatives = [bare(each) for each in members(annotation)]
    item = _unquoted(item, annotation)
    if item.quoted and str in alternatives:
        return item.value
    misfits = []
    if float in alternatives and scalars.is_written_as_float(item):
        alternatives = [each for each in alternatives if each is not int]
    for member in sorted(alternatives, key=_rank):
        try:
            return read(item, member)
        except MismatchError as misfit:
            misfits.append((member, misfit))
    useful = [misfit for member, misfit in misfits if member is not type(None)]
    if len(useful) == 1 and len(misfits) > 1:
        if useful[0].item is not item:
            raise useful[0]
        raise MismatchError(f"{useful[0].expected} or none", item, useful[0].hint)
    raise MismatchError(name_of(annotation), item)


def _unquoted(item: Item, annotation: Any) -> Item:
    """A text in quotes where it has to be told from other values."""
    if not isinstance(item.value, str) or not looks_quoted(item.value) or item.quoted:
        return item
    try:
        found = structured(item.value, item.start)
    except UnreadableError:
        return item
    return found if takes_text(annotation) and isinstance(found.value, str) else item


def _rank(member: Any) -> int:
    """What is told from other text by its form comes first, text last."""
    order = (type(None), bool, int, float)
    if member in order:
        return order.index(member)
    kinds = (bytes, pathlib.Path, str, os.PathLike, Any, object)
    kind = kind_of(member)
    return 97 + kinds.index(kind) if kind in kinds else len(order)


def _anything(item: Item, annotation: Any, read: Read) -> Any:
    """A literal if it looks like one, else text."""
    item = _unquoted(item, annotation)
    if item.quoted:
        return item.value
    if isinstance(item.value, str):
        if looks_structured(item.value):
            found = opened(item, "a list or mapping, or text in quotes")
            return read(found, tuple if item.value.startswith("(") else Any)
        if scalars.is_written_as_float(item):
            return scalars.read_float(item, annotation)
        for kind in (type(None), bool, int):
            if _fits(item, kind, read):
                return read(item, kind)
        return item.value
    return read(item, dict if isinstance(item.value, dict) else list)


def _leaf(reader: Callable[[Item, Any], Any]) -> Callable[[Item, Any, Read], Any]:
    return lambda item, annotation, read: reader(item, annotation)  # noqa: ARG005


_READERS: Mapping[Any, Callable[[Item, Any, Read], Any]] = {
    str: _leaf(scalars.read_str),
    int: _leaf(scalars.read_int),
    float: _leaf(scalars.read_float),
    bool: _leaf(scalars.read_bool),
    type(None): _leaf(scalars.read_none),
    bytes: _leaf(scalars.read_bytes),
    **dict.fromkeys(PATHS, _leaf(scalars.read_path)),
    timedelta: _leaf(scalars.read_timedelta),
    **dict.fromkeys((datetime, date, time), _leaf(scalars.read_moment)),
    typing.Literal: _literal,
    typing.Union: _union,
    types.UnionType: _union,
    tuple: read_tuple,
    frozenset: collection(frozenset),
    Any: _anything,
    object: _anything,
    **dict.fromkeys(LISTS, collection(list)),
    **dict.fromkeys(SETS, collection(set)),
    **dict.fromkeys(MAPPINGS, read_mapping),
}
