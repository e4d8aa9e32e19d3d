"""The declared types of what a function, a class or a dataclass takes."""
# Targets and annotations are of any type.

import dataclasses
import inspect
import sys
import types
import typing
from typing import Any

_HINTS: dict[int, tuple[Any, dict[str, Any]]] = {}


def hints_of(target: Any) -> dict[str, Any]:
    """Parameter to type; one that cannot be resolved is left out, the others are not."""
    found = _HINTS.get(id(target))
    if found is None or found[0] is not target:
        found = _HINTS[id(target)] = (target, _hints(target))
    return found[1]


def _hints(target: Any) -> dict[str, Any]:
    hints: dict[str, Any] = {}
    for source in _annotated(target):
        try:
            found = typing.get_type_hints(source, include_extras=True)
        except Exception:  # noqa: BLE001 # Annotations may hold any expression.
            found = _one_by_one(source)
        hints |= {name: hint for name, hint in found.items() if name not in hints}
    return hints


def _annotated(target: Any) -> list[Any]:
    target = typing.get_origin(target) or target
    if typing.is_typeddict(target):
        return [target]
    if not isinstance(target, type):
        call = getattr(target, "__call__", None)  # noqa: B004
        return [target] if hasattr(target, "__annotations__") else [call]
    if "__init__" in vars(target) and not dataclasses.is_dataclass(target):
        return [target.__init__]  # type: ignore[misc]
    if dataclasses.is_dataclass(target):
        return [target]
    for base in target.__mro__:
        if base is not object and ("__init__" in vars(base) or "__new__" in vars(base)):
            return [vars(base).get("__init__") or base.__new__]
    return [target]


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
