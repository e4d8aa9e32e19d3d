"""Where overrides are written: on the command line, or in files of YAML, TOML or JSON."""

import bisect
import functools
import json
import re
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nemorun_cli.config.composing import UnreadableError, of_file
from nemorun_cli.config.items import Bare, Item, of_data, plain
from nemorun_cli.core.errors import Problem, UsageError

_MOST = 64 * 1024 * 1024  # bytes of a file
_LONGEST = 100  # characters of a line that is shown
STDIN = "-"


@dataclass(frozen=True, kw_only=True)
class Source:
    """One argument, or one file, as text."""

    text: str
    file: str = ""
    """Its name as typed; empty for an argument."""
    located: bool = True
    """Whether what was read of it knows its place in the text."""

    def problem(self, message: str, start: int, end: int, hint: str = "") -> Problem:
        """What is wrong between two places of the text."""
        if not self.file:
            return Problem(message=message, text=self.text, start=start, end=end, hint=hint)
        message = f"{self.place(start)}: {message}"
        if not self.located:
            return Problem(message=message, hint=hint)
        first = self.text.rfind("\n", 0, start) + 1
        line = self.text[first:].partition("\n")[0].rstrip("\r")[:_LONGEST]
        start = min(start - first, len(line))
        return Problem(
            message=message, text=line, start=start, end=min(end - first, len(line)), hint=hint
        )

    def place(self, at: int) -> str:
        """What stands there, for people: `exp.yaml:3`, or the argument as a whole."""
        if not self.file:
            return self.text
        name = "standard input" if self.file == STDIN else self.file
        return f"{name}:{bisect.bisect_left(self._ends, at) + 1}" if self.located else name

    @functools.cached_property
    def _ends(self) -> list[int]:
        """Where the lines have their ends."""
        return [found.start() for found in re.finditer("\n", self.text)]


def read_overrides(name: str, cwd: Path) -> tuple[Source, Item]:
    """The mapping in a file; an empty file holds an empty one.

    By its ending the file is JSON or TOML, else it is YAML; `-` is standard input. UsageError, with
    one problem, for a file that cannot be read or holds no mapping.
    """
    text = _text_of(name, cwd)
    if not any(line.strip() and not line.lstrip().startswith("#") for line in text.splitlines()):
        return Source(text=text, file=name), Item({})
    source, item = _parsed(name, text, default=_yaml)
    if not isinstance(item.value, dict):
        problem = source.problem("expects a mapping of paths to values", item.start, item.end)
        raise UsageError(problem.message, problems=(problem,))
    return source, item


def read_value(name: str, cwd: Path) -> tuple[Source, Item]:
    """What a file holds as one value: of YAML, TOML and JSON the data, of any other the text.

    UsageError for a file that cannot be read.
    """
    text = _text_of(name, cwd)
    return _parsed(name, text, default=_plain)


_Parse = Callable[[str, str], tuple[Source, Item]]


def _parsed(name: str, text: str, *, default: _Parse) -> tuple[Source, Item]:
    return _FORMATS.get(Path(name).suffix.lower(), default)(name, text)


def _text_of(name: str, cwd: Path) -> str:
    try:
        if name == STDIN:
            raw = sys.stdin.buffer.read(_MOST + 1)
        else:
            with (cwd / Path(name).expanduser()).open("rb") as file:
                raw = file.read(_MOST + 1)
    except FileNotFoundError:
        raise UsageError(f"there is no file {name!r}", hint=f"looked for in {cwd}") from None
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"cannot read {name!r}: {reason}") from None
    if len(raw) > _MOST:
        raise UsageError(f"{name!r} holds more than {_MOST // 2**20} MiB")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{name}:{line}: this is no text in UTF-8") from None


def _plain(name: str, text: str) -> tuple[Source, Item]:
    return Source(text=text, file=name), plain(text)


def _yaml(name: str, text: str) -> tuple[Source, Item]:
    source = Source(text=text, file=name)
    try:
        return source, of_file(text)
    except UnreadableError as error:
        problem = source.problem(f"this is no YAML: {error.message}", error.at, error.at + 1)
        raise UsageError(problem.message, problems=(problem,)) from None


def _json(name: str, text: str) -> tuple[Source, Item]:
    hooks: dict[str, Any] = {"parse_int": Bare, "parse_float": Bare, "parse_constant": Bare}
    try:
        found = json.loads(text, object_pairs_hook=_once, **hooks)
        return Source(text=text, file=name, located=False), of_data(found)
    except json.JSONDecodeError as error:
        problem = Source(text=text, file=name).problem(
            f"this is no JSON: {error.msg}", error.pos, error.pos + 1
        )
        raise UsageError(problem.message, problems=(problem,)) from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{name}: this is no JSON: {_why(error)}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the key {name!r} is there twice")
        found[name] = value
    return found


def _toml(name: str, text: str) -> tuple[Source, Item]:
    try:
        found = tomllib.loads(text, parse_float=Bare)
        return Source(text=text, file=name, located=False), of_data(found)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{name}: this is no TOML: {_why(error)}") from None


def _why(error: ValueError | RecursionError) -> str:
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)


_FORMATS: dict[str, _Parse] = {".json": _json, ".toml": _toml, ".yaml": _yaml, ".yml": _yaml}
