"""Whether what is to be launched has been run before."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import islice
from typing import Any

from nemorun_cli.actions.environment import environment_of
from nemorun_cli.actions.launch import Prepared
from nemorun_cli.actions.observe import refresh
from nemorun_cli.actions.wiring import Ports
from nemorun_cli.core.errors import NemorunError
from nemorun_cli.core.jobs import JobState
from nemorun_cli.core.ports import ForeseesEnvironment, HasMetrics
from nemorun_cli.core.runs import Run
from nemorun_cli.core.sameness import mark_of
from nemorun_cli.store.twins import Twins

_METRICS = 10_000
"""Lines of metrics that are read to tell the last values."""


@dataclass(frozen=True, kw_only=True)
class Twin:
    """An earlier run of the same config and code, asking for the same in the same place."""

    run: Run
    environment: bool
    """Whether its interpreter and packages are known to be the same, too; else nobody knows."""

    @property
    def reusable(self) -> bool:
        """Whether its result can be had, now or later."""
        return self.run.live or self.run.state is JobState.SUCCEEDED


def twin_of(prepared: Prepared, *, ports: Ports, ask: bool = False) -> Twin | None:
    """The earlier run that is most worth having: one that succeeded, one alive, the newest.

    A run that is known to have had another environment is none. None, too, for what has no
    snapshot. With `ask`, a back-end that needs a request is asked how a live one is.
    """
    mark = mark_of(prepared.record)
    runs = _runs(Twins(home=ports.store.home, mark=mark), prepared, ports) if mark else ()
    executor = prepared.settled.executor
    best: Twin | None = None
    for run in runs:
        if run.live and (executor.instant or ask):
            (run,) = refresh([run], ports=ports).runs  # noqa: PLW2901
        same = _same(run, prepared, ports)
        if same is False or (run.live and run.record.after != prepared.record.after):
            continue
        twin = Twin(run=run, environment=bool(same))
        if run.state is JobState.SUCCEEDED:
            return twin
        if best is None or (run.live and not best.run.live):
            best = twin
    return best


def alone(prepared: Prepared, *, ports: Ports) -> AbstractContextManager[None]:
    """While this lasts, nobody else looks for a twin of this run, or records one."""
    mark = mark_of(prepared.record)
    return nullcontext() if mark is None else Twins(home=ports.store.home, mark=mark).alone()


def result_of(run: Run, *, ports: Ports) -> dict[str, Any]:
    """The last value of each metric of a run, where it is quickly had."""
    executor = ports.executor_of(run.record)
    if run.handle is None or not executor.instant or not isinstance(executor, HasMetrics):
        return {}
    lines = list(islice(executor.metrics(run.handle), _METRICS))
    last: dict[str, Any] = {}
    for entry in lines if len(lines) < _METRICS else ():
        if isinstance(values := entry.get("metrics"), dict):
            last |= values
    return last


def _runs(twins: Twins, prepared: Prepared, ports: Ports) -> Iterator[Run]:
    place = prepared.settled.executor.target
    for run_id in twins.ids():
        try:
            run = ports.store.read(run_id)
            if ports.executor_of(run.record).target == place:
                yield run
        except NemorunError:
            continue


def _same(run: Run, prepared: Prepared, ports: Ports) -> bool | None:
    """Whether the run had the environment that is seen now; None where that is not known."""
    executor = prepared.settled.executor
    if not isinstance(executor, ForeseesEnvironment):
        return None
    before = environment_of(run, ports=ports)
    if before is None or before["python"] is None:
        return None
    return executor.still_finds(prepared.spec, before, since=run.record.created_at)
