"""What is written to the store is what is read from it, by whoever and whenever."""

import json
import os
import stat
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nemorun_cli.core.errors import NotFoundError, RefusedError
from nemorun_cli.core.jobs import JobState, JobStatus, Reason
from nemorun_cli.core.runs import Run
from nemorun_cli.store.files import Store
from tests.unit.store.conftest import Runs

SUCCEEDED = JobStatus(state=JobState.SUCCEEDED, exit_code=0)
FAILED = JobStatus(state=JobState.FAILED, reason=Reason.EXIT, exit_code=3)
RUNNING = JobStatus(state=JobState.RUNNING, started_at=5.0)


def test_making_a_store_touches_nothing(store: Store) -> None:
    assert list(store.ids()) == []
    assert not store.home.exists()


def test_a_new_run_is_being_submitted(store: Store, runs: Runs) -> None:
    record = runs.record(1, tags=("a",))

    store.create(record, {"config.json": '{"lr": 1}', "plan.json": "{}"})

    assert store.read(record.id) == Run(record=record, tags=("a",))
    assert store.read(record.id).state is JobState.SUBMITTING
    assert store.document(record.id, "config.json") == '{"lr": 1}'


def test_documents_are_kept_byte_for_byte(store: Store, runs: Runs) -> None:
    text = "naïve 漢字\r\n\udcff\n\n"

    store.create(runs.record(1), {"config.json": text})

    assert store.document(runs.id_of(1), "config.json") == text


def test_an_id_is_used_once(store: Store, runs: Runs) -> None:
    runs.create(1, recipe="first")

    with pytest.raises(RefusedError, match="already"):
        runs.create(1, recipe="second")

    assert store.read(runs.id_of(1)).record.recipe == "first"
    assert list(store.ids()) == [runs.id_of(1)]


def test_what_is_written_only_the_user_can_read(store: Store, runs: Runs) -> None:
    before = os.umask(0)
    try:
        run_id = runs.create(1)
        store.submitted(run_id, 1, runs.handle(run_id), now=1.0)
        store.conclude(run_id, SUCCEEDED, now=2.0, evidence="test")
        store.label(run_id, add=["a"])
        store.event(run_id, "x", now=3.0)
    finally:
        os.umask(before)

    everything = [store.home, *store.home.rglob("*")]
    modes = {stat.S_IMODE(path.stat().st_mode) for path in everything if path.is_dir()}
    assert modes == {0o700}
    modes = {stat.S_IMODE(path.stat().st_mode) for path in everything if path.is_file()}
    assert modes == {0o600}


def test_a_submitted_run_is_pending_at_its_handle(store: Store, runs: Runs) -> None:
    run_id = runs.create(1)

    first = store.submitted(run_id, 1, runs.handle(run_id, "1"), now=1.0)
    second = store.submitted(run_id, 1, runs.handle(run_id, "2"), now=2.0)

    assert first == second == runs.handle(run_id, "1")
    assert (store.read(run_id).state, store.read(run_id).handle) == (JobState.PENDING, first)


def test_the_newest_submission_is_where_the_run_is(store: Store, runs: Runs) -> None:
    run_id = runs.create(1)

    for number in range(1, 12):
        store.submitted(run_id, number, runs.handle(run_id, str(number)), now=1.0)

    assert store.read(run_id).handle == runs.handle(run_id, "11")


def test_the_first_verdict_stands(store: Store, runs: Runs) -> None:
    run_id = runs.create(1)

    first = store.conclude(run_id, SUCCEEDED, now=1.0, evidence="exit.json")
    second = store.conclude(run_id, FAILED, now=2.0, evidence="a rumour")

    assert first == second == SUCCEEDED
    run = store.read(run_id)
    assert (run.status, run.observed_at, run.stale_since) == (SUCCEEDED, 1.0, None)


@pytest.mark.parametrize("state", [each for each in JobState if not each.terminal])
def test_only_an_end_is_a_verdict(store: Store, runs: Runs, state: JobState) -> None:
    run_id = runs.create(1)

    with pytest.raises(ValueError, match="not a verdict"):
        store.conclude(run_id, JobStatus(state=state), now=1.0, evidence="none")

    assert store.read(run_id).live


@pytest.mark.parametrize("state", [JobState.UNKNOWN, JobState.SUCCEEDED, JobState.LOST])
def test_an_end_is_no_observation(store: Store, runs: Runs, state: JobState) -> None:
    run_id = runs.create(1)

    with pytest.raises(ValueError, match="live run"):
        store.observed(run_id, JobStatus(state=state), now=1.0, stale_since=None)


def test_the_last_observation_counts_until_the_verdict(store: Store, runs: Runs) -> None:
    run_id = runs.create(1)
    pending = JobStatus(state=JobState.PENDING, reason=Reason.WAITING)

    store.observed(run_id, RUNNING, now=1.0, stale_since=None)
    store.observed(run_id, pending, now=2.0, stale_since=None)
    before = store.read(run_id)
    store.conclude(run_id, FAILED, now=3.0, evidence="test")
    store.observed(run_id, RUNNING, now=4.0, stale_since=None)

    assert (before.status, before.observed_at) == (pending, 2.0)
    assert store.read(run_id).status == FAILED


def test_since_when_nothing_is_known_is_kept(store: Store, runs: Runs) -> None:
    run_id = runs.create(1)

    store.observed(run_id, RUNNING, now=9.0, stale_since=5.0)

    run = store.read(run_id)
    assert (run.state, run.stale_since, run.observed_at) == (JobState.RUNNING, 5.0, None)


def test_a_handle_tells_more_than_that_it_was_being_submitted(store: Store, runs: Runs) -> None:
    run_id = runs.create(1)
    submitting = JobStatus(state=JobState.SUBMITTING)

    store.observed(run_id, submitting, now=1.0, stale_since=1.0)
    before = store.read(run_id)
    store.submitted(run_id, 1, runs.handle(run_id), now=2.0)

    assert before.state is JobState.SUBMITTING
    assert store.read(run_id).state is JobState.PENDING


def test_labels_are_added_and_removed(store: Store, runs: Runs) -> None:
    run_id = runs.create(1, tags=("from-launch",))

    store.label(run_id, add=["b", "a", "b"], notes="first")
    store.label(run_id, add=["c"], remove=["from-launch", "nothing"])

    run = store.read(run_id)
    assert (run.tags, run.notes) == (("b", "a", "c"), "first")


def test_events_are_kept_in_order_and_torn_lines_passed_over(store: Store, runs: Runs) -> None:
    run_id = runs.create(1)

    store.event(run_id, "one", now=1.0, by="me")
    with (runs.folder(run_id) / "events.jsonl").open("ab") as file:
        file.write(b'[1]\n\xff\n{"at": 2, "eve')
    store.event(run_id, "three", now=3.0)

    assert list(store.events(run_id)) == [
        {"at": 1.0, "event": "one", "by": "me"},
        {"at": 3.0, "event": "three"},
    ]


def test_runs_are_listed_newest_first(store: Store, runs: Runs) -> None:
    ids = [runs.create(number) for number in (5, 3, 8)]
    old = runs.record(1, id=f"20251231-235959-{'a' * 8}")
    store.create(old, {})

    assert list(store.ids()) == [ids[2], ids[0], ids[1], old.id]


def test_a_removed_run_is_gone(store: Store, runs: Runs) -> None:
    run_id, other = runs.create(1), runs.create(2)

    store.remove(run_id)

    assert list(store.ids()) == [other]
    with pytest.raises(NotFoundError):
        store.read(run_id)
    with pytest.raises(NotFoundError):
        store.remove(run_id)
    assert not list(store.home.rglob(f"*{run_id}*"))


CHANGES: list[Callable[[Store, str], object]] = [
    lambda store, run_id: store.read(run_id),
    lambda store, run_id: store.document(run_id, "config.json"),
    lambda store, run_id: store.conclude(run_id, SUCCEEDED, now=1.0, evidence=""),
    lambda store, run_id: store.observed(run_id, RUNNING, now=1.0, stale_since=None),
    lambda store, run_id: store.label(run_id, add=["a"]),
    lambda store, run_id: store.event(run_id, "x", now=1.0),
    lambda store, run_id: store.remove(run_id),
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_run_that_is_not_there_is_not_found(
    store: Store,
    runs: Runs,
    change: Callable[[Store, str], object],
) -> None:
    runs.create(1)

    with pytest.raises(NotFoundError, match=runs.id_of(2)):
        change(store, runs.id_of(2))

    assert list(store.ids()) == [runs.id_of(1)]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", ["../../secret", "", ".", "20260101-000000-aaaaaaaa/../x", "x\0"])
def test_what_is_no_id_never_becomes_a_path(
    store: Store,
    runs: Runs,
    change: Callable[[Store, str], object],
    name: str,
) -> None:
    runs.create(1)
    (store.home / "secret").mkdir()

    with pytest.raises(NotFoundError, match="not a run id"):
        change(store, name)


@pytest.mark.parametrize("name", ["../config.json", "/etc/passwd", "..", ""])
def test_a_document_is_a_file_of_the_run(store: Store, runs: Runs, name: str) -> None:
    run_id = runs.create(1)
    (runs.folder(run_id).parent / "config.json").write_text("secret")

    with pytest.raises(NotFoundError):
        store.document(run_id, name)


def test_a_link_out_of_the_store_is_not_followed(
    store: Store,
    runs: Runs,
    tmp_path: Path,
) -> None:
    run_id = runs.create(1)
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (runs.folder(run_id) / "plan.json").symlink_to(secret)

    with pytest.raises(NotFoundError):
        store.document(run_id, "plan.json")


def test_a_left_over_stage_is_no_run_and_goes_after_a_day(store: Store, runs: Runs) -> None:
    runs.create(1)
    stages = store.home / "runs" / ".new"
    for name, age in (("20260101-000000-aaaaaaaa", 90_000), ("20260101-000000-bbbbbbbb", 80_000)):
        (stages / name).mkdir()
        (stages / name / "run.json").write_text("{}")
        os.utime(stages / name, (time.time() - age,) * 2)

    runs.create(2)

    assert [path.name for path in stages.iterdir()] == ["20260101-000000-bbbbbbbb"]
    assert list(store.ids()) == [runs.id_of(2), runs.id_of(1)]


def test_what_a_killed_removal_left_goes_with_the_next_command(store: Store, runs: Runs) -> None:
    runs.create(1)
    left = store.home / "runs" / ".gone" / f"{runs.id_of(9)}.abcd"
    left.mkdir(parents=True)
    (left / "run.json").write_text("{}")

    runs.create(2)

    assert not left.exists()
    assert list(store.ids()) == [runs.id_of(2), runs.id_of(1)]


def test_a_run_in_the_folder_of_another_month_is_not_listed(store: Store, runs: Runs) -> None:
    run_id = runs.create(1)
    wrong = store.home / "runs" / "2026-02"
    wrong.mkdir()
    (wrong / run_id).mkdir()
    (store.home / "runs" / "2026-03").write_text("a file")

    assert list(store.ids()) == [run_id]


def test_the_fingerprint_follows_every_change(store: Store, runs: Runs) -> None:
    run_id = runs.create(1)
    later = time.time() + 10
    seen = [store.fingerprint(run_id, now=later)]

    def changed() -> bool:
        seen.append(store.fingerprint(run_id, now=later))
        return len(set(seen)) == len(seen)

    for change in (
        lambda: store.submitted(run_id, 1, runs.handle(run_id), now=1.0),
        lambda: store.observed(run_id, RUNNING, now=1.0, stale_since=None),
        lambda: store.label(run_id, add=["a"]),
        lambda: store.conclude(run_id, SUCCEEDED, now=1.0, evidence=""),
        lambda: (runs.folder(run_id) / "run.json").write_text("garbage"),
        lambda: store.remove(run_id),
    ):
        _next_tick(runs.folder(run_id))
        change()
        assert changed(), change
    assert seen[-1] is None


def test_the_fingerprint_of_a_run_just_changed_is_not_relied_on(store: Store, runs: Runs) -> None:
    run_id = runs.create(1)

    assert store.fingerprint(run_id, now=time.time()) == ""
    assert store.fingerprint(run_id, now=time.time() - 1000) == ""
    assert store.fingerprint(run_id, now=time.time() + 10)


def test_two_runs_with_one_id_are_made_once(store: Store, runs: Runs) -> None:
    stage = store.home / "runs" / ".new" / runs.id_of(1)
    stage.mkdir(parents=True)
    (stage / "run.json").write_text("of somebody who was killed")

    runs.create(1, name="first")
    with pytest.raises(RefusedError):
        runs.create(1, name="second")

    assert store.read(runs.id_of(1)).record.name == "first"
    assert (stage / "run.json").read_text() == "of somebody who was killed"


def test_a_record_is_json_that_others_can_read(store: Store, runs: Runs) -> None:
    run_id = runs.create(1, name="naïve", argv=("a", "b"))

    value = json.loads((runs.folder(run_id) / "run.json").read_text())

    assert (value["id"], value["name"], value["argv"]) == (run_id, "naïve", ["a", "b"])
    assert value["submitter"]["pid"] == 7
    assert replace(store.read(run_id).record, name=None) == runs.record(1, argv=("a", "b"))


def _next_tick(folder: Path) -> None:
    """Wait until the file system's clock has moved on: some count in hundredths of a second."""
    before = folder.stat().st_mtime_ns
    probe = folder.parent.parent / "probe"
    while True:
        probe.write_text("x")
        if probe.stat().st_mtime_ns > before:
            return
