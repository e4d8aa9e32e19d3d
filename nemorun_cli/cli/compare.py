"""`nemorun compare`."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nemorun_cli.cli import output, params
from nemorun_cli.core.errors import NotFoundError, UsageError
from nemorun_cli.core.ids import tail
from nemorun_cli.core.runs import Run

if TYPE_CHECKING:
    from nemorun_cli.actions.sidebyside import Entry, Table

_Column = tuple[str, Callable[["Entry"], str]]


def command(  # noqa: PLR0913
    runs: params.RunsArg = None,
    *,
    state: params.StateOption = None,
    recipe: params.RecipeOption = None,
    executor: params.ExecutorFilter = None,
    experiment: params.ExperimentFilter = None,
    tag: params.TagFilter = None,
    since: params.SinceOption = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            "--metric",
            "-m",
            metavar="NAME",
            help="This metric alone: its last value, or `NAME:min`, `NAME:max`; repeatable.",
        ),
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option(
            "--sort",
            metavar="[-]NAME",
            help="By a metric or a path of the config; `-`: from the greatest.",
        ),
    ] = None,
    only_changed: Annotated[
        bool, typer.Option("--only-changed", help="Of the config, what differs alone.")
    ] = False,
    pattern: params.PatternOption = None,
    csv: params.CsvOption = False,
    json: params.JsonOption = False,
) -> None:
    """Compare the configs and the metrics of runs, one run a row.

    A metric's value is its last one. Who lacks what the rows are sorted by comes last. On a
    terminal that is too narrow, each run is a column. In a pipe there are tab-separated full
    values under a head: id, state, recipe, name, then config and metrics.
    """
    from nemorun_cli.actions import metrics, sidebyside, wiring
    from nemorun_cli.actions.select import runs_of

    params.refuse_together({"--csv": csv, "--json": json})
    params.refuse_together({"--only-changed": only_changed, "--json": json})
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
    params.refuse_filters(runs, wanted)
    if not runs and wanted.empty:
        raise UsageError("name the runs to compare, or a filter", hint="`nemorun compare --help`")
    chosen: list[Run] = runs_of(runs or (), ports=ports)
    if not runs:
        chosen = list(ports.index.select(wanted, limit=None).runs)
        if not chosen:
            raise NotFoundError("no run matches", hint="`nemorun list` shows what there is")
    found = sidebyside.compare(
        chosen,
        ports=ports,
        names=tuple(metric or ()),
        sort=sort,
        pattern=metrics.chosen_pattern(pattern),
    )
    for problem in found.problems:
        output.warn(problem)
    if json:
        output.document(_document(found))
    else:
        _print(found, only_changed=only_changed, csv=csv)


def _document(table: "Table") -> dict[str, Any]:
    from nemorun_cli.cli.documents import document, run_object, summary_object

    return document(
        runs=[
            {
                **run_object(each.run),
                "config": {path: cell.text for path, cell in each.config.items()},
                "metrics": {name: summary_object(told) for name, told in each.metrics.items()},
            }
            for each in table.entries
        ],
        changed=list(table.changed),
    )


def _print(table: "Table", *, only_changed: bool, csv: bool) -> None:
    person = output.terminal(sys.stdout) and not csv
    columns = _columns(table, only_changed=only_changed, person=person)
    head = [title for title, _ in columns]
    rows = [[told(each) for _, told in columns] for each in table.entries]
    if csv:
        output.csv(head, rows)
    elif not person:
        output.lines([head, *rows])
    elif output.fits(head, rows):
        output.table(head, rows)
    else:
        turned = [line for line in zip(head, *rows, strict=True) if any(line[1:])]
        output.table(turned[0], turned[1:], shrink=range(len(rows), -1, -1))


def _columns(table: "Table", *, only_changed: bool, person: bool) -> list[_Column]:
    columns: list[_Column] = [
        ("ID" if person else "id", lambda each: tail(each.run.id) if person else each.run.id),
        ("STATE" if person else "state", lambda each: each.run.state.value),
        ("RECIPE" if person else "recipe", lambda each: each.run.record.recipe),
        ("NAME" if person else "name", lambda each: each.run.record.name or ""),
    ]
    shown = table.changed if only_changed else table.paths
    # A part that is nowhere another one says nothing that its own paths do not.
    columns += [
        (path, _config_of(path))
        for path in shown
        if path in table.changed or not _is_part(table, path)
    ]
    return [*columns, *((name, _metric_of(name, person=person)) for name in table.metrics)]


def _is_part(table: "Table", path: str) -> bool:
    return any(path in each.config and each.config[path].is_part for each in table.entries)


def _config_of(path: str) -> Callable[["Entry"], str]:
    return lambda each: each.config[path].text if path in each.config else ""


def _metric_of(name: str, *, person: bool) -> Callable[["Entry"], str]:
    def told(each: "Entry") -> str:
        value = each.worth(name)
        if value is None:
            return ""
        return f"{value:.6g}" if person else repr(value)

    return told
