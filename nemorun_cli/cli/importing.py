"""`nemorun import`."""

from pathlib import Path
from typing import Annotated

import typer

from nemorun_cli.cli import output, params


def command(
    file: Annotated[str, typer.Argument(metavar="FILE", help="What `nemorun export` has written.")],
    *,
    limit: Annotated[
        int,
        typer.Option("--limit", metavar="GIB", min=0, help="Refuse what unpacks to more."),
    ] = 16,
    outside_links: Annotated[
        bool,
        typer.Option("--outside-links", help="Take code whose symbolic links lead out of it."),
    ] = False,
    json: params.JsonOption = False,
) -> None:
    """Take the runs of a file into the store, under the ids they have.

    Every byte is checked, and nothing is executed: `show`, `logs` and `diff` only read. To run the
    code again, `rerun` and `reproduce` need --trust. A run that is there already stays as it is.
    """
    from nemorun_cli.actions import importing, wiring
    from nemorun_cli.cli.documents import document, run_object

    ports = wiring.ports()
    allowed = importing.Allowed(bytes=limit * importing.GIBIBYTE, outside_links=outside_links)
    done = importing.import_(Path(file), allowed, ports=ports)
    for run_id in done.present:
        output.note(f"{run_id} was there already")
    for text in done.left_out:
        output.note(f"not in {file}: {text}")
    if json:
        runs = [run_object(ports.store.read(run_id)) for run_id in done.runs]
        output.document(
            document(runs=runs, present=list(done.present), left_out=list(done.left_out))
        )
    else:
        for run_id in done.runs:
            output.answer(run_id)
