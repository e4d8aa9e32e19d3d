"""The declared types of what a function, a class or a dataclass takes."""
# Targets and annotations are of any type.

import inspect
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any

_HINTS: dict[int, tuple[Any, dict[str, Any]]] = {}


def hints_of(target: Any) -> dict[str, Any]:
    """Parameter to type; one that cannot be resolved is left out, the others are not."""
    found = _HINTS.get(id(target))
    if found is None or found[0] is not target:
        found = _HINTS[id(target)] = (target, _hints(target))
    return found[1]


def is_typeddict(target: Any) -> bool:
    """As in typing, but also of the module typing_extensions."""
    return dict in getattr(target, "__mro__", ()) and hasattr(target, "__required_keys__")


def _hints(target: Any) -> dict[str, Any]:
    source, owner = _annotated(typing.get_origin(target) or target)
    try:
        found = typing.get_type_hints(source, include_extras=True)
    except Exception:  # noqa: BLE001 # Annotations may hold any expression.
        found = _one_by_one(source)
    owners = dict.fromkeys(found, owner)
    for each in reversed(source.__mro__) if isinstance(source, type) else ():
        owners |= dict.fromkeys(inspect.get_annotations(each), each)
    return _with_arguments(found, owners, target)


def _annotated(target: Any) -> tuple[Any, Any]:
    """What has the annotations, and the class that it is or belongs to."""
    if not isinstance(target, type):
        call = getattr(target, "__call__", None)  # noqa: B004
        return target if hasattr(target, "__annotations__") else call, None
    for owner in () if is_typeddict(target) else target.__mro__[:-1]:
        own = vars(owner)
        if "__init__" in own or "__new__" in own:
            made = own.get("__init__", owner.__new__)
            return owner if _is_generated(own) else made, owner
    return target, target


def _is_generated(own: Mapping[str, Any]) -> bool:
    """Whether what makes a dataclass or NamedTuple was made elsewhere, and knows no names of here.

    A class that is derived from one may have its own.
    """
    if "__init__" in own:
        return bool(getattr(own.get("__dataclass_params__"), "init", False))
    return "_fields" in own


def _with_arguments(hints: dict[str, Any], owners: Any, target: Any) -> dict[str, Any]:
    """The same with `int` in the place of T, where the class is Box[int] or derived from it."""
    known = dict(_arguments(target))
    if not any(known.values()):
        return hints
    return {name: filled(hint, known.get(owners[name], {})) for name, hint in hints.items()}


def _arguments(target: Any) -> Iterator[tuple[type, dict[Any, Any]]]:
    """Each generic class that it is derived from, and what its type variables stand for."""
    origin = typing.get_origin(target) or target
    if not isinstance(origin, type):
        return
    variables, given = getattr(origin, "__parameters__", ()), {}
    if all(isinstance(each, typing.TypeVar) for each in variables):
        given = dict(zip(variables, typing.get_args(target), strict=False))
    yield origin, given
    for base in vars(origin).get("__orig_bases__", origin.__bases__):
        yield from _arguments(filled(base, given))


def filled(hint: Any, given: dict[Any, Any]) -> Any:
    """The type with others in the place of its type variables."""
    if isinstance(hint, typing.TypeVar):
        return given.get(hint, hint)
    wanted = getattr(hint, "__parameters__", ())
    if not given or not wanted or isinstance(hint, type):
        return hint
    try:
        return hint[tuple(given.get(each, each) for each in wanted)]
    except TypeError:  # Such as one that takes any number of types.
        return hint


def _one_by_one(source: Any) -> dict[str, Any]:
    hints: dict[str, Any] = {}
    owners = reversed(source.__mro__) if isinstance(source, type) else [source]
    for owner in owners:
        scope = _scope(owner)
        for name, annotation in getattr(owner, "__annotations__", {}).items():
            alone = types.SimpleNamespace(__annotations__={name: annotation})
            try:
                hints |= typing.get_type_hints(alone, globalns=scope, include_extras=True)
            except Exception:  # noqa: BLE001 # As above: what cannot be resolved has no type.
                hints.pop(name, None)
    return hints


def _scope(owner: Any) -> dict[str, Any]:
    found = getattr(inspect.unwrap(owner) if callable(owner) else owner, "__globals__", None)
    if found is None:
        found = vars(sys.modules.get(owner.__module__, types.ModuleType("none")))
    return dict(found)
