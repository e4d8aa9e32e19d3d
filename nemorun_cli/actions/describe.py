"""What executors there are, and what can be set on each."""

import dataclasses
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nemorun_cli import executors as registry
from nemorun_cli import settings
from nemorun_cli.actions.requests import surroundings
from nemorun_cli.core.errors import NemorunError, UsageError
from nemorun_cli.core.ports import BlamesNodes
from nemorun_cli.settingvalues import type_text


def executors() -> list[dict[str, Any]]:
    """Each executor and profile: name, type, summary; one that cannot be loaded says why."""
    around = surroundings()
    chosen = settings.load(environ=around.environ, root=around.root)
    rows = [{"name": name, "type": name, "summary": _summary(name)} for name in registry.names()]
    profiles = settings.profiles(chosen)
    rows += [{"name": name, "type": kind, "summary": "profile"} for name, kind in profiles.items()]
    return rows


def settings_of(name: str, assignments: Sequence[str]) -> list[dict[str, Any]]:
    """Each setting of an executor or profile: name, type, value, source, doc."""
    around = surroundings()
    chosen = settings.load(environ=around.environ, root=around.root)
    choice = settings.choose(chosen, name)
    kind = registry.load(choice.executor)
    kinds: tuple[Any, ...] = (kind, kind.Resources)
    found = settings.resolve(chosen, choice, kinds, assignments)
    hints = {name: hint for each in kinds for name, hint in typing.get_type_hints(each).items()}
    known = {each.name: each for one in kinds for each in dataclasses.fields(one)}
    return [
        {
            "name": setting,
            "type": type_text(hints[setting], known[setting].metadata.get("kind", "")),
            "value": each.value,
            "text": each.text,
            "source": each.source,
            "doc": known[setting].metadata["doc"],
        }
        for setting, each in found.items()
    ]


def bad_nodes(name: str, assignments: Sequence[str], *, home: Path) -> list[dict[str, Any]]:
    """What speaks against nodes of an executor's target: node, cause, run, attempt, time, excluded.

    UsageError for an executor that remembers no such thing.
    """
    from nemorun_cli.actions.settle import executor_from

    around = surroundings()
    chosen = settings.load(environ=around.environ, root=around.root)
    choice = settings.choose(chosen, name)
    kind = registry.load(choice.executor)
    found = settings.resolve(chosen, choice, (kind, kind.Resources), assignments)
    values = {setting: each.value for setting, each in found.items()}
    executor = executor_from(kind, values, home)
    if not isinstance(executor, BlamesNodes):
        raise UsageError(
            f"the executor {choice.executor!r} knows of no bad nodes", hint="a cluster's may"
        )
    return [
        {
            "node": each.node,
            "cause": each.cause,
            "run": each.run_id,
            "attempt": each.attempt,
            "time": each.time,
            "excluded": excluded,
        }
        for each, excluded in executor.blamed()
    ]


def _summary(name: str) -> str:
    try:
        return registry.load(name).summary
    except NemorunError as error:
        return error.message
