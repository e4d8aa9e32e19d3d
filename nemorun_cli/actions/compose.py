"""From a typed command line, or an earlier run, to a run that is settled in every detail."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nemorun_cli import executors, packagers, settings
from nemorun_cli.actions import settle
from nemorun_cli.actions.launch import Content, Label, Prepared, prepare
from nemorun_cli.actions.wiring import Ports
from nemorun_cli.core.errors import NotFoundError, UsageError
from nemorun_cli.core.jobs import Code
from nemorun_cli.core.runs import Run

if TYPE_CHECKING:
    from nemorun_cli.config.recipe import Resolved

COMMAND = "command"
Packager = Callable[[Path], Code]


@dataclass(frozen=True, kw_only=True)
class Request:
    """What was typed."""

    arguments: tuple[str, ...] = ()
    """Overrides, or the command line of the recipe `command`."""
    executor: str | None = None
    settings: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    label: Label = Label()


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Where the command was typed."""

    cwd: Path
    environ: Mapping[str, str]
    root: Path | None
    """The project's folder, if there is a project."""

    @classmethod
    def here(cls, environ: Mapping[str, str], cwd: Path) -> "Surroundings":
        """The surroundings of this process; looks for the project's root."""
        home = Path(environ.get("HOME") or "/")
        return cls(cwd=cwd, environ=environ, root=packagers.find_root(cwd, home=home))


def launch(
    recipe: str,
    request: Request,
    around: Surroundings,
    *,
    ports: Ports,
    package: Packager,
) -> Prepared:
    """The run that a launch would make. Nothing is recorded or submitted.

    UsageError with every problem of the overrides at once. `package` makes the snapshot, and is
    called only when everything else is known to be right.
    """
    content, own = _content(recipe, request, around)
    settled = _settled(request, around, ports=ports)
    if around.root is not None:
        return _with_code(content, settled, request, around, ports=ports, package=package)
    links = {own.name: str(own)} if own is not None else {}
    workdir = str(around.cwd) if content.argv is not None else "."
    return prepare(
        content,
        settled,
        request.label,
        code=None,
        workdir=workdir,
        links=links,
        now=ports.clock(),
    )


def rerun(run: Run, request: Request, around: Surroundings, *, ports: Ports) -> Prepared:
    """A new run of the same code and config, with these overrides on top.

    Targets are imported from the stored code, never from here. NotFoundError when that is gone.
    """
    code = _stored_code(run)
    content = _content_of(run, request, code, ports=ports)
    record = run.record
    request = replace(
        request,
        executor=request.executor or record.profile or record.executor,
        settings=(*_typed_settings(record.settings), *request.settings),
        env=(*_env_of(record.environment), *request.env),
        secrets=(*record.environment.get("secrets", ()), *request.secrets),
        label=replace(
            request.label,
            name=request.label.name or record.name,
            experiment=request.label.experiment or record.experiment,
            parent=run.id,
        ),
    )
    settled = _settled(request, around, ports=ports)
    plan = json.loads(ports.store.document(run.id, "plan.json"))
    return prepare(
        content,
        settled,
        request.label,
        code=code,
        workdir=plan.get("workdir", "."),
        links=_links_outside(plan.get("links", {}), code),
        now=ports.clock(),
    )


def _content(
    recipe: str,
    request: Request,
    around: Surroundings,
) -> tuple[Content, Path | None]:
    """What to execute, and the recipe's own file where that is all that travels."""
    if recipe == COMMAND:
        if not request.arguments:
            raise UsageError(
                "the recipe 'command' needs a command line",
                hint="nemorun launch command -- python train.py --lr 3e-4",
            )
        return Content(recipe=COMMAND, argv=request.arguments), None
    from nemorun_cli.config.recipe import resolve

    resolved = resolve(recipe, request.arguments, root=around.root, cwd=around.cwd)
    return _from_resolved(resolved), resolved.own_file


def _from_resolved(resolved: "Resolved") -> Content:
    return Content(
        recipe=resolved.recipe,
        config=resolved.text,
        config_hash=resolved.config_hash,
        overrides=resolved.overrides,
        source=resolved.source,
    )
