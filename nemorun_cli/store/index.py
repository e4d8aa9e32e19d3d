"""A cache of the store for quick answers: SQLite, one file a host, deletable at any time."""

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import Any, TypeVar

from nemorun_cli.core.errors import CorruptError, NotFoundError, StoreError
from nemorun_cli.core.ids import MIN_PREFIX, matching
from nemorun_cli.core.runs import Filter, Run
from nemorun_cli.store import documents
from nemorun_cli.store.files import Store

VERSION = 2
_STAMP = len("YYYYMMDD-HHMMSS")
LOCK_PATIENCE = 0.05
"""Seconds for which a lock of the index is waited for; then the files answer."""
WATCHED = 60.0
"""Seconds for which a noted run is looked at again: its writer may have been held up."""
_NEWEST = "ORDER BY created_at DESC, id DESC"
BATCH = 500
"""Rows a transaction, so that nobody is locked out for long."""
_Answer = TypeVar("_Answer")
_SCHEMA = """
CREATE TABLE runs (
    id TEXT PRIMARY KEY, tail TEXT NOT NULL, live INTEGER NOT NULL, state TEXT NOT NULL,
    recipe TEXT NOT NULL, executor TEXT NOT NULL, profile TEXT, experiment TEXT,
    created_at REAL NOT NULL, changed TEXT, document TEXT NOT NULL, observed_at REAL
) WITHOUT ROWID;
CREATE INDEX runs_tail ON runs (tail);
CREATE INDEX runs_created ON runs (created_at, id);
CREATE INDEX runs_live ON runs (created_at, id) WHERE live;
CREATE INDEX runs_state ON runs (state, id);
CREATE INDEX runs_experiment ON runs (experiment, id);
CREATE TABLE tags (id TEXT NOT NULL, tag TEXT NOT NULL, PRIMARY KEY (tag, id)) WITHOUT ROWID;
CREATE INDEX tags_id ON tags (id);
CREATE TABLE journals (host TEXT PRIMARY KEY, size INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE watched (id TEXT PRIMARY KEY, since REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE problems (id TEXT PRIMARY KEY, message TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE counts (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO counts VALUES ('runs', 0);
CREATE TRIGGER one_more AFTER INSERT ON runs
    BEGIN UPDATE counts SET value = value + 1 WHERE name = 'runs'; END;
CREATE TRIGGER one_less AFTER DELETE ON runs
    BEGIN UPDATE counts SET value = value - 1 WHERE name = 'runs'; END;
"""


@dataclass(frozen=True, kw_only=True)
class Page:
    """Some runs, newest first; how many match in all; what could not be read."""

    runs: tuple[Run, ...]
    total: int
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Index:
    """Answers about all runs. Where SQLite cannot help, the files give the same answers, slower."""

    store: Store
    clock: Callable[[], float] = time.time

    @property
    def path(self) -> Path:
        """The file; delete it whenever you like."""
        return self.store.home / "index" / f"{self.store.host}.sqlite"

    def select(self, wanted: Filter, *, limit: int | None) -> Page:
        """The newest runs that the filter accepts."""
        return self._answer(
            lambda database: _select(database, wanted, limit),
            lambda: self._select_from_files(wanted, limit),
        )

    def live(self) -> tuple[Run, ...]:
        """All runs that may still change, newest first."""
        return self._answer(
            lambda database: tuple(_runs(database, f"WHERE live {_NEWEST}", ())),
            lambda: tuple(run for run in self._readable() if run.live),
        )

    def find(self, argument: str) -> tuple[str, ...]:
        """The ids of which this text is a prefix, or a prefix of the random tail; newest first."""
        if len(argument) < MIN_PREFIX:
            return ()
        return self._answer(
            lambda database: _find(database, argument),
            lambda: tuple(matching(argument, self.store.ids())),
        )

    def nth(self, back: int) -> str | None:
        """The id of the run that is the n-th from the newest, counted from 1."""
        return self._answer(
            lambda database: _nth(database, back),
            lambda: next(
                (run.id for run in islice(self._readable(), back - 1, None)),
                None,
            ),
        )

    def touch(self, ids: Sequence[str], observed_at: float) -> None:
        """Remember when these runs were last asked about; where that fails, nothing is lost."""
        if not ids:
            return
        rows = [(observed_at, run_id) for run_id in ids]
        with contextlib.suppress(sqlite3.Error, OSError), self._open() as database:
            database.executemany("UPDATE runs SET observed_at = ? WHERE id = ?", rows)
            database.commit()

    def _answer(
        self,
        indexed: Callable[[sqlite3.Connection], _Answer],
        unindexed: Callable[[], _Answer],
    ) -> _Answer:
        if not (self.store.home / "runs").is_dir():
            list(self.store.ids())  # Tells what is wrong, if anything is.
            return unindexed()
        try:
            with self._open() as database:
                self._catch_up(database)
                return indexed(database)
        except sqlite3.DatabaseError as error:
            if not isinstance(error, sqlite3.OperationalError):
                self.path.unlink(missing_ok=True)  # It is damaged; the next command makes it anew.
        except (OSError, ValueError, KeyError, TypeError):
            pass
        return unindexed()

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self.path.exists():
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        database = sqlite3.connect(self.path, timeout=LOCK_PATIENCE, isolation_level="IMMEDIATE")
        try:
            (version,) = database.execute("PRAGMA user_version").fetchone()
            # The files are the truth, so this one need not survive a power cut.
            database.execute("PRAGMA synchronous = OFF")
            if version == 0:
                self._create(database)
            elif version != VERSION:
                raise sqlite3.DatabaseError("another version")
            yield database
        finally:
            database.close()

    def _create(self, database: sqlite3.Connection) -> None:
        """Fill a new index from the files; whoever is quicker, does it."""
        sizes = self.store.journal.sizes()
        with contextlib.suppress(sqlite3.OperationalError):
            database.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {VERSION};")
            now = self.clock()
            rows = [(run_id, now) for run_id in self.store.ids()]
            database.executemany("INSERT OR IGNORE INTO watched VALUES (?, ?)", rows)
            database.executemany("INSERT INTO journals VALUES (?, ?)", sizes.items())
            database.commit()
            self._reread(database, [run_id for run_id, _ in rows])
            database.execute("DELETE FROM watched")
            database.commit()

    def _catch_up(self, database: sqlite3.Connection) -> None:
        """Read again what was written to since the last look, and what may still change."""
        noted: dict[str, None] = {}
        offsets = dict(database.execute("SELECT host, size FROM journals"))
        sizes = self.store.journal.sizes()
        moved = {}
        for host, size in sizes.items():
            offset = offsets.get(host, 0)
            if size != offset:
                ids, moved[host] = self.store.journal.since(
                    host,
                    offset if offset <= size else 0,
                )
                noted |= dict.fromkeys(ids)
        now = self.clock()
        watched = dict(database.execute("SELECT id, since FROM watched"))
        live = [row for (row,) in database.execute("SELECT id FROM runs WHERE live")]
        self._reread(database, dict.fromkeys([*noted, *watched, *live]))
        over = [(each,) for each, since in watched.items() if not 0 <= now - since < WATCHED]
        if noted or moved or over:
            rows = [(run_id, now) for run_id in noted]
            database.executemany("INSERT OR REPLACE INTO watched VALUES (?, ?)", rows)
            database.executemany("DELETE FROM watched WHERE id = ?", over)
            database.executemany("INSERT OR REPLACE INTO journals VALUES (?, ?)", moved.items())
            database.commit()

    def _reread(self, database: sqlite3.Connection, ids: Iterable[str]) -> None:
        """Bring the rows of these runs up to date; runs whose folder is unchanged cost a stat."""
        waiting = iter(ids)
        while batch := list(islice(waiting, BATCH)):
            marks = ",".join("?" * len(batch))
            query = f"SELECT id, changed FROM runs WHERE id IN ({marks})"  # noqa: S608
            known = dict(database.execute(query, batch))
            for run_id in batch:
                changed = self.store.fingerprint(run_id, now=self.clock())
                if changed is None or not changed or known.get(run_id) != changed:
                    self._update(database, run_id, changed)
            if database.in_transaction:
                database.commit()

    def _update(self, database: sqlite3.Connection, run_id: str, changed: str | None) -> None:
        try:
            run = self.store.read(run_id)
        except NotFoundError:
            for table in ("runs", "tags", "problems"):
                database.execute(f"DELETE FROM {table} WHERE id = ?", (run_id,))  # noqa: S608
            return
        except (CorruptError, StoreError) as error:
            row = (run_id, error.message)
            database.execute("INSERT OR REPLACE INTO problems VALUES (?, ?)", row)
            return
        _put(database, run, changed)

    def _readable(self) -> Iterator[Run]:
        return (run for run, _ in self._from_files() if run is not None)

    def _from_files(self) -> Iterator[tuple[Run | None, str]]:
        """All runs, newest first: ids tell the second, records what came first in it."""
        for _, ids in groupby(self.store.ids(), key=lambda run_id: run_id[:_STAMP]):
            found = [each for run_id in ids if (each := self._one_from_files(run_id))]
            found.sort(key=lambda each: each[0].record.created_at if each[0] else 0, reverse=True)
            yield from found

    def _one_from_files(self, run_id: str) -> tuple[Run | None, str] | None:
        try:
            return self.store.read(run_id), ""
        except NotFoundError:
            return None
        except (CorruptError, StoreError) as error:
            return None, error.message

    def _select_from_files(self, wanted: Filter, limit: int | None) -> Page:
        found: list[Run] = []
        problems: list[str] = []
        total = 0
        for run, problem in self._from_files():
            if run is None:
                problems.append(problem)
            elif wanted.accepts(run):
                total += 1
                problems += run.problems
                if limit is None or len(found) < limit:
                    found.append(run)
                elif wanted.empty:
                    total = sum(1 for _ in self.store.ids())
                    break
        return Page(runs=tuple(found), total=total, problems=tuple(problems))


def _put(database: sqlite3.Connection, run: Run, changed: str | None) -> None:
    record = run.record
    row = {
        "id": run.id,
        "tail": run.id[-8:],
        "live": int(run.live),
        "state": run.state.value,
        "recipe": record.recipe,
        "executor": record.executor,
        "profile": record.profile,
        "experiment": record.experiment,
        "created_at": record.created_at,
        "changed": changed,
        "document": json.dumps(documents.run_to_json(run)),
        "observed_at": run.observed_at,
    }
    names = ", ".join(row)
    values = ", ".join(f":{name}" for name in row)
    news = ", ".join(f"{name} = excluded.{name}" for name in row if name != "observed_at")
    database.execute(
        f"INSERT INTO runs ({names}) VALUES ({values}) "  # noqa: S608
        f"ON CONFLICT (id) DO UPDATE SET {news}, "
        "observed_at = coalesce(excluded.observed_at, observed_at)",
        row,
    )
    database.execute("DELETE FROM tags WHERE id = ?", (run.id,))
    pairs = [(run.id, tag) for tag in run.tags]
    database.executemany("INSERT OR IGNORE INTO tags VALUES (?, ?)", pairs)
    database.execute("DELETE FROM problems WHERE id = ?", (run.id,))
    if run.problems:
        told = (run.id, "; ".join(run.problems))
        database.execute("INSERT OR REPLACE INTO problems VALUES (?, ?)", told)


def _runs(database: sqlite3.Connection, where: str, values: Sequence[Any]) -> Iterator[Run]:
    rows = database.execute(f"SELECT document, observed_at FROM runs {where}", values)  # noqa: S608
    for document, observed_at in rows:
        yield documents.run_from_json(json.loads(document), observed_at=observed_at)


def _select(database: sqlite3.Connection, wanted: Filter, limit: int | None) -> Page:
    where, values = _where(wanted)
    if wanted.empty:
        (total,) = database.execute("SELECT value FROM counts WHERE name = 'runs'").fetchone()
    else:
        (total,) = database.execute(f"SELECT count(*) FROM runs {where}", values).fetchone()  # noqa: S608
    last = -1 if limit is None else limit
    runs = tuple(_runs(database, f"{where} {_NEWEST} LIMIT ?", (*values, last)))
    problems = database.execute("SELECT message FROM problems ORDER BY id DESC")
    return Page(runs=runs, total=total, problems=tuple(message for (message,) in problems))


def _where(wanted: Filter) -> tuple[str, list[Any]]:
    parts: list[str] = []
    values: list[Any] = []
    if wanted.states:
        parts.append(f"state IN ({','.join('?' * len(wanted.states))})")
        values += [state.value for state in wanted.states]
    if wanted.executor is not None:
        parts.append("(executor = ? OR profile = ?)")
        values += [wanted.executor, wanted.executor]
    for name in ("recipe", "experiment"):
        if (value := getattr(wanted, name)) is not None:
            parts.append(f"{name} = ?")
            values.append(value)
    for tag in wanted.tags:
        parts.append("id IN (SELECT id FROM tags WHERE tag = ?)")
        values.append(tag)
    if wanted.since is not None:
        parts.append("created_at >= ?")
        values.append(wanted.since)
    return ("WHERE " + " AND ".join(parts) if parts else ""), values


def _nth(database: sqlite3.Connection, back: int) -> str | None:
    query = f"SELECT id FROM runs {_NEWEST} LIMIT 1 OFFSET ?"  # noqa: S608
    row = database.execute(query, (back - 1,)).fetchone()
    return None if row is None else str(row[0])


def _find(database: sqlite3.Connection, argument: str) -> tuple[str, ...]:
    end = argument + "\U0010ffff"
    rows = database.execute(
        "SELECT id FROM runs WHERE id >= ? AND id < ? "
        "UNION SELECT id FROM runs WHERE tail >= ? AND tail < ? ORDER BY id DESC",
        (argument, end, argument, end),
    )
    return tuple(run_id for (run_id,) in rows)
