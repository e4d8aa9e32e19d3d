"""The two sides of a comparison: a run, or what a launch from the working tree would be."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from nemorun_cli import executors, packagers, settings
from nemorun_cli.actions import scope
from nemorun_cli.actions.environment import environment_of
from nemorun_cli.actions.explain import is_recipe
from nemorun_cli.actions.fitting import Unfit, fitted
from nemorun_cli.actions.launch import Content
from nemorun_cli.actions.observe import refresh
from nemorun_cli.actions.requests import Request, Surroundings
from nemorun_cli.actions.select import run_of
from nemorun_cli.actions.show import metrics
from nemorun_cli.actions.stored import config_of, origins_of, stored_code, typed_settings
from nemorun_cli.actions.wiring import Ports
from nemorun_cli.core.errors import NemorunError, NotFoundError, UsageError
from nemorun_cli.core.ids import is_id
from nemorun_cli.core.jobs import Resources
from nemorun_cli.core.runs import Run
from nemorun_cli.packagers.trees import Tree, stored
from nemorun_cli.store import origins

HERE = "."


class Section(StrEnum):
    """A part of a comparison."""

    CONFIG = "config"
    CODE = "code"
    ENVIRONMENT = "environment"
    SETTINGS = "settings"
    RESULTS = "results"


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of two that are compared; what was not asked for, or cannot be known, is None."""

    recipe: str
    run: Run | None = None
    """None for what would be launched."""
    argv: tuple[str, ...] | None = None
    config: Mapping[str, Any] | None = None
    origins: Mapping[str, Any] = field(default_factory=dict)
    """What set each path of the config."""
    code_hash: str | None = None
    files: Callable[[], Tree | None] = lambda: None
    """Looks at the files of its code. NotFoundError where they are gone."""
    environment: Mapping[str, Any] | None = None
    """As it was recorded."""
    settings: Mapping[str, str] | None = None
    results: Mapping[str, str] | None = None
    unfit: tuple[Unfit, ...] = ()
    """What was typed for the other side, and would be refused here."""
    problems: tuple[str, ...] = ()
    """What could not be read."""

    @property
    def unmade(self) -> bool:
        """Whether it has no config because none could be made."""
        return self.argv is None and self.config is None and bool(self.unfit)


def sides(  # noqa: PLR0913
    before: str,
    after: str,
    overrides: Sequence[str],
    sections: Sequence[Section],
    around: Surroundings,
    *,
    ports: Ports,
) -> tuple[Side, Side]:
    """The two that are named: runs, recipes, or `.`, the other one as it would be launched here.

    Overrides are of the second, which is then no run; on `.` they come after those of the other
    side. Nothing stored is executed; a recipe is called as at a launch, with the settings typed for
    the run beside it. What of a run's own overrides no longer fits is left out of `.`, and told.
    NotFoundError for what is neither; UsageError as at a launch.
    """
    first, second = _named(before, around, ports), _named(after, around, ports)
    if overrides and isinstance(second, Run):
        raise UsageError(
            f"{second.id} is a run: nothing can be set in it",
            hint="after `.` or a recipe, overrides change what would be launched here",
        )
    if first == second == HERE:
        raise UsageError("'.' is the other side as it would be launched here", hint="name a run")
    other = next((each for each in (first, second) if isinstance(each, Run)), None)

    def side(subject: Run | str, beside: Run | str, typed: tuple[str, ...]) -> Side:
        if isinstance(subject, Run):
            return of_run(subject, sections, ports=ports)
        recipe, request = subject, Request(later=typed)
        if subject == HERE:
            recipe, request = _again(beside, typed, around, ports)
        return of_launch(recipe, request, other, sections, around, ports=ports)

    return side(first, second, ()), side(second, first, tuple(overrides))


def of_run(run: Run, sections: Sequence[Section], *, ports: Ports) -> Side:
    """A run as it stands now."""
    seen = refresh([run], ports=ports)
    run = seen.runs[0]
    has_config = Section.CONFIG in sections
    problems = list(seen.problems)
    environment = None
    if Section.ENVIRONMENT in sections:
        try:
            environment = environment_of(run, ports=ports)
        except NemorunError as error:
            problems.append(f"environment: {error.message}")
    return Side(
        recipe=run.record.recipe,
        run=run,
        argv=run.record.argv,
        config=config_of(run, ports=ports) if has_config else None,
        origins=origins_of(run, ports=ports) if has_config else {},
        code_hash=(run.record.code or {}).get("hash"),
        files=lambda: _files_of(run, ports),
        environment=environment,
        settings=_settings_of(run) if Section.SETTINGS in sections else None,
        results=_results(run, ports) if Section.RESULTS in sections else None,
        problems=tuple(dict.fromkeys(problems)),
    )


def of_launch(  # noqa: PLR0913
    recipe: str,
    request: Request,
    other: Run | None,
    sections: Sequence[Section],
    around: Surroundings,
    *,
    ports: Ports,
) -> Side:
    """What a launch from here would be, with the settings typed for another run. Writes nothing."""
    import json

    problems: list[str] = []
    unfit: list[Unfit] = []
    content, own_file = Content(recipe=recipe.partition("(")[0]), None
    if Section.CONFIG in sections or around.root is None:
        made = fitted(recipe, request, around)
        content, own_file = made.content or content, made.own_file
        unfit += made.unfit
    tree = None
    if Section.CODE in sections:
        tree = _files_here(own_file, request, other, around, unfit, ports=ports)
    return Side(
        recipe=content.recipe,
        argv=content.argv,
        config=json.loads(content.config) if content.config else None,
        origins=content.origins or {},
        code_hash=None if tree is None else tree.hash,
        files=lambda: tree,
        settings=_settings_here(other, around, problems) if Section.SETTINGS in sections else None,
        unfit=tuple(unfit),
        problems=tuple(problems),
    )


def _named(subject: str, around: Surroundings, ports: Ports) -> Run | str:
    """A run, or the text of a recipe; `.` stays what it is."""
    is_run = is_id(subject) or subject == "last" or subject.startswith("@-")
    if not is_run and (subject == HERE or is_recipe(subject, around)):
        return subject
    try:
        return run_of(subject, ports=ports)
    except NotFoundError as error:
        if "may mean" in error.message:
            raise
        raise NotFoundError(
            f"there is no recipe and no run {subject!r}",
            hint=f"`nemorun recipes` lists recipes; {error.hint}",
        ) from None


def _again(
    beside: Run | str, typed: tuple[str, ...], around: Surroundings, ports: Ports
) -> tuple[str, Request]:
    """The recipe and the request of the other side, with these overrides after its own."""
    if isinstance(beside, str):
        return beside, Request(later=typed)
    record = beside.record
    arguments = (record.recipe_source or {}).get("arguments")
    recipe = f"{record.recipe}({', '.join(arguments)})" if arguments else record.recipe
    own = record.overrides if record.argv is None else record.argv
    foreign = origins.imported(ports.store.home, record.id) is not None
    return recipe, Request(
        arguments=own,
        later=typed,
        files=record.files,
        include_repos=() if foreign else record.include_repos,
        # Others do not choose the folders in which something is looked for here.
        folder=(around.root or around.cwd) / ("" if foreign else record.folder),
    )


def _files_of(run: Run, ports: Ports) -> Tree | None:
    code = stored_code(run, ports=ports)
    return None if code is None else stored(Path(code.path))


def _files_here(  # noqa: PLR0913
    own_file: Path | None,
    request: Request,
    other: Run | None,
    around: Surroundings,
    unfit: list[Unfit],
    *,
    ports: Ports,
) -> Tree | None:
    """The files that would go with the job."""
    root, only = around.root, None
    if root is None:
        if own_file is None:
            return None
        root, only = own_file.parent, (own_file.name,)
    chosen = settings.load(environ=around.environ, root=around.root)
    python = None if other is None else other.record.resources.get("python")
    asked = Resources(python=python)
    try:
        also = scope.also(request, around, chosen, asked)
    except UsageError as error:
        if not request.include_repos:
            raise
        text = " ".join(f"--include-repo {name}" for name in request.include_repos)
        unfit.append(Unfit(text=text, message=error.message))
        also = scope.also(replace(request, include_repos=()), around, chosen, asked)
    store = ports.store
    return packagers.look(
        root, store.code, home=store.home, now=ports.clock(), only=only, also=also
    )


def _settings_of(run: Run) -> dict[str, str]:
    record = run.record
    return {
        "executor": record.executor,
        "profile": record.profile or "",
        **{name: str(each["text"]) for name, each in record.settings.items()},
        **_variables(run),
    }


def _settings_here(
    other: Run | None, around: Surroundings, problems: list[str]
) -> dict[str, str] | None:
    """The settings that a launch would use, typed as for the other run."""
    asked = None if other is None else other.record.profile or other.record.executor
    typed = [] if other is None else typed_settings(other)
    try:
        chosen = settings.load(environ=around.environ, root=around.root)
        choice = settings.choose(chosen, asked)
        kind = executors.load(choice.executor)
        found = settings.resolve(chosen, choice, (kind, kind.Resources), typed)
    except UsageError as error:
        problems.append(f"settings: {error.message}")
        return None
    return {
        "executor": choice.executor,
        "profile": choice.profile or "",
        **{name: each.text for name, each in found.items()},
        **({} if other is None else _variables(other)),
    }


def _variables(run: Run) -> dict[str, str]:
    """What was given with --env, and the names alone of secrets."""
    environment = run.record.environment
    values = {f"--env {name}": str(value) for name, value in environment.get("values", {}).items()}
    return {**values, **{f"--secret {name}": "given" for name in environment.get("secrets", ())}}


def _results(run: Run, ports: Ports) -> dict[str, str]:
    """How it went: state, exit code, seconds, host, and the last value of each metric."""
    status = run.status
    known: dict[str, Any] = {
        "state": run.state.value,
        "exit code": status.exit_code,
        "seconds": _seconds(status.started_at, status.ended_at),
        "host": run.record.host,
        **{f"metric {name}": value for name, value in metrics(run, ports=ports).items()},
    }
    return {name: str(value) for name, value in known.items() if value is not None}


def _seconds(started: float | None, ended: float | None) -> float | None:
    return None if started is None or ended is None else round(ended - started, 1)
