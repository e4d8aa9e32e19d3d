"""The tests in this folder have the real cluster, together, or alone where they break it."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import require
from tests.slurm.users import far as far  # noqa: PLC0414
from tests.slurm.users import here as here  # noqa: PLC0414
from tests.slurm.users import user as user  # noqa: PLC0414
from tests.testbed.cluster import Cluster, ImpossibleError

# What a test waits for its turn counts as the test's own time.
_SECONDS = 900


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        here = item.path.is_relative_to(Path(__file__).parent)
        if here and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(_SECONDS))


@pytest.fixture(scope="session")
def started() -> Cluster | str:
    """The cluster, or why there is none."""
    try:
        return Cluster.start()
    except ImpossibleError as error:
        return str(error)


@pytest.fixture(scope="session")
def cluster(started: Cluster | str) -> Cluster:
    why = started if isinstance(started, str) else ""
    require("slurm", there=isinstance(started, Cluster), why=why)
    assert isinstance(started, Cluster)
    return started


@pytest.fixture(autouse=True)
def calm(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[None]:
    """Keep tests that are marked `disturbs` and all others apart, in all processes."""
    disturbs = request.node.get_closest_marker("disturbs") is not None
    with alone(cluster) if disturbs else together(cluster):
        yield


@contextmanager
def together(cluster: Cluster) -> Iterator[None]:
    """Have the cluster with others, and whole."""
    with _turn(cluster.folder / "locks", fcntl.LOCK_SH):
        yield


@contextmanager
def alone(cluster: Cluster) -> Iterator[None]:
    """Have the cluster alone, free to break it."""
    with _turn(cluster.folder / "locks", fcntl.LOCK_EX):
        yield
        cluster.mend()


@contextmanager
def _turn(folder: Path, how: int) -> Iterator[None]:
    # Whoever waits holds the gate, so that those who share cannot keep one who will not waiting.
    with (folder / "turn").open("w") as turn:
        with (folder / "gate").open("w") as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)
            fcntl.flock(turn, how)
        yield
