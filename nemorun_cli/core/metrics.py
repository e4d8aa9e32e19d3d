"""What runs measure: points of metrics, read from lines of several kinds, and what they come to."""

import math
import re
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from nemorun_cli.core.errors import UsageError
from nemorun_cli.core.jobs import LogLine

LONGEST = 4096
"""Characters of a line of a log in which a pattern is looked for."""
STEP = "step"


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """One value of one metric."""

    name: str
    value: float
    step: float | None = None
    time: float | None = None
    """Seconds since 1970."""
    rank: int = 0


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What all points of a metric come to, for one rank. A step is None where none was told.

    Of a step that was told twice, as after a requeue, the later value counts. What is no number
    is neither the least nor the most, unless there is nothing else.
    """

    name: str
    rank: int
    count: int
    last: float
    last_step: float | None
    least: float
    least_step: float | None
    most: float
    most_step: float | None


@dataclass
class _Series:
    """The points of one metric and rank: 16 bytes for each that has a step, none for others."""

    last: Point
    steps: "array[float]" = field(default_factory=lambda: array("d"))
    values: "array[float]" = field(default_factory=lambda: array("d"))
    loose: int = 0
    least: float = math.nan
    most: float = math.nan

    def add(self, point: Point) -> None:
        """Take in one more; it counts in the place of an earlier one of its step."""
        self.last = point
        if point.step is None:
            self.loose += 1
            self.least = _better(self.least, point.value, most=False)
            self.most = _better(self.most, point.value, most=True)
        elif not self.steps or point.step > self.steps[-1]:
            self.steps.append(point.step)
            self.values.append(point.value)
        else:
            at = bisect_left(self.steps, point.step)
            if self.steps[at] == point.step:
                self.values[at] = point.value
            else:
                self.steps.insert(at, point.step)
                self.values.insert(at, point.value)

    def summary(self) -> Summary:
        """What they come to."""
        least, least_step = self._extreme(self.least, most=False)
        most, most_step = self._extreme(self.most, most=True)
        return Summary(
            name=self.last.name,
            rank=self.last.rank,
            count=self.loose + len(self.steps),
            last=self.last.value,
            last_step=self.last.step,
            least=least,
            least_step=least_step,
            most=most,
            most_step=most_step,
        )

    def _extreme(self, loose: float, *, most: bool) -> tuple[float, float | None]:
        value, step = loose, None
        for each, at in zip(self.values, self.steps, strict=True):
            if math.isnan(value) or (each > value if most else each < value):
                value, step = each, int(at) if at.is_integer() else at
        return value, step


def summaries(points: Iterable[Point]) -> list[Summary]:
    """What they come to, by metric and rank, in the order in which these were first met."""
    found: dict[tuple[str, int], _Series] = {}
    for point in points:
        series = found.setdefault((point.name, point.rank), _Series(last=point))
        series.add(point)
    return [series.summary() for series in found.values()]


def by_name(points: Iterable[Point]) -> dict[str, Summary]:
    """What each metric comes to, on the first rank that has it."""
    found: dict[str, Summary] = {}
    for each in sorted(summaries(points), key=lambda each: each.rank):
        found.setdefault(each.name, each)
    return found


def tracked(entry: Mapping[str, Any]) -> Iterator[Point]:
    """The points of one line that a job has tracked: {time, step, rank, metrics}."""
    values = entry.get("metrics")
    rank = entry.get("rank")
    for name, told in values.items() if isinstance(values, dict) else ():
        value = number(told)
        if value is not None:
            yield Point(
                name=name,
                value=value,
                step=_finite(entry.get("step")),
                time=_finite(entry.get("time")),
                rank=rank if isinstance(rank, int) else 0,
            )


def pattern_of(text: str) -> re.Pattern[str]:
    """The pattern of lines that tell of metrics: a regular expression with a group for each.

    UsageError for one that cannot be read, or that names no group but `step`.
    """
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise UsageError(f"not a regular expression: {text!r}: {error}") from None
    if not set(pattern.groupindex) - {STEP}:
        raise UsageError(
            f"the pattern {text!r} has no group that is named as a metric is",
            hint=r"for example 'step (?P<step>\d+) loss (?P<loss>\S+)'",
        )
    return pattern


def logged(line: LogLine, pattern: re.Pattern[str]) -> Iterator[Point]:
    """The points that a line of a log tells of, wherever the pattern is found in it."""
    for found in pattern.finditer(line.text[:LONGEST]):
        told = {name: number(text) for name, text in found.groupdict().items() if text}
        step = _finite(told.pop(STEP, None))
        for name, value in told.items():
            if value is not None:
                rank = line.rank or 0
                yield Point(name=name, value=value, step=step, time=line.time, rank=rank)


def number(told: object) -> float | None:
    """The number that this is, or spells: `0.5`, `nan`; None if it is none."""
    if isinstance(told, bool) or not isinstance(told, int | float | str):
        return None
    try:
        value = float(told)
    except ValueError:
        return None
    except OverflowError:
        return math.inf if int(told) > 0 else -math.inf
    return told if isinstance(told, int) else value


def tolerance(text: str, value: object) -> float:
    """How far from this value another one may be: `1e-3`, or `1%` of it.

    ValueError for what is no such number, or a negative one.
    """
    share = text.endswith("%")
    allowed = number(text.removesuffix("%"))
    if allowed is None or not allowed >= 0:
        raise ValueError(f"{text!r} is no tolerance")
    return allowed / 100 * abs(number(value) or 0.0) if share else allowed


def _finite(told: object) -> float | None:
    value = number(told)
    return value if value is not None and math.isfinite(value) else None


def _better(known: float, value: float, *, most: bool) -> float:
    if math.isnan(known):
        return value
    return value if (value > known if most else value < known) else known
