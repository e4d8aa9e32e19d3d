"""A stored config as text: a line a value for people, YAML to be kept. Nothing is imported."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from nemorun_cli.config.canonical import definitions
from nemorun_cli.core.overrides import Step, format_path

_OWN_KEYS = ("_target_", "_kind_", "_args_", "_tags_", "_id_", "_ref_")
_BRACKETS = {"tuple": ("(", ")"), "set": ("{", "}"), "frozenset": ("{", "}")}
_Path = tuple[Step, ...]


def lines(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each path as an override would name it, with the value as it would be typed.

    A node is shown by what it calls, one that was met before by its first path.
    """
    yield from _Lines(document).of(document, ())


def to_yaml(document: Mapping[str, Any]) -> str:
    """The whole document as YAML, keys in their order; it is read back to an equal document."""
    import yaml

    return yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True, width=100)


class _Lines:
    def __init__(self, document: Mapping[str, Any]) -> None:
        self._definitions = definitions(document)
        self._paths: dict[int, str] = {}

    def of(self, value: Any, path: _Path) -> Iterator[tuple[str, str]]:
        """The lines of a part, its own first."""
        value, known = self._resolved(value, path)
        if known:
            yield format_path(path), f"the same as {known}"
        elif not _has_nodes(value):
            yield format_path(path), text_of(value)
        else:
            if isinstance(value, Mapping) and "_target_" in value and path:
                yield format_path(path), _callee(value)
            for step, each in _parts(value):
                yield from self.of(each, (*path, step))

    def _resolved(self, value: Any, path: _Path) -> tuple[Any, str]:
        """What stands there, and the path at which it stood before."""
        number = value.get("_ref_", value.get("_id_")) if isinstance(value, Mapping) else None
        if number is None:
            return value, ""
        if number in self._paths:
            return value, self._paths[number]
        self._paths[number] = format_path(path)
        return self._definitions[number], ""


def text_of(value: Any) -> str:
    """A value without nodes as it would be typed."""
    if isinstance(value, str):
        return value if value.isprintable() and value else json.dumps(value, ensure_ascii=False)
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(text_of, value))}]"
    if not isinstance(value, Mapping):
        return str(value)
    if "_type_" not in value:
        pairs = [list(pair) for pair in value.items()]
        return text_of({"_type_": "dict", "value": pairs})
    return _typed(value["_type_"], value["value"])


def _typed(kind: str, value: Any) -> str:
    if kind == "dict":
        return f"{{{', '.join(f'{text_of(key)}: {text_of(each)}' for key, each in value)}}}"
    if kind in _BRACKETS:
        opening, closing = _BRACKETS[kind]
        comma = "," if kind == "tuple" and len(value) == 1 else ""
        return f"{opening}{', '.join(map(text_of, value))}{comma}{closing}"
    if kind == "timedelta":
        return text_of(value)
    return str(value).rpartition(".")[2] if kind == "enum" else text_of(value)


def _has_nodes(value: Any) -> bool:
    if isinstance(value, Mapping):
        inner = value.values()
        return "_target_" in value or "_ref_" in value or any(map(_has_nodes, inner))
    return isinstance(value, list) and any(map(_has_nodes, value))


def _parts(value: Any) -> Iterator[tuple[Step, Any]]:
    if isinstance(value, list):
        yield from ((Step(name=index), each) for index, each in enumerate(value))
    elif "_type_" in value:
        yield from _parts(value["value"])
    else:
        yield from ((Step(name=index), each) for index, each in enumerate(value.get("_args_", ())))
        for name, each in value.items():
            if name not in _OWN_KEYS:
                yield Step(name=name), each


def _callee(node: Mapping[str, Any]) -> str:
    return f"{node['_target_'].rpartition(':')[2]}(...)"
