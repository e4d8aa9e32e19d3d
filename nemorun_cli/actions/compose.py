"""From a typed command line, or an earlier run, to a run that is settled in every detail."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from nemorun_cli import executors, packagers, settings, virtualenvs
from nemorun_cli.actions import contents, scope, settle
from nemorun_cli.actions.launch import Content, Prepared, prepare
from nemorun_cli.actions.requests import Request, Surroundings
from nemorun_cli.actions.stored import plan_of, stored_code, typed_settings, use
from nemorun_cli.actions.wiring import Ports
from nemorun_cli.core.errors import CorruptError, RefusedError, UsageError
from nemorun_cli.core.jobs import Code
from nemorun_cli.core.ports import LaysOutCode
from nemorun_cli.core.runs import Run
from nemorun_cli.packagers.companions import Also
from nemorun_cli.roots import passed_over
from nemorun_cli.store import origins, snapshots

EVERYTHING = "*"
"""The setting `link` for all ignored entries at the top of the project."""
Packager = Callable[[Path, str, Sequence[str] | None, Also], Code]
"""Makes, or only measures, the snapshot of a project for a job that starts in a folder of it.

Where there is no project, it is told which files alone are wanted; and what is to go along.
"""


def snapshot(ports: Ports) -> Packager:
    """The packager of a launch: it stores the snapshot."""
    store = ports.store

    def take(root: Path, workdir: str, only: Sequence[str] | None, also: Also) -> Code:
        with snapshots.safe(store.code):
            code = packagers.take(
                root,
                store.code,
                home=store.home,
                workdir=workdir,
                now=ports.clock(),
                only=only,
                also=also,
            )
            use(code, store.code)
        return code

    return take


def measure(ports: Ports) -> Packager:
    """The packager of a dry run: it only tells what would be stored."""
    store = ports.store
    return lambda root, workdir, only, also: packagers.measure(
        root, store.code, home=store.home, workdir=workdir, now=ports.clock(), only=only, also=also
    )


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
    content, own_file = contents.of_recipe(recipe, request, around)
    chosen = settings.load(environ=around.environ, root=around.root)
    settled = _settled(request, around, chosen, ports=ports)
    also = replace(
        scope.also(request, around, chosen, settled.resources),
        later=isinstance(settled.executor, LaysOutCode),
    )
    label, now = request.label, ports.clock()
    if around.root is None:
        workdir = "." if content.argv is None else str(around.cwd)
        if own_file is None and also.clean:
            raise RefusedError("--require-clean: there is no project here, and so no commit")
        code = package(own_file.parent, workdir, (own_file.name,), also) if own_file else None
        alone = prepare(content, settled, label, code=code, workdir=workdir, links={}, now=now)
        notice = _no_project(content, around, own_file)
        return replace(alone, notices=(notice, *alone.notices))
    workdir = "."
    if content.argv is not None:
        workdir = str(around.cwd.relative_to(around.root))
    prepare(content, settled, label, code=None, workdir=workdir, links={}, now=now)
    code = package(around.root, workdir, None, also)
    links = _links(around.root, code, settled.resources.link)
    made = prepare(content, settled, label, code=code, workdir=workdir, links=links, now=now)
    return replace(made, notices=(*scope.notices(code), *made.notices))


def rerun(run: Run, request: Request, around: Surroundings, *, ports: Ports) -> Prepared:
    """A new run of the same code and config, with these overrides on top.

    Targets are imported from the stored code, never from here. NotFoundError when that is gone,
    CorruptError when it is not what it was; UsageError for a run that was imported, unless its code
    is trusted, and for one whose executor is not known here, unless another is asked for.
    """
    record = run.record
    refuse_foreign(run, trust=request.trust, ports=ports)
    code = _verified_code(run, ports)
    choice = choice_for(run, request.executor, around)
    executor = choice.profile or choice.executor
    typed, left = _carried(run, executor, around)
    again = replace(
        request,
        executor=executor,
        settings=(*typed, *request.settings),
        env=(*_variables(record.environment), *request.env),
        secrets=tuple(dict.fromkeys([*record.environment.get("secrets", ()), *request.secrets])),
        label=replace(
            request.label,
            name=request.label.name or record.name,
            experiment=request.label.experiment or record.experiment,
            parent=run.id,
        ),
    )
    outside = plan_of(run, ports=ports)["links"]
    if code is not None:
        outside = {name: to for name, to in outside.items() if name not in code.entries}
    gone = {name: to for name, to in outside.items() if not Path(to).exists()}
    prepared = prepare(
        contents.of_run(
            run, request, around, code=None if code is None else Path(code.path), ports=ports
        ),
        _settled(
            again, around, settings.load(environ=around.environ, root=around.root), ports=ports
        ),
        again.label,
        code=code,
        workdir=record.workdir,
        links={name: to for name, to in outside.items() if name not in gone},
        now=ports.clock(),
    )
    notices = [f"{executor} has no such setting, left out: -x {text}" for text in left]
    notices += [f"the job does without {name}: there is no {to} here" for name, to in gone.items()]
    return replace(prepared, notices=(*notices, *prepared.notices))


def _verified_code(run: Run, ports: Ports) -> Code | None:
    code = stored_code(run, ports=ports)
    if code is not None and not packagers.verify(Path(code.path), code.hash):
        raise CorruptError(
            f"the code of {run.id} in the store is not what it was: {code.path}",
            hint=f"delete that folder, and launch {run.record.recipe} again from its project",
        )
    return code


def choice_for(run: Run, asked: str | None, around: Surroundings) -> settings.Choice:
    """Where a run is launched again: as it was, unless something else is asked for.

    UsageError when what it was launched on is not known here.
    """
    record = run.record
    name = asked or record.profile or record.executor
    choice = settings.choose(settings.load(environ=around.environ, root=around.root), name)
    known = choice.executor in executors.BUILT_IN or choice.executor in executors.plug_ins()
    if asked is None and not known:
        kind = record.executor
        raise UsageError(
            f"{run.id} was launched on {name!r}, and there is no such executor or profile here",
            hint=f"-e {kind} launches it on {kind}, without the settings of that profile"
            if kind != name
            else "-e NAME launches it elsewhere",
        )
    return choice


def refuse_foreign(run: Run, *, trust: bool, ports: Ports) -> None:
    """UsageError for a run that was imported, unless what came with it is trusted."""
    if not trust and origins.imported(ports.store.home, run.id):
        raise UsageError(
            f"{run.id} was imported: launching it executes code that came with it",
            hint="--trust does so; `nemorun show` tells where it comes from",
        )


def _carried(run: Run, executor: str, around: Surroundings) -> tuple[list[str], list[str]]:
    """The settings typed for a run: those that an executor has too, and those that it has not."""
    chosen = settings.load(environ=around.environ, root=around.root)
    kind: Any = executors.load(settings.choose(chosen, executor).executor)
    known = {each.name for each in (*fields(kind), *fields(kind.Resources)) if each.metadata}
    typed = typed_settings(run)
    kept = [text for text in typed if text.partition("=")[0] in known]
    return kept, [text for text in typed if text not in kept]


def _settled(
    request: Request, around: Surroundings, chosen: settings.Settings, *, ports: Ports
) -> settle.Settled:
    choice = settings.choose(chosen, request.executor)
    kind = executors.load(choice.executor)
    found = settings.resolve(chosen, choice, (kind, kind.Resources), request.settings)
    values = {name: each.value for name, each in found.items()}
    executor = settle.executor_from(kind, values, ports.store.home)
    _use_environment(values.get("python"), ports)
    env, secrets = settle.environment(request.env, request.secrets, around.environ)
    return settle.Settled(
        executor=executor,
        resources=settle.resources_from(kind.Resources, values),
        settings={name: asdict(each) for name, each in found.items()},
        profile=choice.profile,
        env=env,
        secrets=secrets,
        after=settle.parents(request.label.after, executor, ports=ports),
    )


def _use_environment(python: str | None, ports: Ports) -> None:
    """Have an environment that `reproduce` has built stay, if this is its interpreter."""
    folder = Path(python or "").parent.parent
    with suppress(OSError):
        if folder.parent.samefile(ports.store.home / virtualenvs.FOLDER):
            snapshots.claim(folder)


def _links(root: Path, code: Code, names: tuple[str, ...]) -> dict[str, str]:
    """The ignored entries that the job may read: name to path."""
    wanted = [name for name in names if name != EVERYTHING]
    for name in wanted:
        if not (root / name).exists():
            raise UsageError(f"link: there is no {name!r} in {root}")
    if EVERYTHING in names:
        wanted += packagers.ignored_entries(root, code)
    return {name: str(root / name) for name in dict.fromkeys(wanted)}


def _no_project(content: Content, around: Surroundings, own_file: Path | None) -> str:
    if content.argv is not None:
        told = f"it runs in {around.cwd}, on files that may still change"
    elif own_file is None:
        told = "the job uses the recipe as it is installed"
    else:
        told = f"of your code only {own_file.name} goes with the job"
    home = Path(around.environ.get("HOME") or "/")
    if folder := passed_over(around.cwd, home=home):
        told += f"; {folder} would be one, if it were yours and nobody else could write to it"
    return f"no project here: {told}"


def _variables(environment: Mapping[str, Any]) -> list[str]:
    return [f"{name}={value}" for name, value in environment.get("values", {}).items()]
