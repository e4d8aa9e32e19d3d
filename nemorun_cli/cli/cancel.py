"""`nemorun cancel`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from nemorun_cli.cli import output, params
from nemorun_cli.core.errors import UsageError
from nemorun_cli.core.ids import tail
from nemorun_cli.core.jobs import LIVE_STATES
from nemorun_cli.core.runs import Run

SURVIVORS = 16


def command(  # noqa: PLR0913
    runs: params.RunsArg = None,
    *,
    state: params.StateOption = None,
    recipe: params.RecipeOption = None,
    executor: params.ExecutorFilter = None,
    experiment: params.ExperimentFilter = None,
    tag: params.TagFilter = None,
    since: params.SinceOption = None,
    every: Annotated[bool, typer.Option("--all", help="All live runs; needs --yes.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    no_wait: Annotated[
        bool,
        typer.Option("--no-wait", help="Do not wait until they have ended."),
    ] = False,
    json: params.JsonOption = False,
) -> int:
    """Ask runs to end, and see that they do. Safe to repeat.

    The job gets TERM, and KILL after its grace period. Runs that have ended stay as they are.
    Exits with 16 when some are still alive after that.
    """
    from nemorun_cli.actions import cancel, wiring
    from nemorun_cli.actions.select import runs_of

    ports = wiring.ports()
    wanted = params.filter_of(
        state=state,
        recipe=recipe,
        executor=executor,
        experiment=experiment,
        tag=tag,
        since=since,
        now=ports.clock(),
    )
    params.refuse_together({"--all": every, "a filter": not wanted.empty})
    params.refuse_filters(runs, wanted, every=every)
    by_filter = every or not wanted.empty
    if not runs and not by_filter:
        raise UsageError("name the runs to cancel, or a filter", hint="`nemorun cancel --help`")
    if every and not yes:
        raise UsageError("--all cancels every live run", hint="add --yes if that is meant")
    chosen = runs_of(runs or (), ports=ports)
    if by_filter:
        live = [run for run in ports.index.live() if run.state in LIVE_STATES]
        chosen = [run for run in live if wanted.accepts(run)]
    done = cancel.cancel(chosen, ports=ports, verify=not no_wait, tell=_tell)
    output.end_progress()
    _print(done.runs, done.problems, asked=len(runs or ()), json=json)
    return SURVIVORS if done.survivors and not no_wait else (17 if done.problems else 0)


def _tell(live: Sequence[Run]) -> None:
    output.progress(f"waiting for {len(live)} to end")


def _print(runs: tuple[Run, ...], problems: tuple[str, ...], *, asked: int, json: bool) -> None:
    from nemorun_cli.cli.documents import runs_document

    for problem in problems:
        output.warn(problem)
    if json:
        output.document(runs_document(runs, asked=asked or None))
        return
    for run in runs:
        output.answer(f"{tail(run.id)}  {output.paint_state(run.state)}")
    if not runs:
        output.note("no live run matches")
