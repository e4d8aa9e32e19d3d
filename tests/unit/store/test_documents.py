"""Records survive being JSON; everything that is none is told apart by ValueError alone."""

import json
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemorun_cli.core.jobs import Attempt, JobHandle, JobState, JobStatus, Reason
from nemorun_cli.core.runs import Process, Run, RunRecord
from nemorun_cli.store import documents

TEXT = st.text()
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
NUMBER = st.integers(min_value=-(2**62), max_value=2**62)
TIME = st.floats(min_value=0, max_value=4e9)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
OBJECT = st.dictionaries(TEXT, st.integers() | TEXT | st.none(), max_size=3)
PROCESS = st.builds(Process, pid=NUMBER, start=NUMBER, boot=TEXT, namespace=TEXT, machine=TEXT)
DAMAGED_CODE = ({"repositories": 3}, {"repositories": [1]}, {"repositories": [{"place": None}]})
IDS = st.from_regex(r"\A2026(0[1-9]|1[0-2])01-[0-2]\d{5}-[a-z2-7]{8}\Z")


def none_or(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


ATTEMPT = st.builds(
    Attempt,
    number=NUMBER,
    started_at=none_or(TIME),
    ended_at=none_or(TIME),
    exit_code=none_or(NUMBER),
    signal=none_or(NUMBER),
    reason=none_or(TEXT),
)
STATUS = st.builds(
    JobStatus,
    state=st.sampled_from(JobState),
    reason=none_or(st.sampled_from(Reason)),
    reason_detail=TEXT,
    exit_code=none_or(NUMBER),
    signal=none_or(NUMBER),
    attempt=NUMBER,
    started_at=none_or(TIME),
    ended_at=none_or(TIME),
    failing_rank=none_or(NUMBER),
    attempts=st.lists(ATTEMPT, max_size=2).map(tuple),
)
RECORD = st.builds(
    RunRecord,
    id=IDS,
    recipe=TEXT,
    executor=TEXT,
    target=OBJECT,
    resources=OBJECT,
    directory=TEXT,
    created_at=TIME,
    submitter=PROCESS,
    host=TEXT,
    user=TEXT,
    name=none_or(TEXT),
    profile=none_or(TEXT),
    experiment=none_or(TEXT),
    tags=TEXTS,
    parent=none_or(TEXT),
    config_hash=none_or(TEXT),
    code=none_or(OBJECT),
    argv=none_or(TEXTS),
    overrides=TEXTS,
    settings=OBJECT,
    environment=OBJECT,
    after=TEXTS,
    recipe_source=none_or(OBJECT),
)
HANDLE = st.builds(
    JobHandle,
    executor=st.sampled_from(["local", "slurm"]),
    target=TEXT,
    key=TEXT,
    native_id=TEXT,
)
RUN = st.builds(
    Run,
    record=RECORD,
    status=STATUS,
    handle=none_or(HANDLE),
    tags=TEXTS,
    notes=TEXT,
    observed_at=none_or(TIME),
    stale_since=none_or(TIME),
    problems=TEXTS,
)


def through_json(value: Any) -> Any:
    return json.loads(json.dumps(value))


@given(record=RECORD)
def test_a_record_survives_being_json(record: RunRecord) -> None:
    assert documents.record_from_json(through_json(documents.record_to_json(record))) == record


@given(status=STATUS)
def test_a_status_survives_being_json(status: JobStatus) -> None:
    assert documents.status_from_json(through_json(documents.status_to_json(status))) == status


@given(run=RUN)
def test_a_run_survives_being_json(run: Run) -> None:
    value = through_json(documents.run_to_json(run))

    assert documents.run_from_json(value, observed_at=run.observed_at) == run


@given(value=JSON)
@pytest.mark.parametrize(
    "reader",
    [
        documents.record_from_json,
        documents.status_from_json,
        documents.handle_from_json,
        documents.verdict_from_json,
        documents.observation_from_json,
        documents.labels_from_json,
    ],
)
def test_any_other_json_is_a_value_error(reader: Callable[[Any], Any], value: Any) -> None:
    try:
        reader(value)
    except ValueError as error:
        assert str(error)


@given(record=RECORD, data=st.data())
def test_a_field_of_any_other_type_is_a_value_error(record: RunRecord, data: st.DataObject) -> None:
    value = through_json(documents.record_to_json(record))
    name = data.draw(st.sampled_from(sorted(value)))
    value[name] = data.draw(JSON)

    try:
        found = documents.record_from_json(value)
    except ValueError:
        return

    assert documents.record_from_json(through_json(documents.record_to_json(found))) == found


@given(record=RECORD)
def test_keys_of_a_newer_version_are_passed_over(record: RunRecord) -> None:
    value = {**through_json(documents.record_to_json(record)), "colour": "blue"}

    assert documents.record_from_json(value) == record


@given(record=RECORD)
def test_missing_keys_have_their_default(record: RunRecord) -> None:
    value = through_json(documents.record_to_json(record))
    defaults = {each.name: each.default for each in fields(RunRecord)}
    optional = [name for name, default in defaults.items() if default is not MISSING]

    found = documents.record_from_json({k: v for k, v in value.items() if k not in optional})

    assert {name: getattr(found, name) for name in optional} == {
        name: defaults[name] for name in optional
    }


def test_a_newer_schema_is_told_as_such() -> None:
    with pytest.raises(ValueError, match="newer nemorun"):
        documents.record_from_json({"schema_version": 2})


def test_a_reason_of_a_newer_version_becomes_detail() -> None:
    status = documents.status_from_json({"state": "FAILED", "reason": "cosmic_ray"})

    assert (status.reason, status.reason_detail) == (None, "cosmic_ray")


@pytest.mark.parametrize("value", [float("inf"), float("nan"), -1, 10**400, True, "1"])
def test_a_time_is_one_that_a_calendar_knows(value: object) -> None:
    with pytest.raises(ValueError, match="started_at"):
        documents.status_from_json({"state": "RUNNING", "started_at": value})


@pytest.mark.parametrize(
    ("kind", "checks"),
    [
        (RunRecord, documents._RECORD),
        (JobStatus, documents._STATUS),
        (Attempt, documents._ATTEMPT),
        (Process, documents._PROCESS),
    ],
)
def test_every_field_is_checked(kind: type, checks: dict[str, Any]) -> None:
    assert {each.name for each in fields(kind)} == set(checks)


@pytest.mark.parametrize("code", DAMAGED_CODE)
def test_repositories_that_are_none_are_told(code: dict[str, Any]) -> None:
    record = RunRecord(
        id="20260101-000000-aaaaaaaa",
        recipe="r",
        executor="local",
        target={},
        resources={},
        directory="/nowhere",
        created_at=1.0,
        submitter=Process(pid=1, start=1, boot="b", namespace="n", machine="m"),
        host="h",
        user="u",
        code=code,
    )

    with pytest.raises(ValueError, match="code: "):
        documents.record_from_json(documents.record_to_json(record))
