"""Overrides with what they assign, wherever they were written, in the order they are applied."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nemorun_cli.config.inputs import Source, read_overrides, read_value
from nemorun_cli.config.items import Item, plain
from nemorun_cli.core.errors import Problem, UsageError
from nemorun_cli.core.overrides import RESET, SET, Override, Step, format_path, parse

_FILE = "@"


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """One override, and where its two sides stand."""

    override: Override
    source: Source
    """Where the override is written."""
    item: Item
    """What is assigned."""
    item_source: Source
    """Where that is written: `path=@part.yaml` names another file."""
    root: Item
    """All that `item_source` holds: what it defines once it may use anywhere."""
    key_at: int = 0
    """Where the override begins in the text of its source."""
    below: tuple[Step, ...] = ()
    """The path of the part that it is a member of, in a file."""

    @property
    def place(self) -> str:
        """Where it is written: the argument itself, or a file and line."""
        return self.source.place(self.key_at)

    @property
    def is_argument(self) -> bool:
        """Whether it was typed on the command line."""
        return not self.source.file

    @property
    def where(self) -> str:
        """What it changes, as it would be typed."""
        return joined(format_path(self.below), self.override.where)

    def wrong_step(self, step: Step, message: str, hint: str = "") -> UsageError:
        """What is wrong with a step of the path."""
        at = self.key_at
        return self._wrong(self.source, message, at + step.start, at + step.end, hint)

    def wrong_item(self, item: Item, message: str, hint: str = "") -> UsageError:
        """What is wrong with what is assigned, or with a part of it."""
        return self._wrong(self.item_source, message, item.start, item.end, hint)

    def placed(self, problem: Problem, item: Item) -> Problem:
        """A problem of a part of an item's text, shown in the whole."""
        source = self.item_source
        at = source.text.find(problem.text, item.start) if problem.text and source.located else -1
        if at < 0:
            return problem
        end = max(problem.end, problem.start)
        return source.problem(problem.message, at + problem.start, at + end, problem.hint)

    def _wrong(self, source: Source, message: str, start: int, end: int, hint: str) -> UsageError:
        problem = source.problem(message, start, end, hint)
        return UsageError(problem.message, problems=(problem,))


def joined(outer: str, inner: str) -> str:
    """The path of what is inside of something."""
    joint = "." if outer and inner and not inner.startswith("[") else ""
    return f"{outer}{joint}{inner}"


def of_arguments(arguments: Sequence[str], cwd: Path) -> Iterator[Assignment | UsageError]:
    """Those that were typed; what cannot be read comes as its error, in its place."""
    for argument in arguments:
        try:
            yield of_argument(argument, cwd)
        except UsageError as error:
            yield error


def of_argument(argument: str, cwd: Path) -> Assignment:
    """One that was typed. `path=@file` assigns what a file holds, `path=@@x` the text `@x`."""
    override = parse(argument)
    source = Source(text=argument)
    at = override.value_start
    item, item_source = plain(override.text, at), source
    if override.text.startswith(_FILE * 2):
        item = plain(override.text[1:], at + 1)
    elif override.text.startswith(_FILE):
        try:
            item_source, item = read_value(override.text[1:], cwd)
        except UsageError as error:
            if error.problems:
                raise
            hint = f"{error.hint}; " if error.hint else ""
            hint += f"{override.where}=@{override.text} would be a text that begins with @"
            problem = source.problem(error.message, at, len(argument), hint)
            raise UsageError(error.message, problems=(problem,)) from None
    return Assignment(
        override=override, source=source, item=item, item_source=item_source, root=item
    )


def of_files(names: Sequence[str], cwd: Path) -> Iterator[Assignment | UsageError]:
    """Those that files hold, one whole file after the other; what is wrong with one among them."""
    for name in names:
        try:
            source, item = read_overrides(name, cwd)
        except UsageError as error:
            yield error
            continue
        yield Assignment(
            override=Override(path=(), operation=SET),
            source=source,
            item=item,
            item_source=source,
            root=item,
            key_at=item.start,
        )


def members_of(outer: Assignment, item: Item, path: tuple[Step, ...]) -> Iterator[Any]:
    """What a mapping assigns to the members of the part at this path: assignments or errors."""
    pairs: Any = item.value
    for key, value in pairs.items():
        try:
            yield _member(outer, key, value, path)
        except UsageError as error:
            yield error


def _member(outer: Assignment, key: Item, value: Item, path: tuple[Step, ...]) -> Assignment:
    if not isinstance(key.value, str):
        raise outer.wrong_item(key, "expects the path of a field")
    reset = key.value.startswith(RESET)
    try:
        override = parse(key.value if reset else f"{key.value}=")
    except UsageError as error:
        (problem,) = error.problems
        at = Item("", key.start + problem.start, key.start + problem.end)
        raise outer.wrong_item(at, problem.message, problem.hint) from None
    if override.selector is not None and path:
        raise outer.wrong_item(
            key, f"{str(override.selector)!r} has its place at the top of a file"
        )
    return replace(
        outer,
        override=override,
        source=outer.item_source,
        item=value,
        key_at=key.start + int(key.quoted and outer.item_source.located),
        below=path,
    )
