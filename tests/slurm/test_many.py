"""However many launch at once, and whoever is killed while he does: each run is one job or none."""

import random
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nemorun_cli.watching import nap
from tests.slurm.conftest import together
from tests.slurm.users import User, on_laptop, on_login
from tests.testbed.cluster import Cluster

SHELLS = 8


@dataclass(frozen=True, kw_only=True)
class Killed:
    """Somebody whose launches were killed, and the ids that they had printed by then."""

    user: User
    printed: tuple[str, ...]

    @property
    def ran(self) -> Path:
        """Where each job leaves its run's id."""
        return self.user.home.parent / "ran"

    def runs(self) -> dict[str, dict[str, Any]]:
        listed: Any = self.user.json("list", "--refresh", "now", "--limit", "0")["runs"]
        return {run["id"]: run for run in listed}

    def settled(self) -> dict[str, dict[str, Any]]:
        """All runs, once none is live; it takes a minute until a run is given up."""
        end = time.monotonic() + 180
        while not all(map(over, self.runs().values())):
            assert time.monotonic() < end
            nap(1)
        return self.runs()


def over(run: dict[str, Any]) -> bool:
    return run["state"] not in {"SUBMITTING", "PENDING", "RUNNING"}


@pytest.fixture(scope="module", autouse=True)
def calm(cluster: Cluster) -> Iterator[None]:
    """Keep the cluster whole until it is looked at what has become of all launches."""
    with together(cluster):
        yield


@pytest.fixture(scope="module", autouse=True)
def killed(
    calm: None,  # noqa: ARG001
    cluster: Cluster,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Killed, Killed]]:
    folder = tmp_path_factory.mktemp("killed")
    with on_login(cluster, folder / "here") as here, on_laptop(cluster, folder / "laptop") as far:
        yield _killed(here, 24, longest=0.4), _killed(far, 12, longest=0.9)


def _killed(user: User, count: int, *, longest: float) -> Killed:
    chance = random.Random(4)  # noqa: S311
    echo = f'echo "$NEMORUN_RUN_ID" >>"{user.home.parent}/ran"'

    def one(delay: float) -> str:
        with user.start(
            "launch", "-e", user.executor, "command", "--", "sh", "-c", echo
        ) as process:
            timer = threading.Timer(delay, process.kill)
            timer.start()
            out, _ = process.communicate(timeout=120)
            timer.cancel()
            return out.strip()

    with ThreadPoolExecutor(2) as pool:
        delays = [chance.uniform(0.1, longest) for _ in range(count)]
        return Killed(user=user, printed=tuple(filter(None, pool.map(one, delays))))


@pytest.mark.parametrize(("who", "count"), [("here", 200), ("far", 40)])
def test_as_many_launches_are_as_many_jobs(
    request: pytest.FixtureRequest, who: str, count: int
) -> None:
    user: User = request.getfixturevalue(who)

    def launch(number: int) -> subprocess.CompletedProcess[str]:
        command = ("command", "--", "echo", f"number {number}")
        done = user("launch", "-e", user.executor, "--tag", "many", *command, timeout=180)
        return subprocess.CompletedProcess(command, done.code, done.out.strip(), done.err)

    with ThreadPoolExecutor(SHELLS) as pool:
        done = list(pool.map(launch, range(count)))

    assert {(each.returncode, each.stderr) for each in done} == {(0, "")}
    ids = [each.stdout for each in done]
    assert len(set(ids)) == count
    assert user("wait", "--tag", "many", timeout=240).code == 0
    jobs = user.numbers()
    assert {len(jobs[run_id]) for run_id in ids} == {1}
    assert len(set().union(*(jobs[run_id] for run_id in ids))) == count
    for number in (0, count // 2, count - 1):
        assert user.lines(ids[number]) == [f"number {number}"]


@pytest.mark.parametrize("who", [0, 1], ids=["here", "far"])
def test_a_launch_that_was_killed_is_known_to_be_one_job_or_none(
    killed: tuple[Killed, Killed], who: int
) -> None:
    user = killed[who].user

    runs = killed[who].settled()

    ran = Counter(killed[who].ran.read_text().split())
    jobs = user.numbers()
    succeeded = {run_id for run_id, run in runs.items() if run["state"] == "SUCCEEDED"}
    others = {run["reason"] for run_id, run in runs.items() if run_id not in succeeded}
    assert succeeded == set(ran)
    assert set(ran.values()) == {1}
    assert others <= {"never_submitted"}
    assert set(killed[who].printed) <= succeeded
    assert {run_id: jobs[run_id] for run_id in succeeded} == {
        run_id: {user.job(run_id)} for run_id in succeeded
    }
    assert set(jobs) & set(runs) == succeeded
    assert {path.name.rpartition("-")[0] for path in user.jobs.glob("2*")} <= set(runs)
