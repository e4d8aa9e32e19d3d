"""Overrides onto a config: strictly from left to right, and all that is wrong told at once."""

import difflib
import enum
from collections.abc import Iterable, Sequence
from typing import Any

from nemorun_cli.config import annotations, nodes
from nemorun_cli.config.changes import DELETED, Change, Factories, change_of
from nemorun_cli.config.scalars import MismatchError
from nemorun_cli.core.errors import Problem, UsageError
from nemorun_cli.core.overrides import Override, Step, format_path, parse


def apply(config: Any, arguments: Sequence[str], factories: Factories) -> None:
    """Change the config in place.

    Each override is applied once, in the order given; values are shared with nothing, defaults stay
    as they are. UsageError with one problem for each argument that cannot be read or applied.
    """
    problems: list[Problem] = []

    def work() -> None:
        for argument in arguments:
            try:
                _apply_one(config, parse(argument), factories)
            except UsageError as error:
                problems.extend(error.problems or [Problem(message=error.message, text=argument)])

    nodes.without_history(work)
    if problems:
        message = f"{len(problems)} overrides cannot be applied"
        raise UsageError(
            problems[0].message if len(problems) == 1 else message, problems=tuple(problems)
        )


def _apply_one(config: Any, override: Override, factories: Factories) -> None:
    change = change_of(override, factories)
    try:
        _Walk(override).change(config, annotations.UNTYPED, 0, change)
    except MismatchError as error:
        raise _mismatch(error, override) from None


class _Walk:
    """Goes down the path of one override."""

    def __init__(self, override: Override) -> None:
        self._override = override
        self._path = override.path

    def change(self, value: Any, declared: Any, depth: int, change: Change) -> Any:
        """What shall stand in the place of the value. Nodes are changed in place, others copied."""
        if depth == len(self._path):
            return change(value, declared)
        if nodes.is_node(value):
            return self._in_node(value, depth, change)
        if isinstance(value, dict):
            return self._in_dict(value, declared, depth, change)
        if isinstance(value, (list, tuple)):
            return self._in_list(value, declared, depth, change)
        raise self._dead_end(value, depth)

    def _in_node(self, node: Any, depth: int, change: Change) -> Any:
        step = self._path[depth]
        key, parameter = self._parameter(node, step)
        source = parameter or nodes.catch_all(node)
        declared = nodes.declared(node, source) if source else annotations.UNTYPED
        present = nodes.get(node, key, parameter)
        made = self.change(present, declared, depth + 1, change)
        if made is not DELETED:
            nodes.put(node, key, made)
        elif parameter is None or nodes.has_default(parameter):
            nodes.drop(node, key)
        else:
            raise self._wrong(step, f"{nodes.callee(node)} has no default for {parameter.name!r}")
        return node

    def _parameter(self, node: Any, step: Step) -> tuple[Any, Any]:
        """What the step names in a node: its key, and the parameter where it has one."""
        for parameter in nodes.fields(node):
            if parameter.name == step.name:
                return parameter.name, parameter
        if isinstance(step.name, int):
            found = nodes.at_position(node, step.name)
            if found is not None:
                return found
        elif nodes.catch_all(node) is not None:
            return step.name, None
        names = [each.name for each in nodes.fields(node)]
        raise self._unknown(step, f"{nodes.callee(node)} has no parameter {step.name!r}", names)

    def _in_dict(self, value: dict[Any, Any], declared: Any, depth: int, change: Change) -> Any:
        step = self._path[depth]
        last = depth + 1 == len(self._path)
        key: Any = step.name
        if key not in value and not step.literal and str(key) in value:
            key = str(key)
        if key not in value and not last:
            where = format_path(self._path[:depth])
            raise self._unknown(step, f"{where} has no key {key!r}", map(str, value))
        inner = annotations.item_type(declared)
        made = self.change(value.get(key, nodes.MISSING), inner, depth + 1, change)
        if made is DELETED:
            return {name: each for name, each in value.items() if name != key}
        return {**value, key: made}

    def _in_list(self, value: Any, declared: Any, depth: int, change: Change) -> Any:
        step = self._path[depth]
        where = format_path(self._path[:depth])
        if not isinstance(step.name, int):
            raise self._wrong(
                step, f"{where} is a {type(value).__name__}: expects an index", f"{where}[0]"
            )
        if not -len(value) <= step.name < len(value):
            reach = f"it has {len(value)} items" if len(value) != 1 else "it has 1 item"
            raise self._wrong(step, f"{where} has no item {step.name}: {reach}")
        index = step.name % len(value)
        inner = annotations.item_type(declared, step.name)
        made = self.change(value[index], inner, depth + 1, change)
        if made is DELETED and annotations.length_of(declared) is not None:
            raise self._wrong(step, f"{where} has always {len(value)} items")
        after = [] if made is DELETED else [made]
        return type(value)([*value[:index], *after, *value[index + 1 :]])

    def _dead_end(self, value: Any, depth: int) -> UsageError:
        step, where = self._path[depth], format_path(self._path[:depth])
        if value is None or value is nodes.MISSING:
            what = "none" if value is None else "not set"
            return self._wrong(
                step, f"{where} is {what}, so it has no {step.name!r}", f"set {where} first"
            )
        if isinstance(value, (*annotations.SCALARS, enum.Enum)):
            return self._wrong(step, f"{where} is {value!r}: it has no parts to be set")
        name = type(value).__name__
        return self._wrong(
            step, f"{where} is a finished {name}", f"let the recipe use fdl.Config({name}, ...)"
        )

    def _unknown(self, step: Step, message: str, names: Iterable[str]) -> UsageError:
        known = list(names)
        near = difflib.get_close_matches(str(step.name), known, n=1)
        meant = f"did you mean {near[0]!r}? " if near else ""
        return self._wrong(
            step, message, f"{meant}there are: {', '.join(known)}" if known else "it takes none"
        )

    def _wrong(self, step: Step, message: str, hint: str = "") -> UsageError:
        text = self._override.argument
        problem = Problem(message=message, text=text, start=step.start, end=step.end, hint=hint)
        return UsageError(message, problems=(problem,))


def _mismatch(error: MismatchError, override: Override) -> UsageError:
    where = format_path(override.path)
    message = f"{where} expects {error.expected}, got {error.got}"
    problem = Problem(
        message=message,
        text=override.argument,
        start=override.value_start + error.item.start,
        end=override.value_start + error.item.end,
        hint=error.hint,
    )
    return UsageError(message, problems=(problem,))
