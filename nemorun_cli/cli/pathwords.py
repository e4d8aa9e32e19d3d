"""What an override may go on with: the next step of a path, or a value."""

import os
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nemorun_cli.config.outline import Field

Candidate = tuple[str, str]
_INDEX = re.compile(r"\[\s*(-?\d+)\s*\]")
_SET = re.compile(r"([^=]*?)([+-]?=)(.*)", re.DOTALL)
_MOST_FILES = 1000


def overrides(word: str, fields: "Sequence[Field]") -> Iterator[Candidate]:
    """Those that begin with this word: `optim.`, `optim.lr=`, `optim=adamw`, `~optim.lr`."""
    found = _SET.fullmatch(word)
    if word.startswith("~"):
        yield from ((f"~{path}", text) for path, text in paths(word[1:], fields))
    elif found is None:
        yield from paths(word, fields, end="=")
    else:
        path, operation, value = found.groups()
        yield from _values(path, operation, value, fields)


def paths(word: str, fields: "Sequence[Field]", *, end: str = "") -> Iterator[Candidate]:
    """The next step of a path: `optim.` leads on, `optim` with this end is complete."""
    base = word[: word.rfind(".") + 1]
    start = plain(base)
    steps: dict[str, Field | None] = {}
    inner: set[str] = set()
    for field in fields:
        if field.path.startswith(start):
            name, dot, _ = field.path[len(start) :].partition(".")
            steps.setdefault(name, None)
            if dot:
                inner.add(name)
            else:
                steps[name] = field
    for step, found in steps.items():
        name = step if start or not step.isdecimal() else f"[{step}]"
        text = found.doc if found is not None else ""
        leads_on = step in inner or (found is not None and found.is_node)
        if leads_on:
            yield f"{base}{name}.", text
        is_whole = found is not None and (not found.is_node or found.choices)
        if is_whole or not (end and leads_on):
            yield f"{base}{name}{end}", text


def arguments(word: str, fields: "Sequence[Field]") -> Iterator[Candidate]:
    """What may come next in `gpt(size=small, se`: a parameter's name, or its value."""
    opened = word.find("(") + 1
    start = max(opened, word.rfind(",") + 1)
    start += len(word[start:]) - len(word[start:].lstrip())
    before, piece = word[:start], word[start:]
    given = {each.partition("=")[0].strip() for each in word[opened:start].split(",")}
    for name, text in overrides(piece, [each for each in fields if each.path not in given]):
        yield before + (name if name.endswith(("=", ".")) else f"{name})"), text


def replaced(fields: "Sequence[Field]", path: str, inner: "Sequence[Field]") -> "list[Field]":
    """The fields after `path=factory`, of which the inner ones are those of the factory."""
    start = plain(path)
    kept = [each for each in fields if not each.path.startswith(f"{start}.")]
    return [*kept, *(each._replace(path=f"{start}.{each.path}") for each in inner)]


def plain(path: str) -> str:
    """A path with each step after a dot: `layers.0.` of `layers[0].`."""
    return _INDEX.sub(r".\1", path).removeprefix(".")


def _values(
    path: str, operation: str, value: str, fields: "Sequence[Field]"
) -> Iterator[Candidate]:
    start = path + operation
    if value.startswith("@"):
        yield from ((f"{start}@{name}", "") for name in files(value[1:]))
        return
    wanted = plain(path)
    for field in fields:
        if field.path == wanted and operation == "=":
            yield from ((start + each, "") for each in field.choices)


def files(word: str) -> list[str]:
    """The files and folders whose names begin with this word; a folder ends with a slash."""
    folder = word[: word.rfind("/") + 1]
    name = word[len(folder) :]
    with os.scandir(os.path.expanduser(folder) or ".") as entries:  # noqa: PTH111
        found = (each for each in entries if each.name.startswith(name))
        shown = (each for each in found if name or not each.name.startswith("."))
        return sorted(
            f"{folder}{each.name}{'/' if each.is_dir() else ''}"
            for each in islice(shown, _MOST_FILES)
        )
