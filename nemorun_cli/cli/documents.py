"""Runs as JSON: the shapes that scripts rely on."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nemorun_cli.core.jobs import Attempt
from nemorun_cli.core.runs import SCHEMA_VERSION, Run

if TYPE_CHECKING:
    from nemorun_cli.core.metrics import Summary


def iso(seconds: float | None) -> str | None:
    """A time as ISO 8601 in UTC, to the second; None stays None."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def run_object(run: Run) -> dict[str, Any]:
    """One run; what is unknown is None, never 0 or an empty text."""
    record, status = run.record, run.status
    code = record.code or {}
    return {
        "id": run.id,
        "name": record.name,
        "recipe": record.recipe,
        "executor": record.executor,
        "profile": record.profile,
        "state": run.state.value,
        "reason": status.reason.value if status.reason else None,
        "reason_detail": status.reason_detail or None,
        "exit_code": status.exit_code,
        "signal": status.signal,
        "attempt": status.attempt,
        "experiment": record.experiment,
        "tags": list(run.tags),
        "notes": run.notes or None,
        "created_at": iso(record.created_at),
        "started_at": iso(status.started_at),
        "ended_at": iso(status.ended_at),
        "observed_at": iso(run.observed_at),
        "stale_since": iso(run.stale_since),
        "handle": str(run.handle) if run.handle else None,
        "directory": record.directory,
        "config_hash": record.config_hash,
        "code_hash": code.get("hash"),
        "parent": record.parent,
        "failing_rank": status.failing_rank,
        "host": record.host,
        "user": record.user,
    }


def attempt_object(attempt: Attempt) -> dict[str, Any]:
    """One attempt of a run."""
    times = {"started_at": iso(attempt.started_at), "ended_at": iso(attempt.ended_at)}
    return {**asdict(attempt), **times}


def summary_object(summary: "Summary") -> dict[str, Any]:
    """What one metric comes to."""
    return {
        "metric": summary.name,
        "rank": summary.rank,
        "last": finite(summary.last),
        "last_step": summary.last_step,
        "min": finite(summary.least),
        "min_step": summary.least_step,
        "max": finite(summary.most),
        "max_step": summary.most_step,
        "count": summary.count,
    }


def finite(value: float) -> float | str:
    """A number as JSON can carry it: `nan`, `inf` and `-inf` are texts."""
    import math

    return value if math.isfinite(value) else str(value)


def document(**keys: object) -> dict[str, Any]:
    """One answer of a command."""
    return {"schema_version": SCHEMA_VERSION, **keys}


def runs_document(runs: Sequence[Run], *, asked: int | None = None) -> dict[str, Any]:
    """`run` where one run was asked for, `runs` where several were."""
    objects = [run_object(run) for run in runs]
    if (len(runs) if asked is None else asked) == 1 and len(objects) == 1:
        return document(run=objects[0])
    return document(runs=objects)


def error_document(error: Mapping[str, Any]) -> dict[str, Any]:
    """An error, as it goes to standard error with --json."""
    return document(error=dict(error))
