"""What a person types to change a config: one path, one operation, one text."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from nemorun_cli.core.errors import Problem, UsageError

SET, APPEND, REMOVE, RESET = "=", "+=", "-=", "~"
_BARE = re.compile(r"[^\s.\[\]=+~@:\"'(){},]+?(?=[.\[]|\+=|-=|=|$)")
_INDEX = re.compile(r"-?\d+")
_OPERATION = re.compile(r"\+=|-=|=")
_BRACKET = re.compile(r"\[\s*([^\s\[\]\"']+)\s*\]")
_CLOSERS = {"(": ")", "[": "]", "{": "}"}
_TOKEN = re.compile(
    r"""(?<=[=,(\[{:\s])(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|[()\[\]{},]""", re.DOTALL
)
_NAME = r"((?!\d)\w+(?:\.(?!\d)\w+)*)"
_TAG, _CLASS = re.compile(f"@{_NAME}"), re.compile(f"{_NAME}:")
_QUOTED = re.compile(r"""\[\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')\s*\]""", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of a path: a field or key by its name, or a position."""

    name: str | int
    literal: bool = False
    """Written in brackets and quotes: a key of a dict, whatever it looks like."""
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)


@dataclass(frozen=True, kw_only=True)
class Selector:
    """All arguments that carry a tag, or all nodes that call a class."""

    name: str
    by_tag: bool
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"@{self.name}" if self.by_tag else f"{self.name}:"


@dataclass(frozen=True, kw_only=True)
class Override:
    """One change of a config, as typed."""

    path: tuple[Step, ...]
    """From the root; from each node that a class selects; none below a tag."""
    operation: str
    text: str = ""
    """What comes after the operation, untouched."""
    selector: Selector | None = None
    argument: str = field(default="", compare=False)

    @property
    def where(self) -> str:
        """What is changed, as it would be typed."""
        return f"{self.selector or ''}{format_path(self.path)}"

    @property
    def value_start(self) -> int:
        """Where the text begins in the argument."""
        return len(self.argument) - len(self.text)


def parse(argument: str) -> Override:
    """What an argument asks for; UsageError with one problem that points into it."""
    reset = argument.startswith("~")
    selector, at = _selector(argument, start=int(reset))
    path: tuple[Step, ...] = ()
    if selector is None or not selector.by_tag:
        path, at = _path(argument, start=at)
    if reset:
        if at < len(argument):
            raise _wrong(argument, at, "'~path' takes no value", hint="it goes back to the default")
        return Override(path=path, operation=RESET, selector=selector, argument=argument)
    found = _OPERATION.match(argument, at)
    if found is None:
        raise _wrong(argument, at, "expects PATH=VALUE", hint=_how(argument, at))
    return Override(
        path=path,
        operation=found.group(),
        text=argument[found.end() :],
        selector=selector,
        argument=argument,
    )


def parse_call(text: str) -> tuple[str, tuple[str, ...]]:
    """The name and the arguments of `gpt(size=medium, n=3)`, or of a name alone.

    UsageError when the brackets or quotes do not match.
    """
    name, bracket, rest = text.partition("(")
    if not bracket:
        return text.strip(), ()
    if not rest.endswith(")"):
        raise _wrong(text, len(text), "expects ')' at the end", hint="quote the whole argument")
    return name.strip(), tuple(_separated(text, len(name) + 1, len(text) - 1))


def _separated(text: str, at: int, end: int) -> Iterator[str]:
    """The parts between commas that stand in no brackets and no quotes."""
    expected: list[str] = []
    begin = at
    for token in _TOKEN.finditer(text, at, end):
        sign = token.group()
        if sign in _CLOSERS:
            expected.append(_CLOSERS[sign])
        elif expected and sign == expected[-1]:
            expected.pop()
        elif sign in ")]}":
            raise _wrong(text, token.start(), f"{sign!r} closes nothing")
        elif sign == "," and not expected:
            yield text[begin : token.start()].strip()
            begin = token.end()
    if expected:
        raise _wrong(text, end, f"expects {expected[-1]!r}")
    if text[begin:end].strip():
        yield text[begin:end].strip()


def format(override: Override) -> str:  # noqa: A001 # The pair of `parse`.
    """The shortest argument that means this override."""
    if override.operation == RESET:
        return f"~{override.where}"
    return override.where + override.operation + override.text


def format_path(path: tuple[Step, ...]) -> str:
    """A path as it would be typed: `model.layers[0].width`."""
    text = ""
    for step in path:
        if isinstance(step.name, int):
            text += f"[{step.name}]"
        elif step.literal or not is_bare(step.name):
            text += f"[{_quote(step.name)}]"
        else:
            text += f".{step.name}" if text else step.name
    return text


def is_bare(name: str) -> bool:
    """Whether a name can stand in a path without brackets, and means itself."""
    found = _BARE.fullmatch(name)
    return found is not None and _INDEX.fullmatch(name) is None and not name.endswith(("+", "-"))


def _selector(argument: str, *, start: int) -> tuple[Selector | None, int]:
    by_tag = argument[start : start + 1] == "@"
    found = (_TAG if by_tag else _CLASS).match(argument, start)
    if found is None:
        return None, start
    name, first = found.group(1), found.start(1)
    selector = Selector(name=name, by_tag=by_tag, start=first, end=first + len(name))
    return selector, found.end()


def _path(argument: str, *, start: int) -> tuple[tuple[Step, ...], int]:
    steps: list[Step] = []
    at = start
    while True:
        if argument[at : at + 1] == "[":
            step = _bracket(argument, at)
        elif not steps or argument[at : at + 1] == ".":
            step = _bare(argument, at + int(bool(steps)), first=not steps)
        else:
            return tuple(steps), at
        steps.append(step)
        at = step.end + int(argument[at : at + 1] == "[")


def _bare(argument: str, at: int, *, first: bool) -> Step:
    found = _BARE.match(argument, at)
    if found is None or found.group().endswith("-"):
        raise _wrong(argument, at, "expects the name of a field", hint=_how(argument, at))
    name = found.group()
    index = _INDEX.fullmatch(name) is not None
    if index and first:
        raise _wrong(argument, at, "a path begins with the name of a field", end=found.end())
    return Step(name=int(name) if index else name, start=at, end=found.end())


def _bracket(argument: str, at: int) -> Step:
    quoted = _QUOTED.match(argument, at)
    if quoted is not None:
        name = re.sub(r"\\([\\\"'])", r"\1", quoted.group(1)[1:-1])
        return Step(name=name, literal=True, start=at + 1, end=quoted.end() - 1)
    plain = _BRACKET.match(argument, at)
    if plain is None:
        raise _wrong(argument, at, "expects '[0]' or '[\"key\"]'", hint="quote the whole argument")
    name, end = plain.group(1), plain.end() - 1
    if _INDEX.fullmatch(name):
        return Step(name=int(name), start=at + 1, end=end)
    return Step(name=name, literal=True, start=at + 1, end=end)


def _quote(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _how(argument: str, at: int) -> str:
    before, given, _ = argument.partition("=")
    if (given and before in ("", "+", "-")) or any(sign.isspace() for sign in before):
        return "no spaces around '='"
    if argument.startswith("-"):
        return "options come with two dashes: see --help"
    if argument[at : at + 1] == "@":
        return "@Tag=VALUE sets all arguments with a tag"
    if argument[at : at + 1] == ":":
        return "Class:path=VALUE sets the path in each node that calls the class"
    return 'such as optim.lr=3e-4, layers[0]=64 or table["a.b"]=x'


def _wrong(argument: str, at: int, message: str, *, hint: str = "", end: int = 0) -> UsageError:
    end = max(end, min(at + 1, len(argument)))
    problem = Problem(message=message, text=argument, start=at, end=end, hint=hint)
    return UsageError(f"cannot read {argument!r}: {message}", hint=hint, problems=(problem,))
