"""From the text RECIPE and its overrides to a settled config."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nemorun_cli.config import complete, discover, nodes
from nemorun_cli.config.apply import apply
from nemorun_cli.config.canonical import Document, config_hash, text_of
from nemorun_cli.config.document import from_document, to_document
from nemorun_cli.config.finding import Found, find, found_at
from nemorun_cli.config.loading import Importer
from nemorun_cli.core.errors import UsageError
from nemorun_cli.core.overrides import parse_call

_SHOWN = 12  # names in a hint


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """A config in which nothing is open any more."""

    recipe: str
    """Its name, without the arguments in brackets."""
    document: Document
    text: str
    """What config.json holds."""
    config_hash: str
    overrides: tuple[str, ...]
    """As typed."""
    source: dict[str, Any]
    """Where the recipe stands: target, origin, file, line, arguments."""
    own_file: Path | None
    """The recipe's file, where it travels alone with the job as there is no project."""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A recipe's config before any override."""

    recipe: str
    config: Any
    function: Any
    found: Found
    arguments: tuple[str, ...]
    importer: Importer
    factories: "Factories"


def load(recipe: str, *, root: Path | None, cwd: Path) -> Loaded:
    """Import the recipe's module and call the recipe; UsageError if that cannot be done."""
    name, arguments = parse_call(recipe)
    found = find(name, root=root, cwd=cwd)
    importer = Importer(found.folder)
    factories = Factories(root, importer)
    function = importer.locate(found.target)
    config = _made(function, arguments, name, importer, factories)
    return Loaded(
        recipe=name,
        config=config,
        function=function,
        found=replace(found, line=found.line or _line_of(function)),
        arguments=arguments,
        importer=importer,
        factories=factories,
    )


def resolve(recipe: str, overrides: Sequence[str], *, root: Path | None, cwd: Path) -> Resolved:
    """The config that a launch with these overrides would execute.

    UsageError with every problem at once: what cannot be read or applied, then what is missing,
    then what cannot be stored. Nothing is built.
    """
    loaded = load(recipe, root=root, cwd=cwd)
    document = _settled(loaded.config, overrides, loaded.importer, loaded.factories)
    found = loaded.found
    return Resolved(
        recipe=loaded.recipe,
        document=document,
        text=text_of(document),
        config_hash=config_hash(document),
        overrides=tuple(overrides),
        source={
            "target": found.target,
            "origin": found.origin,
            "file": found.file,
            "line": found.line,
            "arguments": list(loaded.arguments),
        },
        own_file=found.own_file,
    )


def reapply(document: Document, overrides: Sequence[str], *, root: Path | None) -> Resolved:
    """A stored config with overrides on top.

    Targets are imported from `root`, the stored code, and only if there are overrides: without any
    it is the same config, and nothing is imported.
    """
    if overrides:
        importer = Importer(root)
        config = from_document(document, importer.locate)
        document = _settled(config, overrides, importer, Factories(root, importer))
    return Resolved(
        recipe="",
        document=document,
        text=text_of(document),
        config_hash=config_hash(document),
        overrides=tuple(overrides),
        source={},
        own_file=None,
    )


class Factories:
    """The factories that are registered, read when the first one is asked for."""

    def __init__(self, root: Path | None, importer: Importer) -> None:
        self._root = root
        self._importer = importer
        self._known: dict[str, discover.RecipeSource] | None = None

    def __call__(self, text: str) -> Any:
        """The node that `adamw` or `adamw(lr=1e-3)` makes; LookupError if none has the name."""
        name, arguments = parse_call(text)
        source = self.known().get(name)
        if source is None:
            near = difflib.get_close_matches(name, self.known(), n=1)
            meant = f"did you mean {near[0]!r}? " if near else ""
            listed = ", ".join(list(self.known())[:_SHOWN]) or "none"
            raise LookupError(f"{meant}registered factories: {listed}")
        function = self._importer.locate(found_at(source, self._root).target)
        return _made(function, arguments, name, self._importer, self)

    def known(self) -> dict[str, discover.RecipeSource]:
        """Those that win their name."""
        if self._known is None:
            found = discover.catalogue(self._root, entry_points=False).factories
            self._known = {each.name: each for each in found if not each.shadowed}
        return self._known


def _made(
    function: Any, arguments: Sequence[str], name: str, importer: Importer, factories: Factories
) -> Any:
    """What a recipe or factory returns for arguments such as `size=medium`."""
    if not callable(function):
        raise UsageError(f"{name!r} is no function")
    try:
        call = nodes.make("config", getattr(function, "func", function), [], {})
    except (TypeError, ValueError) as error:
        raise UsageError(f"{name!r} is no recipe: {error}") from None
    apply(call, arguments, factories)
    complete.require(call, form=f"{name}({{}}=VALUE)")
    given = nodes.arguments(call)
    positional = tuple(given.pop(key) for key in sorted(k for k in given if isinstance(k, int)))
    config = importer.call(function, positional, {str(key): each for key, each in given.items()})
    if not nodes.is_node(config):
        raise UsageError(
            f"{name!r} returned {_what(config)}, not a Fiddle config",
            hint=f"return fdl.Partial({name.rpartition(':')[2]}, ...), which the job calls",
        )
    return config


def _settled(
    config: Any, overrides: Sequence[str], importer: Importer, factories: Factories
) -> Document:
    apply(config, overrides, factories)
    complete.require(config)
    complete.write_defaults(config)
    return to_document(config, files=importer.files())


def _what(value: Any) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"


def _line_of(function: Any) -> int | None:
    code = getattr(function, "__code__", None)
    return None if code is None else code.co_firstlineno
