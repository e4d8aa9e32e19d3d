"""The index gives the same answers as the files, whatever happens to either."""

import multiprocessing
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemorun_cli.core.errors import StoreError
from nemorun_cli.core.jobs import JobState
from nemorun_cli.core.runs import Filter
from nemorun_cli.store.files import Store
from nemorun_cli.store.index import Index
from tests.unit.store.conftest import DONE, FAILED, RUNNING, CountingStore, Runs, StrictIndex


class FilesOnly(Index):
    """What the files alone say."""

    def _answer(self, _: Any, unindexed: Callable[[], Any]) -> Any:
        return unindexed()


def answers(index: Index) -> dict[str, Any]:
    """Everything that can be asked, without the moment at which it was observed."""
    filters = [
        Filter(),
        Filter(states=(JobState.FAILED, JobState.RUNNING)),
        Filter(recipe="gpt"),
        Filter(executor="slurm"),
        Filter(experiment="sweep"),
        Filter(tags=("a", "b")),
        Filter(since=1_767_225_600.0 + 60 * 5),
        Filter(states=(JobState.SUCCEEDED,), recipe="gpt", tags=("a",)),
    ]
    pages = [index.select(each, limit=limit) for each in filters for limit in (None, 2)]
    return {
        "pages": [
            ([(run.id, run.status, run.tags) for run in page.runs], page.total) for page in pages
        ],
        "live": [run.id for run in index.live()],
        "nth": [index.nth(back) for back in range(1, 6)],
        "find": [index.find(text) for text in ("2026", "aaa", "baa", "20260101-0003", "zzz")],
    }


CHANGES: dict[str, Callable[[Store, Runs, str], object]] = {
    "submit": lambda store, runs, each: store.submitted(each, 1, runs.handle(each), now=1.0),
    "run": lambda store, _, each: store.observed(each, RUNNING, now=2.0, stale_since=None),
    "done": lambda store, _, each: store.conclude(each, DONE, now=3.0, evidence=""),
    "fail": lambda store, _, each: store.conclude(each, FAILED, now=3.0, evidence=""),
    "tag": lambda store, _, each: store.label(each, add=["b"]),
    "untag": lambda store, _, each: store.label(each, remove=["a"]),
    "remove": lambda store, _, each: store.remove(each),
}
NUMBERS = st.integers(0, 9)
OPERATIONS = st.lists(st.tuples(st.sampled_from(["create", "ask", *CHANGES]), NUMBERS), max_size=25)


def change(runs: Runs, operation: str, number: int) -> None:
    """Do this to the n-th run: make it if it is not there, and change it if it is."""
    run_id = runs.id_of(number)
    if runs.folder(run_id).exists() and operation in CHANGES:
        CHANGES[operation](runs.store, runs, run_id)
    elif not runs.folder(run_id).exists() and operation == "create":
        runs.create(
            number,
            recipe="gpt" if number % 2 else "hello",
            executor="slurm" if number % 3 else "local",
            experiment="sweep" if number > 4 else None,
            tags=("a",) if number % 4 else (),
        )


@settings(deadline=None, max_examples=60)
@given(operations=OPERATIONS)
def test_the_index_says_what_the_files_say(operations: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(home=Path(folder), host="here")
        runs = Runs(store=store)
        runs.create(20)
        index = StrictIndex(store=store, clock=lambda: time.time() + 10)
        for operation, number in operations:
            if operation == "ask":
                assert answers(index) == answers(FilesOnly(store=store))
            else:
                change(runs, operation, number)

        assert answers(index) == answers(FilesOnly(store=store))


@pytest.fixture
def many(runs: Runs) -> list[str]:
    return [runs.create(number) for number in range(30)]


@pytest.mark.usefixtures("many")
def test_what_has_ended_is_not_read_again(store: CountingStore, runs: Runs, index: Index) -> None:
    for number in range(30):
        store.conclude(runs.id_of(number), DONE, now=1.0, evidence="")
    index.select(Filter(), limit=5)
    # By now nobody is held up in a write of the minute before.
    old = StrictIndex(store=store, clock=lambda: time.time() + 100)
    old.select(Filter(), limit=5)
    store.reads.clear()

    old.select(Filter(), limit=5)

    assert store.reads == []


@pytest.mark.usefixtures("many")
def test_a_change_costs_one_read(store: CountingStore, runs: Runs, index: Index) -> None:
    index.select(Filter(), limit=5)
    store.reads.clear()

    store.conclude(runs.id_of(3), DONE, now=1.0, evidence="")
    index.select(Filter(), limit=5)

    assert set(store.reads) == {runs.id_of(3)}


@pytest.mark.parametrize("garbage", [b"", b"no database", b"SQLite format 3\0" + b"x" * 5000])
def test_a_damaged_index_is_made_anew(many: list[str], index: Index, garbage: bytes) -> None:
    index.select(Filter(), limit=None)
    index.path.write_bytes(garbage)

    assert [run.id for run in index.select(Filter(), limit=None).runs] == many[::-1]


@pytest.mark.parametrize("table", ["runs", "documents", "watched", "journals"])
def test_an_index_with_a_table_missing_is_made_anew(
    many: list[str], index: Index, table: str
) -> None:
    index.select(Filter(), limit=None)
    with sqlite3.connect(index.path) as connection:
        connection.execute(f"DROP TABLE {table}")
    connection.close()

    assert [run.id for run in index.select(Filter(), limit=None).runs] == many[::-1]


def test_an_index_of_another_version_is_made_anew(many: list[str], index: Index) -> None:
    index.select(Filter(), limit=None)
    with sqlite3.connect(index.path) as connection:
        connection.execute("PRAGMA user_version = 1")
    connection.close()

    assert index.nth(1) == many[-1]


def test_without_an_index_the_files_answer(many: list[str], store: Store) -> None:
    (store.home / "index").write_text("in the way")

    assert [run.id for run in Index(store=store).select(Filter(), limit=3).runs] == many[:-4:-1]


def test_a_locked_index_keeps_nobody_waiting(many: list[str], store: Store, index: Index) -> None:
    index.select(Filter(), limit=None)
    holder = sqlite3.connect(index.path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        assert Index(store=store).nth(1) == many[-1]
    finally:
        holder.close()


def test_what_another_host_wrote_is_seen(store: Store, runs: Runs, index: Index) -> None:
    runs.create(1)
    index.select(Filter(), limit=None)

    there = Runs(store=Store(home=store.home, host="there"))
    other = there.create(2)
    there.store.conclude(runs.id_of(1), DONE, now=1.0, evidence="")

    found = {run.id: run.state for run in index.select(Filter(), limit=None).runs}
    assert found == {runs.id_of(1): JobState.SUCCEEDED, other: JobState.SUBMITTING}


def test_a_journal_that_was_lost_hides_nothing_new(store: Store, runs: Runs, index: Index) -> None:
    runs.create(1)
    index.select(Filter(), limit=None)
    (store.home / "journal" / "here").unlink()

    second = runs.create(2)

    assert index.nth(1) == second


def test_touching_is_remembered_only_for_the_living(store: Store, runs: Runs, index: Index) -> None:
    living, ended = runs.create(1), runs.create(2)
    store.observed(living, RUNNING, now=5.0, stale_since=None)
    store.conclude(ended, DONE, now=6.0, evidence="")
    index.select(Filter(), limit=None)

    index.touch([living, ended], 50.0)

    found = {run.id: run.observed_at for run in index.select(Filter(), limit=None).runs}
    assert found == {living: 50.0, ended: 6.0}


def test_a_store_that_cannot_be_read_is_no_empty_store(store: Store, runs: Runs) -> None:
    runs.create(1)
    (store.home / "runs").rename(store.home / "away")
    (store.home / "runs").write_text("a file")

    with pytest.raises(StoreError):
        Index(store=store).select(Filter(), limit=None)


def test_asking_an_absent_store_makes_nothing(store: Store) -> None:
    index = Index(store=store)

    assert index.find("2026") == ()
    assert index.nth(1) is None
    assert not store.home.exists()


def _create(home: str, first: int, count: int) -> None:
    runs = Runs(store=Store(home=Path(home), host="here"))
    for number in range(first, first + count):
        run_id = runs.create(number)
        runs.store.label(run_id, add=["x"])
        runs.store.conclude(run_id, DONE, now=1.0, evidence="")


def _ask(home: str, times: int) -> None:
    index = Index(store=Store(home=Path(home), host="here"))
    seen = 0
    for _ in range(times):
        page = index.select(Filter(), limit=None)
        assert len(page.runs) == page.total >= seen
        assert page.problems == ()
        seen = page.total


@pytest.fixture
def processes() -> Iterator[list[Any]]:
    started: list[Any] = []
    yield started
    for each in started:
        each.kill()
        each.join()


def test_writers_and_readers_at_once_agree(tmp_path: Path, processes: list[Any]) -> None:
    context = multiprocessing.get_context("fork")
    home = str(tmp_path)
    writers = [context.Process(target=_create, args=(home, at, 40)) for at in range(0, 160, 40)]
    readers = [context.Process(target=_ask, args=(home, 15)) for _ in range(3)]
    processes += [*writers, *readers]
    for each in processes:
        each.start()
    for each in processes:
        each.join(60)

    assert [each.exitcode for each in processes] == [0] * 7
    store = Store(home=tmp_path, host="here")
    index = StrictIndex(store=store, clock=lambda: time.time() + 10)
    assert index.select(Filter(states=(JobState.SUCCEEDED,), tags=("x",)), limit=1).total == 160
