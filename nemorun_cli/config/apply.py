"""Overrides onto a config: strictly in their order, and all that is wrong told at once."""

import functools
from collections.abc import Iterable
from typing import Any

from nemorun_cli.config import annotations, nodes, selecting
from nemorun_cli.config.assignments import Assignment, joined
from nemorun_cli.config.composing import TOO_DEEP
from nemorun_cli.config.forms import CallError, Forms
from nemorun_cli.config.items import Item
from nemorun_cli.config.registered import Registered
from nemorun_cli.config.scalars import MismatchError
from nemorun_cli.config.trail import Trail
from nemorun_cli.config.walking import Walk
from nemorun_cli.core.errors import Problem, UsageError
from nemorun_cli.core.overrides import format_path


class Applier:
    """Applies overrides, with what is registered at hand."""

    def __init__(self, registered: Registered) -> None:
        self.registered = registered
        self.trail = Trail()
        """What was set by whom, of the configs that this one was asked to watch."""
        self.notices: dict[str, None] = {}
        """What the user should know of how values were read, each once."""
        self._views: dict[int, tuple[Item, Forms]] = {}
        self._problems: list[Problem] = []

    def apply(self, config: Any, assignments: Iterable[Assignment | UsageError]) -> Any:
        """The config with all of them applied; its nodes are changed in place.

        Each is applied once, in the order given; values are shared with nothing, defaults stay as
        they are. UsageError with one problem for each that cannot be read or applied.
        """
        before, self._problems = self._problems, []

        def work() -> Any:
            changed = config
            for each in assignments:
                changed = self.apply_to(changed, each)
            return changed

        made = nodes.without_history(work)
        found, self._problems = self._problems, before
        if found:
            message = f"{len(found)} overrides cannot be applied"
            raise UsageError(
                found[0].message if len(found) == 1 else message, problems=tuple(found)
            )
        return made

    def apply_to(
        self, node: Any, assignment: Assignment | UsageError, place: Any = annotations.UNTYPED
    ) -> Any:
        """What one of them makes of a node; what is wrong with it is kept.

        `place`: the type that is declared where the node stands.
        """
        if isinstance(assignment, UsageError):
            self._problems.extend(_problems(assignment))
            return node
        try:
            return self._applied(node, assignment, place)
        except MismatchError as error:
            where = joined(assignment.where, format_path(error.path))
            message = f"{where} expects {error.expected}, got {error.got}".strip()
            wrong = assignment.wrong_item(error.item, message, error.hint)
            self._problems.extend(wrong.problems)
        except CallError as error:
            placed = (assignment.placed(each, error.item) for each in _problems(error))
            self._problems.extend(placed)
        except UsageError as error:
            self._problems.extend(_problems(error))
        except RecursionError:
            message = f"{assignment.where or 'the config'}: {TOO_DEEP}"
            self._problems.extend(assignment.wrong_item(assignment.item, message).problems)
        return node

    def view(self, assignment: Assignment) -> Forms:
        """What the source of an assignment can name; what it shares is one object."""
        root = assignment.root
        if id(root) not in self._views:
            wrote = functools.partial(self.trail.wrote, assignment)
            self._views[id(root)] = (root, Forms(self.registered, root, wrote))
        return self._views[id(root)][1]

    def _applied(self, node: Any, assignment: Assignment, place: Any) -> Any:
        if assignment.override.selector is None:
            return Walk(self, assignment, assignment.override.path).change(node, place)
        for each, path in selecting.selected(node, assignment):
            Walk(self, assignment, path).change(each)
        return node


def _problems(error: UsageError) -> tuple[Problem, ...]:
    return error.problems or (Problem(message=error.message, hint=error.hint),)
