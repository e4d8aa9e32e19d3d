"""`nemorun list`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from nemorun_cli.actions.observe import Refresh
from nemorun_cli.cli import output, params
from nemorun_cli.core.ids import tail
from nemorun_cli.core.runs import Run

if TYPE_CHECKING:
    from nemorun_cli.actions.querying import Query

HEAD = ("ID", "STATE", "RECIPE", "NAME", "EXECUTOR", "AGE", "TIME", "WHY")


def command(  # noqa: PLR0913
    *,
    state: params.StateOption = None,
    recipe: params.RecipeOption = None,
    executor: params.ExecutorFilter = None,
    experiment: params.ExperimentFilter = None,
    tag: params.TagFilter = None,
    since: params.SinceOption = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            metavar="EXPR",
            help="Of which this is true: `optim.lr>1e-3 and not name~x`; repeated: all of them.",
        ),
    ] = None,
    sort: Annotated[
        list[str] | None,
        typer.Option(
            "--sort", metavar="[-]NAME", help="By this, such as `-metric.loss`; may be repeated."
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=0, help="At most this many; 0: all.")
    ] = 50,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print ids alone.")] = False,
    refresh: params.RefreshOption = Refresh.AUTO,
    strict: params.StrictOption = False,
    json: params.JsonOption = False,
) -> int:
    """List runs, newest first.

    --where and --sort take what `list --json` calls a field of a run, paths of its config, and
    `metric.NAME`, the last value, or `metric.NAME:min` and `:max`: see docs/querying.md.

    Live runs are looked at before anything is printed: local ones always, others when what is
    known of them is older than 30 seconds, and for 2 seconds at most. In a pipe each run is one
    line of tab-separated full values: id, state, recipe, name, executor, created, started, ended,
    exit code, reason, experiment, tags.
    """
    from nemorun_cli.actions import listing, wiring

    params.refuse_together({"--quiet": quiet, "--json": json})
    params.refuse_together({"--strict": strict, "--refresh never": refresh is Refresh.NEVER})
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
    query = _query(where or (), sort or (), ports.clock()) if where or sort else None
    found = listing.runs(wanted, query, ports=ports, limit=limit or None, mode=refresh)
    for problem in found.problems:
        output.warn(problem)
    for text in found.notes:
        output.note(text)
    if json:
        _print_json(found.runs, found.total)
    elif quiet:
        for run in found.runs:
            output.answer(run.id)
    else:
        _print_table(found.runs, ports.clock())
    everything = wanted.empty and query is None and not found.problems
    _tell_the_rest(len(found.runs), found.total, empty=everything)
    return 17 if strict and found.problems else 0


def _query(where: Sequence[str], sort: Sequence[str], now: float) -> "Query":
    from dataclasses import replace

    from nemorun_cli.actions.querying import Query
    from nemorun_cli.core.fields import Kind
    from nemorun_cli.core.sorting import key_of
    from nemorun_cli.core.where import parse

    for each in where:  # A mistake is told of what was typed.
        parse(each, now=now)
    text = where[0] if len(where) == 1 else " and ".join(f"({each})" for each in where)
    query = Query(
        text=text,
        where=parse(text, now=now) if where else None,
        sort=tuple(map(key_of, sort)),
    )
    if not any(name.kind is Kind.METRIC for name in query.names()):
        return query
    from nemorun_cli.actions.metrics import chosen_pattern

    return replace(query, pattern=chosen_pattern(None))


def _print_json(runs: tuple[Run, ...], total: int) -> None:
    from nemorun_cli.cli.documents import document, run_object

    output.document(document(runs=[run_object(run) for run in runs], total=total))


def _print_table(runs: tuple[Run, ...], now: float) -> None:
    import sys

    if output.terminal(sys.stdout):
        output.table(HEAD, [_row(run, now) for run in runs], shrink=(3, 7, 2, 4))
    else:
        output.table((), [_full_row(run) for run in runs])


def _row(run: Run, now: float) -> tuple[str, ...]:
    record = run.record
    return (
        tail(run.id),
        run.state.value,
        record.recipe,
        record.name or "",
        record.profile or record.executor,
        output.ago(record.created_at, now),
        _duration(run, now),
        why(run, now),
    )


def _full_row(run: Run) -> tuple[str, ...]:
    from nemorun_cli.cli.documents import run_object

    shown = run_object(run)
    names = (
        *("id", "state", "recipe", "name", "executor", "created_at", "started_at", "ended_at"),
        *("exit_code", "reason", "experiment"),
    )
    shown["executor"] = run.record.profile or run.record.executor
    values = ["" if shown[name] is None else str(shown[name]) for name in names]
    return (*values, ",".join(run.tags))


def _duration(run: Run, now: float) -> str:
    started = run.status.started_at
    if started is None:
        return "-"
    return output.span((run.status.ended_at or (now if run.live else started)) - started)


def why(run: Run, now: float) -> str:
    """The reason of a run's state in a few words, and how old what is known is."""
    status = run.status
    words = []
    if status.signal is not None and status.reason == "signal":
        words.append(f"signal {status.signal}")
    elif status.exit_code and status.reason == "exit":
        words.append(f"exit {status.exit_code}")
    elif status.reason is not None and status.reason.value != run.state.value.lower():
        words.append(status.reason.value.replace("_", " "))
    if status.reason_detail:
        words.append(status.reason_detail.replace("\n", " "))
    if run.stale_since is not None:
        words.append(f"as of {output.ago(run.stale_since, now)} ago")
    return ": ".join(words)


def _tell_the_rest(shown: int, total: int, *, empty: bool) -> None:
    if total > shown:
        output.note(f"{shown} of {total} runs; --limit 0 shows all")
    elif total == 0:
        output.note("no runs yet; `nemorun launch hello` makes one" if empty else "no such runs")
