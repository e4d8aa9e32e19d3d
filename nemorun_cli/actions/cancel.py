"""Ending runs, and making sure that they have ended."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from nemorun_cli.actions.observe import Refresh, refresh
from nemorun_cli.actions.wait import pause
from nemorun_cli.actions.wiring import Ports, resources_of
from nemorun_cli.core.errors import NemorunError, StoreError
from nemorun_cli.core.runs import Run

MARGIN = 15.0
"""Seconds beyond the grace period after which a live run counts as a survivor."""


@dataclass(frozen=True, kw_only=True)
class Cancelled:
    """The runs as they stand after the request, and what went wrong."""

    runs: tuple[Run, ...]
    problems: tuple[str, ...] = ()

    @property
    def survivors(self) -> tuple[Run, ...]:
        """Those that are still alive."""
        return tuple(run for run in self.runs if run.live)


def cancel(
    runs: Sequence[Run],
    *,
    ports: Ports,
    verify: bool = True,
    tell: Callable[[Sequence[Run]], None] = lambda _: None,
) -> Cancelled:
    """Ask these runs to end, and wait until they have: at most their grace period and a margin.

    Runs that have ended stay as they are; a second call is safe. `tell` is called with the runs
    that are still alive, now and then.
    """
    seen = refresh(runs, ports=ports, mode=Refresh.NOW)
    problems = list(seen.problems)
    problems += [problem for run in seen.runs if run.live for problem in _ask(run, ports)]
    current = seen.runs
    if verify:
        end = time.monotonic() + max(
            (_patience(run, ports) for run in current if run.live), default=0
        )
        while any(run.live for run in current) and time.monotonic() < end:
            live = [run for run in current if run.live]
            tell(live)
            pause(live, ports=ports, timeout=min(1.0, max(0.0, end - time.monotonic())))
            current = _again(current, ports)
    return Cancelled(runs=tuple(current), problems=tuple(dict.fromkeys(problems)))


def _again(runs: Sequence[Run], ports: Ports) -> tuple[Run, ...]:
    waiting = [run for run in runs if run.live and run.handle is None]
    current = refresh(runs, ports=ports, mode=Refresh.NOW).runs
    # A run whose submission was under way can be asked only now.
    for run in current:
        if run.live and run.handle is not None and run.id in {each.id for each in waiting}:
            list(_ask(run, ports))
    return current


def _ask(run: Run, ports: Ports) -> Iterator[str]:
    if run.handle is None:
        return
    try:
        ports.executor_of(run.record).cancel(run.handle)
        with suppress(StoreError):  # History alone.
            ports.store.event(run.id, "cancel", now=ports.clock())
    except NemorunError as error:
        yield f"{run.id}: {error.message}"


def _patience(run: Run, ports: Ports) -> float:
    try:
        grace = resources_of(ports.executor_of(run.record), run.record).grace
    except NemorunError:
        return 0
    return grace + MARGIN
