"""What a condition may ask of runs: the same from the index and from the files."""

import sqlite3
import time
from typing import Any

import pytest

from nemorun_cli.cli.documents import iso, run_object
from nemorun_cli.core.fieldnames import PLACES, TIMES
from nemorun_cli.core.jobs import JobState, JobStatus, Reason
from nemorun_cli.core.runs import Filter
from nemorun_cli.store.facts import Facts
from nemorun_cli.store.files import Store
from nemorun_cli.store.index import Index
from tests.unit.store.conftest import DONE, FAILED, RUNNING, CountingStore, Runs, StrictIndex

ALL = sorted(PLACES)
HOSTILE = ("", "a\x00b", "\udc80\udcff", "q\"\\'", "$.x", "\U0001f40d", "null", "😀\ud800")


def told(index: Index, *kinds: str) -> dict[str, Facts]:
    return {each.run_id: each for each in index.facts(Filter(), ALL, kinds)}


@pytest.fixture
def various(store: CountingStore, runs: Runs) -> list[str]:
    """Runs in all states, with all that can be known of one."""
    first = runs.create(1, name="n", experiment="e", tags=("a", "b"), parent="p")
    second = runs.create(2, code={"hash": "abc"}, config_hash="c", profile="cw")
    live = runs.create(3, user="somebody")
    store.submitted(first, 1, runs.handle(first), now=1.0)
    status = JobStatus(
        state=JobState.FAILED, reason=Reason.EXIT, reason_detail="why", exit_code=3, attempt=2
    )
    store.conclude(first, status, now=5.0, evidence="")
    store.label(second, add=["x"], notes="text")
    store.conclude(second, DONE, now=6.0, evidence="")
    store.observed(live, RUNNING, now=7.0, stale_since=6.5)
    return [first, second, live]


@pytest.mark.usefixtures("various")
def test_the_fields_are_those_that_a_run_has_in_json(store: CountingStore, index: Index) -> None:
    found = told(index)

    assert len(found) == 3
    for run_id, facts in found.items():
        shown = run_object(store.read(run_id))
        assert set(shown) == set(ALL)
        for name, value in facts.fields.items():
            known: Any = list(value) if isinstance(value, tuple) else value
            assert (iso(known) if name in TIMES else known) == shown[name], name


@pytest.mark.usefixtures("various")
def test_without_an_index_the_fields_are_the_same(store: CountingStore, index: Index) -> None:
    indexed = [(each.run_id, each.live, each.fields) for each in index.facts(Filter(), ALL, ())]
    index.path.unlink()
    index.path.parent.rmdir()
    (store.home / "index").write_text("in the way")

    found = Index(store=store).facts(Filter(), ALL, ("config",))

    assert [(each.run_id, each.live, each.fields) for each in found] == indexed
    assert all(each.known == {} for each in found)


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_any_text_comes_out_as_it_went_in(runs: Runs, index: Index, text: str) -> None:
    run_id = runs.create(1, name=text, tags=(text,), host=text)
    index.keep("config", {run_id: {}})  # Not there yet: nothing is kept, and nothing breaks.
    assert told(index, "config")[run_id].known == {}

    index.keep("config", {run_id: {text: text}})
    found = told(index, "config")[run_id]

    assert found.fields["name"] == found.fields["host"] == (text or None)
    assert found.fields["tags"] == (text,)
    assert found.known == {"config": {text: text}}


def test_what_is_kept_is_kept_until_the_run_changes(
    store: CountingStore, runs: Runs, index: Index
) -> None:
    first, second = runs.create(1), runs.create(2)
    told(index)
    values: dict[str, Any] = {"lr": 0.5, "n": 2**70, "x": None, "y": True, "inf": float("inf")}
    index.keep("config", {first: values, second: {}})
    index.keep("metrics", {first: {"loss": 1}})

    assert told(index, "config", "metrics")[first].known == {
        "config": values,
        "metrics": {"loss": 1},
    }
    assert told(index, "metrics")[second].known == {}
    store.conclude(first, FAILED, now=9.0, evidence="")
    assert told(index, "config", "metrics")[first].known == {}
    assert told(index, "config")[second].known == {"config": {}}


def test_nothing_is_kept_of_a_run_that_was_deleted(
    store: CountingStore, runs: Runs, index: Index
) -> None:
    run_id = runs.create(1)
    told(index)
    index.keep("config", {run_id: {"lr": 1}})
    store.remove(run_id)
    assert told(index, "config") == {}
    index.keep("config", {run_id: {"lr": 1}})

    runs.create(1)

    assert told(index, "config")[run_id].known == {}


@pytest.mark.parametrize("text", ["no JSON", "[1]", "3"])
def test_damage_to_what_is_kept_has_it_read_anew(runs: Runs, index: Index, text: str) -> None:
    run_id = runs.create(1)
    told(index)
    index.keep("config", {run_id: {"lr": 1}})
    with sqlite3.connect(index.path) as connection:
        connection.execute("UPDATE facts SET document = ?", (text,))
    connection.close()

    assert told(index, "config")[run_id].known == {}


def test_all_runs_are_told_of_without_reading_one(
    store: CountingStore, runs: Runs, index: StrictIndex
) -> None:
    for number in range(30):
        store.conclude(runs.create(number), DONE, now=1.0, evidence="")
    told(index)
    old = StrictIndex(store=store, clock=lambda: time.time() + 100)
    told(old)
    store.reads.clear()

    assert len(told(old)) == 30
    assert store.reads == []


def test_runs_come_in_the_order_asked_for(runs: Runs, index: Index) -> None:
    ids = [runs.create(number) for number in range(450)]
    asked = [*ids[::3], "20260101-000000-aaaaaaab"]

    assert [run.id for run in index.among(asked).runs] == asked[:-1]
    plain = Index(store=Store(home=index.store.home, host="here"))
    index.path.unlink()
    index.path.mkdir()
    assert [run.id for run in plain.among(asked).runs] == asked[:-1]
