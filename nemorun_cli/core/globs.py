"""Patterns over the paths of files: `ckpt/last*`, `**/*.pt`, `plots`."""

import re
from collections.abc import Callable, Iterator
from functools import partial

_FOLDERS = "**"


def matcher(pattern: str) -> Callable[[str], bool]:
    """Whether a path is meant by this pattern.

    `*`, `?` and `[a-z]` stand for a part of one name, `**` for any number of folders. What names a
    folder means all that is in it.
    """
    names = [name for name in pattern.split("/") if name not in ("", ".")]
    text = "".join(_regex(name, last=not left) for left, name in _counted(names))
    return partial(_matches, re.compile(f"(?:{text})(?:/.*)?" if names else ".*", re.DOTALL))


def _matches(pattern: re.Pattern[str], path: str) -> bool:
    return pattern.fullmatch(path) is not None


def _counted(names: list[str]) -> Iterator[tuple[int, str]]:
    return zip(reversed(range(len(names))), names, strict=True)


def _regex(name: str, *, last: bool) -> str:
    if name == _FOLDERS:
        return ".*" if last else "(?:[^/]+/)*"
    parts = re.split(r"(\[!?\]?[^\]]*\]|\*+|\?)", name)
    return "".join(map(_part, parts)) + ("" if last else "/")


def _part(part: str) -> str:
    if part.startswith("*"):
        return "[^/]*"
    if part == "?":
        return "[^/]"
    if len(part) > 2 and part[0] == "[" and part[-1] == "]":  # noqa: PLR2004
        return _members(part[1:-1])
    return re.escape(part)


def _members(text: str) -> str:
    negated = text.startswith("!")
    inner = text[negated:].replace("\\", r"\\").replace("[", r"\[").replace("]", r"\]")
    inner = inner.replace("^", r"\^").replace("&", r"\&").replace("~", r"\~").replace("|", r"\|")
    return f"(?!/)[{'^' if negated else ''}{inner}]"
