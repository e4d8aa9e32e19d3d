"""The SQLite side of the index: what it holds, how it catches up with the files, what it answers.

Rows are written only while the write lock is held, and from files that are read under it: of two
readers the one that saw an older state cannot overwrite the newer one.
"""

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from nemorun_cli.core.errors import CorruptError, NotFoundError
from nemorun_cli.core.runs import Filter, Run
from nemorun_cli.store import documents, writing
from nemorun_cli.store.connecting import connected, translated
from nemorun_cli.store.files import Store
from nemorun_cli.store.tables import SCHEMA, TABLES, VERSION, as_text, row_of, where_of

WATCHED = 60.0
"""Seconds for which a noted run is looked at again: its writer may have been held up."""
BATCH = 200
"""Runs a transaction, so that nobody is locked out for long."""
_RECENT = 16384
"""Bytes at the end of a journal that a new index reads: their writers may not be done yet."""
_OF_A_RUN = ("runs", "documents", "facts", "tags", "problems")
_OUTDATED = (
    "DELETE FROM facts WHERE id IN (SELECT id FROM documents WHERE id = ? AND document != ?)"
)
TOUCH = "UPDATE runs SET observed_at = ? WHERE id = ? AND live"
NEWEST = "ORDER BY runs.stamp DESC, runs.created_at DESC, runs.id DESC"


@dataclass(frozen=True, kw_only=True)
class Database:
    """An open index, good for one answer."""

    connection: sqlite3.Connection
    store: Store
    now: float

    def prepare(self) -> None:
        """Make the tables unless they are there; then every run waits to be read."""
        if self._version() == VERSION:
            return
        with self._writing():
            if self._version() == VERSION:
                return  # Somebody was quicker.
            for table in TABLES:
                self._execute(f"DROP TABLE IF EXISTS {table}")
            for statement in SCHEMA.split(";"):
                self._execute(statement)
            waiting = ((run_id, self.now - WATCHED) for run_id in self.store.ids())
            self._each("INSERT INTO watched VALUES (?, ?)", waiting)
            for host, size in self.store.journal.sizes().items():
                self._remember(host, max(0, size - _RECENT))
            self._execute(f"PRAGMA user_version = {VERSION}")

    def catch_up(self) -> None:
        """Read again what was written to since the last look, and what may still change."""
        self._read_journals()
        watched = dict(self._execute("SELECT id, since FROM watched ORDER BY id DESC"))
        others = self._execute("SELECT id FROM runs WHERE live UNION SELECT id FROM problems")
        self._reread([*watched, *(run_id for (run_id,) in others if run_id not in watched)])
        over = [(each,) for each, since in watched.items() if not 0 <= self.now - since < WATCHED]
        if over:
            with self._writing():
                self._each("DELETE FROM watched WHERE id = ?", over)

    def select(self, wanted: Filter, limit: int | None) -> tuple[list[Run], int]:
        """The newest runs that the filter accepts, and how many it does."""
        where, values = where_of(wanted)
        runs = self._runs(where, values, -1 if limit is None else limit)
        ((total,),) = self._execute(f"SELECT count(*) FROM runs {where}", values)  # noqa: S608
        return runs, total

    def problems(self) -> tuple[str, ...]:
        """All that could not be read, newest run first."""
        query = "SELECT message FROM problems ORDER BY id DESC, number"
        return tuple(message for (message,) in self._execute(query))

    def live(self) -> tuple[Run, ...]:
        """All runs that may still change, newest first."""
        return tuple(self._runs("WHERE live", (), -1))

    def among(self, ids: Sequence[str]) -> list[Run]:
        """Those of these runs that there are, newest first."""
        found: list[Run] = []
        for at in range(0, len(ids), BATCH):
            batch = ids[at : at + BATCH]
            found += self._runs(f"WHERE runs.id IN ({','.join('?' * len(batch))})", batch, -1)
        return found

    def find(self, start: str) -> tuple[str, ...]:
        """The ids that start like this, or whose random tail does; newest first."""
        end = start + "\U0010ffff"
        rows = self._execute(
            "SELECT id FROM runs WHERE id >= ? AND id < ? "
            "UNION SELECT id FROM runs WHERE tail >= ? AND tail < ? "
            "UNION SELECT id FROM problems WHERE id >= ? AND id < ? "
            "UNION SELECT id FROM problems WHERE substr(id, -8) >= ? AND substr(id, -8) < ? "
            "ORDER BY id DESC",
            (start, end) * 4,
        )
        return tuple(run_id for (run_id,) in rows)

    def nth(self, back: int) -> str | None:
        """The id of the n-th newest run, counted from 1."""
        query = f"SELECT id FROM runs {NEWEST} LIMIT 1 OFFSET ?"  # noqa: S608
        while row := self._execute(query, (back - 1,)).fetchone():
            if self.store.fingerprint(row[0], now=self.now) is not None:
                return str(row[0])
            self._reread(row)
        return None

    def _runs(self, where: str, values: Sequence[Any], limit: int) -> list[Run]:
        """The runs of these rows, after each has been compared with its files."""
        query = (
            "SELECT runs.id, seen, document, observed_at "  # noqa: S608
            f"FROM runs CROSS JOIN documents USING (id) {where} {NEWEST} LIMIT ?"
        )
        compared: set[str] = set()
        while True:
            rows = self._execute(query, (*values, limit)).fetchall()
            news = [(row[0], row[1]) for row in rows if row[0] not in compared]
            stale = [run_id for run_id, seen in news if self._differs(run_id, seen)]
            if not stale:
                break
            self._reread(stale)
            compared.update(stale)
        return [
            documents.run_from_json(json.loads(document), observed_at=observed_at)
            for _, _, document, observed_at in rows
        ]

    def _read_journals(self) -> None:
        journal = self.store.journal
        known = {host: end for host, *end in self._execute("SELECT * FROM journals")}
        noted: dict[str, None] = {}
        read: dict[str, int] = {}
        sizes = journal.sizes()
        for host, size in sizes.items():
            offset, last = known.get(as_text(host), (0, ""))
            same = journal.last(host, offset) == last
            if size != offset or not same:
                ids, end = journal.since(host, offset if same else 0)
                noted |= dict.fromkeys(ids)
                if end != offset or not same:
                    read[host] = end
        gone = [(host,) for host in known.keys() - set(map(as_text, sizes))]
        if noted or gone or read:
            with self._writing():
                watched = [(run_id, self.now) for run_id in noted]
                self._each("INSERT OR REPLACE INTO watched VALUES (?, ?)", watched)
                self._each("UPDATE runs SET seen = '' WHERE id = ?", [(each,) for each in noted])
                self._each("DELETE FROM journals WHERE host = ?", gone)
                for host, end in read.items():
                    self._remember(host, end)

    def _remember(self, host: str, end: int) -> None:
        """Up to where a journal was read, and how that part ends."""
        row = (as_text(host), end, self.store.journal.last(host, end))
        self._execute("INSERT OR REPLACE INTO journals VALUES (?, ?, ?)", row)

    def _reread(self, ids: Iterable[str]) -> None:
        """Bring the rows of these runs up to date; a run that has not changed costs two stats."""
        waiting = iter(ids)
        while batch := list(islice(waiting, BATCH)):
            marks = ",".join("?" * len(batch))
            query = f"SELECT id, seen FROM runs WHERE id IN ({marks})"  # noqa: S608
            known = dict(self._execute(query, batch))
            troubled = f"SELECT DISTINCT id, '' FROM problems WHERE id IN ({marks})"  # noqa: S608
            known |= dict(self._execute(troubled, batch))
            stale = [each for each in batch if self._differs(each, known.get(each))]
            if stale:
                with self._writing():
                    for run_id in stale:
                        self._update(run_id, new=run_id not in known)

    def _differs(self, run_id: str, seen: str | None) -> bool:
        found = self.store.fingerprint(run_id, now=self.now)
        return found == "" or found != seen

    def _update(self, run_id: str, *, new: bool) -> None:
        # The files may change while they are read: then the next look finds another fingerprint.
        seen = self.store.fingerprint(run_id, now=self.now) or ""
        try:
            run = self.store.read(run_id)
        except (NotFoundError, CorruptError) as error:
            self._forget(run_id, _OF_A_RUN)
            if isinstance(error, CorruptError):
                self._tell(run_id, (error.message,))
        else:
            if not new:
                self._forget(run_id, ("tags", "problems"))
            self._put(run, seen)
            self._tell(run_id, run.problems)

    def _forget(self, run_id: str, tables: Sequence[str]) -> None:
        for table in tables:
            self._execute(f"DELETE FROM {table} WHERE id = ?", (run_id,))  # noqa: S608

    def _tell(self, run_id: str, problems: Sequence[str]) -> None:
        rows = [(run_id, number, as_text(message)) for number, message in enumerate(problems)]
        self._each("INSERT INTO problems VALUES (?, ?, ?)", rows)

    def _put(self, run: Run, seen: str) -> None:
        row = row_of(run, seen)
        news = ", ".join(f"{name} = excluded.{name}" for name in row if name != "observed_at")
        self._execute(
            f"INSERT INTO runs ({', '.join(row)}) VALUES ({', '.join('?' * len(row))}) "  # noqa: S608
            f"ON CONFLICT (id) DO UPDATE SET {news}, observed_at = "
            # What was touched is newer than what was written down, as long as the run is alive.
            "CASE WHEN excluded.live THEN coalesce(max(excluded.observed_at, observed_at), "
            "excluded.observed_at, observed_at) ELSE excluded.observed_at END",
            tuple(row.values()),
        )
        document = (run.id, json.dumps(documents.run_to_json(run)))
        self._execute(_OUTDATED, document)
        self._execute("INSERT OR REPLACE INTO documents VALUES (?, ?)", document)
        tags = [(run.id, as_text(tag)) for tag in run.tags]
        self._each("INSERT OR IGNORE INTO tags VALUES (?, ?)", tags)

    def _version(self) -> int:
        ((version,),) = self._execute("PRAGMA user_version")
        return int(version)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """A transaction; closing the connection undoes one that was left by an error."""
        self._execute("BEGIN IMMEDIATE")
        yield
        self._execute("COMMIT")

    def _execute(self, query: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        return self.connection.execute(query, values)

    def _each(self, query: str, rows: Iterable[Sequence[Any]]) -> None:
        self.connection.executemany(query, rows)


@contextmanager
def opened(path: Path, store: Store, *, now: float) -> Iterator[Database]:
    """The index in this file, which is made if it is missing, caught up with the files.

    HinderedError or DamagedError if it cannot give an answer.
    """
    with translated():
        writing.make_folder(path.parent)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        with connected(path) as connection:
            database = Database(connection=connection, store=store, now=now)
            database.prepare()
            database.catch_up()
            yield database


def write(path: Path, query: str, rows: Iterable[Sequence[Any]]) -> None:
    """Execute this for each row in the index, if there is one, all at once.

    HinderedError or DamagedError if it cannot.
    """
    with translated():
        path.stat()  # Connecting would make it.
        with connected(path) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(query, rows)
            connection.execute("COMMIT")
