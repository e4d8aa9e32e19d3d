"""The tests in this folder have a real Ray cluster, together, or alone where they break it."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nemorun_cli.executors.ray import RayExecutor
from tests.conftest import Nemorun, require
from tests.testbed.cluster import ImpossibleError
from tests.testbed.raycluster import RayCluster


@pytest.fixture(scope="session")
def started() -> RayCluster | str:
    """The cluster, or why there is none."""
    try:
        return RayCluster.start()
    except ImpossibleError as error:
        return str(error)


@pytest.fixture
def cluster(
    started: RayCluster | str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RayCluster]:
    why = started if isinstance(started, str) else ""
    require("ray", there=isinstance(started, RayCluster), why=why)
    assert isinstance(started, RayCluster)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(started.token))
    alone = request.node.get_closest_marker("disturbs") is not None
    with _turn(started.folder.parent / "locks", fcntl.LOCK_EX if alone else fcntl.LOCK_SH):
        yield started
        if alone:
            started.do("up")


@pytest.fixture
def executor(cluster: RayCluster, tmp_path: Path) -> Iterator[RayExecutor]:
    yield RayExecutor.here(tmp_path, address=cluster.address, job_dir=str(tmp_path / "jobs"))
    shutil.rmtree(tmp_path / "jobs", ignore_errors=True)


@pytest.fixture
def rayed(cluster: RayCluster, nemorun: Nemorun) -> Nemorun:
    """The installed command, whose default executor is the cluster."""
    nemorun.env.update(
        NEMORUN_EXECUTOR="ray",
        RAY_AUTH_TOKEN_PATH=str(cluster.token),
        NEMORUN_ADDRESS=cluster.address,
        NEMORUN_JOB_DIR=str(nemorun.home / "ray"),
    )
    return nemorun


@contextmanager
def _turn(folder: Path, how: int) -> Iterator[None]:
    # Whoever waits holds the gate, so that those who share cannot keep one who will not waiting.
    with (folder / "ray-turn").open("w") as turn:
        with (folder / "ray-gate").open("w") as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)
            fcntl.flock(turn, how)
        yield
