"""`nemorun wait`."""

import functools
from collections.abc import Sequence
from typing import Annotated

import typer

from nemorun_cli.cli import output, params
from nemorun_cli.core import lifecycle
from nemorun_cli.core.errors import NotFoundError
from nemorun_cli.core.ids import tail
from nemorun_cli.core.jobs import NEVER, JobState
from nemorun_cli.core.runs import Run

_TAIL_LINES = 30


def command(
    runs: params.RunsArg = None,
    *,
    timeout: Annotated[
        str | None,
        typer.Option(
            "--timeout",
            metavar="TIME",
            help="Give up after this time (`90s`, `10m`); then exit 14.",
        ),
    ] = None,
    experiment: params.ExperimentFilter = None,
    tag: params.TagFilter = None,
    json: params.JsonOption = False,
) -> int:
    """Wait until runs have ended; the exit code tells how.

    0 all succeeded, 10 one failed, 11 one was cancelled, 12 one hit its time limit, 13 one lost
    its node, 14 one is still alive, 15 nobody can say any more. Without RUN, all runs of the
    experiment or with the tag, ended ones too; without these, all live runs.
    """
    from nemorun_cli.actions import wait, wiring
    from nemorun_cli.actions.select import runs_of
    from nemorun_cli.core.runs import Filter

    ports = wiring.ports()
    seconds = params.seconds("--timeout", timeout)
    wanted = Filter(experiment=experiment, tags=tuple(tag or ()))
    params.refuse_filters(runs, wanted)
    chosen = runs_of(runs or (), ports=ports)
    if not runs:
        found = ports.index.live() if wanted.empty else ports.index.select(wanted, limit=None).runs
        chosen = list(found)
        if not chosen and not wanted.empty:
            raise NotFoundError("no run matches", hint="`nemorun list` shows what there is")
    ended = wait.wait(chosen, ports=ports, timeout=seconds, tell=tell)
    output.end_progress()
    if json:
        from nemorun_cli.cli.documents import runs_document

        output.document(runs_document(ended, asked=len(runs or ()) or None))
    else:
        for run in ended:
            output.answer(f"{run.id}\t{run.state.value}")
    return report(ended)


def tell(runs: Sequence[Run]) -> None:
    """One moving line: how many runs are in which state, and for how long this has been so."""
    states = [run.state.value.lower() for run in runs]
    counted = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    for run in runs:
        if run.state is JobState.PENDING and run.status.reason_detail.startswith(NEVER):
            _warn_once(f"{tail(run.id)} {run.status.reason_detail} (`nemorun cancel` gives it up)")
    started = min((run.status.started_at or run.record.created_at for run in runs), default=None)
    output.progress(f"{counted} · {output.ago(started)}")


@functools.cache
def _warn_once(text: str) -> None:
    output.end_progress()
    output.warn(text)


def _tell_what_goes_on(live: Sequence[Run]) -> None:
    if len(live) > 1:
        output.note(f"{len(live)} runs go on; `nemorun list` shows them")
    elif live:
        run_id = tail(live[0].id)
        output.note(
            f"{live[0].id} goes on; `nemorun logs --follow {run_id}` shows its output,"
            f" `nemorun wait {run_id}` waits for its end"
        )


def report(runs: Sequence[Run], *, lines: int | None = None) -> int:
    """Tell why runs failed, with the end of their output; the exit code for all of them."""
    count = _TAIL_LINES if lines is None else lines
    from nemorun_cli.actions import wiring
    from nemorun_cli.actions.leftbehind import left_behind
    from nemorun_cli.actions.logs import last_lines
    from nemorun_cli.cli.listing import why

    ports = wiring.ports()
    _tell_what_goes_on([run for run in runs if run.live])
    for run in runs:
        if run.live or lifecycle.exit_code_of(run) == 0:
            continue
        reason = why(run, ports.clock())
        output.note(f"{tail(run.id)} {run.state.value}{f': {reason}' if reason else ''}")
        if hint := left_behind(run):
            output.note(hint)
        for line in last_lines(run, count, ports=ports):
            output.passed_on(f"  {line.text}")
    return lifecycle.worst([lifecycle.exit_code_of(run) for run in runs])
