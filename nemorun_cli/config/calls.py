"""Calling recipes and factories with what stands in their brackets."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nemorun_cli.config import complete, nodes
from nemorun_cli.config.apply import Applier
from nemorun_cli.config.assignments import of_arguments
from nemorun_cli.config.registered import Registered
from nemorun_cli.core.errors import Problem, UsageError


def called(function: Any, arguments: Sequence[str], name: str, registered: Registered) -> Any:
    """The config that a recipe or factory returns for arguments such as `size=medium`.

    UsageError for what is no recipe, and with every problem of the arguments at once.
    """
    if not callable(function):
        raise UsageError(f"{name!r} is no function")
    try:
        call = nodes.make("config", getattr(function, "func", function), [], {})
    except (TypeError, ValueError) as error:
        raise UsageError(f"{name!r} is no recipe: {error}") from None
    _require_names(arguments, name, call)
    Applier(registered).apply(call, of_arguments(arguments, Path()))
    complete.require(call, form=f"{name}({{}}=VALUE)")
    given = nodes.arguments(call)
    positional = tuple(given.pop(key) for key in sorted(k for k in given if isinstance(k, int)))
    named = {str(key): each for key, each in given.items()}
    importer = registered.importer
    config = nodes.with_history(lambda: importer.call(function, positional, named))
    if not nodes.is_node(config):
        raise UsageError(
            f"{name!r} returned {_what(config)}, not a Fiddle config",
            hint="return fdl.Partial(FUNCTION, ...), which the job calls",
        )
    return config


def _require_names(arguments: Sequence[str], name: str, call: Any) -> None:
    for argument in arguments:
        if "=" in argument or argument.startswith("~"):
            continue
        known = next((each.name for each in nodes.fields(call)), "")
        message = f"{name}(...) takes its arguments by name, got {argument!r}"
        hint = f"such as {name}({known}={argument})" if known else f"{name}() takes none"
        problem = Problem(message=message, text=argument, end=len(argument), hint=hint)
        raise UsageError(message, problems=(problem,))


def _what(value: Any) -> str:
    if value is None:
        return "nothing"
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"
