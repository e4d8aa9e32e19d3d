"""Whether what is to be launched has been run before."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import islice
from typing import Any

from nemorun_cli.actions.cancel import is_asked
from nemorun_cli.actions.environment import environment_of
from nemorun_cli.actions.launch import Prepared
from nemorun_cli.actions.observe import refresh
from nemorun_cli.actions.wiring import Ports
from nemorun_cli.core.errors import NemorunError
from nemorun_cli.core.jobs import JobState
from nemorun_cli.core.ports import ForeseesEnvironment, HasMetrics
from nemorun_cli.core.runs import Run
from nemorun_cli.store.twins import twins_of

MOST = 10
"""Runs that are looked at together, and by a launch that only tells of them."""
_METRICS = 10_000
"""Lines of metrics that are read to tell the last values."""


@dataclass(frozen=True, kw_only=True)
class Twin:
    """An earlier run of the same config and code, asking for the same in the same place."""

    run: Run
    environment: bool
    """Whether its interpreter and packages are known to be the same, too; else nobody knows."""
    ending: bool = False
    """Whether it is alive, but was asked to end."""

    @property
    def reusable(self) -> bool:
        """Whether its result can be had, now or later."""
        return self.run.state is JobState.SUCCEEDED or (self.run.live and not self.ending)


def twin_of(prepared: Prepared, *, ports: Ports, ask: bool = False) -> Twin | None:
    """The earlier run that is most worth having: one that succeeded, one alive, the newest.

    A run that is known to have had another environment is none. None, too, for what has no
    snapshot. With `ask`, a back-end that needs a request is asked how a live one is, and however
    many there are, one that is reusable is found; else the newest few are looked at.
    """
    twins = twins_of(prepared.record, home=ports.store.home)
    if twins is None:
        return None
    known = twins.known()
    ids = [run_id for run_id in known if not known[run_id]]
    best: Twin | None = None
    for some in _parts(ids if ask else ids[:MOST]):
        for twin in _twins(some, prepared, ports, ask=ask):
            if twin.run.state is JobState.SUCCEEDED:
                return twin
            if best is None or (twin.reusable and not best.reusable):
                best = twin
    if best is not None and best.reusable:
        return best
    spent = [run_id for run_id in known if known[run_id]][:MOST]
    told = [*_twins(spent, prepared, ports), *([best] if best else [])]
    return max(told, key=lambda twin: twin.run.id, default=None)


def alone(prepared: Prepared, *, ports: Ports) -> AbstractContextManager[None]:
    """While this lasts, nobody else looks for a twin of this run, or records one."""
    twins = twins_of(prepared.record, home=ports.store.home)
    return nullcontext() if twins is None else twins.alone()


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


def _parts(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """Newest first, a few at a time: one success is enough."""
    return (ids[start : start + MOST] for start in range(0, len(ids), MOST))


def _twins(
    ids: Sequence[str], prepared: Prepared, ports: Ports, *, ask: bool = False
) -> Iterator[Twin]:
    """Those of these runs that are the same, as they stand now."""
    runs = list(_runs(ids, prepared, ports))
    if ask or prepared.settled.executor.instant:
        runs = list(refresh(runs, ports=ports).runs)
    for run in runs:
        same = _same(run, prepared, ports)
        if same is False or (run.live and run.record.after != prepared.record.after):
            continue
        ending = run.live and is_asked(run, ports=ports)
        yield Twin(run=run, environment=bool(same), ending=ending)


def _runs(ids: Sequence[str], prepared: Prepared, ports: Ports) -> Iterator[Run]:
    place = prepared.settled.executor.target
    for run_id in ids:
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
