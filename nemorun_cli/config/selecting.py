"""Which nodes `Class:path=value` means, and which arguments `@Tag=value`."""

import difflib
from collections.abc import Iterator
from typing import Any

from nemorun_cli.config import nodes
from nemorun_cli.config.assignments import Assignment
from nemorun_cli.core.errors import UsageError
from nemorun_cli.core.overrides import Selector, Step

Path_ = tuple[Step, ...]


def selected(config: Any, assignment: Assignment) -> list[tuple[Any, Path_]]:
    """Each node that is meant, with the path that the override takes from there.

    A class means the nodes that call it or what is derived from it. UsageError if there are none.
    """
    selector = assignment.override.selector
    assert selector is not None  # noqa: S101
    if selector.by_tag:
        found = list(_tagged(config, selector))
    else:
        path = assignment.override.path
        found = [(node, path) for _, node in nodes.walk(config) if _calls(node, selector.name)]
    if not found:
        raise _nothing(config, assignment, selector)
    return found


def _tagged(config: Any, selector: Selector) -> Iterator[tuple[Any, Path_]]:
    for _, node in nodes.walk(config):
        for name, tags in nodes.tags(node).items():
            if any(selector.name in _names(tag) for tag in tags):
                key = int(name) if name.isdigit() else name
                yield node, (Step(name=key, start=selector.start, end=selector.end),)


def _calls(node: Any, name: str) -> bool:
    return name in _names(nodes.target_of(node))


def _names(target: Any) -> Iterator[str]:
    """Those of a class and of what it is derived from; the name of a function."""
    for each in getattr(target, "__mro__", (target,)):
        if each is not object:
            yield getattr(each, "__name__", "")
            yield getattr(each, "__qualname__", "")


def _nothing(config: Any, assignment: Assignment, selector: Selector) -> UsageError:
    word = "argument carries the tag" if selector.by_tag else "part of the config calls"
    known = dict.fromkeys(_known(config, by_tag=selector.by_tag))
    near = difflib.get_close_matches(selector.name, known, n=1)
    meant = f"did you mean {near[0]!r}? " if near else ""
    hint = f"{meant}there are: {', '.join(known)}" if known else "there are none"
    step = Step(name=selector.name, start=selector.start, end=selector.end)
    return assignment.wrong_step(step, f"no {word} {selector.name!r}", hint)


def _known(config: Any, *, by_tag: bool) -> Iterator[str]:
    for _, node in nodes.walk(config):
        if not by_tag:
            yield nodes.callee(node)
        else:
            for tags in nodes.tags(node).values():
                yield from (tag.__name__ for tag in tags)
