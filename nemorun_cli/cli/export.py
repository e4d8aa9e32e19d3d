"""`nemorun export`."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nemorun_cli.cli import output, params
from nemorun_cli.core.errors import UsageError

if TYPE_CHECKING:
    from nemorun_cli.core.runs import Run

_STDOUT = "-"
_MIB = 256


def command(  # noqa: PLR0913
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help=params.RUN_HELP)],
    *,
    to: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The file to write, or a folder for `ID.nrz`; `-`: standard output.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write a file that is there already anew.")
    ] = False,
    no_code: Annotated[bool, typer.Option("--no-code", help="Leave out the code.")] = False,
    no_logs: Annotated[bool, typer.Option("--no-logs", help="Leave out the logs.")] = False,
    log_limit: Annotated[
        int | None,
        typer.Option(
            "--log-limit",
            metavar="MIB",
            min=0,
            help=f"Of each log file, the last MIB at most; {_MIB} unless set.",
        ),
    ] = None,
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

    params.refuse_together({"--no-logs": no_logs, "--log-limit": log_limit is not None})
    params.refuse_together({"--force": force, "-o -": to == _STDOUT})
    ports = wiring.ports()
    chosen = runs_of(runs, ports=ports)
    limit = _MIB if log_limit is None else log_limit
    extent = Extent(code=not no_code, logs=not no_logs, log_limit=limit * 2**20)
    if to == _STDOUT:
        _refuse_terminal(json=json)
        done = export.export(chosen, extent, ports=ports, write=output.raw)
    else:
        path = _path(to, chosen)
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


def _path(to: str | None, runs: "Sequence[Run]") -> Path:
    """The file to write: what was typed or, in that folder or the current one, ID.nrz."""
    path = Path(to or "")
    if not path.is_dir():
        return path
    if len(runs) > 1:
        raise UsageError("several runs need the name of a file", hint=f"-o {path / 'runs.nrz'}")
    return path / f"{runs[0].id}.nrz"


def _refuse_terminal(*, json: bool) -> None:
    if json:
        raise UsageError("-o - and --json are both for standard output", hint="give -o a file")
    if output.terminal(sys.stdout):
        raise UsageError("an archive is nothing to read on a terminal", hint="-o runs.nrz")
