"""Records as JSON and back: unknown keys are ignored, missing ones have their default."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from nemorun_cli.core.ids import is_id
from nemorun_cli.core.jobs import Attempt, JobHandle, JobState, JobStatus, Reason
from nemorun_cli.core.runs import SCHEMA_VERSION, Process, Run, RunRecord


def record_to_json(record: RunRecord) -> dict[str, Any]:
    """The record as JSON values."""
    return {each.name: getattr(record, each.name) for each in fields(record)} | {
        "submitter": asdict(record.submitter),
    }


def record_from_json(value: Any) -> RunRecord:  # noqa: ANN401
    """The record; ValueError saying what is wrong with anything that is none."""
    known = _known(RunRecord, value)
    version = known.get("schema_version", SCHEMA_VERSION)
    if not isinstance(version, int) or version > SCHEMA_VERSION:
        raise ValueError("it was written by a newer nemorun")
    if not is_id(str(known.get("id"))):
        raise ValueError(f"it names no run: {known.get('id')!r}")
    known["submitter"] = Process(**_known(Process, known.get("submitter")))
    _check(known)
    for name in ("tags", "overrides", "after"):
        known[name] = tuple(_texts(known.get(name) or ()))
    if known.get("argv") is not None:
        known["argv"] = tuple(_texts(known["argv"]))
    return RunRecord(**known)


def _check(known: dict[str, Any]) -> None:
    for name in ("target", "resources", "settings", "environment"):
        if not isinstance(known.setdefault(name, {}), dict):
            raise ValueError(f"{name} is not an object")
    for name in ("recipe", "executor", "directory", "host", "user"):
        if not isinstance(known.get(name), str):
            raise ValueError(f"{name} is not a text")
    if not isinstance(known.get("created_at"), (int, float)):
        raise ValueError("created_at is not a number")


def status_to_json(status: JobStatus) -> dict[str, Any]:
    """The status as JSON values."""
    return asdict(status)


def status_from_json(value: Any) -> JobStatus:  # noqa: ANN401
    """The status; ValueError saying what is wrong with anything that is none."""
    known = _known(JobStatus, value)
    known["state"] = JobState(str(known.get("state")))
    known["reason"] = Reason(known["reason"]) if known.get("reason") else None
    attempts = known.get("attempts") or ()
    known["attempts"] = tuple(Attempt(**_known(Attempt, each)) for each in attempts)
    for name in ("started_at", "ended_at"):
        if not isinstance(known.get(name), (int, float, type(None))):
            raise ValueError(f"{name} is not a number")
    return JobStatus(**known)


def run_to_json(run: Run) -> dict[str, Any]:
    """The whole run, for the index."""
    return {
        "record": record_to_json(run.record),
        "status": status_to_json(run.status),
        "handle": str(run.handle) if run.handle else None,
        "tags": list(run.tags),
        "notes": run.notes,
        "stale_since": run.stale_since,
        "problems": list(run.problems),
    }


def run_from_json(value: Mapping[str, Any], *, observed_at: float | None) -> Run:
    """The run that the index holds."""
    return Run(
        record=record_from_json(value["record"]),
        status=status_from_json(value["status"]),
        handle=JobHandle.parse(value["handle"]) if value["handle"] else None,
        tags=tuple(value["tags"]),
        notes=value["notes"],
        observed_at=observed_at,
        stale_since=value["stale_since"],
        problems=tuple(value["problems"]),
    )


def _known(kind: type, value: Any) -> dict[str, Any]:  # noqa: ANN401
    if not isinstance(value, dict):
        raise ValueError("it is not an object")
    names = {each.name for each in fields(kind)}
    return {name: each for name, each in value.items() if name in names}


def _texts(value: Any) -> list[str]:  # noqa: ANN401
    if not isinstance(value, (list, tuple)) or not all(isinstance(each, str) for each in value):
        raise ValueError("it holds something that should be a list of texts")
    return list(value)
