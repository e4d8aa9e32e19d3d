"""Going down the path of one override, and changing what stands at its end."""

import difflib
import enum
import inspect
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from nemorun_cli.config import annotations, nodes
from nemorun_cli.config.assignments import Assignment, members_of
from nemorun_cli.config.changes import DELETED, change_of, opened_mapping
from nemorun_cli.config.coerce import read
from nemorun_cli.config.items import Item
from nemorun_cli.config.scalars import MismatchError
from nemorun_cli.core.errors import UsageError
from nemorun_cli.core.overrides import Step, format_path

if TYPE_CHECKING:
    from nemorun_cli.config.apply import Applier


class Walk:
    """One way from a node to what an override changes."""

    def __init__(self, applier: "Applier", assignment: Assignment, path: tuple[Step, ...]) -> None:
        self._applier = applier
        self._assignment = assignment
        self._path = path
        self._change = change_of(assignment, applier.view(assignment))
        self._noted = False

    def change(self, value: Any, declared: Any = annotations.UNTYPED, depth: int = 0) -> Any:
        """What shall stand in the place of the value. Nodes are changed in place, others copied."""
        if depth == len(self._path):
            return self._changed(value, declared)
        if nodes.is_node(value):
            return self._in_node(value, declared, depth)
        if isinstance(value, dict):
            return self._in_dict(value, declared, depth)
        if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
            return self._in_list(value, declared, depth)
        raise self._dead_end(value, declared, depth)

    def _changed(self, value: Any, declared: Any) -> Any:
        """A mapping sets members of a node; anything else takes the place of what is there."""
        mapping = opened_mapping(self._assignment) if nodes.is_node(value) else None
        if mapping is None:
            made = self._change(value, declared)
            if not self._path:
                if not nodes.is_node(made):
                    item = self._assignment.item
                    raise self._assignment.wrong_item(item, "expects a whole config")
                self._applier.trail.replaced(value, made, self._assignment)
            return made
        self._noted = True
        below = (*self._assignment.below, *self._path)
        for each in members_of(self._assignment, mapping, below):
            self._applier.apply_to(value, each, declared)
        return value

    def _in_node(self, node: Any, place: Any, depth: int) -> Any:
        step = self._path[depth]
        key, parameter = self._parameter(node, step)
        source = parameter or nodes.catch_all(node)
        declared = nodes.declared(node, source, place) if source else annotations.UNTYPED
        present = nodes.get(node, key, parameter)
        if source is not None and depth + 1 == len(self._path):
            self._notice_unknown_type(node, source)
        made = self.change(present, declared, depth + 1)
        if not self._noted:
            self._applier.trail.note(node, key, present, made, self._assignment)
            self._noted = True
        self._put(node, key, parameter, made, step)
        return node

    def _put(
        self, node: Any, key: str | int, parameter: inspect.Parameter | None, made: Any, step: Step
    ) -> None:
        if made is not DELETED:
            nodes.put(node, key, made)
        elif parameter is None or nodes.has_default(parameter):
            nodes.drop(node, key)
        else:
            raise self._wrong(step, f"{nodes.callee(node)} has no default for {parameter.name!r}")

    def _parameter(self, node: Any, step: Step) -> tuple[Any, Any]:
        """What the step names in a node: its key, and the parameter where it has one."""
        parameter = nodes.field(node, step.name)
        if parameter is not None:
            return parameter.name, parameter
        if isinstance(step.name, int):
            found = nodes.at_position(node, step.name)
            if found is not None:
                return found
        elif nodes.catch_all(node) is not None:
            return step.name, None
        names = [each.name for each in nodes.fields(node)]
        raise self._unknown(step, f"{nodes.callee(node)} has no parameter {step.name!r}", names)

    def _in_dict(self, value: dict[Any, Any], declared: Any, depth: int) -> Any:
        step = self._path[depth]
        last = depth + 1 == len(self._path)
        key = self._key(value, declared, depth)
        typed = annotations.declared_keys(declared)
        if key not in value and typed and key not in typed:
            raise self._unknown(step, f"{self._where(depth)} has no key {key!r}", typed)
        if key not in value and not last:
            raise self._unknown(step, f"{self._where(depth)} has no key {key!r}", map(str, value))
        inner = annotations.item_type(declared, key)
        made = self.change(value.get(key, nodes.MISSING), inner, depth + 1)
        if made is DELETED:
            if key in annotations.needed_keys(declared):
                raise self._wrong(step, f"{self._where(depth)} needs its key {key!r}")
            return {name: each for name, each in value.items() if name != key}
        return {**value, key: made}

    def _key(self, value: dict[Any, Any], declared: Any, depth: int) -> Any:
        """The key that is meant: one that is there, else one of the declared type."""
        step, kind = self._path[depth], annotations.key_type(declared)
        key: Any = step.name
        if key not in value and not step.literal and str(key) in value:
            return str(key)
        if key in value or annotations.is_untyped(kind):
            return key
        try:
            return read(Item(str(key), quoted=step.literal and annotations.takes_text(kind)), kind)
        except MismatchError as error:
            message = f"a key of {self._where(depth)} is {error.expected}, not {key!r}"
            raise self._wrong(step, message, error.hint) from None

    def _in_list(self, value: Any, declared: Any, depth: int) -> Any:
        step = self._path[depth]
        where = self._where(depth)
        if not isinstance(step.name, int):
            raise self._wrong(
                step, f"{where} is a {type(value).__name__}: expects an index", f"{where}[0]"
            )
        if not -len(value) <= step.name < len(value):
            reach = f"it has {len(value)} items" if len(value) != 1 else "it has 1 item"
            raise self._wrong(step, f"{where} has no item {step.name}: {reach}")
        index = step.name % len(value)
        inner = annotations.item_type(declared, step.name)
        made = self.change(value[index], inner, depth + 1)
        if made is DELETED and annotations.length_of(declared) is not None:
            raise self._wrong(step, f"{where} has always {len(value)} items")
        after = [] if made is DELETED else [made]
        return type(value)([*value[:index], *after, *value[index + 1 :]])

    def _notice_unknown_type(self, node: Any, parameter: inspect.Parameter) -> None:
        text = nodes.unknown_type(node, parameter)
        if text is not None:
            where = self._assignment.where
            self._applier.notices[
                f"the type of {where}, {text}, is not known here: its value is read as a literal"
            ] = None

    def _dead_end(self, value: Any, declared: Any, depth: int) -> UsageError:
        step, where = self._path[depth], self._where(depth)
        if value is None or value is nodes.MISSING:
            what = "none" if value is None else "not set"
            message = f"{where} is {what}, so it has no {step.name!r}"
            example = self._example(where, declared, step)
            return self._wrong(step, message, f"set {where} first{example}")
        if isinstance(value, (*annotations.SCALARS, enum.Enum)):
            return self._wrong(step, f"{where} is {value!r}: it has no parts to be set")
        name = type(value).__name__
        if isinstance(value, (set, frozenset)):
            return self._wrong(step, f"{where} is a {name}: it has no positions", "use += and -=")
        return self._wrong(
            step, f"{where} is a finished {name}", f"let the recipe use fdl.Config({name}, ...)"
        )

    def _example(self, where: str, declared: Any, step: Step) -> str:
        """How a part could be set where there is none."""
        fitting = self._applier.registered.fitting(declared)
        if fitting:
            return f", such as {where}={fitting[0]}"
        is_record = any(map(annotations.is_record, annotations.classes_of(declared)))
        if is_record or annotations.declared_keys(declared):
            return f": {where}='{{{step.name}: VALUE}}'"
        return ""

    def _where(self, depth: int) -> str:
        return format_path((*self._assignment.below, *self._path[:depth]))

    def _unknown(self, step: Step, message: str, names: Iterable[str]) -> UsageError:
        known = list(names)
        near = difflib.get_close_matches(str(step.name), known, n=1)
        meant = f"did you mean {near[0]!r}? " if near else ""
        return self._wrong(
            step, message, f"{meant}there are: {', '.join(known)}" if known else "it takes none"
        )

    def _wrong(self, step: Step, message: str, hint: str = "") -> UsageError:
        return self._assignment.wrong_step(step, message, hint)
