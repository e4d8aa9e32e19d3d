"""Runs by what they are, what their configs say and what they have measured."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from nemorun_cli.actions.wiring import Ports
from nemorun_cli.core.conditions import UNREAD, Expression, asks_for_none, comparisons, holds
from nemorun_cli.core.errors import NemorunError, Problem, UsageError
from nemorun_cli.core.fieldnames import PLACES
from nemorun_cli.core.fields import Kind, Name, Plain, like
from nemorun_cli.core.runs import Filter, Run
from nemorun_cli.core.sorting import Key, ordered

if TYPE_CHECKING:
    from nemorun_cli.store.facts import Facts

COMMAND = "command"
"""The path at which a run without a config has its command line."""
_WORDS = {Kind.CONFIG: "path", Kind.METRIC: "metric"}
_BATCH = 200
"""Runs that are read before what was found is kept."""


@dataclass(frozen=True, kw_only=True)
class Query:
    """What is asked of runs beside a filter."""

    text: str = ""
    """The condition as typed."""
    where: Expression | None = None
    sort: tuple[Key, ...] = ()
    pattern: re.Pattern[str] | None = None
    """Of lines of logs that tell of metrics."""

    def names(self) -> set[Name]:
        """All that is asked for."""
        conditions = comparisons(self.where) if self.where else ()
        return {each.name for each in conditions} | {each.name for each in self.sort}

    def asked(self) -> list[tuple[Name, Problem]]:
        """Each name that some run should have, and a problem that points at it."""
        found = [
            (each.name, Problem(message="", text=self.text, start=each.start, end=each.end))
            for each in (comparisons(self.where) if self.where else ())
            if not asks_for_none(each)
        ]
        for key in self.sort:
            start, end = int(key.descending), len(key.typed)
            place = Problem(message="", text=key.typed, start=start, end=end)
            found.append((key.name, place))
        return found


@dataclass(frozen=True, kw_only=True)
class Selected:
    """The ids of the runs asked for, in order; what could not be read; what is worth a word."""

    ids: tuple[str, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]


def select(wanted: Filter, query: Query, *, ports: Ports) -> Selected:
    """The runs that the filter accepts and of which the condition holds, sorted; else newest first.

    A config is read once, and so are the metrics of a run that has ended; of others, which may
    have more by now, each time. Read is only what can still decide. What cannot be read is as if
    it was not there, and told. UsageError for a path that none of the runs looked at has.
    """
    return _Selection(query, ports).of(wanted)


class _Selection:
    def __init__(self, query: Query, ports: Ports) -> None:
        self.query, self.ports = query, ports
        self.problems: list[str] = []
        pattern = query.pattern.pattern if query.pattern else ""
        self.labels = {Kind.CONFIG: "config", Kind.METRIC: f"metrics {pattern}".strip()}

    def of(self, wanted: Filter) -> Selected:
        """What is asked for."""
        names = self.query.names()
        fields = sorted(each.text for each in names if each.kind is Kind.FIELD)
        kinds = [kind for kind in self.labels if any(each.kind is kind for each in names)]
        found = self.ports.index.facts(wanted, fields, [self.labels[kind] for kind in kinds])
        chosen = self._chosen(found, kinds)
        for kind in kinds:
            if any(each.name.kind is kind for each in self.query.sort):
                self._read(kind, chosen)
        return Selected(
            ids=tuple(each.run_id for each in ordered(chosen, self.query.sort, self._value)),
            problems=tuple(dict.fromkeys(self.problems)),
            notes=self._notes(found),
        )

    def _chosen(self, found: Sequence["Facts"], kinds: Sequence[Kind]) -> list["Facts"]:
        """Those of which the condition holds; more is read of those of which that is open."""
        where = self.query.where
        if where is None:
            return list(found)
        told = {each.run_id: holds(where, partial(self._value, each)) for each in found}
        for kind in kinds:
            if any(each.name.kind is kind for each in comparisons(where)):
                waiting = [each for each in found if told[each.run_id] is None]
                self._read(kind, waiting)
                told |= {each.run_id: holds(where, partial(self._value, each)) for each in waiting}
        return [each for each in found if told[each.run_id]]

    def _value(self, facts: "Facts", name: Name) -> Plain | tuple[str, ...] | object:
        if name.kind is Kind.FIELD:
            return facts.fields[name.text]
        known = facts.known.get(self.labels[name.kind])
        return UNREAD if known is None else known.get(name.text)

    def _read(self, kind: Kind, found: Sequence["Facts"]) -> None:
        """Find out what is not known yet, and have it kept where it cannot change."""
        label = self.labels[kind]
        lacking = [each for each in found if label not in each.known]
        for at in range(0, len(lacking), _BATCH):
            batch = {each.run_id: each for each in lacking[at : at + _BATCH]}
            kept: dict[str, dict[str, Plain]] = {}
            for run in self.ports.index.among(list(batch)).runs:
                before = len(self.problems)
                values = self._read_one(kind, run)
                batch[run.id].known[label] = values
                if len(self.problems) == before and (kind is Kind.CONFIG or not run.live):
                    kept[run.id] = values
            self.ports.index.keep(label, kept)
            for each in batch.values():
                each.known.setdefault(label, {})  # Somebody has deleted it meanwhile.

    def _read_one(self, kind: Kind, run: Run) -> dict[str, Plain]:
        try:
            return self._config(run) if kind is Kind.CONFIG else self._metrics(run)
        except NemorunError as error:
            hint = f": {error.hint}" if error.hint else ""
            self.problems.append(f"{run.id}: {error.message.removeprefix(f'{run.id}: ')}{hint}")
            return {}

    def _config(self, run: Run) -> dict[str, Plain]:
        from nemorun_cli.actions.stored import config_of
        from nemorun_cli.config.flat import flat

        document = config_of(run, ports=self.ports)
        if document is None:
            return {COMMAND: shlex.join(run.record.argv or ())}
        return flat(document)

    def _metrics(self, run: Run) -> dict[str, Plain]:
        from nemorun_cli.actions import metrics
        from nemorun_cli.core.metrics import by_name

        pattern, problems = self.query.pattern, self.problems
        points = metrics.points(run, ports=self.ports, pattern=pattern, problems=problems)
        found = by_name(points)
        values: dict[str, Plain] = {name: told.last for name, told in found.items()}
        for name, told in found.items():
            values.setdefault(f"{name}:last", told.last)
            values.setdefault(f"{name}:min", told.least)
            values.setdefault(f"{name}:max", told.most)
        return values

    def _notes(self, found: Sequence["Facts"]) -> tuple[str, ...]:
        """What is asked for and none of the runs looked at has, which may be a slip of the pen."""
        notes = []
        for name, place in self.query.asked():
            label = self.labels.get(name.kind)
            known = [each.known[label] for each in found if label in each.known] if label else []
            if not known or any(name.text in each for each in known):
                continue
            there = dict.fromkeys(path for each in known for path in each)
            message = f"none of these runs has a {_WORDS[name.kind]} {name.text!r}"
            hint = like(name.text, there)
            typed = place.text[place.start : place.end]
            if name.kind is Kind.METRIC or typed.startswith(f"{Kind.CONFIG}."):
                notes.append(f"{message}{hint and f'; {hint}'}")
                continue
            near = like(name.text, [*PLACES, *there])
            hint = near if near.startswith("did") else f"a metric is written metric.{typed}"
            raise UsageError(
                message, hint=hint, problems=(replace(place, message=message, hint=hint),)
            )
        return tuple(dict.fromkeys(notes))
