"""A cache of the store for quick answers: SQLite, one file a host, deletable at any time."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from nemorun_cli.core.errors import CorruptError, NotFoundError
from nemorun_cli.core.ids import MIN_PREFIX, matching
from nemorun_cli.core.runs import Filter, Run
from nemorun_cli.store.files import Store

if TYPE_CHECKING:
    from nemorun_cli.core.fields import Plain
    from nemorun_cli.store.database import Database
    from nemorun_cli.store.facts import Facts

_Answer = TypeVar("_Answer")
_STAMP = len("YYYYMMDD-HHMMSS")
_ATTEMPTS = 2


@dataclass(frozen=True, kw_only=True)
class Page:
    """Some runs, newest first; how many match in all; what could not be read."""

    runs: tuple[Run, ...]
    total: int
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Index:
    """Answers about all runs. Where SQLite cannot help, the files give the same answers, slower.

    The newest run is the one of the latest second, as its id tells, and in it the one whose record
    was created last.
    """

    store: Store
    clock: Callable[[], float] = time.time

    @property
    def path(self) -> Path:
        """The file; delete it whenever you like."""
        return self.store.home / "index" / f"{self.store.host}.sqlite"

    def select(self, wanted: Filter, *, limit: int | None) -> Page:
        """The newest runs that the filter accepts.

        Without the index, problems of runs that were not looked at remain unsaid.
        """

        def indexed(database: "Database") -> Page:
            runs, total = database.select(wanted, limit)
            return Page(runs=tuple(runs), total=total, problems=database.problems())

        return self._answer(indexed, lambda: self._select_from_files(wanted, limit))

    def live(self) -> tuple[Run, ...]:
        """All runs that may still change, newest first."""
        return self._answer(
            lambda database: database.live(),
            lambda: tuple(run for run in self._readable() if run.live),
        )

    def find(self, argument: str) -> tuple[str, ...]:
        """The ids of which this text is a prefix, or a prefix of the random tail; newest first."""
        if len(argument) < MIN_PREFIX:
            return ()
        return self._answer(
            lambda database: database.find(argument),
            lambda: tuple(matching(argument, self.store.ids())),
        )

    def nth(self, back: int) -> str | None:
        """The id of the run that is the n-th from the newest, counted from 1."""
        return self._answer(
            lambda database: database.nth(back),
            lambda: next((run.id for run in islice(self._readable(), back - 1, None)), None),
        )

    def touch(self, ids: Sequence[str], observed_at: float) -> None:
        """Remember when these runs were last asked about; where that fails, nothing is lost."""
        if ids:
            from nemorun_cli.store import database

            self._write(database.TOUCH, [(observed_at, run_id) for run_id in ids])

    def facts(self, wanted: Filter, fields: Sequence[str], kinds: Sequence[str]) -> "list[Facts]":
        """These fields of the runs that the filter accepts, and what is kept of these kinds.

        Newest first. Where SQLite cannot help, nothing is kept.
        """
        from nemorun_cli.store import facts

        return self._answer(
            lambda database: facts.select(database, wanted, fields, kinds),
            lambda: [facts.of_run(run, fields) for run in self._readable() if wanted.accepts(run)],
        )

    def keep(self, kind: str, found: Mapping[str, Mapping[str, "Plain"]]) -> None:
        """Keep this of runs, by their ids, until they change; where that fails, nothing is lost."""
        if found:
            from nemorun_cli.store import facts

            rows = [(kind, json.dumps(values), run_id) for run_id, values in found.items()]
            self._write(facts.KEEP, rows)

    def among(self, ids: Sequence[str]) -> Page:
        """Those of these runs that there still are, in this order."""

        def indexed(database: "Database") -> Page:
            return _page(database.among(ids), ids, database.problems())

        def unindexed() -> Page:
            found = [each for run_id in ids if (each := self._from_file(run_id))]
            told = tuple(each for _, _, wrong in found for each in wrong)
            return _page([run for _, run, _ in found if run], ids, told)

        return self._answer(indexed, unindexed)

    def _write(self, query: str, rows: Sequence[Sequence[Any]]) -> None:
        from nemorun_cli.store import connecting, database

        with suppress(connecting.HinderedError, connecting.DamagedError):
            database.write(self.path, query, rows)

    def _answer(
        self,
        indexed: Callable[["Database"], _Answer],
        unindexed: Callable[[], _Answer],
    ) -> _Answer:
        if not self.store.any():
            return unindexed()
        from nemorun_cli.store import connecting, database  # A launch has no use for SQLite.

        for _ in range(_ATTEMPTS):
            try:
                with database.opened(self.path, self.store, now=self.clock()) as opened:
                    return indexed(opened)
            except connecting.DamagedError:
                self._discard()
            except connecting.HinderedError:
                break
        return unindexed()

    def _discard(self) -> None:
        journal = self.path.with_name(self.path.name + "-journal")
        for path in (self.path, journal):
            with suppress(OSError):
                path.unlink()

    def _readable(self) -> Iterator[Run]:
        return (run for _, run, _ in self._from_files() if run is not None)

    def _from_files(self) -> Iterator[tuple[str, Run | None, tuple[str, ...]]]:
        """All runs, newest first, with what is wrong with them."""
        for _, ids in groupby(self.store.ids(), key=lambda run_id: run_id[:_STAMP]):
            found = [each for run_id in ids if (each := self._from_file(run_id))]
            found.sort(key=_created_at, reverse=True)
            yield from found

    def _from_file(self, run_id: str) -> tuple[str, Run | None, tuple[str, ...]] | None:
        try:
            run = self.store.read(run_id)
        except NotFoundError:
            return None
        except CorruptError as error:
            return run_id, None, (error.message,)
        return run_id, run, run.problems

    def _select_from_files(self, wanted: Filter, limit: int | None) -> Page:
        found: list[Run] = []
        problems: list[tuple[str, tuple[str, ...]]] = []
        total = 0
        for run_id, run, wrong in self._from_files():
            problems.append((run_id, wrong))
            if run is None or not wanted.accepts(run):
                continue
            total += 1
            if limit is None or len(found) < limit:
                found.append(run)
            elif wanted.empty:
                total = sum(1 for _ in self.store.ids())
                break
        told = [each for _, wrong in sorted(problems, reverse=True) for each in wrong]
        return Page(runs=tuple(found), total=total, problems=tuple(told))


def _created_at(each: tuple[str, Run | None, tuple[str, ...]]) -> tuple[float, str]:
    return (each[1].record.created_at if each[1] else 0, each[0])


def _page(runs: list[Run], ids: Sequence[str], problems: tuple[str, ...]) -> Page:
    known = {run.id: run for run in runs}
    ordered = tuple(known[run_id] for run_id in ids if run_id in known)
    return Page(runs=ordered, total=len(ordered), problems=problems)
