"""What a job tells in its log of itself, between the lines that its payload writes."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from nemorun_cli.core.jobs import LogLine
from nemorun_cli.jobfiles import JobFiles

MARK = "::nemorun:: {"
_RAYS = "Running entrypoint for job "


def marker_of(line: str, key: str) -> dict[str, Any] | None:
    """What the job of this key tells in this line; None for a line of its payload."""
    if not line.startswith(MARK):
        return None
    try:
        told = json.loads(line[len(MARK) - 1 :])
    except ValueError:
        return None
    known = isinstance(told, dict) and (told.get("key") == key or "metrics" in told)
    return told if known else None


def files_of(text: str, key: str) -> JobFiles:
    """The small files of the job, as far as this part of its log tells of them."""
    verdict, history, failures = "", [], {}
    for told in _all(text.splitlines(), key):
        if "state" in told:
            verdict = json.dumps(told)
        elif "failure" in told:
            failures[int(told["attempt"])] = json.dumps(told["failure"])
        elif "attempt" in told:
            history.append(json.dumps(told))
    return JobFiles(verdict=verdict, history="\n".join(history), failures=failures)


def metrics_in(lines: Iterable[str], key: str) -> Iterator[dict[str, Any]]:
    """What the payload has tracked, oldest first."""
    return (told for told in _all(lines, key) if "metrics" in told)


def environment_of(text: str, key: str) -> dict[str, Any] | None:
    """What the job has recorded of its environment; None as long as it has not told."""
    found = (told["environment"] for told in _all(text.splitlines(), key) if "environment" in told)
    return next((each for each in found if isinstance(each, dict)), None)


def _all(lines: Iterable[str], key: str) -> Iterator[dict[str, Any]]:
    return (told for line in lines if (told := marker_of(line, key)) is not None)


@dataclass
class Listener:
    """Sorts the lines of a log, as they come, from its beginning."""

    key: str
    ended: bool = False
    """Whether the job has told how it ended."""
    _attempt: int = 0
    _before: list[str] = field(default_factory=list)
    """What Ray writes before the job's own script begins."""
    _empty: int = 0
    """Empty lines that may belong to what comes next: one of them."""

    def lines(self, texts: Iterable[str]) -> Iterator[LogLine]:
        """Those lines of the payload that these complete."""
        for text in texts:
            told = marker_of(text, self.key)
            if told is not None:
                self._empty = max(0, self._empty - 1)
                yield from self._blank()
                self._note(told)
            elif self.ended:
                return
            elif text.startswith(f"{_RAYS}{self.key}: "):
                continue  # It may be late.
            elif not self._attempt:
                self._before.append(text)
            elif text:
                yield from self._blank()
                yield self._line(text)
            else:
                self._empty += 1

    def last(self) -> Iterator[LogLine]:
        """What is left when nobody writes any more; Ray's own words where no attempt began."""
        yield from self._blank()
        if not self._attempt:
            yield from (LogLine(text=text, rank=None) for text in self._before)

    def _note(self, told: dict[str, Any]) -> None:
        if "state" in told:
            self.ended = True
        elif "started_at" in told:
            self._attempt, self._before = int(told["attempt"]), []

    def _blank(self) -> Iterator[LogLine]:
        while self._empty:
            self._empty -= 1
            yield self._line("")

    def _line(self, text: str) -> LogLine:
        return LogLine(text=text, attempt=self._attempt)


def lines_of_tail(texts: Iterable[str], key: str) -> list[LogLine]:
    """The payload's lines in the last part of a log, which may begin anywhere in it."""
    given: list[tuple[str, int | None]] = []
    attempt: int | None = None
    for text in texts:
        told = marker_of(text, key)
        if text.startswith(f"{_RAYS}{key}: "):
            continue
        if told is None:
            given.append((text, attempt))
            continue
        if given and not given[-1][0]:
            given.pop()
        number = told.get("attempt")
        if number is not None and attempt is None:
            # What came before the begin of an attempt is of the one before; 0 is Ray's own.
            before = number - 1 if "started_at" in told and "state" not in told else number
            given = [(each, before) for each, _ in given]
        if number is not None:
            attempt = number
        if "state" in told:
            break
    return [LogLine(text=text, attempt=number or 1) for text, number in given if number != 0]
