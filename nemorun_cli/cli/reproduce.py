"""`nemorun reproduce`."""

import sys
from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nemorun_cli.cli import output, params, starting

if TYPE_CHECKING:
    from nemorun_cli.actions.reproduce import Asked, Check, Verdict
    from nemorun_cli.actions.wiring import Ports
    from nemorun_cli.core.runs import Run

DIFFERENT = 1
_SHOWN = 16
"""How much of a file's hash a person is shown."""
_COLOURS = {True: "32", False: "31", None: "33"}


class Environment(StrEnum):
    """With what a run is launched anew."""

    FRESH = "fresh"
    HERE = "here"


def command(  # noqa: PLR0913
    run: Annotated[str, typer.Argument(metavar="RUN", help=params.RUN_HELP)],
    *,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            "--metric",
            metavar="NAME[:TOLERANCE]",
            help="A metric that has to come out the same; may be repeated.",
        ),
    ] = None,
    file: Annotated[
        list[str] | None,
        typer.Option(
            "--file", metavar="GLOB", help="Files of the run that have to; may be repeated."
        ),
    ] = None,
    executor: starting.ExecutorOption = None,
    environment: Annotated[
        Environment,
        typer.Option(
            "--environment", help="Built from what was recorded, or what is installed here."
        ),
    ] = Environment.FRESH,
    timeout: Annotated[
        str | None,
        typer.Option("--timeout", metavar="TIME", help="Stop waiting after this; exit 14."),
    ] = None,
    cancel_on_exit: starting.CancelOption = False,
    trust: starting.TrustOption = False,
    json: params.JsonOption = False,
) -> int:
    """Launch a run anew, with what was installed then, and tell whether it comes out the same.

    Compared is what is named, else what the recipe declares, else all metrics: these by their last
    values, bit by bit unless a tolerance, such as 1e-3 or 1%, says how far apart they may be; files
    by their content. Exit 0 if all is
    the same, 1 if not, 3 if the environment cannot be built, 10 to 15 if the new run does not
    succeed.
    """
    from nemorun_cli.actions import launch, reproduce, wiring
    from nemorun_cli.actions.observe import refresh
    from nemorun_cli.actions.requests import surroundings
    from nemorun_cli.actions.select import run_of

    how = starting.How(
        wait=True,
        follow=False,
        timeout=params.seconds("--timeout", timeout),
        cancel_on_exit=cancel_on_exit,
        json=json,
    )
    ports = wiring.ports()
    (original,) = refresh([run_of(run, ports=ports)], ports=ports).runs
    reproduce.refuse(original, trust=trust, ports=ports)
    asked = _asked(original, metric, file, ports)
    expected = reproduce.expected(original, asked, ports=ports)
    fresh = environment is Environment.FRESH
    prepared = reproduce.prepare(
        original,
        fresh=fresh,
        around=surroundings(),
        ports=ports,
        trust=trust,
        tell=output.note,
        executor=executor,
    )
    for text in prepared.notices:
        output.note(text)
    again = launch.submit(prepared, ports=ports)
    output.note(f"{original.id} is launched anew as {again.id}")
    again = starting.waited(again, how, ports)
    verdict = reproduce.judge(original, again, expected, ports=ports)
    if json:
        output.document(_document(verdict, environment))
    elif output.terminal(sys.stdout):
        for line in _lines(verdict):
            output.answer(line)
    else:
        output.table((), _rows(verdict))
    ended = starting.report(again, how)
    return ended or (0 if verdict.reproduced else DIFFERENT)


def _asked(
    original: "Run", metric: list[str] | None, file: list[str] | None, ports: "Ports"
) -> "Asked":
    """What is named, else what the recipe declares, which is told; else all metrics."""
    from nemorun_cli.actions import reproduce

    declared = None if metric or file else reproduce.declared(original, ports=ports)
    if declared is None:
        return reproduce.Asked(metrics=tuple(metric) if metric else None, files=tuple(file or ()))
    told = ", ".join((*(declared.metrics or ()), *declared.files))
    output.note(f"compared is what the recipe declares: {told}")
    if declared.left_out:
        output.note(f"left out, as its files are not there: {', '.join(declared.left_out)}")
    return declared


def _document(verdict: "Verdict", environment: Environment) -> dict[str, Any]:
    from dataclasses import asdict

    from nemorun_cli.cli.documents import document, run_object

    changes = verdict.environment
    return document(
        reproduced=verdict.reproduced,
        original=run_object(verdict.original),
        run=run_object(verdict.run),
        environment=environment.value,
        checks=[asdict(each) for each in verdict.checks],
        environment_changes=None if changes is None else [asdict(each) for each in changes],
    )


def _rows(verdict: "Verdict") -> Iterator[tuple[str, ...]]:
    """The verdict and both runs; then kind, name, before, after, and whether it is the same."""
    yield _word(verdict), verdict.original.id, verdict.run.id, "", ""
    for each in verdict.checks:
        same = "same" if each.same else "different"
        yield each.kind, each.name, _text(each.before), _text(each.after), same
    for change in verdict.environment or ():
        yield "environment", change.name, change.before or "", change.after or "", "different"


def _lines(verdict: "Verdict") -> Iterator[str]:
    from nemorun_cli.core.ids import tail

    word = output.paint(_word(verdict), _COLOURS[verdict.reproduced], sys.stdout)
    yield f"{word}  {tail(verdict.original.id)} as {tail(verdict.run.id)}"
    yield from output.pairs({f"{each.kind} {each.name}": _told(each) for each in verdict.checks})
    if verdict.run.live:
        yield "the run goes on: nothing was compared"
    elif verdict.environment is None:
        yield "of one of them the environment was not recorded"
    elif verdict.environment:
        yield output.head("other than then")
        yield from output.pairs(
            {
                each.name: f"{each.before or '(nothing)'} -> {each.after or '(nothing)'}"
                for each in verdict.environment
            }
        )


def _word(verdict: "Verdict") -> str:
    if verdict.reproduced is None:
        return "not yet known"
    return "reproduced" if verdict.reproduced else "not reproduced"


def _told(each: "Check") -> str:
    shown = _SHOWN if each.kind == "file" else None
    before, after = (_text(value)[:shown] for value in (each.before, each.after))
    if each.before == each.after:
        return f"{before}  the same"
    within = f"  within {each.tolerance:g}" if each.same else ""
    return f"{before} -> {after or '(nothing)'}{within}"


def _text(value: object) -> str:
    return "" if value is None else str(value)
