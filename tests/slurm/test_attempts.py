"""A run that Slurm ends and starts again is one run, with an attempt for each start."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

from nemorun_cli.watching import nap
from tests.slurm.conftest import together
from tests.slurm.users import User, having, on_laptop, on_login
from tests.testbed.cluster import Cluster

# Saves what it has when it is told that its time is nearly over, and goes on from there.
SAVES = """
import os
import signal
import sys
import time
from pathlib import Path

saved = Path(os.environ["NEMORUN_RUN_DIR"], "saved-" + os.environ.get("RANK", "0"))
if saved.exists():
    print("went on from", saved.read_text())
    sys.exit(0)


def save(number, _):
    saved.write_text("attempt " + os.environ["NEMORUN_ATTEMPT"])
    print("saved")
    sys.exit(0)


signal.signal(signal.SIGUSR2, save)
print("began")
time.sleep(600)
"""
FIRST_ONLY = 'echo "attempt $NEMORUN_ATTEMPT"; [ "$NEMORUN_ATTEMPT" != 1 ] || sleep 600'


@dataclass(frozen=True, kw_only=True)
class Limited:
    """Runs with a time limit of a minute, launched together: a minute may last 76 seconds."""

    here: User
    far: User
    alone: str
    saving: str
    many: str
    exhausted: str


@pytest.fixture(scope="module", autouse=True)
def calm(cluster: Cluster) -> Iterator[None]:
    """Keep the cluster whole as long as runs go on, from one test to the next."""
    with together(cluster):
        yield


@pytest.fixture(scope="module", autouse=True)
def limited(
    calm: None,  # noqa: ARG001
    cluster: Cluster,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Limited]:
    folder = tmp_path_factory.mktemp("limited")
    with on_login(cluster, folder / "here") as here, on_laptop(cluster, folder / "laptop") as far:
        for user in (here, far):
            (user.cwd / "saves.py").write_text(SAVES)
        saves = ("command", "--", "python3", "-u", "saves.py")
        short = having(time="1m", grace="10s")
        torchrun = having(nodes=2, launcher="torchrun", auto_resume=1)
        yield Limited(
            here=here,
            far=far,
            alone=here.sh("echo up; sleep 600", *short),
            saving=here.launch(*short, *having(auto_resume=3), *saves),
            many=far.launch(*short, *torchrun, *saves),
            exhausted=here.sh("echo up; sleep 600", *short, *having(auto_resume=1)),
        )


def attempts(run: dict[str, Any]) -> list[tuple[int, str | None]]:
    return [(each["number"], each["reason"]) for each in run["attempts"]]


def began(user: User, run_id: str) -> str:
    """Slurm's number of a run whose payload has said something."""
    log = user.folder(run_id) / "logs/1/0.log"
    for _ in range(300):
        if log.exists() and log.stat().st_size:
            return user.job(run_id)
        nap(0.1)
    raise AssertionError(user.show(run_id))


def test_a_run_that_was_requeued_by_hand_is_the_same_run(user: User) -> None:
    run_id = user.sh(FIRST_ONLY)
    job = began(user, run_id)

    user.cluster.admin("scontrol", "requeue", job)
    waiting = user.until(run_id, "PENDING")
    user.cluster.start_now(job)

    run = user.ended(run_id)
    assert waiting["attempt"] == 1
    assert (run["state"], run["attempt"], user.job(run_id)) == ("SUCCEEDED", 2, job)
    assert attempts(run) == [(1, "requeued"), (2, None)]
    assert user.said(run_id) == ["attempt 1", "attempt 2"]


def test_a_run_that_had_to_make_room_comes_back(user: User) -> None:
    everything = having(nodelist="n4", gpus_per_node=8)
    run_id = user.sh(FIRST_ONLY, *everything, *having(partition="low"))
    job = began(user, run_id)

    better = ("sbatch", "--nodelist=n4", "--gpus-per-node=8", "--wrap=true", "--output=/dev/null")
    assert user.cluster.run(*better).returncode == 0
    user.cluster.start_now(job)

    run = user.ended(run_id)
    assert (run["state"], run["attempt"]) == ("SUCCEEDED", 2)
    assert attempts(run) == [(1, "preempted"), (2, None)]
    assert user.said(run_id) == ["attempt 1", "attempt 2"]


def test_a_run_that_was_cancelled_by_hand_is_told_as_cancelled(here: User, far: User) -> None:
    running, other = here.sh("echo up; sleep 600"), far.sh("echo up; sleep 600")
    waiting = here.sh("echo up", *having(begin="now+1hour"))
    jobs = [began(here, running), began(far, other), here.job(waiting)]

    here.cluster.admin("scancel", *jobs)
    nap(2)
    assert far("list", "--refresh", "now").code == 0  # It has half a minute for its own word.

    assert here.ended(waiting)["state"] == "CANCELLED"
    for user, run_id in ((here, running), (far, other)):
        run = user.ended(run_id, seconds=90)
        assert (run["state"], run["reason"], run["attempt"]) == ("CANCELLED", "cancelled", 1)
        assert user("wait", run_id).code == 11


def test_a_run_whose_time_is_up_fails_with_the_time_limit(limited: Limited) -> None:
    done = limited.here("wait", limited.alone, timeout=150)

    assert done.code == 12
    run = limited.here.show(limited.alone)
    assert (run["state"], run["reason"]) == ("FAILED", "time_limit")
    assert 40 <= seconds(run) <= 90


def test_a_run_saves_and_goes_on_after_its_time_limit(limited: Limited) -> None:
    run = limited.here.ended(limited.saving, seconds=150)

    assert (run["state"], run["attempt"]) == ("SUCCEEDED", 2)
    assert attempts(run) == [(1, "time_limit"), (2, None)]
    assert limited.here.lines(limited.saving) == ["began", "saved", "went on from attempt 1"]


def test_each_rank_of_torchrun_saves_before_the_time_limit(limited: Limited) -> None:
    run = limited.far.ended(limited.many, seconds=150)

    assert (run["state"], run["attempt"]) == ("SUCCEEDED", 2)
    assert attempts(run) == [(1, "time_limit"), (2, None)]
    for rank in "01":
        lines = limited.far.lines(limited.many, "--rank", rank)
        assert lines == ["began", "saved", "went on from attempt 1"]


def test_a_run_that_never_gets_ready_ends_when_its_resumes_are_used_up(limited: Limited) -> None:
    done = limited.here("wait", limited.exhausted, timeout=200)

    assert done.code == 12
    run = limited.here.show(limited.exhausted)
    assert (run["state"], run["reason"], run["attempt"]) == ("FAILED", "time_limit", 2)
    assert attempts(run) == [(1, "time_limit"), (2, "time_limit")]


def seconds(run: dict[str, Any]) -> float:
    """How long a run ran."""
    begin, end = (datetime.fromisoformat(run[name]) for name in ("started_at", "ended_at"))
    return (end - begin).total_seconds()
