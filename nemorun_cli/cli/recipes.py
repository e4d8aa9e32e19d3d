"""`nemorun recipes`."""

from typing import TYPE_CHECKING, Annotated

import typer

from nemorun_cli.cli import output, params

if TYPE_CHECKING:
    from nemorun_cli.config.describe import Parameter


def command(
    recipe: Annotated[
        str | None,
        typer.Argument(metavar="[RECIPE]", help="What can be set in this one."),
    ] = None,
    *,
    json: params.JsonOption = False,
) -> None:
    """List recipes, or what can be set in one.

    Listing imports nothing: recipes are found by reading their files. Describing one imports it.
    """
    if recipe is None:
        _list(json=json)
    else:
        _describe(recipe, json=json)


def _list(*, json: bool) -> None:
    from nemorun_cli.actions.requests import surroundings
    from nemorun_cli.config.discover import catalogue

    found = catalogue(surroundings().root, entry_points=True)
    for broken in found.broken:
        output.warn(f"{broken.file}: {broken.message}")
    if json:
        from nemorun_cli.cli.documents import document

        recipes = [each._asdict() for each in found.recipes]
        unreadable = [each._asdict() for each in found.broken]
        output.document(document(recipes=recipes, broken=unreadable))
        return
    rows = [
        (each.name, f"{each.origin}{' (shadowed)' if each.shadowed else ''}", each.doc)
        for each in found.recipes
    ]
    rows.append(("command", "nemorun", "Any command line: nemorun launch command -- ARGV..."))
    output.table(("RECIPE", "FROM", "WHAT IT DOES"), rows, shrink=(2, 1))


def _describe(recipe: str, *, json: bool) -> None:
    from dataclasses import asdict

    from nemorun_cli.actions.requests import surroundings
    from nemorun_cli.config.describe import describe
    from nemorun_cli.roots import home_folder

    around = surroundings()
    outlines = home_folder(around.environ)
    parameters = describe(recipe, root=around.root, cwd=around.cwd, outlines=outlines)
    if json:
        from nemorun_cli.cli.documents import document

        output.document(document(recipe=recipe, parameters=[asdict(each) for each in parameters]))
        return
    rows = [(each.path, each.type, each.value, _told(each)) for each in parameters]
    output.table(("PATH", "TYPE", "VALUE", "WHAT IT IS"), rows, shrink=(3, 1, 2))


def _told(parameter: "Parameter") -> str:
    """What it is, and the factories that fit."""
    choices = f"one of {', '.join(parameter.choices)}" if parameter.choices else ""
    return ". ".join(each for each in (parameter.doc.rstrip("."), choices) if each)
