"""`nemorun export`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from nemorun_cli.cli import output, params
from nemorun_cli.core.errors import UsageError

_STDOUT = "-"


def command(  # noqa: PLR0913
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help=params.RUN_HELP)],
    *,
    to: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The file to write; `ID.nrz` unless set, `-`: standard output.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write a file that is there already anew.")
    ] = False,
    no_code: Annotated[bool, typer.Option("--no-code", help="Leave out the code.")] = False,
    no_logs: Annotated[bool, typer.Option("--no-logs", help="Leave out the logs.")] = False,
    log_limit: Annotated[
        int,
        typer.Option(
            "--log-limit", metavar="MIB", min=0, help="Of each log file, the last MIB at most."
        ),
    ] = 256,
    json: params.JsonOption = False,
) -> None:
    """Write runs that have ended to one file: record, config, code, environment, metrics, logs.

    `nemorun import` takes it into another store, on a machine that needs nothing else. Values of
    --secret are in no record and in no file; those of --env are, and so is all that a run printed.
    """
    from nemorun_cli.actions import export, wiring
    from nemorun_cli.actions.gathering import Extent
    from nemorun_cli.actions.select import runs_of
    from nemorun_cli.cli.documents import document

    ports = wiring.ports()
    chosen = runs_of(runs, ports=ports)
    extent = Extent(code=not no_code, logs=not no_logs, log_limit=log_limit * 2**20)
    if to == _STDOUT:
        _refuse_terminal(json=json)
        done = export.export(chosen, extent, ports=ports, write=output.raw)
    else:
        path = Path(to or _name(chosen[0].id, len(chosen)))
        done = export.to_file(chosen, extent, path, ports=ports, force=force)
    for text in done.left_out:
        output.note(f"left out of {text}")
    if to == _STDOUT:
        return
    if json:
        output.document(
            document(
                path=str(path.absolute()),
                bytes=done.bytes,
                digest=done.digest,
                runs=[run.id for run in done.runs],
                left_out=list(done.left_out),
            )
        )
    else:
        output.answer(str(path))


def _name(run_id: str, number: int) -> str:
    if number > 1:
        raise UsageError("several runs need the name of a file", hint="-o runs.nrz")
    return f"{run_id}.nrz"


def _refuse_terminal(*, json: bool) -> None:
    if json:
        raise UsageError("-o - and --json are both for standard output", hint="give -o a file")
    if output.terminal(sys.stdout):
        raise UsageError("an archive is nothing to read on a terminal", hint="-o runs.nrz")
