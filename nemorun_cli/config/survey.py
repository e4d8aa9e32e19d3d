"""From a loaded recipe to the outline that completion reads later."""

import enum
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nemorun_cli.config import annotations, nodes, outline
from nemorun_cli.config.describe import Places, documented
from nemorun_cli.config.outline import Field
from nemorun_cli.config.values import as_text
from nemorun_cli.core.overrides import Step

if TYPE_CHECKING:
    from nemorun_cli.config.recipe import Loaded

_LONGEST = 40  # characters of a value


def keep(loaded: "Loaded", key: outline.Key, home: Path) -> None:
    """Keep the outline of this config as it is now; never an error."""
    try:
        outline.keep(home, key, list(_fields(loaded)), list(_files(loaded)))
    except Exception:  # noqa: BLE001 # Of other people's types; a launch must not fail for this.
        return


def _fields(loaded: "Loaded") -> Iterator[Field]:
    places = Places(loaded.config)
    for path, node in nodes.walk(loaded.config):
        start = _dotted(path)
        if start is None:
            continue
        documents = documented(node)
        for parameter in nodes.fields(node):
            value = nodes.get(node, parameter.name, parameter)
            declared = nodes.declared(node, parameter, places.of(node))
            is_node = nodes.is_node(value)
            told = (_type_and_value(declared, value), documents.get(parameter.name, ""))
            words = (*loaded.registered.fitting(declared, value), *_words(declared))
            name = f"{start}{parameter.name}"
            yield Field(name, is_node, words, ": ".join(filter(None, told)))
            yield from _keys(name, value)


def _dotted(path: tuple[Step, ...]) -> str | None:
    """What stands before the names of a node's own parameters; None if it needs brackets."""
    names = [str(step.name) for step in path]
    return "".join(f"{name}." for name in names) if all(map(outline.is_step, names)) else None


def _keys(path: str, value: Any) -> Iterator[Field]:
    """The keys of a plain dict, which can be set one by one."""
    for key, each in value.items() if isinstance(value, dict) else ():
        if isinstance(key, str) and outline.is_step(key) and not nodes.is_node(each):
            yield Field(f"{path}.{key}", False, (), _short(each))  # noqa: FBT003


def _type_and_value(declared: Any, value: Any) -> str:
    if nodes.is_node(value):
        return nodes.callee(value)
    name = annotations.name_of(declared)
    return name if value is nodes.MISSING else f"{name} = {_short(value)}"


def _short(value: Any) -> str:
    text = as_text(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _words(declared: Any) -> tuple[str, ...]:
    """The values of a type of few values, as they are typed."""
    declared = annotations.bare(declared)
    if members := annotations.members(declared):
        return tuple(dict.fromkeys(word for each in members for word in _words(each)))
    if typing.get_origin(declared) is typing.Literal:
        return tuple(as_text(each) for each in typing.get_args(declared))
    if declared is bool:
        return ("true", "false")
    if isinstance(declared, type) and issubclass(declared, enum.Enum):
        return tuple(declared.__members__)
    return ("none",) if declared is type(None) else ()


def _files(loaded: "Loaded") -> Iterator[Path]:
    """The files whose change may change the outline: the recipe's, and those of what it calls."""
    targets = [nodes.target_of(node) for _, node in nodes.walk(loaded.config)]
    names = {getattr(each, "__module__", "") for each in (loaded.function, *targets)}
    for name in sorted(map(str, names)):
        file = getattr(sys.modules.get(name), "__file__", None)
        if file and "site-packages" not in file:
            yield Path(file)
