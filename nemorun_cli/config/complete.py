"""What a config lacks before it can be built, and what its defaults add to it."""

from typing import Any

from nemorun_cli.config import annotations, nodes
from nemorun_cli.config.document import can_be_stored
from nemorun_cli.core.errors import Problem, UsageError
from nemorun_cli.core.overrides import Step, format_path


def require(config: Any, *, form: str = "{}=VALUE") -> None:
    """UsageError with a problem for each argument that a call in the config lacks.

    A partial inside of it may lack what its caller gives. `form`: how a value would be typed.
    """
    problems = [
        Problem(
            message=f"{nodes.callee(node)} needs a value for {name!r}",
            hint=_how(path, node, name, form),
        )
        for path, node in nodes.walk(config)
        if _is_called(node, config)
        for name in nodes.lacking(node)
    ]
    if problems:
        message = problems[0].message if len(problems) == 1 else "the config is incomplete"
        raise UsageError(message, problems=tuple(problems))


def write_defaults(config: Any) -> None:
    """Set what is left to a default, where it can be stored and nobody else may still give it."""

    def work() -> None:
        for _, node in list(nodes.walk(config)):
            for parameter in nodes.fields(node):
                by_position = parameter.kind is parameter.POSITIONAL_OR_KEYWORD
                if by_position and not _is_called(node, config):
                    continue
                if nodes.is_set(node, parameter.name):
                    continue
                value = nodes.default_of(node, parameter)
                if value is not nodes.MISSING and can_be_stored(value):
                    nodes.put(node, parameter.name, value)

    nodes.without_history(work)


def _is_called(node: Any, config: Any) -> bool:
    """Whether it is called with nothing but what the config gives it."""
    return node is config or nodes.kind_of(node) == "config"


def _how(path: tuple[Step, ...], node: Any, name: str, form: str) -> str:
    declared = nodes.declared(node, nodes.parameters(node)[name])
    return f"{form.format(format_path((*path, Step(name=name))))} ({annotations.name_of(declared)})"
