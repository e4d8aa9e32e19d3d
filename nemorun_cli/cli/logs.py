"""`nemorun logs`."""

from typing import Annotated

import typer

from nemorun_cli.cli import output, params
from nemorun_cli.cli.documents import document
from nemorun_cli.core.jobs import LogLine


def command(  # noqa: PLR0913
    run: params.RunArg = "last",
    *,
    follow: Annotated[
        bool,
        typer.Option("--follow", "-f", help="Print lines as they come, until the run ends."),
    ] = False,
    tail: Annotated[
        int | None,
        typer.Option("--tail", "-n", min=0, help="The last lines alone."),
    ] = None,
    rank: Annotated[
        int | None,
        typer.Option(min=0, help="Of this rank; else of rank 0 and of the first that failed."),
    ] = None,
    grep: Annotated[
        str | None,
        typer.Option(help="Lines in which this regular expression is found."),
    ] = None,
    path: Annotated[bool, typer.Option("--path", help="Print where the log files are.")] = False,
    json: params.JsonOption = False,
) -> None:
    """Print or follow the output of a run.

    The bytes are those that the run wrote. With --json, one object a line.
    """
    from nemorun_cli.actions import logs, wiring
    from nemorun_cli.actions.select import run_of

    if path:
        lines = {"--follow": follow, "--tail": tail is not None, "--rank": rank is not None}
        params.refuse_together({"--path": path} | lines | {"--grep": grep})
    ports = wiring.ports()
    chosen = run_of(run, ports=ports)
    if path:
        place = logs.folder_of(chosen, ports=ports)
        if json:
            output.document(document(path=place))
        else:
            output.answer(place)
        return
    found = logs.lines(
        chosen, ports=ports, follow=follow, tail=tail, rank=rank, grep=grep, tell=output.warn
    )
    printed: int | None = -1
    for line in found:
        if json:
            output.answer(_object(line), flush=follow)
            continue
        if line.rank != printed and line.rank:
            output.note(f"-- rank {line.rank} --")
        printed = line.rank
        output.answer(line.text, flush=follow)


def _object(line: LogLine) -> str:
    import json
    from dataclasses import asdict

    return json.dumps(asdict(line), ensure_ascii=True)
