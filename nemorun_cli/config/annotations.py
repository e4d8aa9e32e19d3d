"""Declared types: what they hold, and how people write them."""

import enum
import pathlib
import types
import typing
from collections import abc
from datetime import timedelta
from typing import Any

UNTYPED = Any
MAPPINGS = (dict, abc.Mapping, abc.MutableMapping)
LISTS = (list, abc.Sequence, abc.MutableSequence, abc.Iterable, abc.Collection)
SETS = (set, abc.Set, abc.MutableSet)
CONTAINERS = (*MAPPINGS, *LISTS, *SETS, tuple, frozenset)
SCALARS = (str, int, float, bool, bytes, pathlib.Path, pathlib.PurePath, timedelta)
WRITABLE = (
    *CONTAINERS,
    *SCALARS,
    type(None),
    typing.Literal,
    typing.Union,
    types.UnionType,
    Any,
    object,
)
"""What has a form in text, beside the classes of enum."""
_WORDS = {abc.Callable: "a function", type(None): "none"}


def kind_of(annotation: Any) -> Any:
    """The class or form without its arguments: `list` of `list[int]`."""
    return typing.get_origin(annotation) or annotation


def item_type(annotation: Any, step: object = None) -> Any:
    """The declared type of an item of a container, or of a value of a mapping."""
    annotation = bare(annotation)
    for member in members(annotation):
        if kind_of(member) in CONTAINERS:
            return item_type(member, step)
    arguments = typing.get_args(annotation)
    kind = typing.get_origin(annotation)
    if not arguments or kind not in CONTAINERS:
        return UNTYPED
    if kind is not tuple or arguments[-1] is Ellipsis:
        return arguments[1] if kind in MAPPINGS else arguments[0]
    in_reach = isinstance(step, int) and -len(arguments) <= step < len(arguments)
    return arguments[step] if in_reach else UNTYPED  # type: ignore[call-overload]


def name_of(annotation: Any) -> str:
    """A type as people write it: `int`, `float | none`, `list[str]`, `'adam' | 'sgd'`."""
    annotation = bare(annotation)
    if is_untyped(annotation):
        return "anything"
    kind = kind_of(annotation)
    if kind is typing.Literal:
        return " | ".join(map(repr, typing.get_args(annotation)))
    if members(annotation):
        return " | ".join(map(name_of, members(annotation)))
    plain = _WORDS.get(kind) or str(getattr(kind, "__name__", kind))
    if kind is annotation or kind is abc.Callable:
        return plain
    inside = ", ".join(
        "..." if each is ... else name_of(each) for each in typing.get_args(annotation)
    )
    return f"{plain}[{inside}]"


def length_of(annotation: Any) -> int | None:
    """The number of items that a tuple of this type has; None if it may have any."""
    inner = typing.get_args(bare(annotation))
    if kind_of(bare(annotation)) is not tuple or not inner or inner[-1] is Ellipsis:
        return None
    return len(inner)


def is_untyped(annotation: Any) -> bool:
    """Whether it declares nothing."""
    return bare(annotation) in (Any, object)


def bare(annotation: Any) -> Any:
    """Without what says nothing of the values: Annotated, Final, NewType, type variables."""
    while True:
        origin = typing.get_origin(annotation)
        if origin in (typing.Annotated, typing.Final, typing.ClassVar):
            annotation = typing.get_args(annotation)[0]
        elif isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        elif isinstance(annotation, typing.TypeVar):
            annotation = annotation.__bound__ or Any
        elif annotation is None:
            return type(None)
        else:
            return annotation


def members(annotation: Any) -> tuple[Any, ...]:
    """The alternatives of a union; of any other type none."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return typing.get_args(annotation)
    return ()


def takes_text(annotation: Any) -> bool:
    """Whether any text is a value of the type."""
    annotation = bare(annotation)
    return annotation in (str, Any, object) or any(map(takes_text, members(annotation)))


def classes_of(annotation: Any) -> tuple[Any, ...]:
    """The members of a type that can be made by a call and not be written as text."""
    annotation = bare(annotation)
    if members(annotation):
        return tuple(each for member in members(annotation) for each in classes_of(member))
    kind = kind_of(annotation)
    is_class = isinstance(kind, type) and kind not in WRITABLE and not is_enum(kind)
    return (kind,) if is_class or kind is abc.Callable else ()


def is_enum(kind: Any) -> bool:
    """Whether it is a class of named values."""
    return isinstance(kind, type) and issubclass(kind, enum.Enum)
