"""What the small files of a job's folder say of the job: texts in, a status out."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from nemorun_cli.core.jobs import Attempt, JobState, JobStatus, Reason


@dataclass(frozen=True, kw_only=True)
class JobFiles:
    """The small files of a job, as texts; what is not there is empty."""

    verdict: str = ""
    """exit.json: what the job wrote when it ended."""
    last_words: str = ""
    """last_words.json: the same, of a start that was ended from outside."""
    history: str = ""
    """attempts.jsonl, one line for each begin and each end of an attempt."""
    failures: Mapping[int, str] = field(default_factory=dict)
    """first_failure.json of each attempt that has one."""
    ranks: int = 1
    """How many ranks of the last attempt have logs of their own."""
    waiting: str = ""
    cancelled: bool = False
    """Whether somebody has asked the job to end."""


def progress_of(files: JobFiles, *, detail: str = "") -> JobStatus:
    """The status of a job that is known to be alive."""
    attempts = attempts_of(files.history)
    if attempts:
        return JobStatus(
            state=JobState.RUNNING,
            reason_detail=detail,
            attempt=attempts[-1].number,
            started_at=attempts[-1].started_at,
            attempts=attempts,
        )
    if files.waiting:
        return JobStatus(
            state=JobState.PENDING,
            reason=Reason.WAITING,
            reason_detail=f"after {files.waiting.strip()}",
        )
    return JobStatus(state=JobState.PENDING)


def verdict_of(files: JobFiles) -> JobStatus | None:
    """How the job says that it ended; None while it has not."""
    return _told(files.verdict, files)


def last_words_of(files: JobFiles) -> JobStatus | None:
    """How the last start of the job ended, where it is for somebody else to say what follows."""
    return _told(files.last_words, files)


def without_verdict(files: JobFiles, *, detail: str) -> JobStatus:
    """The verdict on a job of which no process is left and which has not told how it ended."""
    known = progress_of(files)
    return replace(
        known,
        state=JobState.CANCELLED if files.cancelled else JobState.LOST,
        reason=Reason.CANCELLED if files.cancelled else Reason.LOST,
        reason_detail="" if files.cancelled else detail,
    )


def first_failure(files: JobFiles, attempt: int) -> dict[str, Any] | None:
    """What the rank that failed first in this attempt left behind."""
    try:
        told = json.loads(files.failures.get(attempt, ""))
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


def environment_of(text: str) -> dict[str, Any] | None:
    """What environment.json says; None for any other text."""
    return next(objects([text]), None)


def history_of(text: str) -> list[dict[str, Any]]:
    """The lines of attempts.jsonl, oldest first."""
    entries = objects(text.splitlines())
    return [entry for entry in entries if isinstance(entry.get("attempt"), int)]


def attempts_of(text: str) -> tuple[Attempt, ...]:
    """The attempts that attempts.jsonl tells of, in order."""
    merged: dict[int, dict[str, Any]] = {}
    for entry in history_of(text):
        merged.setdefault(entry["attempt"], {}).update(entry)
    return tuple(
        Attempt(
            number=number,
            started_at=_time(entry.get("started_at")),
            ended_at=_time(entry.get("ended_at")),
            exit_code=_whole(entry.get("exit_code")),
            signal=_whole(entry.get("signal")),
            reason=entry["reason"] if isinstance(entry.get("reason"), str) else None,
        )
        for number, entry in sorted(merged.items())
    )


def objects(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The JSON objects of a text that holds one a line; torn lines are passed over."""
    for line in lines:
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):  # A full disk tears lines.
            continue
        if isinstance(entry, dict):
            yield entry


def _told(text: str, files: JobFiles) -> JobStatus | None:
    try:
        told = json.loads(text)
        status = JobStatus(
            state=JobState(told["state"]),
            reason=Reason(told["reason"]) if told["reason"] else None,
            reason_detail=str(told.get("detail") or ""),
            exit_code=_whole(told["exit_code"]),
            signal=_whole(told["signal"]),
            attempt=_whole(told["attempt"]) or 1,
            started_at=_time(told["started_at"]),
            ended_at=_time(told["ended_at"]),
            attempts=attempts_of(files.history),
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return _with_first_failure(files, status) if status.state is JobState.FAILED else status


def _with_first_failure(files: JobFiles, status: JobStatus) -> JobStatus:
    """The same verdict in the words of the rank that failed first."""
    failure = first_failure(files, status.attempt)
    if failure is None or status.reason is Reason.TIME_LIMIT:
        return status
    import_error = failure.get("kind") == "import_error"
    rank = _whole(failure.get("rank"))
    if files.ranks <= 1 and not rank:  # The others may have been ended before they had logs.
        rank = None
    message = str(failure.get("message") or "")
    return replace(
        status,
        reason=Reason.IMPORT_ERROR if import_error else status.reason,
        reason_detail=message if rank is None else f"{_place(failure)}: {message}",
        failing_rank=rank,
    )


def _place(failure: Mapping[str, Any]) -> str:
    host = failure.get("host")
    return f"rank {failure.get('rank')}{f' on {host}' if host else ''}"


_NEVER = 2**37  # A date whose year has four digits is before that.


def _whole(value: Any) -> int | None:  # noqa: ANN401
    return value if isinstance(value, int) else None


def _time(value: Any) -> float | None:  # noqa: ANN401
    return value if isinstance(value, int | float) and 0 < value < _NEVER else None
