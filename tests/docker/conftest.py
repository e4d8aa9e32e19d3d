"""The tests in this folder have a real engine, together, or alone where they break it."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nemorun_cli.executors.docker import DockerExecutor
from tests.conftest import Nemorun, require
from tests.testbed.cluster import ImpossibleError
from tests.testbed.engine import TestEngine


@pytest.fixture(scope="session")
def started() -> TestEngine | str:
    """The engine, or why there is none."""
    try:
        return TestEngine.start()
    except ImpossibleError as error:
        return str(error)


@pytest.fixture
def engine(started: TestEngine | str, request: pytest.FixtureRequest) -> Iterator[TestEngine]:
    why = started if isinstance(started, str) else ""
    require("docker", there=isinstance(started, TestEngine), why=why)
    assert isinstance(started, TestEngine)
    alone = request.node.get_closest_marker("disturbs") is not None
    with _turn(started.folder.parent / "locks", fcntl.LOCK_EX if alone else fcntl.LOCK_SH):
        yield started
        if alone:
            started.do("start")


@pytest.fixture
def executor(engine: TestEngine, tmp_path: Path) -> Iterator[DockerExecutor]:
    yield DockerExecutor.here(tmp_path, docker_host=engine.address)
    _clean(engine, tmp_path / "jobs")


@pytest.fixture
def docked(engine: TestEngine, nemorun: Nemorun) -> Iterator[Nemorun]:
    """The installed command, whose default executor is the engine with the Python image."""
    nemorun.env.update(
        NEMORUN_EXECUTOR="docker",
        NEMORUN_IMAGE="nemorun-test/python",
        DOCKER_HOST=engine.address,
    )
    yield nemorun
    _clean(engine, nemorun.store / "jobs")


def _clean(engine: TestEngine, jobs: Path) -> None:
    """Remove what a test has left: what is these jobs', and nothing else."""
    label = f"nemorun.jobs={jobs}"
    for each in engine.api.containers(label):
        engine.api.remove(each["Id"], running=True)
    for name in engine.networks(label):
        engine.api.remove_network(name)


@contextmanager
def _turn(folder: Path, how: int) -> Iterator[None]:
    # Whoever waits holds the gate, so that those who share cannot keep one who will not waiting.
    with (folder / "engine-turn").open("w") as turn:
        with (folder / "engine-gate").open("w") as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)
            fcntl.flock(turn, how)
        yield
