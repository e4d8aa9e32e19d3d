"""What may go, where back-ends are silent and runs need each other."""

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from nemorun_cli import executors
from nemorun_cli.actions import gc
from nemorun_cli.actions.remove import remove_ended
from nemorun_cli.actions.wiring import Ports
from nemorun_cli.core.errors import UnreachableError
from nemorun_cli.core.jobs import JobState, JobStatus
from nemorun_cli.core.runs import Run
from nemorun_cli.fakes import FakeExecutor
from nemorun_cli.store import going, layout
from nemorun_cli.store.files import Store
from nemorun_cli.store.index import Index
from tests.unit.test_observe import launched, more_able

NOW = 1_700_000_000.0
EVERYTHING = gc.Rule(older_than=0)


@pytest.fixture
def ports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ports:
    monkeypatch.setitem(executors.BUILT_IN, "fake", "nemorun_cli.fakes:FakeExecutor")
    FakeExecutor.worlds.clear()
    store = Store(home=tmp_path, host="here")
    return Ports(store=store, index=Index(store=store), clock=lambda: NOW)


def ended(ports: Ports, world: str, *, ago: float = 100) -> Run:
    run = launched(ports, world)
    status = JobStatus(state=JobState.FAILED, ended_at=NOW - ago)
    ports.store.conclude(run.id, status, now=NOW, evidence="a test")
    return run


def ids(garbage: gc.Garbage) -> set[str]:
    return {each.run.id for each in garbage.runs}


def test_a_run_whose_host_is_silent_is_kept_and_its_host_asked_once(
    ports: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def remove(executor: FakeExecutor, _: str) -> None:
        asked.append(executor.world)
        if executor.world == "silent":
            raise UnreachableError("silent does not answer")

    more_able(monkeypatch, remove=remove)
    silent = [ended(ports, "silent"), ended(ports, "silent")]
    telling = ended(ports, "telling")

    done = gc.collect(gc.find(EVERYTHING, ports=ports), ports=ports)

    assert ids(done) == {telling.id}
    assert set(ports.store.ids()) == {run.id for run in silent}
    assert sorted(asked) == ["silent", "telling"]
    assert len(done.problems) == 2
    assert all("is kept: " in problem for problem in done.problems)


def test_the_size_of_a_folder_that_nobody_can_measure_is_unknown(
    ports: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ended(ports, "world")
    (unknown,) = gc.find(EVERYTHING, ports=ports).runs
    assert unknown.job_bytes is None
    assert unknown.bytes > 0

    more_able(monkeypatch, sizes=lambda _, keys: dict.fromkeys(keys, 1000))
    (known,) = gc.find(EVERYTHING, ports=ports).runs

    assert (known.job_bytes, known.bytes) == (1000, unknown.bytes + 1000)
    assert known.run.id == run.id


def test_only_runs_that_ended_long_enough_ago_in_these_states_go(ports: Ports) -> None:
    old, young, alive = ended(ports, "a"), ended(ports, "a", ago=5), launched(ports, "a")

    assert ids(gc.find(gc.Rule(), ports=ports)) == set()
    assert ids(gc.find(gc.Rule(older_than=50), ports=ports)) == {old.id}
    assert ids(gc.find(EVERYTHING, ports=ports)) == {old.id, young.id}
    assert alive.live
    rule = gc.Rule(older_than=0, states=(JobState.SUCCEEDED,))
    assert ids(gc.find(rule, ports=ports)) == set()


def test_what_a_killed_command_has_begun_to_delete_is_finished_or_stays_hidden(
    ports: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed: list[str] = []

    def remove(executor: FakeExecutor, key: str) -> None:
        if executor.world == "silent":
            raise UnreachableError("silent does not answer")
        removed.append(key)

    more_able(monkeypatch, remove=remove)
    telling, silent = ended(ports, "telling"), ended(ports, "silent")
    for run in (telling, silent):
        going.hide(layout.folder_of(ports.store.home, run.id))

    assert list(ports.store.ids()) == []
    found = gc.find(gc.Rule(), ports=ports)
    done = gc.collect(found, ports=ports)

    assert ids(found) == {telling.id, silent.id}
    assert ids(done) == {telling.id}
    assert removed == [f"{telling.id}-1"]
    assert len(done.problems) == 1
    assert ids(gc.find(gc.Rule(), ports=ports)) == {silent.id}
    assert list(ports.store.ids()) == []


def test_what_has_come_back_meanwhile_is_not_deleted_by_half(
    ports: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed: list[str] = []
    more_able(monkeypatch, remove=lambda _, key: removed.append(key))
    run = ended(ports, "world")
    folder = layout.folder_of(ports.store.home, run.id)
    hidden = going.hide(folder)
    found = gc.find(gc.Rule(), ports=ports)

    going.show(hidden, folder)
    done = gc.collect(found, ports=ports)

    assert (ids(found), ids(done), done.problems) == ({run.id}, set(), ())
    assert removed == []
    assert ports.store.read(run.id).id == run.id


def test_a_run_that_comes_back_has_its_code(ports: Ports, monkeypatch: pytest.MonkeyPatch) -> None:
    def remove(*_: object) -> None:
        # Somebody else sees meanwhile that no run needs this.
        assert [each.name for each in gc.find(gc.Rule(), ports=garbage_man).left] == ["abc"]
        raise UnreachableError("no way to the host")

    run = ended(ports, "world")
    path = layout.folder_of(ports.store.home, run.id) / "run.json"
    record = json.loads(path.read_text())
    code = {"hash": "abc", "path": "/gone", "root": "/gone", "entries": []}
    path.write_text(json.dumps({**record, "code": code}))
    folder = ports.store.code / "abc"
    folder.mkdir(parents=True)
    os.utime(folder, (10**9, 10**9))
    garbage_man = replace(ports, clock=time.time)
    more_able(monkeypatch, remove=remove)

    with pytest.raises(UnreachableError):
        remove_ended(ports.store.read(run.id), ports=ports)

    assert ports.store.read(run.id).record.code == code
    assert time.time() - folder.stat().st_mtime < 3600
