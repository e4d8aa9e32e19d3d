"""Whatever lies in the store, one damaged record hides no other and crashes nothing."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from nemorun_cli.core.errors import CorruptError, NewerError
from nemorun_cli.core.jobs import JobState, JobStatus
from nemorun_cli.core.runs import Filter
from nemorun_cli.store.files import Store
from nemorun_cli.store.index import Index
from tests.unit.store.conftest import Runs

SUCCEEDED = JobStatus(state=JobState.SUCCEEDED, exit_code=0)
FAILED = JobStatus(state=JobState.FAILED, exit_code=3)
RUNNING = JobStatus(state=JobState.RUNNING)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def _holding(data: bytes) -> Callable[[Path], None]:
    return lambda path: _write(path, data)


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "empty": _holding(b""),
    "nul bytes": _holding(b"\0" * 500),
    "not utf-8": _holding(b"\xff\xfe\xfa{}"),
    "half": lambda path: _write(path, path.read_bytes()[:-9]),
    "a list": _holding(b"[]"),
    "a text": _holding(b'"text"'),
    "a huge number": _holding(b"1" * 5000),
    "very deep": _holding(b"[" * 100_000),
    "wrong types": _holding(
        b'{"id": 1, "status": [], "at": "now", "tags": "a", "handle": 5, "notes": {}}',
    ),
    "another state": _holding(b'{"status": {"state": "ASLEEP"}, "at": 1, "tags": [1]}'),
    "an endless time": _holding(b'{"status": {"state": "FAILED"}, "at": 1e999, "notes": 1}'),
    "a folder": _folder,
    "a pipe": _pipe,
    "a loop": _loop,
}
CASES = pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)


@pytest.fixture
def three(store: Store, runs: Runs) -> str:
    """The second of three runs, of which everything is known."""
    for number in (1, 2, 3):
        run_id = runs.create(number)
        store.submitted(run_id, 1, runs.handle(run_id), now=1.0)
        store.observed(run_id, RUNNING, now=2.0, stale_since=None)
        store.label(run_id, add=["kept"])
        store.conclude(run_id, SUCCEEDED, now=3.0, evidence="test")
    return str(runs.id_of(2))


@CASES
def test_a_damaged_record_is_reported_and_the_others_are_listed(
    store: Store,
    runs: Runs,
    index: Index,
    three: str,
    damage: Callable[[Path], None],
) -> None:
    damage(runs.folder(three) / "run.json")

    with pytest.raises(CorruptError, match=three):
        store.read(three)
    for page in (
        index.select(Filter(), limit=None),
        Index(store=store)._select_from_files(Filter(), None),
    ):
        assert [run.id for run in page.runs] == [runs.id_of(3), runs.id_of(1)]
        (problem,) = page.problems
        assert three in problem
        assert "run.json" in problem


@CASES
def test_a_record_damaged_behind_the_index_is_noticed_when_shown(
    runs: Runs,
    index: Index,
    three: str,
    damage: Callable[[Path], None],
) -> None:
    index.select(Filter(), limit=None)

    damage(runs.folder(three) / "run.json")

    page = index.select(Filter(), limit=None)
    assert [run.id for run in page.runs] == [runs.id_of(3), runs.id_of(1)]
    assert len(page.problems) == 1
    assert index.find(three) == (three,)


@CASES
@pytest.mark.parametrize(
    "name",
    ["submitted-1.json", "observed.json", "verdict.json", "labels.json"],
)
def test_damage_beside_the_record_costs_only_what_it_held(
    store: Store,
    runs: Runs,
    index: Index,
    three: str,
    name: str,
    damage: Callable[[Path], None],
) -> None:
    damage(runs.folder(three) / name)

    run = store.read(three)

    assert run.record.id == three
    assert len(run.problems) == 1
    assert name in run.problems[0]
    if name != "verdict.json":
        assert run.status == SUCCEEDED
    page = index.select(Filter(), limit=None)
    assert page.runs[1] == run
    assert page.problems == run.problems


@CASES
@pytest.mark.parametrize("name", ["events.jsonl", "config.json"])
def test_damage_to_what_is_only_shown_harms_nothing(
    store: Store,
    runs: Runs,
    three: str,
    name: str,
    damage: Callable[[Path], None],
) -> None:
    store.event(three, "one", now=1.0)
    damage(runs.folder(three) / name)

    assert all(isinstance(each, dict) for each in store.events(three))
    assert store.read(three).problems == ()


@pytest.mark.parametrize("data", [b"", b"\0" * 90, b'{"stat', b"{}"])
def test_a_verdict_lost_in_a_power_cut_is_given_again(
    store: Store,
    runs: Runs,
    three: str,
    data: bytes,
) -> None:
    (runs.folder(three) / "verdict.json").write_bytes(data)

    first = store.conclude(three, FAILED, now=4.0, evidence="test")
    second = store.conclude(three, SUCCEEDED, now=5.0, evidence="test")

    assert first == second == store.read(three).status == FAILED


def test_a_record_of_a_newer_nemorun_is_told_as_such(store: Store, runs: Runs, three: str) -> None:
    path = runs.folder(three) / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema_version": 99}))

    with pytest.raises(NewerError, match="newer nemorun") as caught:
        store.read(three)

    assert caught.value.hint.startswith("upgrade nemorun")


def test_a_record_of_another_run_is_not_taken_for_this_one(
    store: Store,
    runs: Runs,
    three: str,
) -> None:
    other = runs.folder(runs.id_of(1)) / "run.json"
    (runs.folder(three) / "run.json").write_bytes(other.read_bytes())

    with pytest.raises(CorruptError, match=runs.id_of(1)):
        store.read(three)


def test_a_folder_without_a_record_is_reported(store: Store, runs: Runs, three: str) -> None:
    (runs.folder(three) / "run.json").unlink()

    with pytest.raises(CorruptError, match="missing"):
        store.read(three)


def test_a_file_in_the_place_of_a_run_is_reported(store: Store, runs: Runs, index: Index) -> None:
    run_id = runs.create(1)
    runs.folder(runs.id_of(2)).write_text("no folder")

    page = index.select(Filter(), limit=None)

    assert [run.id for run in page.runs] == [run_id]
    assert runs.id_of(2) in page.problems[0]
    with pytest.raises(CorruptError):
        store.read(runs.id_of(2))


def test_a_mended_record_is_listed_again(runs: Runs, index: Index, three: str) -> None:
    path = runs.folder(three) / "run.json"
    good = path.read_bytes()
    path.write_bytes(b"garbage")
    assert index.select(Filter(), limit=None).total == 2

    path.write_bytes(good)

    page = index.select(Filter(), limit=None)
    assert (page.total, page.problems) == (3, ())
