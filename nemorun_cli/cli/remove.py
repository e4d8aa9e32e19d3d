"""`nemorun rm`."""

from typing import Annotated

import typer

from nemorun_cli.cli import output, params


def command(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help=params.RUN_HELP)],
    *,
    force: Annotated[
        bool,
        typer.Option("--force", help="Delete the records of runs that cannot be asked about, too."),
    ] = False,
    json: params.JsonOption = False,
) -> None:
    """Delete runs that have ended: their records, logs and working folders.

    If one of them is still alive, none is deleted. With --force, where a cluster or a host does not
    answer the record alone is deleted, and the job's folder stays.
    """
    from nemorun_cli.actions import remove, wiring
    from nemorun_cli.actions.select import runs_of
    from nemorun_cli.cli.documents import document

    ports = wiring.ports()
    chosen = runs_of(runs, ports=ports)
    for left in remove.remove(chosen, ports=ports, force=force):
        output.warn(left)
    if json:
        output.document(document(removed=[run.id for run in chosen]))
    else:
        for run in chosen:
            output.answer(run.id)
