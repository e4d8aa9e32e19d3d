"""Annotations of code that is not imported: what can be known of them from their text."""

import ast
import importlib
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nemorun_cli.config.sources import Module, Sources

_BUILT_IN: Mapping[str, Any] = {
    each.__name__: each
    for each in (
        *(int, float, str, bool, bytes, object, type),
        *(list, dict, tuple, set, frozenset),
    )
}
_STANDARD = ("typing", "typing_extensions", "collections.abc", "pathlib", "datetime")
"""The modules whose names may be looked up: they come with Python, or with nemorun."""


class _UnknownError(Exception):
    """A name that only its own module can tell."""


def resolved(annotation: str, file: Path) -> Any:
    """The type that an annotation in a file means; None if it cannot be known from here.

    Known are built-in types and what the file imports from typing and the like.
    """
    module = Sources((file.parent,)).module(file.name)
    if not annotation or module is None:
        return None
    try:
        return _meant(ast.parse(annotation, mode="eval").body, module)
    except (_UnknownError, AttributeError, SyntaxError, TypeError, ValueError, RecursionError):
        return None


def _meant(node: ast.expr, module: Module) -> Any:
    if isinstance(node, ast.Constant):
        return _of_constant(node.value, module)
    if isinstance(node, ast.Name):
        return _of_name(node.id, module)
    if isinstance(node, ast.Attribute):
        return getattr(_of_module(node.value, module), node.attr)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return typing.Union[_meant(node.left, module), _meant(node.right, module)]  # noqa: UP007
    if isinstance(node, ast.Subscript):
        return _of_subscript(node, module)
    if isinstance(node, (ast.List, ast.Tuple)):
        parts = [_meant(each, module) for each in node.elts]
        return parts if isinstance(node, ast.List) else tuple(parts)
    raise _UnknownError


def _of_constant(value: object, module: Module) -> Any:
    if isinstance(value, str):
        return _meant(ast.parse(value, mode="eval").body, module)
    if value is None or value is ...:
        return value
    raise _UnknownError


def _of_subscript(node: ast.Subscript, module: Module) -> Any:
    kind = _meant(node.value, module)
    if kind is typing.Literal:
        return kind[ast.literal_eval(node.slice)]
    if kind is typing.Annotated and isinstance(node.slice, ast.Tuple):
        return _meant(node.slice.elts[0], module)
    return kind[_meant(node.slice, module)]


def _of_name(name: str, module: Module) -> Any:
    bound = module.scope.names.get(name)
    if bound is None:
        if name not in _BUILT_IN:
            raise _UnknownError
        return _BUILT_IN[name]
    statement, alias = bound.statement, bound.alias
    if not isinstance(statement, ast.ImportFrom) or alias is None or statement.level:
        raise _UnknownError
    return getattr(_standard(statement.module or ""), alias.name)


def _of_module(node: ast.expr, module: Module) -> Any:
    """The module that a name before a dot stands for."""
    if isinstance(node, ast.Attribute):
        return getattr(_of_module(node.value, module), node.attr)
    bound = module.scope.names.get(node.id) if isinstance(node, ast.Name) else None
    if bound is None or bound.alias is None:
        raise _UnknownError
    if isinstance(bound.statement, ast.ImportFrom):
        return _standard(f"{bound.statement.module}.{bound.alias.name}")
    name = bound.alias.name if bound.alias.asname else bound.alias.name.partition(".")[0]
    return _standard(name)


def _standard(name: str) -> Any:
    if name not in (*_STANDARD, "collections"):
        raise _UnknownError
    return importlib.import_module(name)
