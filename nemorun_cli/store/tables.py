"""The tables of the index, and how values become their rows and conditions."""

from typing import Any

from nemorun_cli.core.runs import Filter, Run

VERSION = 5
_STAMP = len("YYYYMMDD-HHMMSS")
TABLES = ("runs", "documents", "facts", "tags", "problems", "watched", "journals")
SCHEMA = """
CREATE TABLE runs (
    id TEXT PRIMARY KEY, stamp TEXT NOT NULL, tail TEXT NOT NULL, live INTEGER NOT NULL,
    state TEXT NOT NULL, recipe TEXT NOT NULL, executor TEXT NOT NULL, profile TEXT,
    experiment TEXT, created_at REAL NOT NULL, seen TEXT NOT NULL, observed_at REAL
) WITHOUT ROWID;
CREATE INDEX runs_newest ON runs (stamp, created_at, id);
CREATE INDEX runs_live ON runs (stamp, created_at, id) WHERE live;
CREATE INDEX runs_state ON runs (state, stamp, created_at, id);
CREATE INDEX runs_experiment ON runs (experiment, stamp, created_at, id);
CREATE INDEX runs_tail ON runs (tail);
CREATE TABLE documents (id TEXT PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE facts (
    id TEXT, kind TEXT, document TEXT NOT NULL, PRIMARY KEY (id, kind)
) WITHOUT ROWID;
CREATE TABLE tags (id TEXT, tag TEXT, PRIMARY KEY (tag, id)) WITHOUT ROWID;
CREATE INDEX tags_id ON tags (id);
CREATE TABLE problems (id TEXT, number INTEGER, message TEXT, PRIMARY KEY (id, number));
CREATE TABLE watched (id TEXT PRIMARY KEY, since REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE journals (
    host TEXT PRIMARY KEY, size INTEGER NOT NULL, last TEXT NOT NULL
) WITHOUT ROWID;
"""


def row_of(run: Run, seen: str) -> dict[str, Any]:
    """The row of a run in `runs`."""
    record = run.record
    return {
        "id": run.id,
        "stamp": run.id[:_STAMP],
        "tail": run.id[-8:],
        "live": int(run.live),
        "state": run.state.value,
        "recipe": as_text(record.recipe),
        "executor": as_text(record.executor),
        "profile": None if record.profile is None else as_text(record.profile),
        "experiment": None if record.experiment is None else as_text(record.experiment),
        "created_at": record.created_at,
        "seen": seen,
        "observed_at": run.observed_at,
    }


def where_of(wanted: Filter) -> tuple[str, list[Any]]:
    """The condition on `runs` that stands for a filter, and its values."""
    parts: list[str] = []
    values: list[Any] = []
    if wanted.states:
        parts.append(f"state IN ({','.join('?' * len(wanted.states))})")
        values += [state.value for state in wanted.states]
    if wanted.executor is not None:
        parts.append("(executor = ? OR profile = ?)")
        values += [as_text(wanted.executor)] * 2
    for name in ("recipe", "experiment"):
        if (value := getattr(wanted, name)) is not None:
            parts.append(f"{name} = ?")
            values.append(as_text(value))
    for tag in wanted.tags:
        parts.append("runs.id IN (SELECT id FROM tags WHERE tag = ?)")
        values.append(as_text(tag))
    if wanted.since is not None:
        parts.append("created_at >= ?")
        values.append(wanted.since)
    return ("WHERE " + " AND ".join(parts) if parts else ""), values


def as_text(text: str) -> str:
    """Text that SQLite can hold: a name typed in another encoding has half characters."""
    return text.encode("utf-8", "backslashreplace").decode()
