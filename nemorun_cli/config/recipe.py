"""From the text RECIPE and its overrides to a settled config."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nemorun_cli.config import complete, nodes, outline
from nemorun_cli.config.apply import Applier
from nemorun_cli.config.assignments import Assignment, of_arguments, of_files
from nemorun_cli.config.calls import called
from nemorun_cli.config.canonical import Document, config_hash, text_of
from nemorun_cli.config.declared import reproduces
from nemorun_cli.config.document import from_document, to_document
from nemorun_cli.config.finding import Found, find
from nemorun_cli.config.loading import Importer
from nemorun_cli.config.registered import Registered
from nemorun_cli.config.trail import Origins
from nemorun_cli.core.errors import UsageError
from nemorun_cli.core.overrides import parse_call


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What is to be changed of a config: by files, and then by arguments."""

    arguments: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    cwd: Path = Path()
    """The folder to which the names of files are relative."""
    then: "Changes | None" = None
    """Those that come after these."""

    def assignments(self) -> Iterator[Assignment | UsageError]:
        """All of them, in the order in which they count."""
        yield from of_files(self.files, self.cwd)
        yield from of_arguments(self.arguments, self.cwd)
        if self.then is not None:
            yield from self.then.assignments()


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """A config in which nothing is open any more."""

    recipe: str
    """Its name, without the arguments in brackets."""
    document: Document
    text: str
    """What config.json holds."""
    config_hash: str
    origins: Origins
    """What set each path."""
    source: dict[str, Any]
    """Where the recipe stands: target, origin, file, line, arguments; and what it reproduces."""
    own_file: Path | None
    """The recipe's file, where it travels alone with the job as there is no project."""
    notices: tuple[str, ...] = ()
    """What the user should know of how values were read."""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A recipe's config before any override."""

    recipe: str
    config: Any
    function: Any
    found: Found
    arguments: tuple[str, ...]
    registered: Registered


def load(recipe: str, *, root: Path | None, cwd: Path, outlines: Path | None = None) -> Loaded:
    """Import the recipe's module and call the recipe; UsageError if that cannot be done.

    `outlines`: the store in which to keep, for completion, what can be set in it.
    """
    name, arguments = parse_call(recipe)
    found = find(name, root=root, cwd=cwd)
    importer = Importer(found.folder)
    registered = Registered(root, importer)
    function = importer.locate(found.target)
    config = called(function, arguments, name, registered)
    registered.begin(config, getattr(function, "__module__", ""))
    loaded = Loaded(
        recipe=name,
        config=config,
        function=function,
        found=replace(found, line=found.line or _line_of(function)),
        arguments=arguments,
        registered=registered,
    )
    key = outline.key_of(recipe, root=root, cwd=cwd)
    if outlines is not None and not outline.is_kept(outlines, key):
        from nemorun_cli.config import survey

        survey.keep(loaded, key, outlines)
    return loaded


def resolve(
    recipe: str, changes: Changes, *, root: Path | None, outlines: Path | None = None
) -> Resolved:
    """The config that a launch with these changes would execute.

    UsageError with every problem at once: what cannot be read or applied, then what is missing,
    then what cannot be stored. Nothing is built.
    """
    loaded = load(recipe, root=root, cwd=changes.cwd, outlines=outlines)
    settled = _settled(loaded.config, changes, loaded.registered, root=root, earlier={})
    found = loaded.found
    declared = reproduces(loaded.function, loaded.recipe)
    return replace(
        settled,
        recipe=loaded.recipe,
        source={
            "target": found.target,
            "origin": found.origin,
            "file": found.file,
            "line": found.line,
            "arguments": list(loaded.arguments),
            **({"reproduces": declared} if declared else {}),
        },
        own_file=found.own_file,
    )


def reapply(
    document: Document, changes: Changes, *, root: Path | None, earlier: Mapping[str, Any]
) -> Resolved:
    """A stored config with changes on top; `earlier` is what is known to have set its paths.

    Targets are imported from `root`, the stored code, and only if there are changes: without any
    it is the same config, and nothing is imported.
    """
    if not changes.arguments and not changes.files:
        return _resolved(document, dict(earlier))
    registered = Registered(root, Importer(root))
    locate = registered.importer.stored
    config = nodes.without_history(lambda: from_document(document, locate))
    registered.begin(config, "")
    return _settled(config, changes, registered, root=root, earlier=earlier)


def _settled(
    config: Any,
    changes: Changes,
    registered: Registered,
    *,
    root: Path | None,
    earlier: Mapping[str, Any],
) -> Resolved:
    applier = Applier(registered)
    config = applier.apply(config, changes.assignments())
    complete.require(config)
    try:
        origins = applier.trail.origins(config, root=root, earlier=earlier)
        complete.write_defaults(config)
        document = to_document(config, files=registered.importer.files())
        return replace(_resolved(document, origins), notices=tuple(applier.notices))
    except RecursionError:
        raise UsageError("the config cannot be stored: it is nested too deeply") from None


def _resolved(document: Document, origins: Origins) -> Resolved:
    return Resolved(
        recipe="",
        document=document,
        text=text_of(document),
        config_hash=config_hash(document),
        origins=origins,
        source={},
        own_file=None,
    )


def _line_of(function: Any) -> int | None:
    code = getattr(function, "__code__", None)
    return None if code is None else code.co_firstlineno
