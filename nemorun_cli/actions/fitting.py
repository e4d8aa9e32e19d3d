"""What was typed for a run, as far as it can be typed again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nemorun_cli.actions import contents
from nemorun_cli.actions.launch import Content
from nemorun_cli.actions.requests import Request, Surroundings
from nemorun_cli.core.errors import Problem, UsageError


@dataclass(frozen=True, kw_only=True)
class Unfit:
    """One thing that was typed, and would be refused now."""

    text: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What would be launched without what no longer fits; None if nothing could be."""

    content: Content | None
    own_file: Path | None = None
    unfit: tuple[Unfit, ...] = ()


def fitted(recipe: str, request: Request, around: Surroundings) -> Fitted:
    """As `contents.of_recipe`, leaving out those overrides and files of a run that no longer fit.

    UsageError for a request that is no run's, and for what is wrong with its later arguments.
    """
    unfit: list[Unfit] = []
    if contents.STDIN in request.files:
        unfit.append(Unfit(text=f"--file {contents.STDIN}", message="what it held is not kept"))
        request = _without(request, {contents.STDIN})
    while True:
        try:
            content, own_file = contents.of_recipe(recipe, request, around)
            return Fitted(content=content, own_file=own_file, unfit=tuple(unfit))
        except UsageError as error:
            problems = error.problems or (Problem(message=error.message, hint=error.hint),)
            if request.folder is None or dict(_blamed(request.later, problems)):
                raise
            bad = dict(_blamed((*request.files, *request.arguments), problems))
            if not bad:
                unfit.append(Unfit(text=recipe, message=_said(problems[0])))
                return Fitted(content=None, unfit=tuple(unfit))
        unfit += [
            Unfit(text=f"--file {name}" if name in request.files else name, message=message)
            for name, message in bad.items()
        ]
        request = _without(request, {*bad})


def _blamed(typed: Sequence[str], problems: Sequence[Problem]) -> Iterator[tuple[str, str]]:
    """Those of what was typed, names of files or overrides, in which there is a problem."""
    for each in typed:
        name = each.partition("=@")[2] or each
        for problem in problems:
            if problem.text == each or problem.message.startswith(f"{name}:"):
                yield each, _said(problem)
                break
            if repr(name) in problem.message and not problem.text:
                yield each, _said(problem)
                break


def _said(problem: Problem) -> str:
    return f"{problem.message}; {problem.hint}" if problem.hint else problem.message


def _without(request: Request, bad: set[str]) -> Request:
    return replace(
        request,
        files=tuple(each for each in request.files if each not in bad),
        arguments=tuple(each for each in request.arguments if each not in bad),
    )
