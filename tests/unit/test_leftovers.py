"""What no run needs any more is found, and goes unless somebody has used it meanwhile."""

import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nemorun_cli.actions import leftovers
from nemorun_cli.actions.leftovers import Kind, Leftover
from nemorun_cli.actions.wiring import Ports
from nemorun_cli.core.jobs import JobState, JobStatus
from nemorun_cli.core.runs import Run
from nemorun_cli.core.sameness import mark_of
from nemorun_cli.packagers.digests import Digests
from nemorun_cli.store import snapshots
from nemorun_cli.store.files import Store
from nemorun_cli.store.twins import Twins
from tests.unit.test_gc import ports
from tests.unit.test_observe import launched

__all__ = ["ports"]
LONG_AGO = 10**9
ENDED = JobStatus(state=JobState.SUCCEEDED)
Making = Callable[..., Run]


@pytest.fixture
def store(ports: Ports) -> Store:
    return ports.store


@pytest.fixture
def made(ports: Ports) -> Making:
    """A run of this code; of this python, if it is alive."""

    def make(code: dict[str, Any] | None = None, python: str | None = None) -> Run:
        run = launched(ports)
        record = replace(
            run.record, code=code, resources={"python": python}, created_at=time.time()
        )
        return replace(run, record=record, status=run.status if python else ENDED)

    return make


def put(path: Path, *, folder: bool = False, when: float = LONG_AGO) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if folder:
        path.mkdir()
    else:
        path.write_text("content")
    os.utime(path, (when, when))
    return path


def found(store: Store, *runs: Run, whole: bool = True) -> list[Leftover]:
    return leftovers.find(runs, store=store, now=time.time(), whole=whole)


def names(store: Store, kind: Kind, *runs: Run, whole: bool = True) -> list[str]:
    return [each.name for each in found(store, *runs, whole=whole) if each.kind is kind]


def test_patches_go_as_snapshots_do(store: Store, made: Making) -> None:
    folder = store.code / ".patches"
    for name in ("a.diff", "b.diff"):
        put(folder / name)
    put(folder / "c.diff", when=time.time() - 1000)
    run = made({"hash": "x", "repositories": [{"place": "", "patch": None}, {"patch": "a.diff"}]})

    assert names(store, Kind.PATCH, run) == ["b.diff"]
    assert names(store, Kind.PATCH, run, whole=False) == []
    (patch,) = (each for each in found(store, run) if each.kind is Kind.PATCH)
    assert [*leftovers.unneeded([patch], [run])] == [patch]
    assert [*leftovers.unneeded([replace(patch, name="a.diff")], [run])] == []
    assert leftovers.discard(patch, store=store, now=time.time())

    assert sorted(path.name for path in folder.iterdir()) == ["a.diff", "c.diff"]
    assert not leftovers.discard(patch, store=store, now=time.time())
    assert [*store.code.glob(".new-*")] == []


def test_what_a_job_is_yet_to_lay_out_counts_as_its_snapshot(store: Store, made: Making) -> None:
    for name in (".pending-a", ".pending-b", "base"):
        put(store.code / name, folder=True)
    origin = store.code / ".pending-a" / "origin.json"
    origin.write_text(json.dumps({"base": "base", "root": "/gone"}))
    os.utime(origin.parent, (LONG_AGO, LONG_AGO))
    run = made({"hash": "a"})

    assert names(store, Kind.CODE, run) == ["b"]
    assert names(store, Kind.CODE) == ["a", "b"]
    (left,) = found(store, run)
    assert [*leftovers.unneeded([left], [made({"hash": "b"})])] == []
    assert leftovers.discard(left, store=store, now=time.time())

    assert {path.name for path in store.code.glob("*")} == {".lock", ".pending-a", "base"}


def test_a_patch_that_a_launch_has_just_found_stays(store: Store) -> None:
    patch = put(store.code / ".patches" / "a.diff")
    (left,) = found(store)

    with ThreadPoolExecutor() as pool, snapshots.safe(store.code):
        done = pool.submit(leftovers.discard, left, store=store, now=time.time())
        with pytest.raises(TimeoutError):
            done.result(timeout=0.2)
        assert snapshots.touch(patch)

    assert done.result() is False
    assert patch.exists()


def test_an_environment_stays_that_a_live_run_names_by_whatever_way(
    store: Store, made: Making, tmp_path: Path
) -> None:
    for name in ("a", "b", "c"):
        put(store.home / "environments" / name, folder=True)
    link = tmp_path / "link"
    link.symlink_to(store.home)
    live = made(python=f"{link}/environments/a/bin/python")
    command = made(python="python3")
    values = {"PATH": f"{store.home}/environments/b/bin:/usr/bin"}
    command = replace(command, record=replace(command.record, environment={"values": values}))

    assert names(store, Kind.ENVIRONMENT, live, command) == ["c"]
    through = replace(store, home=link)
    assert names(through, Kind.ENVIRONMENT, live, command) == ["c"]
    assert names(store, Kind.ENVIRONMENT, replace(live, status=ENDED)) == ["a", "b", "c"]


def test_an_environment_that_was_claimed_meanwhile_stays(store: Store) -> None:
    folder = put(store.home / "environments" / "a", folder=True)
    (left,) = found(store)

    with ThreadPoolExecutor() as pool, snapshots.safe(folder.parent):
        done = pool.submit(leftovers.discard, left, store=store, now=time.time())
        with pytest.raises(TimeoutError):
            done.result(timeout=0.2)
        assert snapshots.claim(folder)

    assert done.result() is False
    assert folder.is_dir()


def test_caches_stay_while_their_projects_are_there_and_used(
    store: Store, made: Making, tmp_path: Path
) -> None:
    roots = [tmp_path / name for name in ("used", "gone", "forgotten")]
    caches = [put(Path(str(Digests.of(root, store.code / ".cache").path))) for root in roots]
    latest = [put(cache.with_suffix(".latest")) for cache in caches]
    put(store.code / ".cache" / ".abc.part")
    young = put(store.code / ".cache" / "young", when=time.time())
    for root in (roots[0], roots[2]):
        root.mkdir()
    runs = [made({"hash": "x", "root": str(root)}) for root in roots]
    created = time.time() - 40 * 86400
    runs[2] = replace(runs[2], record=replace(runs[2].record, created_at=created))

    told = names(store, Kind.CACHE, *runs)

    going = [*caches[1:], *latest[1:], store.code / ".cache" / ".abc.part"]
    assert set(told) == {str(path.relative_to(store.home)) for path in going}
    for each in found(store, *runs):
        assert leftovers.discard(each, store=store, now=time.time())
    assert {*(store.code / ".cache").iterdir()} == {caches[0], latest[0], young}


def test_what_tells_of_twins_goes_with_the_last_of_them(store: Store, made: Making) -> None:
    kept, gone = made({"hash": "x"}), made({"hash": "y"})
    for run in (kept, gone):
        twins = Twins(home=store.home, mark=str(mark_of(run.record)))
        twins.add(run.id)
        with twins.alone():
            pass
    for path in store.home.glob("twins/*/*"):
        os.utime(path, (LONG_AGO, LONG_AGO))

    left = found(store, kept)
    assert [leftovers.discard(each, store=store, now=time.time()) for each in left] == [True, True]

    assert Twins(home=store.home, mark=str(mark_of(kept.record))).known() == {kept.id: False}
    assert len([*store.home.glob("twins/*/*")]) == 2


def test_indexes_of_other_hosts_go_when_nobody_uses_them(store: Store) -> None:
    for name in ("here.sqlite", "there.sqlite"):
        put(store.home / "index" / name)
    put(store.home / "index" / "busy.sqlite", when=time.time() - 10 * 86400)

    assert names(store, Kind.CACHE) == ["index/there.sqlite"]


def test_remnants_of_killed_commands_go(store: Store) -> None:
    now = time.time()
    old = [".new-x", ".new-gone-x"]
    for folder in (store.code, store.home / "environments"):
        for name in old:
            put(folder / name, folder=True)
        put(folder / ".new-young", folder=True, when=now)
        put(folder / ".new-gone-young", folder=True, when=now)
    put(store.home / "runs" / ".gone" / "x", folder=True, when=now)
    put(store.home / "runs" / ".new" / "x", folder=True)
    put(store.home / "jobs" / ".key-1.17", folder=True)
    put(store.home / "jobs" / "key-1", folder=True)
    (store.code / ".new-gone-x" / "read-only").mkdir(mode=0o500)

    left = found(store)
    assert {each.kind for each in left} == {Kind.REMNANT}
    assert len(left) == 9
    assert all(leftovers.discard(each, store=store, now=now) for each in left)

    hidden = {path.name for path in store.home.glob("*/.*")}
    assert hidden == {".new-young", ".gone", ".new"}
    assert (store.home / "jobs" / "key-1").is_dir()
