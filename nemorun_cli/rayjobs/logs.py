"""The log of a Ray job: read as it stands, or followed to its end whatever breaks meanwhile."""

import queue
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from nemorun_cli.core.errors import UnreachableError
from nemorun_cli.core.jobs import LogLine
from nemorun_cli.logfiles import Lines
from nemorun_cli.rayjobs.dashboard import Dashboard
from nemorun_cli.rayjobs.reading import ENDED
from nemorun_cli.rayjobs.telling import Listener, lines_of_tail, metrics_in
from nemorun_cli.watching import nap

PATIENCE = 600.0
"""Seconds without an answer after which following gives up."""
_TICK = 1.0
_QUIET = 0.5
_LONGEST_PAUSE = 15.0


def read(dashboard: Dashboard, key: str, *, tail: int | None) -> Iterator[LogLine]:
    """What stands in the log now; nothing where there is none yet."""
    if tail is None:
        yield from _whole(dashboard, key)
        return
    job = dashboard.job(key) or {}
    wanted = 4 * tail + 100  # Each of our own lines has an empty one before it.
    while True:
        data = dashboard.tail(job, wanted)
        if data is None:
            return
        if data.count(b"\n") < wanted - 1:  # That is all of it.
            yield from deque(_sorted(key, iter([data])), maxlen=tail)
            return
        reader = Lines()
        found = lines_of_tail([*reader.lines(data), *reader.last()], key)
        if len(found) >= tail:
            yield from found[len(found) - tail :]
            return
        wanted *= 8


def _whole(dashboard: Dashboard, key: str) -> Iterator[LogLine]:
    with dashboard.log(dashboard.job(key) or {}, follow=False) as pieces:
        if pieces is not None:
            yield from _sorted(key, pieces)


def metrics(dashboard: Dashboard, key: str) -> Iterator[dict[str, Any]]:
    """What the job has tracked, oldest first."""
    reader = Lines()
    with dashboard.log(dashboard.job(key) or {}, follow=False) as pieces:
        for piece in pieces or ():
            yield from metrics_in(reader.lines(piece), key)


def last_metrics(dashboard: Dashboard, key: str, *, within: int) -> Iterator[dict[str, Any]]:
    """What the job has tracked in so many last lines of its log, oldest first."""
    data = dashboard.tail(dashboard.job(key) or {}, within) or b""
    return metrics_in(data.decode(errors="replace").splitlines(), key)


def _sorted(key: str, pieces: Iterator[bytes]) -> Iterator[LogLine]:
    reader, listener = Lines(), Listener(key=key)
    for piece in pieces:
        yield from listener.lines(reader.lines(piece))
    yield from listener.lines(reader.last())
    yield from listener.last()


@dataclass
class Follower:
    """The output of one job, as far as it has been given."""

    dashboard: Dashboard
    key: str
    _job: Mapping[str, Any] = field(default_factory=dict)
    _seen: int = 0
    _reader: Lines = field(default_factory=Lines)
    _listener: Listener = field(init=False)

    def __post_init__(self) -> None:
        """Begin to listen at the beginning."""
        self._listener = Listener(key=self.key)

    def lines(self, *, tail: int | None) -> Iterator[LogLine]:
        """Each line as it comes, until the job has ended and all was given.

        A connection that breaks is made anew, and nothing is given twice. UnreachableError when
        nobody answers for ten minutes. With `tail`, of what stood there at first the last lines.
        """
        source = self._all()
        if tail is not None:
            early: deque[LogLine] = deque(maxlen=tail)
            for line in source:
                if line is None:
                    break
                early.append(line)
            yield from early
        yield from (line for line in source if line is not None)

    def _all(self) -> Iterator[LogLine | None]:
        """The lines; None whenever there is nothing new for a moment."""
        pause, heard = _TICK, time.monotonic()
        while True:
            try:
                over = self._over()
                yield from self._connected(over=over)
                if over or self._listener.ended:
                    yield from self._listener.lines(self._reader.last())
                    yield from self._listener.last()
                    return
                pause, heard = _TICK, time.monotonic()
            except UnreachableError:
                if time.monotonic() - heard > PATIENCE:
                    raise
                pause = min(2 * pause, _LONGEST_PAUSE)
            yield None
            nap(pause)

    def _over(self) -> bool:
        """Whether the job has ended, or is not known any more."""
        self._job = self.dashboard.job(self.key) or {}
        return self._job.get("status") in (*ENDED, None)

    def _connected(self, *, over: bool) -> Iterator[LogLine | None]:
        """What comes over one connection, until it breaks or the job has ended."""
        quiet = 0.0
        skip, self._seen = self._seen, 0
        with self.dashboard.log(self._job, follow=True) as source:
            if source is None:
                self._seen = skip
                return
            pieces: queue.SimpleQueue[bytes | UnreachableError | None] = queue.SimpleQueue()
            threading.Thread(target=_pump, args=(source, pieces), daemon=True).start()
            while not self._listener.ended:
                try:
                    piece = pieces.get(timeout=_QUIET)
                except queue.Empty:
                    yield None
                    quiet += _QUIET
                    if over and quiet > 2 * _TICK:
                        return
                    over = over or (quiet % _TICK == 0 and self._over())
                    continue
                if not isinstance(piece, bytes):
                    self._seen = max(skip, self._seen)
                    if piece is None:
                        return
                    raise piece
                quiet = 0.0
                fresh = piece[max(0, skip - self._seen) :]
                self._seen += len(piece)
                yield from self._listener.lines(self._reader.lines(fresh))


def _pump(source: Iterator[bytes], pieces: "queue.SimpleQueue[object]") -> None:
    """Hand over what comes, and at last why nothing comes any more."""
    try:
        for piece in source:
            pieces.put(piece)
        pieces.put(None)
    except UnreachableError as error:
        pieces.put(error)
