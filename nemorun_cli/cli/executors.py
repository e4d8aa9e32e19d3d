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
    bad_nodes: Annotated[
        bool,
        typer.Option("--bad-nodes", help="Its nodes on which runs have failed in the last day."),
    ] = False,
    json: params.JsonOption = False,
) -> None:
    """List executors, or the settings of one: each value, and where it comes from."""
    if name is None:
        params.refuse_without("the NAME of an executor", {"--bad-nodes": bad_nodes, "--set": set_})
    if name is None:
        _list(json=json)
    elif bad_nodes:
        _list_bad_nodes(name, set_ or [], json=json)
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


def _list_bad_nodes(name: str, assignments: list[str], *, json: bool) -> None:
    from nemorun_cli.actions import describe
    from nemorun_cli.cli.documents import document, iso
    from nemorun_cli.roots import home_folder

    rows = describe.bad_nodes(name, assignments, home=home_folder())
    found = [{**each, "time": iso(each["time"])} for each in rows]
    if json:
        output.document(document(executor=name, bad_nodes=found))
        return
    head = ("NODE", "CAUSE", "RUN", "ATTEMPT", "TIME", "EXCLUDED")
    cells = [{**each, "excluded": "yes" if each["excluded"] else "no"} for each in found]
    output.table(head, [tuple(map(str, each.values())) for each in cells])
    if not found:
        output.note("no failures of nodes are remembered")


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
