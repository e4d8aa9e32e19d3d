"""Turns the nodes of a config.json into the objects they stand for.

It lies beside worker.py in the job: standard library only, Python 3.8.
"""

from __future__ import annotations

import functools
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType


class Builder:
    """Turns the nodes of a config into what they stand for, each shared one once."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.failed_at: str | None = None
        """The path of the innermost node that could not be built."""
        self._fresh = False  # Without any factory, no large value is searched for one.
        self._nodes: dict[int, Any] = {}
        self._shared: dict[int, Any] = {}

    def run(self, document: dict[str, Any]) -> None:
        """Build the whole config; what a partial makes is then called."""
        target = self.build(document)
        if document.get("_kind_", "config") == "partial":
            target()

    def build(self, document: Any) -> Any:  # noqa: ANN401
        """What a whole document stands for; of a partial, without the call."""
        self._index(document)
        return self._value(document, "")

    def _index(self, node: Any) -> None:  # noqa: ANN401
        # A reference may come before its node: the keys of a document are sorted.
        if isinstance(node, dict):
            self._fresh = self._fresh or node.get("_kind_") == "arg_factory"
            if "_id_" in node:
                self._nodes[node["_id_"]] = node
        inner = node.values() if isinstance(node, dict) else node
        for child in inner if isinstance(node, (dict, list)) else ():
            self._index(child)

    def _value(self, node: Any, path: str) -> Any:  # noqa: ANN401
        if isinstance(node, list):
            return [self._value(item, f"{path}[{i}]") for i, item in enumerate(node)]
        if not isinstance(node, dict):
            return node
        key = node.get("_ref_", node.get("_id_"))
        if key is None:
            return self._build(node, path)
        if key not in self._shared:
            self._shared[key] = self._build(self._nodes[key], path)
        return self._shared[key]

    def _build(self, node: dict[str, Any], path: str) -> Any:  # noqa: ANN401
        try:
            if "_target_" in node:
                return self._call(node, path)
            if "_type_" in node:
                return self._typed(node["_type_"], node["value"], path)
            return {name: self._value(item, _join(path, name)) for name, item in node.items()}
        except BaseException:
            if self.failed_at is None:
                self.failed_at = path
            raise

    def _call(self, node: dict[str, Any], path: str) -> Any:  # noqa: ANN401
        target = self.locate(node["_target_"])
        given = [self._value(arg, f"{path}[{i}]") for i, arg in enumerate(node.get("_args_", ()))]
        named = {
            name: self._value(item, _join(path, name))
            for name, item in node.items()
            if name not in ("_target_", "_kind_", "_args_", "_tags_", "_id_")
        }
        kind = node.get("_kind_", "config")
        fresh = self._fresh and _has_factory([given, named])
        if kind == "config":
            if fresh:
                raise TypeError("an ArgFactory has its place inside a Partial only")
            return target(*given, **named)
        made = (_fresh_partial if fresh else functools.partial)(target, *given, **named)
        return Factory(made) if kind == "arg_factory" else made

    def _typed(self, kind: str, value: Any, path: str) -> Any:  # noqa: ANN401
        if kind in ("enum", "import"):
            return self.locate(value)
        if kind == "dict":
            pairs = self._value(value, path)
            return {key: item for key, item in pairs}  # noqa: C416 # Says what a pair is.
        if kind in CONTAINERS:
            return CONTAINERS[kind](self._value(value, path))
        if kind in SCALARS:
            return SCALARS[kind](value)
        raise ValueError(f"config.json holds a value of the unknown type {kind!r}")

    def locate(self, target: str) -> Any:  # noqa: ANN401
        """What `pkg.mod:qualname` or `path/in/code.py:qualname` names."""
        source, _, qualname = target.rpartition(":")
        is_file = source.endswith(".py")
        found: Any = load_file(self.code, source) if is_file else importlib.import_module(source)
        for part in qualname.split("."):
            try:
                found = getattr(found, part)
            except AttributeError:
                raise ImportError(f"no {qualname!r} in {source!r}", name=source) from None
        return found


def _moment(kind: str, text: str) -> Any:  # noqa: ANN401
    return getattr(importlib.import_module("datetime"), kind).fromisoformat(text)


CONTAINERS: dict[str, Callable[[Any], Any]] = {
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "list": list,
}
SCALARS: dict[str, Callable[[Any], Any]] = {
    "bytes": lambda text: importlib.import_module("base64").b64decode(text),
    "path": Path,
    "timedelta": lambda value: importlib.import_module("datetime").timedelta(
        *(value if isinstance(value, list) else (0, value))  # Days, seconds and so on; or seconds.
    ),
    "datetime": lambda text: _moment("datetime", text),
    "date": lambda text: _moment("date", text),
    "time": lambda text: _moment("time", text),
    "float": float,
}


class Factory:
    """Stands in a partial's arguments for a value that each call makes anew."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _fresh_partial(target: Any, /, *given: Any, **named: Any) -> functools.partial[Any]:  # noqa: ANN401
    call = functools.partial(_call_fresh, target)
    promoted = {name: _promote(value) for name, value in named.items()}
    return functools.partial(call, *map(_promote, given), **promoted)


def _call_fresh(target: Callable[..., Any], /, *given: Any, **named: Any) -> Any:  # noqa: ANN401
    fresh = {name: _made(value) for name, value in named.items()}
    return target(*map(_made, given), **fresh)


def _made(value: Any) -> Any:  # noqa: ANN401
    return value.make() if isinstance(value, Factory) else value


def _promote(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, Factory) or not _has_factory(value):
        return value
    return Factory(functools.partial(_remade, value))


def _has_factory(value: Any) -> bool:  # noqa: ANN401
    inner = value.values() if isinstance(value, dict) else value
    return isinstance(value, Factory) or (
        isinstance(value, (dict, list, tuple)) and any(map(_has_factory, inner))
    )


def _remade(value: Any) -> Any:  # noqa: ANN401
    """The same, with new values; parts that hold no factory stay the same objects."""
    if not _has_factory(value):
        return value
    if isinstance(value, dict):
        return {key: _remade(item) for key, item in value.items()}
    return value.make() if isinstance(value, Factory) else type(value)(map(_remade, value))


def load_file(code: str, source: str) -> ModuleType:
    """The module in a file of the code; under its dotted name wherever that leads to this file."""
    path = Path(code, source).resolve()
    name = ".".join(Path(source).with_suffix("").parts)
    if all(part.isidentifier() for part in name.split(".")) and _leads_to(name, path):
        return importlib.import_module(name)
    name = "nemorun_file_" + "".join(c if c.isalnum() else "_" for c in name)
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, str(path))
        if spec is None or spec.loader is None or not path.is_file():
            raise ImportError(f"no file {source!r} in the code", name=source)
        sys.modules[name] = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(sys.modules[name])
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]


def _leads_to(name: str, path: Path) -> bool:
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return False
    return spec is not None and spec.origin is not None and Path(spec.origin).resolve() == path
