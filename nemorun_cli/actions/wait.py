"""Waiting for runs to end."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from nemorun_cli.actions.environment import environment_of
from nemorun_cli.actions.observe import PATIENCE, PATIENCE_NOW, refresh
from nemorun_cli.actions.wiring import Ports
from nemorun_cli.core.errors import NemorunError
from nemorun_cli.core.ports import CanWait
from nemorun_cli.core.runs import Run

_STEP = 1.0
_NAP = 0.2
_KEPT = 8
"""Runs whose environment is fetched, lest it go with the job's folder: one request for each."""


def wait(
    runs: Sequence[Run],
    *,
    ports: Ports,
    timeout: float | None = None,
    tell: Callable[[Sequence[Run]], None] = lambda _: None,
) -> tuple[Run, ...]:
    """The runs once all have ended, or as they stand after `timeout` seconds.

    `tell` is called with all runs after each look.
    """
    end = None if timeout is None else time.monotonic() + timeout
    current = refresh(runs, ports=ports, patience=_patience(end)).runs
    while any(run.live for run in current):
        tell(current)
        left = _left(end, _STEP)
        if not left:
            break
        pause([run for run in current if run.live], ports=ports, timeout=left)
        current = refresh(current, ports=ports, patience=_patience(end)).runs
    for run in current[:_KEPT]:
        if not run.live:
            with suppress(NemorunError):
                environment_of(run, ports=ports)
    return current


def _patience(end: float | None) -> float:
    """Seconds for an answer: who waits anyway can wait for a back-end that is slow to give it."""
    return max(PATIENCE, _left(end, PATIENCE_NOW))


def _left(end: float | None, most: float) -> float:
    """Seconds until the end, and no more than `most`."""
    return most if end is None else max(0.0, min(most, end - time.monotonic()))


def pause(runs: Sequence[Run], *, ports: Ports, timeout: float) -> None:
    """Sleep until one of these runs may have news, or for `timeout` seconds."""
    from nemorun_cli.watching import nap

    handles = [run.handle for run in runs if run.handle is not None]
    places = {(handle.executor, handle.target) for handle in handles}
    if len(handles) == len(runs) and len(places) == 1:
        executor = ports.executor_of(runs[0].record)
        if isinstance(executor, CanWait):
            executor.wait(handles, timeout=timeout)
            return
    nap(min(timeout, _NAP))
