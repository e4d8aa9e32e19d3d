"""Launching: everything is settled, then written down, then submitted."""

import getpass
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nemorun_cli import executors, processes
from nemorun_cli.actions.observe import conclude
from nemorun_cli.actions.wiring import Ports
from nemorun_cli.core import lifecycle
from nemorun_cli.core.errors import NemorunError, RefusedError
from nemorun_cli.core.ids import key_of, new_id
from nemorun_cli.core.jobs import Code, Dependency, JobSpec, JobState, JobStatus, Plan, Resources
from nemorun_cli.core.ports import Executor
from nemorun_cli.core.runs import Run, RunRecord


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the user typed, in the terms of a launch."""

    recipe: str
    overrides: tuple[str, ...] = ()
    argv: tuple[str, ...] | None = None
    """The command line, for the recipe `command`."""
    executor: str | None = None
    settings: tuple[str, ...] = ()
    name: str | None = None
    experiment: str | None = None
    tags: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Content:
    """What a run executes: a resolved recipe, or a command line."""

    recipe: str
    argv: tuple[str, ...] | None = None
    config: str | None = None
    """The text of config.json."""
    config_hash: str | None = None
    overrides: tuple[str, ...] = ()
    source: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A run that is settled in every detail and has left no trace yet."""

    record: RunRecord
    spec: JobSpec
    executor: Executor
    plan: Plan
    content: Content
    notices: tuple[str, ...] = ()
    """What the user should know of choices made for them."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Where a run is to run, with all its settings, and under which environment."""

    executor: Executor
    resources: Resources
    values: Mapping[str, Any]
    profile: str | None
    env: Mapping[str, str]
    secrets: Mapping[str, str] = field(repr=False)
    after: tuple[Dependency, ...] = ()


def submit(prepared: Prepared, *, ports: Ports) -> Run:
    """Record the run, then hand it to its executor.

    On return the back-end has the job. RefusedError: it does not, and the run is recorded as
    FAILED. After any other end, a SIGKILL included, the next observer finds out.
    """
    record = prepared.record
    files = {"plan.json": _plan_text(prepared.plan)}
    if prepared.content.config is not None:
        files["config.json"] = prepared.content.config
    ports.store.create(record, files)
    run = Run(record=record, tags=record.tags)
    try:
        handle = prepared.executor.submit(prepared.spec)
    except RefusedError as error:
        conclude(run, lifecycle.refused(error.message), ports=ports, evidence="the submitter")
        raise
    handle = ports.store.submitted(record.id, 1, handle, now=ports.clock())
    return replace(run, handle=handle, status=JobStatus(state=JobState.PENDING))


def prepare(
    content: Content,
    request: Request,
    where: Setting,
    code: Code | None,
    *,
    cwd: Path,
    ports: Ports,
    parent: str | None = None,
) -> Prepared:
    """Put all parts of a run together. SpecError for what the executor knows to be wrong."""
    from nemorun_cli import packagers

    now = ports.clock()
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d-%H%M%S")
    run_id = new_id(stamp, os.urandom(8))
    key = key_of(run_id, 1)
    spec = JobSpec(
        run_id=run_id,
        key=key,
        name=request.name or content.recipe,
        argv=content.argv,
        config=content.config,
        env=where.env,
        secrets=where.secrets,
        resources=where.resources,
        code=code,
        workdir=_workdir(code, cwd),
        after=where.after,
    )
    if code is not None:
        links = packagers.work_links(code, Path(spec.workdir), where.resources.link)
        spec = replace(spec, links=links)
    plan = where.executor.plan(spec)
    record = RunRecord(
        id=run_id,
        recipe=content.recipe,
        executor=where.executor.name,
        target=asdict(where.executor),  # type: ignore[call-overload]
        resources=asdict(where.resources),
        directory=plan.directory,
        created_at=now,
        submitter=processes.describe(os.getpid()),
        host=socket.gethostname(),
        user=getpass.getuser(),
        name=request.name,
        profile=where.profile,
        experiment=request.experiment,
        tags=tuple(dict.fromkeys(request.tags)),
        parent=parent,
        config_hash=content.config_hash,
        code=None if code is None else asdict(code),
        argv=content.argv,
        overrides=content.overrides,
        settings=where.values,
        environment={"values": dict(where.env), "secrets": sorted(where.secrets)},
        after=request.after,
        recipe_source=content.source,
    )
    return Prepared(
        record=record,
        spec=spec,
        executor=where.executor,
        plan=plan,
        content=content,
    )


def _workdir(code: Code | None, cwd: Path) -> str:
    """The folder in which the payload starts, as the user's own folder stands to the project."""
    if code is None:
        return str(cwd)
    return str(cwd.relative_to(code.root)) if cwd.is_relative_to(code.root) else "."


def _plan_text(plan: Plan) -> str:
    import json

    return json.dumps(asdict(plan))
