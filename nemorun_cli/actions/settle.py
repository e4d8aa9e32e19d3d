"""Where a run is to run, and under which environment: settings, variables, secrets, parents."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from nemorun_cli.actions.observe import Refresh, refresh
from nemorun_cli.actions.select import run_of
from nemorun_cli.actions.wiring import Ports
from nemorun_cli.core.errors import RefusedError, UsageError
from nemorun_cli.core.ids import tail
from nemorun_cli.core.jobs import Dependency, JobState, Resources
from nemorun_cli.core.ports import Executor
from nemorun_cli.core.runs import Run
from nemorun_cli.launchers import JOB_VARIABLES

CONDITIONS = ("ok", "any", "notok")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Settled:
    """An executor with everything a job on it is given."""

    executor: Executor
    resources: Resources
    settings: Mapping[str, Any]
    """Each setting as used: name to {value, source}."""
    profile: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    after: tuple[Dependency, ...] = ()


def environment(
    env: Sequence[str],
    secrets: Sequence[str],
    environ: Mapping[str, str],
) -> tuple[dict[str, str], dict[str, str]]:
    """The variables and the secrets that `--env NAME[=VALUE]` and `--secret NAME` ask for.

    A variable whose name says that its value is one is treated as a secret.
    """
    values: dict[str, str] = {}
    hidden: dict[str, str] = {}
    for text in env:
        name, given, value = text.partition("=")
        _check(name, "--env")
        place = hidden if _SECRET.search(name) else values
        place[name] = value if given else _inherited(name, "--env", environ)
    for name in secrets:
        if "=" in name:
            raise UsageError(
                f"--secret takes a name, not a value: {name.partition('=')[0]!r}",
                hint="the value is read from the environment, so that no history keeps it",
            )
        _check(name, "--secret")
        if name in values:
            raise UsageError(f"{name!r} is given as --env and as --secret", hint="choose one")
        hidden[name] = _inherited(name, "--secret", environ)
    return values, hidden


def parents(texts: Sequence[str], executor: Executor, *, ports: Ports) -> tuple[Dependency, ...]:
    """What `--after RUN[:CONDITION]` asks for, less what is met already.

    RefusedError for a condition that can never be met; UsageError for a run on another target.
    """
    found = [_parent(text, executor, ports) for text in texts]
    return tuple(each for each in found if each is not None)


def resources_from(kind: type[Resources], values: Mapping[str, Any]) -> Resources:
    """The part of the settings that a job asks for."""
    names = {each.name for each in fields(kind)}
    return kind(**{name: value for name, value in values.items() if name in names})


def executor_from(kind: type[Executor], values: Mapping[str, Any], home: Path) -> Executor:
    """The executor whose target the settings describe."""
    names = {each.name for each in fields(kind)}  # type: ignore[arg-type]
    return kind.here(home, **{name: value for name, value in values.items() if name in names})


def _check(name: str, option: str) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{option} expects the name of a variable, got {name!r}",
            hint="letters, digits and underscores",
        )
    if name in JOB_VARIABLES:
        raise UsageError(f"{option}: {name} is set by nemorun itself")


def _inherited(name: str, option: str, environ: Mapping[str, str]) -> str:
    if name not in environ:
        raise UsageError(
            f"{option} {name}: there is no such variable here",
            hint=f"export {name}, or give {option} {name}=VALUE"
            if option == "--env"
            else f"export {name} first",
        )
    return environ[name]


def _parent(text: str, executor: Executor, ports: Ports) -> Dependency | None:
    name, _, condition = text.partition(":")
    condition = condition or "ok"
    if condition not in CONDITIONS:
        raise UsageError(
            f"--after expects RUN[:{'|'.join(CONDITIONS)}], got {text!r}",
        )
    run = refresh([run_of(name, ports=ports)], ports=ports, mode=Refresh.NOW).runs[0]
    if run.state.terminal:
        _refuse_unless_met(run, condition)
        return None
    holder = ports.executor_of(run.record)
    if (holder.name, holder.target) != (executor.name, executor.target):
        raise UsageError(
            f"--after {tail(run.id)}: it runs on {holder.name} {holder.target}",
            hint=f"a run on {executor.name} {executor.target} cannot wait for it",
        )
    if run.handle is None:
        raise RefusedError(
            f"--after {tail(run.id)}: it is still being submitted",
            hint="try again in a moment",
        )
    return Dependency(
        run_id=run.id,
        condition=condition,
        handle=run.handle,
        directory=run.record.directory,
    )


def _refuse_unless_met(run: Run, condition: str) -> None:
    succeeded = run.state is JobState.SUCCEEDED
    if condition == "any" or succeeded == (condition == "ok"):
        return
    raise RefusedError(
        f"--after {tail(run.id)}:{condition} can never be met: it is {run.state.value}",
        hint="`--after RUN:any` asks only that it has ended",
    )
