"""What can be set in a recipe: every path with its type, its value and what it is."""

import ast
import functools
import inspect
import itertools
import re
import textwrap
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nemorun_cli.config import annotations, nodes
from nemorun_cli.config.recipe import load
from nemorun_cli.config.registered import Registered
from nemorun_cli.config.values import as_text
from nemorun_cli.core.overrides import Step, format_path

_ARGUMENT = re.compile(r"^\s*(?::param\s+)?(\w+)(?:\s*\([^)]*\))?:\s+(\S.*)$")


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One thing that can be set."""

    path: str
    type: str
    value: str
    """As it would be typed."""
    doc: str
    choices: tuple[str, ...] = ()
    """The factories that fit."""


def describe(
    recipe: str, *, root: Path | None, cwd: Path, outlines: Path | None = None
) -> tuple[Parameter, ...]:
    """The recipe's own parameters, written `gpt(size=)`, then every path an override can set.

    The recipe's module is imported, and the recipe called.
    """
    loaded = load(recipe, root=root, cwd=cwd, outlines=outlines)
    own = nodes.make("config", getattr(loaded.function, "func", loaded.function), [], {})
    name = loaded.recipe
    found = [_parameter(f"{name}({each.name}=)", own, each, None) for each in nodes.fields(own)]
    places = Places(loaded.config)
    for path, node in nodes.walk(loaded.config):
        for each in nodes.fields(node):
            inner = format_path((*path, Step(name=each.name)))
            found.append(_parameter(inner, node, each, loaded.registered, places.of(node)))
    return tuple(found)


class Places:
    """What is declared where each node of a config stands: `Box[int]` says more than Box."""

    def __init__(self, config: Any) -> None:
        self._known: dict[int, Any] = {}
        for _, node in nodes.walk(config):  # The outer ones come first.
            for name, value in nodes.arguments(node).items():
                parameter = nodes.parameters(node).get(str(name))
                if parameter is not None:
                    self._note(value, nodes.declared(node, parameter, self.of(node)))

    def of(self, node: Any) -> Any:
        """The declared type, Any if there is none."""
        return self._known.get(id(node), Any)

    def _note(self, value: Any, declared: Any) -> None:
        if nodes.is_node(value):
            self._known.setdefault(id(value), declared)
        elif isinstance(value, (list, tuple, dict)):
            pairs = value.items() if isinstance(value, dict) else enumerate(value)
            for step, each in pairs:
                self._note(each, annotations.item_type(declared, step))


def _parameter(
    path: str,
    node: Any,
    parameter: inspect.Parameter,
    registered: Registered | None,
    place: Any = Any,
) -> Parameter:
    declared = nodes.declared(node, parameter, place)
    value = nodes.get(node, parameter.name, parameter)
    fitting = registered.fitting(declared, value) if registered is not None else ()
    return Parameter(
        path=path,
        type=annotations.name_of(declared),
        value=as_text(value),
        doc=documented(node).get(parameter.name, ""),
        choices=fitting,
    )


def documented(node: Any) -> dict[str, str]:
    """Parameter to what is said of it: in `Args:` of a docstring, or below a dataclass's field."""
    target = nodes.target_of(node)
    return _documented(target) if isinstance(target, Hashable) else _read(target)


@functools.cache
def _documented(target: Any) -> dict[str, str]:
    return _read(target)


def _read(target: Any) -> dict[str, str]:
    lines = (inspect.getdoc(target) or "").splitlines()
    found = {each.group(1): each.group(2) for each in map(_ARGUMENT.match, lines) if each}
    return {**found, **dict(_below_fields(target))}


def _below_fields(target: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(target, type):
        return
    try:
        source = textwrap.dedent(inspect.getsource(target))
        body = ast.parse(source).body[0].body  # type: ignore[attr-defined]
    except (OSError, TypeError, SyntaxError):
        return
    for field, below in itertools.pairwise(body):
        is_text = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and is_text:
            yield field.target.id, str(below.value.value).strip().partition("\n")[0]
