"""All that is known of a run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from nemorun_cli.actions.environment import environment_of
from nemorun_cli.actions.observe import refresh
from nemorun_cli.actions.stored import config_of, plan_of
from nemorun_cli.actions.wiring import Ports
from nemorun_cli.config.diff import Difference, differences
from nemorun_cli.core.errors import NemorunError, NotFoundError
from nemorun_cli.core.ports import HasMetrics
from nemorun_cli.core.runs import Run
from nemorun_cli.store import origins

_Value = TypeVar("_Value")
_RECENT = 10_000
"""Lines of what a run has tracked in which the last value of each metric is looked for."""


@dataclass(frozen=True, kw_only=True)
class Details:
    """A run with everything that is kept beside it; what is not there is None or empty."""

    run: Run
    config: Mapping[str, Any] | None
    plan: Mapping[str, Any] | None
    events: tuple[Mapping[str, Any], ...]
    changes: tuple[Difference, ...]
    """What of the config is otherwise than in the run that it comes from."""
    metrics: Mapping[str, Any]
    """The last value of each metric that the run tracked."""
    environment: Mapping[str, Any] | None = None
    """What it ran with, as far as it was recorded."""
    origin: Mapping[str, Any] | None = None
    """Where an imported run comes from."""
    problems: tuple[str, ...] = ()


def details(run: Run, *, ports: Ports) -> Details:
    """The run as it stands now. Executes nothing that was stored."""
    seen = refresh([run], ports=ports)
    problems = list(seen.problems)
    return Details(
        run=seen.runs[0],
        config=_read(problems, lambda: config_of(run, ports=ports)),
        plan=_read(problems, lambda: plan_of(run, ports=ports)),
        changes=_read(problems, lambda: changes(run, ports=ports)) or (),
        events=tuple(ports.store.events(run.id)),
        metrics=_read(problems, lambda: metrics(seen.runs[0], ports=ports)) or {},
        environment=_read(problems, lambda: environment_of(seen.runs[0], ports=ports)),
        origin=_read(problems, lambda: origins.origin_of(ports.store.home, run.id)),
        problems=tuple(dict.fromkeys(problems)),
    )


def metrics(run: Run, *, ports: Ports) -> dict[str, Any]:
    """The last value of each metric, and the last step, that the run tracked."""
    if run.handle is None:
        return {}
    try:
        executor = ports.executor_of(run.record)
    except NemorunError:
        return {}
    last: dict[str, Any] = {}
    if isinstance(executor, HasMetrics):
        for entry in executor.metrics(run.handle, tail=_RECENT):
            if entry.get("step") is not None:
                last["step"] = entry["step"]
            if isinstance(values := entry.get("metrics"), dict):
                last |= values
    return last


def changes(run: Run, *, ports: Ports) -> tuple[Difference, ...]:
    """What a run's config has otherwise than that of the run it comes from, if that is there."""
    if run.record.parent is None:
        return ()
    try:
        before = config_of(ports.store.read(run.record.parent), ports=ports)
    except NotFoundError:
        return ()
    after = config_of(run, ports=ports)
    return () if before is None or after is None else differences(before, after)


def _read(problems: list[str], work: Callable[[], _Value]) -> _Value | None:
    """What the work returns; what is wrong with it becomes one more problem."""
    try:
        return work()
    except NemorunError as error:
        problems.append(error.message)
        return None
