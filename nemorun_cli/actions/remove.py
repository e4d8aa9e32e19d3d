"""Deleting what is kept of runs."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from nemorun_cli.actions.observe import Refresh, refresh
from nemorun_cli.actions.stored import stored_code
from nemorun_cli.actions.wiring import Ports
from nemorun_cli.core.errors import NemorunError, NotFoundError, UsageError
from nemorun_cli.core.ids import key_of, tail
from nemorun_cli.core.ports import CanRemove
from nemorun_cli.core.runs import Run
from nemorun_cli.store import going, origins


def remove(runs: Sequence[Run], *, ports: Ports, force: bool = False) -> tuple[str, ...]:
    """Delete these runs and their job folders; if one is alive, UsageError, and none.

    With `force`, a run whose back-end does not tell how it is counts as one that has ended, and a
    job folder that cannot be deleted stays where it is: the answer is what was left behind.
    """
    seen = refresh(runs, ports=ports, mode=Refresh.NOW).runs
    live = [run for run in seen if run.live and not (force and _silent(run, ports))]
    if live:
        names = " ".join(tail(run.id) for run in live)
        silent = any(_silent(run, ports) for run in live)
        more = "; `rm --force` deletes what cannot be asked about" if silent else ""
        raise UsageError(
            f"still alive: {', '.join(tail(run.id) for run in live)}",
            hint=f"`nemorun cancel {names}` first{more}",
        )
    return tuple(filter(None, [_removed(run, ports, force=force) for run in seen]))


def remove_ended(run: Run, *, ports: Ports) -> None:
    """Delete a run that is known to have ended, and its job folder; if that fails, neither.

    Killed halfway, the run is not shown any more, and `finish` does the rest.
    """
    _removed(run, ports, force=False)


def finish(hidden: Path, run: Run, *, ports: Ports) -> bool:
    """Delete what a killed command has left of a run and its job; False if somebody else has."""
    # It may not come back any more, as it would if its host were silent: its job's folder goes.
    mine = going.take(hidden)
    if mine is None:
        return False
    if not (mine / origins.ORIGIN).exists():
        _left_behind(run, ports, force=False)
    return going.delete(mine)


def _removed(run: Run, ports: Ports, *, force: bool) -> str:
    inside = origins.imported(ports.store.home, run.id)  # Then its job's folder goes with it.
    with ports.store.removing(run.id):
        try:
            return "" if inside else _left_behind(run, ports, force=force)
        except NemorunError:
            # It comes back, and somebody may have seen meanwhile that no run needs its code.
            with suppress(NotFoundError):
                stored_code(run, ports=ports)
            raise


def _silent(run: Run, ports: Ports) -> bool:
    """Whether nobody tells how a live run is. Of a process on this machine somebody always does."""
    try:
        ports.executor_of(run.record)
    except NemorunError:
        return True
    return run.stale_since is not None


def _left_behind(run: Run, ports: Ports, *, force: bool) -> str:
    """Delete the job's folder; what is left if it cannot be, or if the job may be using it."""
    place = f"{run.record.target.get('host') or run.record.executor}:{run.record.directory}"
    if run.live:
        job = f", and its job {run.handle.native_id} may still run" if run.handle else ""
        return f"{tail(run.id)}: {place} was not deleted{job}"
    try:
        executor = ports.executor_of(run.record)
        if isinstance(executor, CanRemove):
            executor.remove(key_of(run.id, 1))
    except NemorunError as error:
        if not force:
            hint = "; ".join(filter(None, [error.hint, "`rm --force` deletes the record alone"]))
            raise type(error)(error.message, hint=hint) from None
        return f"{tail(run.id)}: {place} was not deleted: {error.message}"
    return ""
