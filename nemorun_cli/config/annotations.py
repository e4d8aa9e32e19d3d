"""Declared types: what they hold, and how people write them."""

import dataclasses
import enum
import os
import pathlib
import types
import typing
from collections import abc
from datetime import date, datetime, time, timedelta
from typing import Any

from nemorun_cli.config.hints import filled, hints_of, is_typeddict

UNTYPED = Any
MAPPINGS = (dict, abc.Mapping, abc.MutableMapping)
LISTS = (list, abc.Sequence, abc.MutableSequence, abc.Iterable, abc.Collection)
SETS = (set, abc.Set, abc.MutableSet)
CONTAINERS = (*MAPPINGS, *LISTS, *SETS, tuple, frozenset)
TIMES = (timedelta, datetime, date, time)
PATHS = (pathlib.Path, pathlib.PurePath, type(pathlib.Path()), pathlib.PurePosixPath, os.PathLike)
SCALARS = (str, int, float, bool, bytes, *PATHS, *TIMES)
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
NAMED = (abc.Callable, type)
"""What a text gives by its name alone: functions and classes."""
_WORDS = {abc.Callable: "a function", type(None): "none"}
_BARE = {typing.LiteralString: str, typing.Final: Any, typing.ClassVar: Any}
_WRAPPERS = (
    *(typing.Annotated, typing.Final, typing.ClassVar, typing.Required, typing.NotRequired),
    dataclasses.InitVar,
)


def kind_of(annotation: Any) -> Any:
    """The class or form without its arguments: `list` of `list[int]`."""
    return typing.get_origin(annotation) or annotation


def item_type(annotation: Any, step: object = None) -> Any:
    """The declared type of an item of a container, or of a value of a mapping."""
    annotation = bare(annotation)
    for member in members(annotation):
        if kind_of(member) in CONTAINERS or is_typed_dict(member):
            return item_type(member, step)
    if is_typed_dict(annotation):
        return keys_of(annotation).get(str(step), UNTYPED)
    arguments = typing.get_args(annotation)
    kind = typing.get_origin(annotation)
    if not arguments or kind not in CONTAINERS:
        return UNTYPED
    if kind is not tuple or arguments[-1] is Ellipsis:
        return arguments[1] if kind in MAPPINGS else arguments[0]
    in_reach = isinstance(step, int) and -len(arguments) <= step < len(arguments)
    return arguments[step] if in_reach else UNTYPED  # type: ignore[call-overload]


def key_type(annotation: Any) -> Any:
    """The declared type of the keys of a mapping, alone or in a union."""
    for each in (bare(annotation), *map(bare, members(bare(annotation)))):
        if kind_of(each) in MAPPINGS and typing.get_args(each):
            return typing.get_args(each)[0]
    return UNTYPED


def name_of(annotation: Any) -> str:
    """A type as people write it: `int`, `float | none`, `list[str]`, `'adam' | 'sgd'`."""
    annotation = bare(annotation)
    if is_untyped(annotation):
        return "anything"
    kind = kind_of(annotation)
    if kind is typing.Literal:
        return " | ".join(map(_choice, typing.get_args(annotation)))
    if members(annotation):
        return " | ".join(map(name_of, members(annotation)))
    plain = _WORDS.get(kind) or str(getattr(kind, "__name__", kind))
    if kind is annotation or kind is abc.Callable:
        return plain
    inside = ", ".join(
        "..." if each is ... else name_of(each) for each in typing.get_args(annotation)
    )
    return f"{plain}[{inside or '()'}]"


def _choice(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return value.name if isinstance(value, enum.Enum) else repr(value)


def is_typed_dict(annotation: Any) -> bool:
    """Whether it is a class of dicts with these keys and no others."""
    return is_typeddict(annotation)


def keys_of(annotation: Any) -> dict[str, Any]:
    """The declared type of each key of a typed dict."""
    return hints_of(annotation)


def declared_keys(annotation: Any) -> dict[str, Any]:
    """The keys that a mapping of this type may have, where they are declared; else empty."""
    found = typed_dict_of(annotation)
    return {} if found is None else keys_of(found)


def typed_dict_of(annotation: Any) -> Any:
    """The class of dicts that is declared, alone or in a union; None if there is none."""
    alternatives = (bare(annotation), *map(bare, members(bare(annotation))))
    return next((each for each in alternatives if is_typed_dict(each)), None)


def required_keys(annotation: Any) -> set[str]:
    """The keys that a typed dict must have.

    Its own account of them is wrong where annotations are postponed (python/cpython#97727).
    """
    found = set()
    for name, hint in keys_of(annotation).items():
        origin = typing.get_origin(hint)
        told = origin is typing.Required
        if told or (origin is not typing.NotRequired and name in annotation.__required_keys__):
            found.add(name)
    return found


def needed_keys(annotation: Any) -> set[str]:
    """The keys that a mapping of this type must have, where that is declared; else empty."""
    found = typed_dict_of(annotation)
    return set() if found is None else required_keys(found)


def length_of(annotation: Any) -> int | None:
    """The number of items that a tuple of this type has; None if it may have any."""
    annotation = bare(annotation)
    inner = typing.get_args(annotation)
    if typing.get_origin(annotation) is not tuple or inner[-1:] == (...,):
        return None
    return 0 if inner == ((),) else len(inner)


def is_untyped(annotation: Any) -> bool:
    """Whether it declares nothing."""
    return bare(annotation) in (Any, object)


def bare(annotation: Any) -> Any:
    """Without what says nothing of the values: Annotated, Final, NewType, type variables."""
    while True:
        inner = _inner(annotation)
        if inner is None:
            return type(None) if annotation is None else annotation
        annotation = inner


def _inner(annotation: Any) -> Any:
    """What is meant by a type that only wraps another one; None of any other."""
    origin = typing.get_origin(annotation)
    if origin in _WRAPPERS or getattr(origin, "_name", "") == "ReadOnly":
        return typing.get_args(annotation)[0]
    if isinstance(annotation, dataclasses.InitVar):
        return annotation.type
    if isinstance(annotation, typing.NewType):
        return annotation.__supertype__
    if isinstance(annotation, typing.TypeVar):
        constraints = annotation.__constraints__
        return typing.Union[constraints] if constraints else annotation.__bound__ or Any  # noqa: UP007
    if origin is not None and not hasattr(annotation, "__args__"):
        return origin  # Of `typing.List` without brackets.
    meant = getattr(annotation, "__value__", None)  # Of `type Name = ...`.
    variables = getattr(annotation, "__type_params__", ()) if meant is not None else ()
    if variables and typing.get_args(annotation):
        meant = filled(meant, dict(zip(variables, typing.get_args(annotation), strict=False)))
    return next((each for known, each in _BARE.items() if annotation is known), meant)


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
    if not isinstance(kind, type) or kind in WRITABLE or is_enum(kind) or is_typed_dict(kind):
        return ()
    return (kind,)


def specialised(annotation: Any, target: Any) -> Any:
    """`Box[int]` where that is declared and the target is Box; else the target."""
    annotation = bare(annotation)
    for each in (annotation, *map(bare, members(annotation))):
        if typing.get_origin(each) is target:
            return each
    return target


def is_known(annotation: Any) -> bool:
    """Whether it is a type that values can be told to be of."""
    kind = kind_of(annotation)
    return isinstance(kind, type) or kind in WRITABLE


def is_record(kind: Any) -> bool:
    """Whether it is a class of values that are just what they are made with."""
    is_tuple = isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields")
    return isinstance(kind, type) and (dataclasses.is_dataclass(kind) or is_tuple)


def fields_of(kind: Any) -> tuple[str, ...]:
    """The names that a value of such a class is made with; empty of any other class."""
    if not is_record(kind):
        return ()
    if dataclasses.is_dataclass(kind):
        return tuple(each.name for each in dataclasses.fields(kind) if each.init)
    return tuple(kind._fields)


def is_enum(kind: Any) -> bool:
    """Whether it is a class of named values."""
    return isinstance(kind, type) and issubclass(kind, enum.Enum)


def enums_of(annotation: Any) -> tuple[Any, ...]:
    """The members of a type that are classes of named values."""
    annotation = bare(annotation)
    inner = members(annotation)
    return tuple(each for one in inner for each in enums_of(one)) or (
        (annotation,) if is_enum(annotation) else ()
    )


def is_named_by(value: Any, annotation: Any) -> bool:
    """Whether a function or class is what a `Callable` or a `type[...]` asks for."""
    annotation = bare(annotation)
    if members(annotation):
        return any(is_named_by(value, each) for each in members(annotation))
    kind = kind_of(annotation)
    if kind is not type:
        return kind is abc.Callable and isinstance(value, (types.FunctionType, type))
    base = bare((*typing.get_args(annotation), Any)[0])
    bases = members(base) or (base,)
    wanted = tuple(kind_of(each) for each in bases if isinstance(kind_of(each), type))
    return isinstance(value, type) and (not wanted or issubclass(value, wanted))
