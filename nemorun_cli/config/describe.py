"""What can be set in a recipe: every path with its type, its value and what it is."""

import ast
import inspect
import itertools
import re
import textwrap
from collections.abc import Iterator
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
    for path, node in nodes.walk(loaded.config):
        for each in nodes.fields(node):
            inner = format_path((*path, Step(name=each.name)))
            found.append(_parameter(inner, node, each, loaded.registered))
    return tuple(found)


def _parameter(
    path: str, node: Any, parameter: inspect.Parameter, registered: Registered | None
) -> Parameter:
    declared = nodes.declared(node, parameter)
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
