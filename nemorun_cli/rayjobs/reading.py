"""What a Ray cluster says of a job, and what that means."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nemorun_cli.core.jobs import JobState, JobStatus, Reason
from nemorun_cli.jobfiles import JobFiles, progress_of, verdict_of

ENDED = frozenset({"SUCCEEDED", "FAILED", "STOPPED"})
_NODE = frozenset({"JOB_SUPERVISOR_ACTOR_DIED", "JOB_SUPERVISOR_ACTOR_UNKNOWN_FAILURE"})
_LONGEST = 500


def status_of(entry: Mapping[str, Any], files: JobFiles) -> JobStatus:
    """The status of a job; `files` are what its log tells, as far as that is known."""
    word = str(entry.get("status"))
    if word == "PENDING":
        return JobStatus(state=JobState.PENDING, reason_detail=_message(entry))
    if word == "RUNNING":
        return replace(progress_of(files), state=JobState.RUNNING)
    if word not in ENDED:
        detail = f"Ray says {word!r}, which is not known here"
        return JobStatus(state=JobState.UNKNOWN, reason_detail=detail)
    told = verdict_of(files)
    if told is not None:
        return told
    return _without_verdict(word, entry, files)


def gone(address: str) -> JobStatus:
    """The verdict on a job that its cluster answers not to know."""
    return JobStatus(
        state=JobState.LOST,
        reason=Reason.LOST,
        reason_detail=f"the Ray cluster at {address} does not know the job: "
        "it was started anew since, or the job was deleted there",
    )


def _without_verdict(word: str, entry: Mapping[str, Any], files: JobFiles) -> JobStatus:
    """Ray's own word on a job that could not tell how it ended."""
    known = replace(progress_of(files), ended_at=_seconds(entry.get("end_time")))
    code = entry.get("driver_exit_code")
    code = code if isinstance(code, int) else None
    if word == "SUCCEEDED":
        return replace(known, state=JobState.SUCCEEDED, reason=None, exit_code=0)
    if word == "STOPPED":
        return replace(known, state=JobState.CANCELLED, reason=Reason.CANCELLED)
    known = replace(known, state=JobState.FAILED, reason=None, reason_detail=_message(entry))
    if str(entry.get("error_type")) in _NODE:
        return replace(known, reason=Reason.NODE_FAILURE)
    if code is not None and code < 0:
        return replace(known, reason=Reason.SIGNAL, exit_code=128 - code, signal=-code)
    return known if code is None else replace(known, reason=Reason.EXIT, exit_code=code)


def _message(entry: Mapping[str, Any]) -> str:
    lines = str(entry.get("message") or "").strip().splitlines()
    shown = [line.strip() for line in lines if line.strip()]
    return " ".join(shown)[:_LONGEST]


def _seconds(milliseconds: object) -> float | None:
    return milliseconds / 1000 if isinstance(milliseconds, (int, float)) else None
