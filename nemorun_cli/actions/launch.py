"""Launching: everything is settled, then written down, then submitted."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from nemorun_cli import processes
from nemorun_cli.actions.observe import conclude
from nemorun_cli.actions.settle import Settled
from nemorun_cli.actions.wiring import Ports
from nemorun_cli.core import lifecycle
from nemorun_cli.core.errors import NotSentError, RefusedError, UsageError
from nemorun_cli.core.ids import key_of, new_id
from nemorun_cli.core.jobs import Code, JobSpec, JobState, JobStatus, Plan
from nemorun_cli.core.runs import Run, RunRecord
from nemorun_cli.store.twins import twins_of


@dataclass(frozen=True, kw_only=True)
class Content:
    """What a run executes: a resolved recipe, or a command line."""

    recipe: str
    argv: tuple[str, ...] | None = None
    config: str | None = None
    """The text of config.json."""
    config_hash: str | None = None
    origins: Mapping[str, Any] | None = None
    """What set each path of the config."""
    overrides: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    include_repos: tuple[str, ...] = ()
    folder: str = "."
    """Where these are named from."""
    source: Mapping[str, Any] | None = None
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Label:
    """What a run is called by people."""

    name: str | None = None
    experiment: str | None = None
    tags: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    parent: str | None = None


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A run that is settled in every detail and has left no trace yet."""

    record: RunRecord
    spec: JobSpec
    settled: Settled
    plan: Plan
    origins: Mapping[str, Any] | None = None
    notices: tuple[str, ...] = ()
    """What the user should know of choices that were made for them."""


def prepare(  # noqa: PLR0913
    content: Content,
    settled: Settled,
    label: Label,
    *,
    code: Code | None,
    workdir: str,
    links: Mapping[str, str],
    now: float,
) -> Prepared:
    """Put all parts of a run together. SpecError for what the executor knows to be wrong."""
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d-%H%M%S")
    run_id = new_id(stamp, os.urandom(8))
    spec = JobSpec(
        run_id=run_id,
        key=key_of(run_id, 1),
        name=label.name or content.recipe,
        argv=content.argv,
        config=content.config,
        env=settled.env,
        secrets=settled.secrets,
        resources=settled.resources,
        code=code,
        links=links,
        workdir=workdir,
        after=settled.after,
    )
    plan = settled.executor.plan(spec)
    record = _record(content, settled, label, spec, plan, now)
    return Prepared(
        record=record,
        spec=spec,
        settled=settled,
        plan=plan,
        origins=content.origins,
        notices=(*content.notices, *plan.notices),
    )


def submit(prepared: Prepared, *, ports: Ports) -> Run:
    """Record the run, then hand it to its executor.

    On return the back-end has the job. RefusedError and NotSentError: it does not, and the run is
    recorded as FAILED. After any other end, a SIGKILL included, the next observer finds out.
    """
    return hand_over(write_down(prepared, ports=ports), prepared, ports=ports)


def write_down(prepared: Prepared, *, ports: Ports) -> Run:
    """Record the run, before any back-end knows it."""
    record = prepared.record
    ports.store.create(record, _files(prepared))
    if (twins := twins_of(record, home=ports.store.home)) is not None:
        twins.add(record.id)
    return Run(record=record, tags=record.tags)


def hand_over(run: Run, prepared: Prepared, *, ports: Ports) -> Run:
    """Hand a recorded run to its executor; the promises are those of `submit`."""
    try:
        handle = prepared.settled.executor.submit(prepared.spec)
    except (RefusedError, UsageError) as error:
        conclude(run, lifecycle.refused(error.message), ports=ports, evidence="the submitter")
        raise
    except NotSentError as error:
        silent = lifecycle.never_submitted(error.message)
        conclude(run, silent, ports=ports, evidence="the submitter")
        raise
    handle = ports.store.submitted(run.id, 1, handle, now=ports.clock())
    return replace(run, handle=handle, status=JobStatus(state=JobState.PENDING))


def _record(  # noqa: PLR0913, PLR0917
    content: Content,
    settled: Settled,
    label: Label,
    spec: JobSpec,
    plan: Plan,
    now: float,
) -> RunRecord:
    return RunRecord(
        id=spec.run_id,
        recipe=content.recipe,
        executor=settled.executor.name,
        target=asdict(settled.executor),  # type: ignore[call-overload]
        resources=asdict(settled.resources),
        directory=plan.directory,
        created_at=now,
        submitter=processes.describe(os.getpid()),
        host=os.uname().nodename,
        user=processes.user(),
        name=label.name,
        profile=settled.profile,
        experiment=label.experiment,
        tags=tuple(dict.fromkeys(label.tags)),
        parent=label.parent,
        config_hash=content.config_hash,
        code=None if spec.code is None else asdict(spec.code),
        argv=content.argv,
        workdir=spec.workdir,
        overrides=content.overrides,
        files=content.files,
        include_repos=content.include_repos,
        folder=content.folder,
        settings=settled.settings,
        environment={"values": dict(settled.env), "secrets": sorted(settled.secrets)},
        after=label.after,
        recipe_source=content.source,
    )


def _files(prepared: Prepared) -> dict[str, str]:
    import json

    files = {"plan.json": json.dumps(asdict(prepared.plan))}
    if prepared.spec.config is not None:
        files["config.json"] = prepared.spec.config
        files["origins.json"] = json.dumps(prepared.origins)
    return files
