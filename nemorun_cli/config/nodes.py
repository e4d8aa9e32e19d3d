"""The nodes of a config, as fiddle has them. The only file that imports fiddle."""

import copy
import dataclasses
import inspect
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from nemorun_cli.config import annotations, hints, standins
from nemorun_cli.core.overrides import Step

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


def callee(node: Any) -> str:
    """What the node calls, by its name alone."""
    target = target_of(node)
    return str(getattr(target, "__qualname__", target))


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


def catch_all(node: Any) -> inspect.Parameter | None:
    """The parameter that takes arguments of any name."""
    return next((each for each in parameters(node).values() if each.kind is each.VAR_KEYWORD), None)


def key_of(node: Any, parameter: inspect.Parameter) -> str | int:
    """What fiddle files the parameter's argument under."""
    if parameter.kind is parameter.POSITIONAL_ONLY:
        return list(parameters(node)).index(parameter.name)
    return parameter.name


def field(node: Any, name: str | int) -> inspect.Parameter | None:
    """The parameter that has this name to be set by; None if there is none."""
    found = parameters(node).get(str(name))
    named = found is not None and found.kind in (found.POSITIONAL_OR_KEYWORD, found.KEYWORD_ONLY)
    return found if named and isinstance(name, str) else None


def fields(node: Any) -> Iterator[inspect.Parameter]:
    """The parameters that have a name to be set by."""
    for parameter in parameters(node).values():
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            yield parameter


def at_position(node: Any, index: int) -> tuple[int, inspect.Parameter] | None:
    """The key and parameter of an argument given by its place; None if nothing can stand there."""
    known = list(parameters(node).values())
    if 0 <= index < len(known) and known[index].kind is known[index].POSITIONAL_ONLY:
        return index, known[index]
    many = next((each for each in known if each.kind is each.VAR_POSITIONAL), None)
    given = [key for key in arguments(node) if isinstance(key, int)]
    return (index, many) if many is not None and index in given else None


def declared(node: Any, parameter: inspect.Parameter, place: Any = Any) -> Any:
    """The type that the parameter declares; Any if it declares none that can be found.

    `place`: what is declared where the node stands, as `Box[int]` says more than Box.
    """
    target = annotations.specialised(place, target_of(node))
    return hints.hints_of(target).get(parameter.name, Any)


def unknown_type(node: Any, parameter: inspect.Parameter) -> str | None:
    """The type that the parameter declares, as written, if values cannot be told to be of it."""
    found = hints.hints_of(target_of(node)).get(parameter.name)
    if found is not None and annotations.is_known(annotations.bare(found)):
        return None
    written = parameter.annotation if found is None else found
    if written is parameter.empty:
        return None
    return written if isinstance(written, str) else repr(written)


def fits(node: Any, declared: Any) -> bool:
    """Whether what the node makes can be of the declared type, as far as that can be known."""
    target, wanted = target_of(node), annotations.classes_of(declared)
    if not isinstance(target, type) or kind_of(node) != "config":
        return True
    try:
        return not wanted or issubclass(target, wanted)
    except TypeError:  # Such as a protocol with attributes.
        return True


def values(node: Any) -> Iterator[tuple[str | int, Any]]:
    """Each argument that is set or has a default, with its value."""
    given = arguments(node)
    yield from given.items()
    for parameter in fields(node):
        if parameter.name not in given and has_default(parameter):
            yield parameter.name, default_of(node, parameter)


def places_of(node: Any) -> dict[str, int]:
    """What a stored config files under its position, as one behind it has nothing else."""
    last = max((each for each in node.__arguments__ if isinstance(each, int)), default=-1)
    known = list(parameters(node).values())[: last + 1]
    return {
        each.name: index
        for index, each in enumerate(known)
        if each.kind is each.POSITIONAL_OR_KEYWORD
    }


def get(node: Any, key: str | int, parameter: inspect.Parameter | None) -> Any:
    """What is set, else a copy of the default, else MISSING."""
    given = node.__arguments__
    if key in given:
        return given[key]
    return MISSING if parameter is None else default_of(node, parameter)


def given(node: Any, key: str | int) -> Any:
    """What is set, else MISSING."""
    return node.__arguments__.get(key, MISSING)


def has(value: Any, key: str | int) -> bool:
    """Whether it is a node that can have this argument."""
    return is_node(value) and (key in value.__arguments__ or key in parameters(value))


def set_at(node: Any, key: str | int) -> tuple[str, int] | None:
    """The file and line that set an argument while fiddle kept account; None if none did."""
    entries = [each for each in node.__argument_history__.get(key, ()) if each.kind.value == 1]
    if not entries:
        return None
    location = entries[-1].location
    return location.filename, location.line_number


def is_set(node: Any, key: str | int) -> bool:
    """Whether it was given, and is not left to its default."""
    return key in node.__arguments__


def put(node: Any, key: str | int, value: Any) -> None:
    """Set an argument."""
    if isinstance(key, int):
        node[key] = value
    else:
        setattr(node, key, value)


def drop(node: Any, key: str | int) -> None:
    """Leave an argument to its default."""
    if key not in node.__arguments__:
        return
    if isinstance(key, int):
        del node[key]
    else:
        delattr(node, key)


def lacking(node: Any) -> list[str]:
    """The parameters that need a value and have none."""
    given = node.__arguments__
    return [
        each.name
        for each in parameters(node).values()
        if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
        and not has_default(each)
        and key_of(node, each) not in given
    ]


def walk(config: Any) -> Iterator[tuple[tuple[Step, ...], Any]]:
    """Each node once, the outer ones first, with the path that leads to it."""
    seen: set[int] = set()
    waiting: list[tuple[tuple[Step, ...], Any]] = [((), config)]
    while waiting:
        path, value = waiting.pop()
        if is_node(value):
            if id(value) in seen:
                continue
            seen.add(id(value))
            yield path, value
        inner = [((*path, Step(name=key)), each) for key, each in _parts(value)]
        waiting.extend(reversed(inner))


def _parts(value: Any) -> list[tuple[Any, Any]]:
    if is_node(value):
        return list(arguments(value).items())
    if isinstance(value, dict):
        return [
            (key if isinstance(key, (int, str)) else repr(key), each) for key, each in value.items()
        ]
    return list(enumerate(value)) if isinstance(value, (list, tuple)) else []


def has_default(parameter: inspect.Parameter) -> bool:
    """Whether it may be left out."""
    return parameter.default is not parameter.empty


def default_of(node: Any, parameter: inspect.Parameter) -> Any:
    """A default that may be changed in place without touching the original; MISSING if none."""
    if not has_default(parameter):
        return MISSING
    target = target_of(node)
    if isinstance(target, type) and dataclasses.is_dataclass(target):
        own = target.__dataclass_fields__.get(parameter.name)
        if own is not None and own.default_factory is not dataclasses.MISSING:
            return own.default_factory()
    return _copied(parameter.default)


_PLAIN = (list, dict, set, tuple, Node)


def _copied(value: Any) -> Any:
    if isinstance(value, _PLAIN) or dataclasses.is_dataclass(value):
        return copy.deepcopy(value)
    return value


def with_history(work: Callable[[], Any]) -> Any:
    """What the work returns; fiddle keeps account of who sets what meanwhile."""
    from fiddle import history

    before = history.tracking_enabled()
    history.set_tracking(True)
    try:
        return work()
    finally:
        history.set_tracking(before)


def without_history(work: Callable[[], Any]) -> Any:
    """What the work returns; fiddle keeps no account of who set what meanwhile."""
    from fiddle import history

    with history.suspend_tracking():
        return work()
