"""Ending runs, and making sure that they have ended."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from nemorun_cli.actions.observe import Refresh, refresh
from nemorun_cli.actions.wait import pause
from nemorun_cli.actions.wiring import Ports, resources_of
from nemorun_cli.core.errors import NemorunError
from nemorun_cli.core.ports import CanCancelTogether, Executor
from nemorun_cli.core.runs import Run

MARGIN = 15.0
"""Seconds beyond the grace period after which a live run counts as a survivor."""
_EVENT = "cancel"


@dataclass(frozen=True, kw_only=True)
class Cancelled:
    """The runs as they stand after the request, and what went wrong."""

    runs: tuple[Run, ...]
    problems: tuple[str, ...] = ()
    unasked: frozenset[str] = frozenset()
    """Ids of those that could not be asked, which nobody waited for."""

    @property
    def survivors(self) -> tuple[Run, ...]:
        """Those that were asked and are still alive."""
        return tuple(run for run in self.runs if run.live and run.id not in self.unasked)


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
    asked = [run for run in seen.runs if run.live]
    _note(asked, ports)
    unasked = _ask(asked, ports)
    problems += [f"{run_id}: {message}" for run_id, message in unasked.items()]
    current = seen.runs
    if verify:
        asked = [run for run in current if run.live and run.id not in unasked]
        end = time.monotonic() + max((_patience(run, ports) for run in asked), default=0)
        while time.monotonic() < end:
            live = [run for run in current if run.live and run.id not in unasked]
            if not live:
                break
            tell(live)
            pause(live, ports=ports, timeout=min(1.0, max(0.0, end - time.monotonic())))
            current = _again(current, ports)
    return Cancelled(
        runs=tuple(current),
        problems=tuple(dict.fromkeys(problems)),
        unasked=frozenset(unasked),
    )


def _again(runs: Sequence[Run], ports: Ports) -> tuple[Run, ...]:
    waiting = [run for run in runs if run.live and run.handle is None]
    current = refresh(runs, ports=ports, mode=Refresh.NOW).runs
    # A run whose submission was under way can be asked only now.
    late = {run.id for run in waiting}
    _ask([run for run in current if run.live and run.id in late], ports)
    return current


def is_asked(run: Run, *, ports: Ports) -> bool:
    """Whether somebody has ever asked the run to end, with or without success."""
    return any(entry.get("event") == _EVENT for entry in ports.store.events(run.id))


def _note(runs: Sequence[Run], ports: Ports) -> None:
    """Tell who might wait for these runs, before they are asked to end."""
    for run in runs:
        with suppress(NemorunError):
            ports.store.event(run.id, _EVENT, now=ports.clock())


def _ask(runs: Sequence[Run], ports: Ports) -> dict[str, str]:
    """Ask these runs to end, those of one place together; which could not be asked, and why."""
    unasked: dict[str, str] = {}
    places: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        if run.handle is not None:
            places.setdefault((run.handle.executor, run.handle.target), []).append(run)
    for group in places.values():
        try:
            executor = ports.executor_of(group[0].record)
        except NemorunError as error:
            unasked.update((run.id, error.message) for run in group)
            continue
        together = isinstance(executor, CanCancelTogether)
        for part in [group] if together else [[run] for run in group]:
            unasked.update(_ask_one(executor, part))
    return unasked


def _ask_one(executor: Executor, runs: Sequence[Run]) -> Iterator[tuple[str, str]]:
    handles = [run.handle for run in runs if run.handle is not None]
    try:
        if isinstance(executor, CanCancelTogether):
            executor.cancel_all(handles)
        else:
            executor.cancel(handles[0])
    except NemorunError as error:
        yield from ((run.id, error.message) for run in runs)


def _patience(run: Run, ports: Ports) -> float:
    try:
        grace = resources_of(ports.executor_of(run.record), run.record).grace
    except NemorunError:
        return 0
    return grace + MARGIN
