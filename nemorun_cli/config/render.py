"""A stored config as text: a line a value for people, YAML to be kept. Nothing is imported."""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from nemorun_cli.config.canonical import definitions
from nemorun_cli.config.items import as_member
from nemorun_cli.core.durations import format_duration
from nemorun_cli.core.overrides import Step, format_path

_OWN_KEYS = ("_target_", "_kind_", "_args_", "_tags_", "_id_", "_ref_")
_BRACKETS = {"tuple": ("(", ")"), "set": ("{", "}"), "frozenset": ("{", "}")}
_Path = tuple[Step, ...]


class Row(NamedTuple):
    """One path of a config."""

    path: str
    """As an override would name it."""
    text: str
    """The value as it would be typed; a node by what it calls."""
    owner: str
    """What is called with it, or with what it is a part of."""
    argument: str
    """The path of the argument that it is, or is a part of."""
    is_part: bool = False
    """Whether rows below it say what it holds."""
    same_as: str = ""
    """Where the same node was met before."""
    value: Any = None
    """As the document has it; of a node all but its arguments."""


def rows(document: Mapping[str, Any]) -> Iterator[Row]:
    """Each path once, in the order of the document."""
    yield from _Rows(document).of(document, (), Row("", "", "", ""))


def lines(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Path and text of each row."""
    return ((row.path, row.text) for row in rows(document))


def to_yaml(document: Mapping[str, Any]) -> str:
    """The whole document as YAML, keys in their order; it is read back to an equal document.

    Text stands in quotes wherever it could be taken for something else.
    """
    import yaml

    from nemorun_cli.config.coerce import is_plain_text

    class Dumper(yaml.SafeDumper):
        """With more quotes: YAML does not know all words that overrides do, such as 1e-4."""

        def represent_text(self, text: str) -> Any:
            style = None if is_plain_text(text) else "'"
            if not text.isprintable():  # In other quotes U+0085 would be read as a line end.
                style = '"'
            return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    Dumper.add_representer(str, Dumper.represent_text)
    return yaml.dump(dict(document), Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100)


class _Rows:
    def __init__(self, document: Mapping[str, Any]) -> None:
        self._definitions = definitions(document)
        self._paths: dict[int, str] = {}

    def of(self, value: Any, path: _Path, outer: Row) -> Iterator[Row]:
        """The rows of a part, its own first; `outer` is that of what holds it."""
        value, known = self._resolved(value, path)
        row = outer._replace(path=format_path(path))
        if known:
            yield row._replace(text=f"the same as {known}", same_as=known)
        elif not _has_nodes(value):
            yield row._replace(text=text_of(value), value=value)
        else:
            is_node = isinstance(value, Mapping) and "_target_" in value
            if is_node and path:
                yield row._replace(text=_callee(value), is_part=True, value=call_of(value))
            for step, each in _parts(value):
                inner = (*path, step)
                if is_node:
                    row = row._replace(owner=_name(value), argument=format_path(inner))
                yield from self.of(each, inner, row)

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
        return f"[{', '.join(map(_member, value))}]"
    if not isinstance(value, Mapping):
        return str(value)
    if "_type_" not in value:
        pairs = [list(pair) for pair in value.items()]
        return text_of({"_type_": "dict", "value": pairs})
    return _typed(value["_type_"], value["value"])


def _member(value: Any) -> str:
    return as_member(value) if isinstance(value, str) else text_of(value)


def _typed(kind: str, value: Any) -> str:
    if kind == "dict":
        return f"{{{', '.join(f'{_member(key)}: {_member(each)}' for key, each in value)}}}"
    if kind in _BRACKETS:
        opening, closing = _BRACKETS[kind]
        comma = "," if kind == "tuple" and len(value) == 1 else ""
        return f"{opening}{', '.join(map(_member, value))}{comma}{closing}"
    return _SPELLED.get(kind, text_of)(value)


def _duration(value: Any) -> str:
    days, seconds, micro = value if isinstance(value, list) else (0, value, 0)
    whole = days * 86400 + seconds
    return f"{whole + micro / 1e6}s" if micro or whole < 0 else format_duration(whole)


_SPELLED: Mapping[str, Callable[[Any], str]] = {
    "enum": lambda name: str(name).rpartition(".")[2],
    "bytes": lambda text: text_of(base64.b64decode(text).decode("utf-8", "backslashreplace")),
    "timedelta": _duration,
}


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


def call_of(node: Mapping[str, Any]) -> dict[str, Any]:
    """What a node says of itself, without its arguments."""
    return {key: node[key] for key in ("_kind_", "_target_", "_tags_") if key in node}


def _callee(node: Mapping[str, Any]) -> str:
    return f"{_name(node)}(...)"


def _name(node: Mapping[str, Any]) -> str:
    return str(node["_target_"]).rpartition(":")[2]
