"""Recipes and what can be set in them, for completion: from outlines, else from their source."""

import ast
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nemorun_cli import roots
from nemorun_cli.cli import pathwords
from nemorun_cli.cli.pathwords import Candidate
from nemorun_cli.config.discover import Catalogue, RecipeSource, catalogue

if TYPE_CHECKING:
    from nemorun_cli.config.outline import Field

COMMAND = "command"


def names(word: str) -> Iterator[Candidate]:
    """Recipes that begin with this word; of `gpt(si` parameters, of `file.py:` functions."""
    if "(" in word:
        yield from pathwords.arguments(word, _parameters(word.partition("(")[0]))
        return
    if ":" in word:
        yield from _functions(word)
        return
    known = _catalogue().recipes
    yield from ((each.name, each.doc) for each in known if not each.shadowed)
    if "/" in word or word.startswith("."):
        for name in pathwords.files(word):
            if name.endswith(("/", ".py")):
                yield (name if name.endswith("/") else f"{name}:"), ""


def of_recipe(recipe: str, earlier: Sequence[str]) -> "list[Field]":
    """What can be set in a recipe after these overrides; nothing if it cannot be read."""
    from nemorun_cli.config import outline

    root, cwd, home = _root(), Path.cwd(), roots.home_folder()
    name = recipe.partition("(")[0]
    fields = None
    for each in dict.fromkeys((recipe, name)):
        fields = fields or outline.recall(home, outline.key_of(each, root=root, cwd=cwd))
    return _changed(list(fields if fields is not None else _sketched(name)), earlier)


def of_run(run: str, earlier: Sequence[str]) -> "list[Field]":
    """The same of the config that is stored with a run."""
    from nemorun_cli.actions import recent
    from nemorun_cli.config import outline

    stored = outline.of_document(recent.config_of(run, roots.home_folder()))
    return _changed(list(stored), earlier)


def factory_parameters(word: str) -> "list[Field]":
    """What can be given to the factory in `optim=adamw(l`."""
    value = word.partition("=")[2].partition("(")[0]
    source = _factory(value)
    return _given_to(source.file, source.function) if source is not None else []


def _changed(fields: "list[Field]", earlier: Sequence[str]) -> "list[Field]":
    """The fields after overrides that have put something else in the place of a part."""
    for word in earlier:
        path, given, value = word.partition("=")
        if not given or not any(each.path.startswith(f"{path}.") for each in fields):
            continue
        source = _factory(value.partition("(")[0])
        if source is not None:
            fields = pathwords.replaced(fields, path, _read(source.file, source.function))
        elif value in ("none", "null"):
            fields = pathwords.replaced(fields, path, [])
    return fields


def _factory(name: str) -> RecipeSource | None:
    known = _catalogue().factories if name.isidentifier() else ()
    return next((each for each in known if each.name == name and not each.shadowed), None)


def _sketched(name: str) -> "Sequence[Field]":
    source, function = _located(name)
    return _read(source, function) if source else ()


def _read(source: str, function: str) -> "Sequence[Field]":
    from nemorun_cli.config.sketch import sketch

    return sketch(source, function, _folders(), _catalogue().factories)


def _parameters(name: str) -> "Sequence[Field]":
    source, function = _located(name)
    return _given_to(source, function) if source else ()


def _given_to(source: str, function: str) -> "list[Field]":
    from nemorun_cli.config.sketch import parameters

    return list(parameters(source, function, _folders(), _catalogue().factories))


def _located(name: str) -> tuple[str, str]:
    """The file or module, and the function, that a recipe's name stands for."""
    source, colon, function = name.rpartition(":")
    if colon:
        return (str(Path.cwd() / source) if source.endswith(".py") else source), function
    found = _catalogue().named(name)
    if found is None:  # Another package may have it; to ask takes a while.
        found = catalogue(_root(), entry_points=True).named(name)
    return (found.file, found.function) if found is not None else ("", "")


def _functions(word: str) -> Iterator[Candidate]:
    """The functions of a file or module, as `file.py:function`."""
    from nemorun_cli.config.sources import Function, Sources

    source = word.rpartition(":")[0]
    place = str(Path.cwd() / source) if source.endswith(".py") else source
    module = Sources(_folders()).module(place)
    for name, bound in module.scope.names.items() if module is not None else ():
        if isinstance(bound.statement, Function) and not name.startswith("_"):
            doc = ast.get_docstring(bound.statement, clean=False) or ""
            yield f"{source}:{name}", doc.strip().partition("\n")[0]


def _catalogue() -> Catalogue:
    return catalogue(_root(), entry_points=False)


def _folders() -> tuple[Path, ...]:
    """Where the code of a recipe may come from: the project, and installed packages."""
    root = _root()
    installed = [Path(each) for each in sys.path if each.endswith("-packages")]
    return (*([root] if root is not None else []), *installed)


def _root() -> Path | None:
    return roots.find_root(Path.cwd(), home=Path(os.environ.get("HOME") or "/"))
