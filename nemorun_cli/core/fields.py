"""What can be asked of a run by name: its fields, paths of its config, its metrics."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from nemorun_cli.core import overrides
from nemorun_cli.core.errors import UsageError
from nemorun_cli.core.fieldnames import PLACES, TIMES
from nemorun_cli.core.overrides import Step, format_path

Plain = str | int | float | bool | None
_SHORT = {name.removesuffix("_at"): name for name in TIMES}
_SHOWN = 12
EXAMPLES = 'such as state, optim.lr, table["a.b"] or metric.loss'


class Kind(StrEnum):
    """Where to look for what is asked for."""

    FIELD = "field"
    CONFIG = "config"
    METRIC = "metric"


@dataclass(frozen=True, kw_only=True)
class Name:
    """What is asked for: a field, a path as an override writes it, or `loss`, `loss:min`."""

    kind: Kind
    text: str

    def __str__(self) -> str:
        return self.text if self.kind is Kind.FIELD else f"{self.kind}.{self.text}"


def name_of(text: str) -> Name:
    """`state` is a field; `optim.lr` and `config.state` are of the config; `metric.loss`.

    UsageError for what can be none of them.
    """
    prefix, dot, rest = text.partition(".")
    if prefix == Kind.METRIC and dot and rest:
        return Name(kind=Kind.METRIC, text=rest)
    if text.startswith(f"{Kind.METRIC}["):
        _, *inner = _steps(text)
        return Name(kind=Kind.METRIC, text=".".join(str(step.name) for step in inner))
    if prefix == Kind.CONFIG and dot:
        steps = _steps(text)[1:]
        return Name(kind=Kind.CONFIG, text=format_path(steps))
    field = _SHORT.get(text, text)
    if field in PLACES:
        return Name(kind=Kind.FIELD, text=field)
    return Name(kind=Kind.CONFIG, text=format_path(_steps(text)))


def like(name: str, known: Iterable[str]) -> str:
    """A hint: which of those known is meant, or else which there are."""
    listed = list(dict.fromkeys(known))
    if near := difflib.get_close_matches(name, listed, n=1):
        return f"did you mean {near[0]!r}?"
    more = ", ..." if len(listed) > _SHOWN else ""
    return f"there are: {', '.join(listed[:_SHOWN])}{more}" if listed else ""


def _steps(text: str) -> tuple[Step, ...]:
    """The path, in which a key is written as a field is wherever it can be."""
    wrong = UsageError(f"this is no name: {text!r}", hint=EXAMPLES)
    try:
        parsed = overrides.parse(f"{text}=")
    except UsageError:
        raise wrong from None
    if parsed.selector is not None or parsed.operation != overrides.SET or parsed.text:
        raise wrong
    return tuple(Step(name=step.name) for step in parsed.path)
