"""Records as JSON and back: unknown keys are ignored, missing ones have their default.

What is read is checked field by field: a value that comes out has the types it declares.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from functools import cache
from typing import Any

from nemorun_cli.core.errors import NewerFormatError
from nemorun_cli.core.ids import is_id
from nemorun_cli.core.jobs import Attempt, JobHandle, JobState, JobStatus, Reason
from nemorun_cli.core.runs import SCHEMA_VERSION, Process, Run, RunRecord

_YEAR_10000 = 253402300800.0
_WORD = 2**63


def record_to_json(record: RunRecord) -> dict[str, Any]:
    """The record as JSON values."""
    return {**vars(record), "submitter": vars(record.submitter)}


def record_from_json(value: Any) -> RunRecord:  # noqa: ANN401
    """The record; ValueError saying what is wrong with anything that is none."""
    version = _object(value).get("schema_version", SCHEMA_VERSION)
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise NewerFormatError("it was written by a newer nemorun")
    return RunRecord(**_checked(RunRecord, value, _RECORD))


def status_to_json(status: JobStatus) -> dict[str, Any]:
    """The status as JSON values."""
    return {**vars(status), "attempts": [vars(attempt) for attempt in status.attempts]}


def status_from_json(value: Any) -> JobStatus:  # noqa: ANN401
    """The status; ValueError saying what is wrong with anything that is none.

    A reason that is not known, as a newer nemorun may write, is given as detail.
    """
    found = dict(_object(value))
    if (reason := found.get("reason")) is not None and reason not in _REASONS:
        found["reason"] = None
        found["reason_detail"] = found.get("reason_detail") or str(reason)
    return JobStatus(**_checked(JobStatus, found, _STATUS))


def handle_from_json(value: Any) -> JobHandle:  # noqa: ANN401
    """The handle in a `submitted-<n>.json`."""
    return JobHandle.parse(_text(_object(value).get("handle")))


def verdict_from_json(value: Any) -> tuple[JobStatus, float]:  # noqa: ANN401
    """How a run ended, and when that was recorded."""
    found = _object(value)
    status = status_from_json(found.get("status"))
    if not status.state.terminal:
        raise ValueError(f"it is no verdict: {status.state}")
    return status, _time(found.get("at"))


def observation_from_json(value: Any) -> tuple[JobStatus, float, float | None]:  # noqa: ANN401
    """The last known state of a live run, when it was recorded, since when nothing is known."""
    found = _object(value)
    status = status_from_json(found.get("status"))
    if status.state.terminal or status.state is JobState.UNKNOWN:
        raise ValueError(f"it is not the state of a live run: {status.state}")
    return status, _time(found.get("at")), _or_none(_time)(found.get("stale_since"))


def labels_from_json(value: Any) -> tuple[tuple[str, ...], str]:  # noqa: ANN401
    """The tags and the notes of a run."""
    found = _object(value)
    return _texts(found.get("tags", [])), _text(found.get("notes", ""))


def run_to_json(run: Run) -> dict[str, Any]:
    """The whole run but for `observed_at`, for the index."""
    return {
        "record": record_to_json(run.record),
        "status": status_to_json(run.status),
        "handle": str(run.handle) if run.handle else None,
        "tags": run.tags,
        "notes": run.notes,
        "stale_since": run.stale_since,
        "problems": run.problems,
    }


def run_from_json(value: Mapping[str, Any], *, observed_at: float | None) -> Run:
    """The run that the index holds."""
    return Run(
        record=record_from_json(value["record"]),
        status=status_from_json(value["status"]),
        handle=JobHandle.parse(value["handle"]) if value["handle"] else None,
        tags=_texts(value["tags"]),
        notes=_text(value["notes"]),
        observed_at=observed_at,
        stale_since=_or_none(_time)(value["stale_since"]),
        problems=_texts(value["problems"]),
    )


_Check = Callable[[Any], Any]


def _checked(kind: type, value: Any, checks: Mapping[str, _Check]) -> dict[str, Any]:  # noqa: ANN401
    """The fields of this dataclass that the object has, each as its check gives it back."""
    found = _object(value)
    checked = {}
    for name, required in _fields(kind):
        if name in found or required:
            try:
                checked[name] = checks[name](found.get(name))
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
    return checked


@cache
def _fields(kind: type) -> tuple[tuple[str, bool], ...]:
    """The name of each field of a dataclass, and whether it has no default."""
    return tuple(
        (each.name, each.default is MISSING and each.default_factory is MISSING)
        for each in fields(kind)
    )


def _object(value: Any) -> dict[str, Any]:  # noqa: ANN401
    if not isinstance(value, dict):
        raise ValueError("it is not an object")
    return value


def _text(value: Any) -> str:  # noqa: ANN401
    if not isinstance(value, str):
        raise ValueError("it is not a text")
    return value


def _texts(value: Any) -> tuple[str, ...]:  # noqa: ANN401
    if not isinstance(value, (list, tuple)):
        raise ValueError("it is not a list")
    return tuple(map(_text, value))


def _integer(value: Any) -> int:  # noqa: ANN401
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= _WORD:
        raise ValueError("it is not an integer")
    return value


def _time(value: Any) -> float:  # noqa: ANN401
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise ValueError("it is not a time")
    if not 0 <= value < _YEAR_10000:  # Neither inf nor nan is.
        raise ValueError("it is not a time in seconds since 1970")
    return float(value)


def _id(value: Any) -> str:  # noqa: ANN401
    if not is_id(_text(value)):
        raise ValueError(f"it is not a run id: {value!r}")
    return _text(value)


def _state(value: Any) -> JobState:  # noqa: ANN401
    return JobState(_text(value))


def _attempts(value: Any) -> tuple[Attempt, ...]:  # noqa: ANN401
    if not isinstance(value, (list, tuple)):
        raise ValueError("it is not a list")
    return tuple(Attempt(**_checked(Attempt, each, _ATTEMPT)) for each in value)


def _process(value: Any) -> Process:  # noqa: ANN401
    return Process(**_checked(Process, value, _PROCESS))


def _code(value: Any) -> dict[str, Any]:  # noqa: ANN401
    for each in _objects(_object(value).get("repositories", [])):
        for name in ("place", "root"):
            _text(each.get(name))
    return _object(value)


def _objects(value: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    if not isinstance(value, (list, tuple)):
        raise ValueError("it is not a list")
    return [_object(each) for each in value]


def _or_none(check: _Check) -> _Check:
    return lambda value: None if value is None else check(value)


_REASONS = {reason.value for reason in Reason}
_PROCESS: Mapping[str, _Check] = {
    "pid": _integer,
    "start": _integer,
    "boot": _text,
    "namespace": _text,
    "machine": _text,
}
_ATTEMPT: Mapping[str, _Check] = {
    "number": _integer,
    "started_at": _or_none(_time),
    "ended_at": _or_none(_time),
    "exit_code": _or_none(_integer),
    "signal": _or_none(_integer),
    "reason": _or_none(_text),
}
_STATUS: Mapping[str, _Check] = {
    "state": _state,
    "reason": _or_none(Reason),
    "reason_detail": _text,
    "exit_code": _or_none(_integer),
    "signal": _or_none(_integer),
    "attempt": _integer,
    "started_at": _or_none(_time),
    "ended_at": _or_none(_time),
    "failing_rank": _or_none(_integer),
    "attempts": _attempts,
}
_RECORD: Mapping[str, _Check] = {
    "id": _id,
    "recipe": _text,
    "executor": _text,
    "target": _object,
    "resources": _object,
    "directory": _text,
    "created_at": _time,
    "submitter": _process,
    "host": _text,
    "user": _text,
    "name": _or_none(_text),
    "profile": _or_none(_text),
    "experiment": _or_none(_text),
    "tags": _texts,
    "parent": _or_none(_text),
    "config_hash": _or_none(_text),
    "code": _or_none(_code),
    "argv": _or_none(_texts),
    "workdir": _text,
    "overrides": _texts,
    "files": _texts,
    "include_repos": _texts,
    "folder": _text,
    "settings": _object,
    "environment": _object,
    "after": _texts,
    "recipe_source": _or_none(_object),
    "schema_version": _integer,
}
