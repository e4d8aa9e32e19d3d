"""`nemorun tag`."""

from typing import Annotated

import typer

from nemorun_cli.cli import output, params


def command(
    run: Annotated[str, typer.Argument(metavar="RUN", help=params.RUN_HELP)],
    tags: Annotated[
        list[str] | None, typer.Argument(metavar="[TAG]...", help="Tags to add.")
    ] = None,
    *,
    remove: Annotated[
        list[str] | None,
        typer.Option("--remove", "-r", help="A tag to remove; may be repeated."),
    ] = None,
    note: Annotated[str | None, typer.Option("--note", help="Set the run's note.")] = None,
    json: params.JsonOption = False,
) -> None:
    """Add or remove tags and notes of a run; the run itself is not changed.

    Without anything to change, prints the tags there are.
    """
    from nemorun_cli.actions import wiring
    from nemorun_cli.actions.select import run_of
    from nemorun_cli.cli.documents import runs_document

    add = [text.removeprefix("+") for text in tags or ()]
    params.check_tags(add)
    ports = wiring.ports()
    chosen = run_of(run, ports=ports)
    if add or remove or note is not None:
        ports.store.label(chosen.id, add=add, remove=remove or (), notes=note)
        chosen = ports.store.read(chosen.id)
    if json:
        output.document(runs_document([chosen]))
    else:
        output.answer(output.one_line(" ".join(chosen.tags)))
