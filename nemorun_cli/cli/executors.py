"""`nemorun executors`."""

from typing import Annotated

import typer

from nemorun_cli.cli import output, params


def command(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="The settings of this executor or profile."),
    ] = None,
    *,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", "-x", metavar="NAME=VALUE", help="As for launch."),
    ] = None,
    json: params.JsonOption = False,
) -> None:
    """List executors, or the settings of one: each value, and where it comes from."""
    if name is None:
        _list(json=json)
    else:
        _describe(name, set_ or [], json=json)


def _list(*, json: bool) -> None:
    from nemorun_cli.actions import describe

    found = describe.executors()
    if json:
        from nemorun_cli.cli.documents import document

        output.document(document(executors=found))
        return
    rows = [(each["name"], each["type"], each["summary"]) for each in found]
    output.table(("NAME", "TYPE", "WHAT IT IS"), rows, shrink=(2,))


def _describe(name: str, assignments: list[str], *, json: bool) -> None:
    from nemorun_cli.actions import describe

    found = describe.settings_of(name, assignments)
    if json:
        from nemorun_cli.cli.documents import document

        output.document(document(executor=name, settings=found))
        return
    rows = [
        (each["name"], each["type"], each["text"], each["source"], each["doc"]) for each in found
    ]
    output.table(("SETTING", "TYPE", "VALUE", "FROM", "WHAT IT IS"), rows, shrink=(4, 3, 2))
