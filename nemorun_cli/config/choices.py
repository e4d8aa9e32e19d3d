"""What an annotation says of the values it allows, read as text: nothing is imported."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from nemorun_cli.config.sources import Module, Sources, dotted

_ENUMS = ("Enum", "IntEnum", "StrEnum", "Flag", "IntFlag", "ReprEnum")
_WRAPPERS = ("Annotated", "Final", "ClassVar", "Required", "NotRequired", "InitVar")
_DEEPEST = 20


class Allowed(NamedTuple):
    """One alternative of an annotation."""

    words: tuple[str, ...] = ()
    """The values, as they are typed, where they are few."""
    name: str = ""
    """The name of a class, without its module."""


def allowed(annotation: str, file: Path, sources: Sources) -> tuple[Allowed, ...]:
    """The alternatives of an annotation that is written in a file; none if it says nothing."""
    module = sources.module(str(file))
    try:
        node = ast.parse(annotation.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError):
        return ()
    return tuple(_alternatives(node, module, sources, 0)) if module is not None else ()


def _alternatives(
    node: ast.expr, module: Module, sources: Sources, depth: int
) -> Iterator[Allowed]:
    if depth > _DEEPEST:
        return
    for inner in _inside(node):
        if inner is not node:
            yield from _alternatives(inner, module, sources, depth + 1)
        elif isinstance(node, ast.Constant):
            yield Allowed(words=("none",)) if node.value is None else Allowed()
        elif _last(node) == "Literal" and isinstance(node, ast.Subscript):
            yield Allowed(words=tuple(_literals(node.slice)))
        else:
            yield from _named(node, module, sources, depth)


def _inside(node: ast.expr) -> Iterator[ast.expr]:
    """The members of a union, what a wrapper holds, what a text says; else the node itself."""
    name = _last(node)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        yield from (node.left, node.right)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            yield ast.parse(node.value, mode="eval").body
        except SyntaxError:
            return
    elif isinstance(node, ast.Subscript) and name in ("Optional", "Union", *_WRAPPERS):
        many = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        yield from many[: 1 if name in _WRAPPERS else None]
        if name == "Optional":
            yield ast.Constant(None)
    else:
        yield node


def _named(node: ast.expr, module: Module, sources: Sources, depth: int) -> Iterator[Allowed]:
    names = dotted(node)
    if names in (["bool"], ["None"]):
        yield Allowed(words=("true", "false") if names == ["bool"] else ("none",))
        return
    alias = _alias(names, module)
    if alias is not None:
        yield from _alternatives(alias, module, sources, depth + 1)
        return
    found = sources.find(module, names) if names else None
    if found is not None and isinstance(found.node, ast.ClassDef):
        lineage = sources.lineage(found)
        if any(each in _ENUMS for each in lineage if isinstance(each, str)):
            yield Allowed(words=tuple(_members(found.node)))
            return
    if names:
        yield Allowed(name=names[-1])


def _alias(names: list[str], module: Module) -> ast.expr | None:
    """What `Mode` stands for after `Mode = Literal["a", "b"]`."""
    bound = module.scope.names.get(names[0]) if len(names) == 1 else None
    value = getattr(bound.statement, "value", None) if bound is not None else None
    return value if isinstance(value, (ast.Subscript, ast.BinOp)) else None


def _literals(node: ast.expr) -> Iterator[str]:
    for each in node.elts if isinstance(node, ast.Tuple) else [node]:
        if isinstance(each, ast.Constant):
            value = each.value
            plain = value is None or isinstance(value, bool)
            yield str(value).lower() if plain else str(value)
        elif isinstance(each, ast.Attribute):
            yield each.attr


def _members(node: ast.ClassDef) -> Iterator[str]:
    for statement in node.body:
        for target in statement.targets if isinstance(statement, ast.Assign) else ():
            if isinstance(target, ast.Name) and not target.id.startswith("_"):
                yield target.id


def _last(node: ast.expr) -> str:
    return (dotted(node) or [""])[-1]
