"""Configs to documents and back: what docs/config-format.md says."""
# A config holds values of any type.

import enum
import json
import math
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from nemorun_cli.config import names, nodes
from nemorun_cli.config.canonical import Document, definitions
from nemorun_cli.core.errors import Problem, UsageError
from nemorun_cli.core.overrides import Step, format_path

Locate = Callable[[str], Any]
Path_ = tuple[Step, ...]
_PLAIN = (type(None), bool, int, float, str)
_DEEPEST = 80
"""What the job and every reader of a stored config can follow."""
_ORDERED: dict[type[Any], str] = {list: "list", tuple: "tuple", set: "set", frozenset: "frozenset"}
_PATH = type(Path())
_MOMENTS = (datetime, date, time)
_INTERNED = (*_PLAIN, bytes, enum.Enum)
"""Of these fiddle takes two that are equal for one."""


def to_document(config: Any, *, files: Mapping[str, str] | None = None) -> Document:
    """The document of a config; UsageError with a problem for each value that has no form in it.

    `files`: modules that are known to the job by their file, name to path.
    """
    writer = _Writer(files or {})
    document: Document = writer.write(config)
    if writer.problems:
        raise UsageError(
            "the config holds what cannot be stored"
            if len(writer.problems) > 1
            else writer.problems[0].message,
            hint=writer.problems[0].hint if len(writer.problems) == 1 else "",
            problems=tuple(writer.problems),
        )
    return document


def can_be_stored(value: Any) -> bool:
    """Whether a value has a form in a document."""
    writer = _Writer({})
    writer.write(value)
    return not writer.problems


def from_document(document: Document, locate: Locate) -> Any:
    """The config that a document was made of. `locate` finds what a target names."""
    return _Reader(document, locate).value(document)


def is_reserved(key: str) -> bool:
    """Whether a key could be taken for one of the format's own."""
    return len(key) > 1 and key.startswith("_") and key.endswith("_")


class _Writer:
    def __init__(self, files: Mapping[str, str]) -> None:
        self.problems: list[Problem] = []
        self._files = files
        self._uses: dict[int, int] = {}
        self._numbers: dict[int, int] = {}
        self._alive: list[Any] = []  # So that no id() is given twice.

    def write(self, config: Any) -> Any:
        """The form of a config, None when there are problems."""
        self._count(config, (), frozenset())
        return None if self.problems else self._value(config, ())

    def _count(self, value: Any, path: Path_, above: frozenset[int]) -> None:
        """How often each part is used; twice only if it is more than its value."""
        if not _has_identity(value):
            return
        if id(value) in above:
            self._refuse(path, "contains itself", "a config has no loops")
            return
        if len(path) > _DEEPEST:
            self._refuse(path[:1], f"is nested more than {_DEEPEST} deep", "")
            return
        self._alive.append(value)
        self._uses[id(value)] = self._uses.get(id(value), 0) + 1
        if self._uses[id(value)] == 1:
            for step, child in _children(value):
                self._count(child, (*path, step), above | {id(value)})

    def _value(self, value: Any, path: Path_) -> Any:
        if type(value) in _PLAIN:
            return _plain(value)
        if self._uses.get(id(value), 0) < 2:  # noqa: PLR2004
            return self._written(value, path, shared=False)
        if id(value) in self._numbers:
            return {"_ref_": self._numbers[id(value)]}
        number = self._numbers[id(value)] = len(self._numbers) + 1
        written = self._written(value, path, shared=True)
        return {**written, "_id_": number} if isinstance(written, dict) else written

    def _written(self, value: Any, path: Path_, *, shared: bool) -> Any:
        if nodes.is_node(value):
            return self._node(value, path)
        if type(value) is dict:
            return self._dict(value, path, shared=shared)
        if type(value) in _ORDERED:
            return self._items(value, path, shared=shared)
        return self._scalar(value, path)

    def _node(self, node: Any, path: Path_) -> Document:
        kind = nodes.kind_of(node)
        if kind is None:
            self._refuse(path, f"a {type(node).__name__} cannot be stored", "use fdl.Config")
        positional, named = _split(node)
        written: Document = {
            "_target_": self._name(nodes.target_of(node), path),
            "_kind_": kind,
        }
        tags = nodes.tags(node)
        if tags:
            written["_tags_"] = {
                name: sorted(self._name(tag, path) for tag in found) for name, found in tags.items()
            }
        if positional:
            steps = [(*path, Step(name=index)) for index in range(len(positional))]
            written["_args_"] = [
                self._value(value, step) for value, step in zip(positional, steps, strict=True)
            ]
        for name, value in named.items():
            here = (*path, Step(name=name))
            if is_reserved(name):
                self._refuse(here, "an argument of this name cannot be stored", "rename it")
            written[name] = self._value(value, here)
        return written

    def _dict(self, value: dict[Any, Any], path: Path_, *, shared: bool) -> Document:
        plain = all(type(key) is str and not is_reserved(key) for key in value)
        if plain and not shared:
            return {key: self._value(each, (*path, _step(key))) for key, each in value.items()}
        pairs = [
            [self._value(key, path), self._value(each, (*path, _step(key)))]
            for key, each in value.items()
        ]
        return {"_type_": "dict", "value": pairs}

    def _items(self, value: Any, path: Path_, *, shared: bool) -> Any:
        written = [self._value(each, (*path, Step(name=index))) for index, each in enumerate(value)]
        if type(value) is list and not shared:
            return written
        if isinstance(value, (set, frozenset)):
            written.sort(key=lambda each: json.dumps(each, sort_keys=True))
        return {"_type_": _ORDERED[type(value)], "value": written}

    def _scalar(self, value: Any, path: Path_) -> Any:
        if isinstance(value, enum.Enum):
            return {"_type_": "enum", "value": self._member(value, path)}
        if type(value) is bytes:
            import base64

            return {"_type_": "bytes", "value": base64.b64encode(value).decode()}
        if type(value) is _PATH:
            return {"_type_": "path", "value": str(value)}
        if type(value) is timedelta:
            parts = [value.days, value.seconds, value.microseconds]
            return {"_type_": "timedelta", "value": parts}
        if type(value) in _MOMENTS:
            return {"_type_": type(value).__name__, "value": value.isoformat()}
        return {"_type_": "import", "value": self._name(value, path)}

    def _member(self, value: enum.Enum, path: Path_) -> str:
        found = names.stored_name(value, self._files)
        if found is None and self._name(type(value), path):
            self._refuse(path, f"{value!r} cannot be stored", "name it as a member of its enum")
        return found or ""

    def _name(self, value: Any, path: Path_) -> str:
        found = names.stored_name(value, self._files)
        if found is None:
            message, hint = names.why_nameless(value)
            self._refuse(path, message, hint)
        return found or ""

    def _refuse(self, path: Path_, message: str, hint: str) -> None:
        where = format_path(path)
        text = f"{where}: {message}" if where else message
        self.problems.append(Problem(message=text, hint=hint))


class _Reader:
    def __init__(self, document: Document, locate: Locate) -> None:
        self._locate = locate
        self._definitions = definitions(document)
        self._made: dict[int, Any] = {}

    def value(self, part: Any) -> Any:
        """What a part stands for; the same object wherever it is used."""
        if isinstance(part, list):
            return [self.value(each) for each in part]
        if not isinstance(part, dict):
            return part
        number = part.get("_ref_", part.get("_id_"))
        if number is None:
            return self._inside(part)
        if number not in self._made:
            self._made[number] = self._inside(self._definitions[number])
        return self._made[number]

    def _inside(self, part: Document) -> Any:
        if "_target_" in part:
            return self._node(part)
        if "_type_" in part:
            return self._typed(part["_type_"], part["value"])
        return {key: self.value(each) for key, each in part.items()}

    def _node(self, part: Document) -> Any:
        positional = [self.value(each) for each in part.get("_args_", ())]
        named = {key: self.value(each) for key, each in part.items() if not is_reserved(key)}
        target = self._locate(part["_target_"])
        node = nodes.make(part.get("_kind_", "config"), target, positional, named)
        for name, tags in part.get("_tags_", {}).items():
            nodes.set_tags(node, name, [self._locate(tag) for tag in tags])
        return node

    def _typed(self, kind: str, value: Any) -> Any:
        from nemorun_cli.job.builder import CONTAINERS, SCALARS

        if kind in ("enum", "import"):
            return self._locate(value)
        if kind == "dict":
            return {self.value(key): self.value(each) for key, each in value}
        if kind in CONTAINERS:
            return CONTAINERS[kind](self.value(value))
        return SCALARS[kind](value)


def _plain(value: Any) -> Any:
    if type(value) is float and not math.isfinite(value):
        return {"_type_": "float", "value": str(value)}
    return value


def _has_identity(value: Any) -> bool:
    """Whether two that are equal may still be told apart, as fiddle sees it."""
    if nodes.is_node(value):
        return True
    if type(value) is tuple:
        return any(
            _has_identity(each) if type(each) is tuple else not isinstance(each, _INTERNED)
            for each in value
        )
    return type(value) in (list, dict, set, frozenset, _PATH, timedelta)


def _children(value: Any) -> Iterator[tuple[Step, Any]]:
    if nodes.is_node(value):
        for key, each in nodes.arguments(value).items():
            yield Step(name=key), each
    elif type(value) is dict:
        for key, each in value.items():
            yield _step(key), key
            yield _step(key), each
    elif type(value) in _ORDERED:
        for index, each in enumerate(value):
            yield Step(name=index), each


def _step(key: Any) -> Step:
    return Step(name=key if type(key) in (int, str) else repr(key))


def _split(node: Any) -> tuple[list[Any], dict[str, Any]]:
    """Its arguments by position and by name. What stands before one by position is by position."""
    given = nodes.arguments(node)
    last = max((key for key in given if isinstance(key, int)), default=-1)
    positional: list[Any] = []
    for index, parameter in enumerate(list(nodes.parameters(node).values())[: last + 1]):
        if parameter.kind is parameter.VAR_POSITIONAL:
            break
        key = nodes.key_of(node, parameter)
        value = given.pop(key) if key in given else nodes.default_of(node, parameter)
        positional.append(None if value is nodes.MISSING else value)
        last = max(last, index)
    positional += [given.pop(key) for key in sorted(k for k in given if isinstance(k, int))]
    return positional, {str(key): value for key, value in given.items()}
