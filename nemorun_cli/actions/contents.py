"""What a run executes: a recipe with overrides, the config of an earlier run, a command line."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nemorun_cli.actions.launch import Content
from nemorun_cli.actions.requests import Request, Surroundings
from nemorun_cli.actions.stored import config_of, origins_of
from nemorun_cli.actions.wiring import Ports
from nemorun_cli.core.errors import UsageError
from nemorun_cli.core.runs import Run
from nemorun_cli.roots import home_folder

if TYPE_CHECKING:
    from nemorun_cli.config.recipe import Changes, Resolved

COMMAND = "command"
STDIN = "-"


def of_recipe(recipe: str, request: Request, around: Surroundings) -> tuple[Content, Path | None]:
    """What to execute, and the recipe's own file where that is all that travels."""
    if recipe == COMMAND:
        _refuse_files(request, "a command line has no config")
        argv = (*request.arguments, *request.later)
        if not argv:
            raise UsageError(
                "the recipe 'command' needs a command line",
                hint="nemorun launch command -- python train.py --lr 3e-4",
            )
        return _typed(Content(recipe=COMMAND, argv=argv), request, around), None
    from nemorun_cli.config.recipe import resolve

    outlines = home_folder(around.environ)
    resolved = resolve(recipe, _changes(request, around), root=around.root, outlines=outlines)
    return _typed(_from(resolved, request), request, around), resolved.own_file


def of_run(
    run: Run, request: Request, around: Surroundings, *, code: Path | None, ports: Ports
) -> Content:
    """What a run executed, with changes on top; `code` is the folder of its stored code."""
    record = run.record
    document = config_of(run, ports=ports)
    if document is None:
        _refuse_files(request, f"{run.id} is a command line: it has no config")
        if "=" in "".join(request.arguments[:1]):
            raise UsageError(
                f"{run.id} is a command line: it has no {request.arguments[0]!r} to set",
                hint="`nemorun rerun RUN -- ARGV...` runs another one on its code",
            )
        return Content(recipe=COMMAND, argv=request.arguments or record.argv)
    from nemorun_cli.config.recipe import reapply

    earlier = origins_of(run, ports=ports)
    again = reapply(document, _changes(request, around), root=code, earlier=earlier)
    return replace(
        _from(again, request),
        recipe=record.recipe,
        source=record.recipe_source,
        overrides=(*record.overrides, *request.arguments),
        files=(*record.files, *(_named(name, record.folder, around) for name in request.files)),
        folder=record.folder,
    )


def _changes(request: Request, around: Surroundings) -> "Changes":
    from nemorun_cli.config.recipe import Changes

    return Changes(
        arguments=request.arguments,
        files=request.files,
        cwd=request.folder or around.cwd,
        then=Changes(arguments=request.later, cwd=around.cwd) if request.later else None,
    )


def _typed(content: Content, request: Request, around: Surroundings) -> Content:
    """The content with what else was typed, and where."""
    return replace(content, include_repos=request.include_repos, folder=_folder(around))


def _folder(around: Surroundings) -> str:
    return str(around.cwd if around.root is None else around.cwd.relative_to(around.root))


def _named(name: str, folder: str, around: Surroundings) -> str:
    """The name of a file as it has to be from another folder."""
    if name == STDIN or folder == _folder(around):
        return name
    return str(around.cwd / Path(name).expanduser())


def _from(resolved: "Resolved", request: Request) -> Content:
    return Content(
        recipe=resolved.recipe,
        config=resolved.text,
        config_hash=resolved.config_hash,
        origins=resolved.origins,
        overrides=(*request.arguments, *request.later),
        files=request.files,
        source=resolved.source,
        notices=resolved.notices,
    )


def _refuse_files(request: Request, why: str) -> None:
    if request.files:
        raise UsageError(f"--file {request.files[0]}: {why}")
