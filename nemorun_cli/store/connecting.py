"""Opening SQLite files, and what can go wrong with them."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 0.05
"""Seconds for which a lock is waited for; then the files answer."""
_HINDRANCES = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_NOMEM,
    },
)


class HinderedError(Exception):
    """The index cannot be used now: locked, not writable, no room."""


class DamagedError(Exception):
    """The index holds something that no index holds."""


@contextmanager
def connected(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection without transactions of its own, closed at the end."""
    # A rollback journal, because write-ahead logging does not work on network file systems.
    connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous = NORMAL")
        yield connection
    finally:
        connection.close()


@contextmanager
def translated() -> Iterator[None]:
    """HinderedError or DamagedError for whatever goes wrong inside."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", None)
        if code is not None and code & 0xFF in _HINDRANCES:
            raise HinderedError(str(error)) from error
        raise DamagedError(str(error)) from error
    except OSError as error:
        raise HinderedError(str(error)) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedError(str(error)) from error
