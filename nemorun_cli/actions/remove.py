"""Deleting what is kept of runs."""

from collections.abc import Sequence

from nemorun_cli.actions.observe import Refresh, refresh
from nemorun_cli.actions.wiring import Ports
from nemorun_cli.core.errors import UsageError
from nemorun_cli.core.ids import key_of, tail
from nemorun_cli.core.ports import CanRemove
from nemorun_cli.core.runs import Run


def remove(runs: Sequence[Run], *, ports: Ports) -> None:
    """Delete these runs and their job folders; if one is alive, UsageError, and none."""
    seen = refresh(runs, ports=ports, mode=Refresh.NOW).runs
    live = [tail(run.id) for run in seen if run.live]
    if live:
        raise UsageError(
            f"still alive: {', '.join(live)}",
            hint=f"`nemorun cancel {' '.join(live)}` first",
        )
    for run in seen:
        remove_ended(run, ports=ports)


def remove_ended(run: Run, *, ports: Ports) -> None:
    """Delete a run that is known to have ended, its job folder first; if that fails, nothing."""
    executor = ports.executor_of(run.record)
    if isinstance(executor, CanRemove):
        executor.remove(key_of(run.id, 1))
    ports.store.remove(run.id)
