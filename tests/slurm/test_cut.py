"""The login node is out of reach for half a minute: nothing is lost, and nothing comes twice."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from nemorun_cli.watching import nap
from tests.conftest import Done
from tests.slurm.conftest import alone
from tests.slurm.users import User, on_laptop
from tests.testbed.cluster import Cluster

SECONDS = 30
LINES = 300
TALKS = f'for i in $(seq {LINES}); do echo "line $i"; sleep 0.1; done'


@dataclass(frozen=True, kw_only=True)
class Cut:
    """What was typed before and while nothing came through, and how it ended."""

    far: User
    talking: str
    followed: Done
    launched: tuple[Done, ...]
    listed: Done
    listing: float
    """Seconds that the list took."""


@pytest.fixture(scope="module", autouse=True)
def calm(cluster: Cluster) -> Iterator[None]:
    with alone(cluster):
        yield


@pytest.fixture(scope="module")
def cut(
    calm: None,  # noqa: ARG001
    cluster: Cluster,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Cut]:
    folder = tmp_path_factory.mktemp("cut")
    with on_laptop(cluster, folder) as far, ThreadPoolExecutor() as pool:
        talking = far.sh(TALKS)
        followed = pool.submit(far, "logs", talking, "--follow", timeout=240)
        nap(2)
        launch = ("launch", "-e", "cw", "--tag", "cut", "command", "--", "sh", "-c", "echo ran")
        launched = []
        for _ in range(4):
            launched.append(pool.submit(far, *launch, timeout=240))
            nap(0.2)
        # The first is about to call sbatch, the last has hardly begun.
        for _ in range(200):
            if len(list(far.jobs.glob("2*-1"))) > 1:
                break
            nap(0.02)
        cluster.cut()
        start = time.monotonic()
        listed = far("list", "--tag", "cut")
        listing = time.monotonic() - start
        nap(SECONDS - listing)
        cluster.heal()
        yield Cut(
            far=far,
            talking=talking,
            followed=followed.result(),
            launched=tuple(each.result() for each in launched),
            listed=listed,
            listing=listing,
        )


def test_a_list_does_not_wait_for_who_is_out_of_reach(cut: Cut) -> None:
    assert cut.listed.code == 0
    assert cut.listing < 10
    assert len(cut.listed.out.splitlines()) >= 1


def test_who_follows_gets_every_line_once(cut: Cut) -> None:
    assert cut.followed.code == 0, cut.followed.err
    assert cut.followed.out.splitlines() == [f"line {i}" for i in range(1, LINES + 1)]


def test_a_launch_in_the_midst_is_neither_lost_nor_doubled(cut: Cut) -> None:
    printed = [each.out.strip() for each in cut.launched if each.code == 0]
    others = [each for each in cut.launched if each.code != 0]

    assert cut.launched[0].code == 0, cut.launched[0].err
    # Who has not reached the host at all says so; that run will not start later either.
    assert {(each.code, each.out) for each in others} <= {(17, "")}
    for run_id in printed:
        assert cut.far.ended(run_id)["state"] == "SUCCEEDED"
        assert cut.far.lines(run_id) == ["ran"]
    listed: list[dict[str, Any]] = cut.far.json("list", "--tag", "cut")["runs"]  # type: ignore[assignment]
    unsent = {run["id"] for run in listed if run["reason"] == "never_submitted"}
    assert {run["id"] for run in listed} == unsent | set(printed)
    assert len(unsent) == len(others)
    jobs = cut.far.numbers()
    assert unsent & set(jobs) == set()
    assert {run_id: jobs[run_id] for run_id in printed} == {
        run_id: {cut.far.job(run_id)} for run_id in printed
    }
