"""`nemorun metrics`."""

import sys
from collections.abc import Iterable
from functools import partial
from itertools import chain, islice
from typing import Annotated, Any

import typer

from nemorun_cli.cli import output, params
from nemorun_cli.core.metrics import Point, Summary, summaries

HEAD = ("METRIC", "RANK", "LAST", "STEP", "MIN", "AT", "MAX", "AT", "COUNT")
SUMMARY = ("metric", "rank", "last", "step", "min", "min_step", "max", "max_step", "count")
ROWS = ("step", "time", "rank", "metric", "value")


def command(  # noqa: PLR0913
    run: params.RunArg = "last",
    *,
    metric: Annotated[
        list[str] | None,
        typer.Option("--metric", "-m", metavar="NAME", help="This one, or `val/*`; repeatable."),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Print each value, on a terminal too.")
    ] = False,
    last: Annotated[
        bool, typer.Option("--last", help="Print what each metric comes to, in a pipe too.")
    ] = False,
    pattern: params.PatternOption = None,
    csv: params.CsvOption = False,
    json: params.JsonOption = False,
) -> None:
    """Show what a run has measured: its last, least and greatest values.

    Read are what it has tracked, event files of TensorBoard in its folder, and, with --pattern or
    `pattern` of [metrics] in a settings file, its log. In a pipe each value is one line of
    tab-separated full values: step, time, rank, metric, value. Of a step that was written twice,
    the later value counts; --all and pipes have both.
    """
    from nemorun_cli.actions import metrics, wiring
    from nemorun_cli.actions.select import run_of

    params.refuse_together({"--last": last, "--all": every})
    params.refuse_together({"--csv": csv, "--json": json})
    ports = wiring.ports()
    problems: list[str] = []
    chosen = run_of(run, ports=ports)
    wanted = metrics.chosen_pattern(pattern)
    names = tuple(metric or ())
    found = metrics.points(chosen, ports=ports, names=names, pattern=wanted, problems=problems)
    if json:
        kept = list(found)
        output.document(_document(chosen.id, kept, whole=not last))
        empty = not kept
    elif last or not (every or csv or not output.terminal(sys.stdout)):
        empty = _print_summaries(summaries(found), csv=csv)
    else:
        empty = _print_points(found, csv=csv)
    for problem in problems:
        output.warn(problem)
    if empty:
        output.note(
            "no metrics; `from nemorun_cli import track` and `track.log(loss=...)` make some"
        )


def _print_summaries(found: list[Summary], *, csv: bool) -> bool:
    """Whether there was none."""
    person = output.terminal(sys.stdout) and not csv
    shown = partial(_shown, person=person)
    ranks = any(each.rank for each in found)
    rows = [
        (
            each.name,
            str(each.rank) if ranks or not person else "",
            shown(each.last),
            _step(each.last_step),
            shown(each.least),
            _step(each.least_step),
            shown(each.most),
            _step(each.most_step),
            str(each.count),
        )
        for each in found
    ]
    if csv:
        output.csv(SUMMARY, rows)
    else:
        output.table(HEAD, rows, shrink=(0,))
    return not rows


def _print_points(points: Iterable[Point], *, csv: bool) -> bool:
    """Whether there was none. Lines go out as they come: a long series is never in memory."""
    rows = map(_row, points)
    first = list(islice(rows, 1))
    if csv:
        output.csv(ROWS, chain(first, rows))
    else:
        output.lines(chain(first, rows))
    return not first


def _row(point: Point) -> tuple[str, ...]:
    time = "" if point.time is None else _moment(point.time)
    return (_step(point.step), time, str(point.rank), point.name, repr(point.value))


def _document(run_id: str, points: list[Point], *, whole: bool) -> dict[str, Any]:
    from nemorun_cli.cli.documents import document, summary_object

    found = document(run=run_id, metrics=[summary_object(each) for each in summaries(points)])
    if whole:
        found["points"] = list(map(_point_object, points))
    return found


def _point_object(point: Point) -> dict[str, Any]:
    from nemorun_cli.cli.documents import finite

    return {
        "step": point.step,
        "time": None if point.time is None else _moment(point.time),
        "rank": point.rank,
        "metric": point.name,
        "value": finite(point.value),
    }


def _moment(seconds: float) -> str:
    from datetime import UTC, datetime

    told = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return told.replace("+00:00", "Z")


def _step(step: float | None) -> str:
    if step is None:
        return ""
    return str(int(step)) if step == int(step) else str(step)


def _shown(value: float, *, person: bool) -> str:
    return f"{value:.6g}" if person else repr(value)
