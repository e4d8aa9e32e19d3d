"""Runs side by side: what their configs say and what they have measured."""

import difflib
import json
import math
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from nemorun_cli.actions import metrics
from nemorun_cli.actions.observe import refresh
from nemorun_cli.actions.stored import config_of
from nemorun_cli.actions.wiring import Ports
from nemorun_cli.config.render import rows
from nemorun_cli.core.errors import NemorunError, NotFoundError, UsageError
from nemorun_cli.core.fields import like
from nemorun_cli.core.metrics import Summary, by_name, number
from nemorun_cli.core.runs import Run

COMMAND = "command"
"""What the command line of a run without a config is called."""
WORTHS = ("last", "min", "max")
"""What of a metric can be compared: `loss:min`; without a word it is the last value."""
_LISTED = 12


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One value of a config."""

    text: str
    exact: str
    """The same for equal values alone."""
    is_part: bool = False
    """Whether other paths say what it holds."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One run: the paths of its config, and of each metric, on its first rank, what it came to."""

    run: Run
    config: Mapping[str, Cell] = field(default_factory=dict)
    metrics: Mapping[str, Summary] = field(default_factory=dict)

    def worth(self, metric: str) -> float | None:
        """The value of `loss`, `loss:min` or `loss:max`; None if the run has none."""
        name, _, word = metric.rpartition(":")
        if word not in WORTHS or not name:
            name, word = metric, WORTHS[0]
        summary = self.metrics.get(name)
        if summary is None:
            return None
        return {"last": summary.last, "min": summary.least, "max": summary.most}[word]


@dataclass(frozen=True, kw_only=True)
class Table:
    """Runs, the paths of all configs, those whose values differ, and the metrics."""

    entries: tuple[Entry, ...]
    paths: tuple[str, ...]
    changed: tuple[str, ...]
    metrics: tuple[str, ...]
    problems: tuple[str, ...] = ()


def compare(
    runs: Sequence[Run],
    *,
    ports: Ports,
    names: Sequence[str] = (),
    sort: str | None = None,
    pattern: re.Pattern[str] | None = None,
) -> Table:
    """These runs beside each other, as they stand. Executes nothing that was stored.

    Of metrics those named, as `loss` or `loss:min`; all if there are none. `sort` is a metric or a
    path of the config, after a `-` from the greatest down; who has no such value comes last. What
    cannot be read, or reached, is left out and told. UsageError for a `sort` that no run has, and
    for a metric that none has where there are others.
    """
    seen = refresh(runs, ports=ports)
    problems = list(seen.problems)
    wanted = [*names, *_metric_of(sort, names)]
    read = partial(_entry, ports=ports, wanted=wanted, pattern=pattern, problems=problems)
    entries = tuple(map(read, seen.runs))
    if sort is not None:
        entries = _sorted(entries, sort)
    paths = tuple(dict.fromkeys(path for each in entries for path in each.config))
    shown = _shown(names, entries)
    if lacking := [name for name, told in shown.items() if not told]:
        every = {name for run in seen.runs for name in _measured(run, ports, pattern)}
        _refuse_unknown(lacking[0], sorted(every))
        problems += [f"none of these runs has a metric {name!r} yet" for name in lacking]
    return Table(
        entries=entries,
        paths=paths,
        changed=tuple(path for path in paths if _differs(entries, path)),
        metrics=tuple(shown),
        problems=tuple(dict.fromkeys(problems)),
    )


def _entry(
    run: Run,
    *,
    ports: Ports,
    wanted: Sequence[str],
    pattern: re.Pattern[str] | None,
    problems: list[str],
) -> Entry:
    config: Mapping[str, Cell] = {}
    found: dict[str, Summary] = {}
    try:
        config = _config(run, ports)
    except NemorunError as error:
        problems.append(error.message)
    names = [_name_of(each) for each in wanted]
    try:
        points = metrics.points(run, ports=ports, names=names, pattern=pattern, problems=problems)
        found = by_name(points)
    except NotFoundError:
        pass  # It has others, and an empty cell says so.
    except NemorunError as error:
        problems.append(f"{run.id}: {error.message}{f': {error.hint}' if error.hint else ''}")
    return Entry(run=run, config=config, metrics=found)


def _config(run: Run, ports: Ports) -> dict[str, Cell]:
    document = config_of(run, ports=ports)
    if document is None:
        line = shlex.join(run.record.argv or ())
        return {COMMAND: Cell(text=line, exact=line)}
    return {
        row.path: Cell(text=row.text, exact=json.dumps([row.text, row.value]), is_part=row.is_part)
        for row in rows(document)
    }


def _shown(names: Sequence[str], entries: Sequence[Entry]) -> dict[str, bool]:
    """The metrics that these names mean, and whether any run has them."""
    known = dict.fromkeys((name for each in entries for name in each.metrics), True)
    if not names:
        return known
    found: dict[str, bool] = {}
    for name in names:
        plain = _name_of(name)
        word = name.removeprefix(plain)
        hits = [each for each in known if metrics.means(plain, each)]
        found |= {f"{each}{word}": True for each in hits} or {name: False}
    return found


def _measured(run: Run, ports: Ports, pattern: re.Pattern[str] | None) -> frozenset[str]:
    """The names of all that a run has measured, as far as they can be read."""
    try:
        found = metrics.points(run, ports=ports, pattern=pattern, problems=[])
        return frozenset(point.name for point in found)
    except NemorunError:
        return frozenset()


def _refuse_unknown(metric: str, known: Sequence[str]) -> None:
    if not known:
        return
    near = difflib.get_close_matches(_name_of(metric), known, n=1)
    listed = ", ".join(known[:_LISTED]) + (", ..." if len(known) > _LISTED else "")
    raise UsageError(
        f"none of these runs has a metric {_name_of(metric)!r}",
        hint=f"did you mean {near[0]!r}?" if near else f"they have {listed}",
    )


def _differs(entries: Sequence[Entry], path: str) -> bool:
    cells = [each.config.get(path) for each in entries]
    return len({None if cell is None else cell.exact for cell in cells}) > 1


def _name_of(metric: str) -> str:
    name, _, word = metric.rpartition(":")
    return name if word in WORTHS and name else metric


def _metric_of(sort: str | None, names: Sequence[str]) -> list[str]:
    """The metric to read for sorting's sake alone; where all are read, none."""
    return [sort.removeprefix("-")] if sort and names else []


def _sorted(entries: Sequence[Entry], sort: str) -> tuple[Entry, ...]:
    name = sort.removeprefix("-")
    keys = {each.run.id: _key(each, name) for each in entries}
    having = [each for each in entries if keys[each.run.id] is not None]
    if entries and not any(each.worth(name) is not None or name in each.config for each in entries):
        known = [each for entry in entries for each in (*entry.metrics, *entry.config)]
        raise UsageError(
            f"--sort: none of these runs has a metric or a path {name!r}",
            hint=like(name.removeprefix("metric."), known),
        )
    having.sort(key=lambda each: keys[each.run.id] or (0, 0, ""), reverse=sort.startswith("-"))
    return (*having, *(each for each in entries if keys[each.run.id] is None))


def _key(entry: Entry, name: str) -> tuple[int, float, str] | None:
    """Numbers come before texts; None for what is not there, or no number."""
    value = entry.worth(name)
    if value is None and name in entry.config:
        text = entry.config[name].text
        value = number(text)
        if value is None:
            return (1, 0, text)
    return None if value is None or math.isnan(value) else (0, value, "")
