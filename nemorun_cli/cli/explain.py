"""`nemorun explain`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nemorun_cli.cli import output, params, starting

if TYPE_CHECKING:
    from nemorun_cli.actions.explain import Explanation
    from nemorun_cli.config.explain import Explained


def command(
    subject: Annotated[
        str, typer.Argument(metavar="RECIPE|RUN", help="A recipe, or a run as it was launched.")
    ],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATH] [PATH=VALUE]...",
            help="What to explain; of a recipe, under which overrides.",
        ),
    ] = None,
    *,
    file: starting.FileOption = None,
    json: params.JsonOption = False,
) -> None:
    """Tell what set each value of a config: the recipe, a file, or an argument.

    Without a path all values are listed, each with what set it last; of one value all that set it
    are told, in order. Of a run nothing is executed.
    """
    from nemorun_cli.actions import explain, wiring
    from nemorun_cli.actions.requests import surroundings
    from nemorun_cli.config.recipe import Changes

    path, overrides = _split(arguments or [])
    around = surroundings()
    changes = Changes(arguments=tuple(overrides), files=tuple(file or ()), cwd=around.cwd)
    found = explain.of(subject, path, changes, around, ports=wiring.ports())
    for text in found.notices:
        output.note(text)
    if json:
        output.document(_document(found))
    elif len(found.values) == 1:
        _show_one(found.values[0])
    else:
        rows = [(each.path, each.value, place(each.winner)) for each in found.values]
        output.table(("PATH", "VALUE", "SET BY"), rows, shrink=(1, 2))


def _split(arguments: list[str]) -> tuple[str | None, list[str]]:
    """A first argument that sets nothing is the path."""
    if arguments and "=" not in arguments[0] and not arguments[0].startswith("~"):
        return arguments[0], arguments[1:]
    return None, arguments


def _show_one(found: "Explained") -> None:
    output.answer(output.one_line(f"{found.path} = {found.value}"))
    output.table(("BY", "WHERE", "TO"), list(_steps(found)), shrink=(2, 1))


def _steps(found: "Explained") -> Iterator[tuple[str, str, str]]:
    """What set a value, the last one winning."""
    for each in found.origins:
        value = "(back to the default)" if each["value"] is None else str(each["value"])
        yield str(each["kind"]), str(each["place"]), value


def place(origin: Any) -> str:  # noqa: ANN401
    """Where a value was set, for people."""
    return f"{'the default of ' if origin['kind'] == 'default' else ''}{origin['place']}"


def _document(found: "Explanation") -> dict[str, Any]:
    from nemorun_cli.cli.documents import document

    values = [
        {"path": each.path, "value": each.value, "origins": [dict(one) for one in each.origins]}
        for each in found.values
    ]
    run = found.run.id if found.run is not None else None
    return document(recipe=found.recipe, run=run, values=values)
