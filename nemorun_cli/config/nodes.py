"""The nodes of a config, as fiddle has them. The only file that imports fiddle."""

import copy
import dataclasses
import inspect
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from nemorun_cli.config import standins

with standins.deferred():
    import fiddle as fdl


Node = fdl.Buildable
KINDS: Mapping[str, type[Any]] = types.MappingProxyType(
    {"config": fdl.Config, "partial": fdl.Partial, "arg_factory": fdl.ArgFactory}
)
_NAMES = {kind: name for name, kind in KINDS.items()}


class Missing:
    """The type of what has no value."""

    def __repr__(self) -> str:
        return "(not set)"


MISSING = Missing()


def is_node(value: object) -> bool:
    """Whether it stands for a call."""
    return isinstance(value, Node)


def kind_of(node: Any) -> str | None:
    """`config`, `partial` or `arg_factory`; None for what a user derived from them."""
    return _NAMES.get(type(node))


def target_of(node: Any) -> Any:
    """What the node calls."""
    return fdl.get_callable(node)


def make(kind: str, target: Any, args: list[Any], arguments: Mapping[str, Any]) -> Any:
    """A new node; TypeError when the target has no such parameters."""
    return KINDS[kind](target, *args, **arguments)


def parameters(node: Any) -> Mapping[str, inspect.Parameter]:
    """The parameters of what the node calls, in their order."""
    found: Mapping[str, inspect.Parameter] = node.__signature_info__.signature.parameters
    return found


def arguments(node: Any) -> dict[str | int, Any]:
    """What is set, in the order of the signature; positional ones under their position."""
    return dict(fdl.ordered_arguments(node))


def tags(node: Any) -> dict[str, list[Any]]:
    """The tags of each argument that has some."""
    return {str(name): list(found) for name, found in node.__argument_tags__.items() if found}


def set_tags(node: Any, name: str, found: list[Any]) -> None:
    """Give an argument these tags and no others."""
    fdl.set_tags(node, int(name) if name.isdigit() else name, found)


def is_positional(parameter: inspect.Parameter) -> bool:
    """Whether it can be given by its place alone."""
    return parameter.kind in (parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL)


def is_open(node: Any) -> bool:
    """Whether it takes arguments of any name."""
    return any(each.kind is each.VAR_KEYWORD for each in parameters(node).values())


def key_of(node: Any, parameter: inspect.Parameter) -> str | int:
    """What fiddle files the parameter's argument under."""
    if parameter.kind is parameter.POSITIONAL_ONLY:
        return list(parameters(node)).index(parameter.name)
    return parameter.name


def fields(node: Any) -> Iterator[inspect.Parameter]:
    """The parameters that have a name to be set by."""
    for parameter in parameters(node).values():
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            yield parameter


def has_default(parameter: inspect.Parameter) -> bool:
    """Whether it may be left out."""
    return parameter.default is not parameter.empty


def default_of(node: Any, parameter: inspect.Parameter) -> Any:
    """A default that may be changed in place without touching the original; MISSING if none."""
    if not has_default(parameter):
        return MISSING
    target = target_of(node)
    if isinstance(target, type) and dataclasses.is_dataclass(target):
        made = {each.name: each.default_factory for each in dataclasses.fields(target)}
        factory = made.get(parameter.name, dataclasses.MISSING)
        if factory is not dataclasses.MISSING:
            return factory()
    return _copied(parameter.default)


def hints_of(target: Any) -> dict[str, Any]:
    """Parameter to type; one that cannot be resolved is left out, the others are not."""
    found = _HINTS.get(id(target))
    if found is None or found[0] is not target:
        found = _HINTS[id(target)] = (target, _hints(target))
    return found[1]


_HINTS: dict[int, tuple[Any, dict[str, Any]]] = {}


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
    import sys

    found = getattr(inspect.unwrap(owner) if callable(owner) else owner, "__globals__", None)
    if found is None:
        found = vars(sys.modules.get(owner.__module__, types.ModuleType("none")))
    return dict(found)


_PLAIN = (list, dict, set, tuple, Node)


def _copied(value: Any) -> Any:
    if isinstance(value, _PLAIN) or dataclasses.is_dataclass(value):
        return copy.deepcopy(value)
    return value


def without_history(work: Callable[[], Any]) -> Any:
    """What the work returns; fiddle keeps no account of who set what meanwhile."""
    from fiddle import history

    with history.suspend_tracking():
        return work()
