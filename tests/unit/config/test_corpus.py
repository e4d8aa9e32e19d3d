"""The corpus of overrides: what each argument gives where a type is declared, word for word.

A file of corpus/ is named for the function in corpus_types.py that its arguments are for. Lines
that begin with `> ` are arguments, in JSON where they could not be read otherwise; what they give
together stands below. NEMORUN_GOLDEN=write writes that anew, and the diff is for reading.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType
from typing import Any

import fiddle as fdl
import pytest

from nemorun_cli.config import nodes
from nemorun_cli.config.apply import Applier
from nemorun_cli.config.assignments import of_arguments
from nemorun_cli.config.calls import called
from nemorun_cli.config.discover import RecipeSource
from nemorun_cli.config.loading import Importer
from nemorun_cli.config.registered import Registered
from nemorun_cli.core.errors import UsageError
from nemorun_cli.core.overrides import parse
from tests.unit.config import corpus_types

FOLDER = Path(__file__).parent / "corpus"
WRITE = os.environ.get("NEMORUN_GOLDEN") == "write"
FILES = sorted(FOLDER.glob("*.txt"))


class Corpus(Registered):
    """The factories of corpus_types.py."""

    def __init__(self) -> None:
        super().__init__(None, Importer(None))

    def found(self, *, entry_points: bool) -> dict[str, RecipeSource]:  # noqa: ARG002
        return {
            name: RecipeSource(name, name, "", "", 1, "", "", "factory", str(each.__annotations__))
            for name, each in corpus_types.FACTORIES.items()
        }

    def make(self, name: str, arguments: tuple[str, ...]) -> Any:
        return called(corpus_types.FACTORIES[name], arguments, name, self)


def spelled(value: Any) -> str:
    """A value with its type, the same in every process."""
    if nodes.is_node(value):
        given = nodes.arguments(value).items()
        inside = ", ".join(f"{key}={spelled(each)}" for key, each in given)
        return f"{type(value).__name__}[{nodes.callee(value)}]({inside})"
    if isinstance(value, (list, tuple)):
        return f"{type(value).__name__}({', '.join(map(spelled, value))})"
    if isinstance(value, (set, frozenset)):
        return f"{type(value).__name__}({', '.join(sorted(map(spelled, value)))})"
    if isinstance(value, dict):
        pairs = (f"{spelled(key)}: {spelled(each)}" for key, each in value.items())
        return f"{{{', '.join(pairs)}}}"
    is_code = isinstance(value, (FunctionType, type))
    return f"<{value.__name__}>" if is_code else repr(value)


def outcome(name: str, arguments: list[str]) -> Iterator[str]:
    """The lines that stand below arguments: what they change, or what is wrong with them."""
    made = corpus_types.whole() if name == "whole" else fdl.Config(getattr(corpus_types, name))
    applier = Applier(Corpus())
    applier.registered.begin(made, corpus_types.__name__)
    try:
        made = applier.apply(made, of_arguments(arguments, FOLDER))
    except UsageError as error:
        for problem in error.problems:
            yield f"error: {problem.message.replace(str(FOLDER), 'FOLDER')}"
            marked = problem.text[problem.start : problem.end]
            yield f"   at: {problem.start} {marked!r}"
            if problem.hint:
                yield f" hint: {problem.hint.replace(str(FOLDER), 'FOLDER')}"
        return
    yield from (f"notice: {text}" for text in applier.notices)
    first = [parse(each) for each in arguments]
    if any(each.selector is not None for each in first):
        yield spelled(made)
        return
    for field in dict.fromkeys(str(each.path[0].name) for each in first):
        value = nodes.get(made, field, nodes.parameters(made).get(field))
        yield f"{field} = {spelled(value)}"


def entries(text: str) -> Iterator[tuple[list[str], list[str]]]:
    """Each group of arguments with the lines below it."""
    arguments: list[str] = []
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("> ") and lines:
            yield arguments, lines
            arguments, lines = [], []
        if line.startswith("> "):
            written = line[2:]
            arguments.append(json.loads(written) if written.startswith('"') else written)
        elif line:
            lines.append(line)
        elif arguments:
            yield arguments, lines
            arguments, lines = [], []
    if arguments:
        yield arguments, lines


def written(name: str, groups: list[list[str]]) -> str:
    """The text of a file of the corpus."""
    blocks = []
    for arguments in groups:
        typed = [
            each if each.isprintable() and each[:1] not in ('"', "") else json.dumps(each)
            for each in arguments
        ]
        blocks.append("\n".join([*(f"> {each}" for each in typed), *outcome(name, arguments), ""]))
    return "\n".join(blocks)


CASES = [
    (file.stem, arguments, lines)
    for file in FILES
    for arguments, lines in entries(file.read_text())
]


@pytest.mark.skipif(WRITE, reason="it is being written")
@pytest.mark.parametrize(
    ("name", "arguments", "lines"),
    CASES,
    ids=[f"{name}-{' '.join(arguments)[:60]!r}" for name, arguments, _ in CASES],
)
def test_these_arguments_give_this(name: str, arguments: list[str], lines: list[str]) -> None:
    assert list(outcome(name, arguments)) == lines


def test_the_corpus_is_large_and_written_as_it_is_read() -> None:
    assert len(CASES) >= 300
    for file in FILES:
        text = written(file.stem, [arguments for arguments, _ in entries(file.read_text())])
        if WRITE:
            file.write_text(text)
        assert file.read_text() == text
