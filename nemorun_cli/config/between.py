"""The overrides that make one stored config of another. Nothing is imported."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nemorun_cli.config.canonical import Document, text_of
from nemorun_cli.core.overrides import Step, format_path

_Path = tuple[Step, ...]
_OF_A_NODE = ("_target_", "_kind_", "_args_", "_tags_", "_id_", "_ref_")


@dataclass(frozen=True, kw_only=True)
class Between:
    """What has to be said of one config to have the other."""

    overrides: Mapping[str, Any]
    """As a file of overrides holds them: path to value, values as in a stored config."""
    unknown: tuple[str, ...] = ()
    """What is named and the first config knows nothing of; a registered factory has to make it."""


def overrides_between(before: Document, after: Document) -> Between:
    """The overrides that give `after`, applied to `before`; none if they do the same.

    They are no longer than they have to be, but that what is used at several places is written
    anew, and so is a part that lacks an argument it had, or calls something else. As in any file
    of overrides a value is read by the declared type of its field.
    """
    if _same(before, after):
        return Between(overrides={})
    shared = {name for name in {**before, **after} if _shares(before.get(name), after.get(name))}
    if not _alike(before, after) or shared & {*_OF_A_NODE}:
        found = dict(after)
    else:
        found = dict(_in_node(_without(before, shared), _without(after, shared), ()))
        if any(not _same(before.get(name), after[name]) for name in shared):
            found |= {format_path((Step(name=name),)): after[name] for name in sorted(shared)}
    return Between(overrides=found, unknown=tuple(sorted(_named(found) - _named(before))))


def _without(node: Document, names: set[str]) -> Document:
    return {name: each for name, each in node.items() if name not in names}


def _in_node(before: Document, after: Document, path: _Path) -> Iterator[tuple[str, Any]]:
    for name, value in after.items():
        if name not in _OF_A_NODE and not (name in before and _same(before[name], value)):
            yield from _at(before.get(name), value, (*path, Step(name=name)))


def _at(before: Any, after: Any, path: _Path) -> Iterator[tuple[str, Any]]:
    """The overrides of what stands at a path and differs."""
    if _is_node(before) and _is_node(after) and _alike(before, after):
        yield from _in_node(before, after, path)
    elif _is_dict(before) and _is_dict(after) and _can_be_set(before, after):
        for key, value in after.items():
            if not _same(before[key], value):
                yield from _at(before[key], value, (*path, Step(name=key)))
    elif _is_list(before) and _is_list(after) and _can_be_set(_numbered(before), _numbered(after)):
        for index, value in enumerate(after):
            if not _same(before[index], value):
                yield from _at(before[index], value, (*path, Step(name=index)))
    else:
        yield format_path(path), _exactly(before, after)


def _exactly(before: Any, after: Any) -> Any:
    """A mapping onto a part would set its members: a dict in its place says what it is."""
    if _is_dict(after) and not _is_dict(before):
        return {"_type_": "dict", "value": [list(pair) for pair in after.items()]}
    return after


def _alike(before: Document, after: Document) -> bool:
    """Whether one node becomes the other by setting arguments."""
    own = [{key: node[key] for key in _OF_A_NODE if key in node} for node in (before, after)]
    known = {name: after.get(name) for name in before}
    return _same(*own) and set(before) <= set(after) and _can_be_set(before, known)


def _can_be_set(before: Mapping[Any, Any], after: Mapping[Any, Any]) -> bool:
    """Whether the same members are there, and each can be set by itself.

    A text in the place of a part would be taken for the name of a factory.
    """
    return list(before) == list(after) and not any(
        _is_node(each) and isinstance(after[name], str) for name, each in before.items()
    )


def _numbered(items: list[Any]) -> dict[int, Any]:
    return dict(enumerate(items))


def _same(before: Any, after: Any) -> bool:
    """Whether two parts are written alike; `1` is not `1.0`."""
    return text_of(before) == text_of(after)


def _shares(*parts: Any) -> bool:
    """Whether something in one of them is used at several places."""
    return any(
        "_id_" in each or "_ref_" in each or _shares(*each.values())
        if isinstance(each, dict)
        else isinstance(each, list) and _shares(*each)
        for each in parts
    )


def _named(part: Any) -> set[str]:
    """What a part names: targets, tags, members of enums and the like."""
    if isinstance(part, list):
        return set().union(*map(_named, part))
    if not isinstance(part, dict):
        return set()
    found = set().union(*map(_named, part.values()))
    if "_target_" in part:
        found.add(part["_target_"])
    if part.get("_type_") == "import":
        found.add(part["value"])
    return found


def _is_node(part: Any) -> bool:
    return isinstance(part, dict) and "_target_" in part


def _is_dict(part: Any) -> bool:
    return isinstance(part, dict) and "_target_" not in part and "_type_" not in part


def _is_list(part: Any) -> bool:
    return isinstance(part, list)
