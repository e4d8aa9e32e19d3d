"""Runs outlive what breaks: nodes, the controller, accounting and its database."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from nemorun_cli.watching import nap
from tests.slurm.users import User, brief, having

pytestmark = pytest.mark.disturbs
GPT = ("gpt", "steps=100", "checkpoint_every=10", "log_every=10", "sample=5")
TWO = ("--env", "OMP_NUM_THREADS=1", *having(nodes=2, launcher="torchrun", grace="2s"))


@pytest.mark.torch
def test_a_training_on_two_nodes_survives_the_death_of_one(far: User, here: User) -> None:
    run_id = far.launch(*GPT, *TWO)
    until(lambda: list(far.folder(run_id).rglob("step-*.pt")), seconds=120)
    victim = "n" + far.cluster.admin("squeue", "-h", "-j", far.job(run_id), "-o", "%N")[-2]
    others = having(nodes=2, nodelist=f"{victim},n4", requeue="false")
    fragile = here.sh("echo up; sleep 600", *others)
    until((here.folder(fragile) / "logs/1/0.log").exists)

    far.cluster.kill_node(victim)

    end = here("wait", fragile, "--timeout", "90s", timeout=120)
    assert end.code == 13, end.err
    lost = here.show(fragile)
    assert (lost["state"], lost["reason"]) == ("FAILED", "node_failure")
    far.cluster.start_now(far.job(run_id))
    run = far.ended(run_id, seconds=180)
    assert (run["state"], run["attempt"]) == ("SUCCEEDED", 2), brief(run)
    assert [each["reason"] for each in run["attempts"]] == ["node_failure", None]
    assert re.search(r"after step [1-9]\d*\n", "\n".join(far.lines(run_id)))
    assert run["metrics"]["step"] == 100
    for user in (here, far):
        planned = user("launch", "-e", user.executor, "--dry-run", "command", "true")
        assert f" --exclude={victim} " in planned.out
        assert f"{victim}: node failure in" in planned.err
        willing = (*having(exclude_bad="false"), "command", "true")
        assert "--exclude" not in user.ok("launch", "-e", user.executor, "--dry-run", *willing)
    run_id = far.sh("hostname", *having(nodes=3))
    assert far.ended(run_id)["state"] == "SUCCEEDED"
    assert victim not in {far.said(run_id, "--rank", str(rank))[0] for rank in range(3)}
    (row,) = [line.split("\t") for line in far.ok("executors", "cw", "--bad-nodes").splitlines()]
    assert (row[0], row[1], row[5]) == (victim, "node_failure", "yes")


def test_a_run_outlives_the_controller(here: User, far: User) -> None:
    users = (here, far)
    script = "echo up; until [ -e {} ]; do sleep 0.1; done; echo done"
    go, later = here.home.parent / "go", here.home.parent / "later"
    ending = [user.sh(script.format(go)) for user in users]
    lasting = [user.sh(script.format(later)) for user in users]
    for user, run_id in zip(users, ending, strict=True):
        until((user.folder(run_id) / "logs/1/0.log").exists)

    here.cluster.stop_ctl()
    with ThreadPoolExecutor() as pool:
        launch = ("launch", "-e")
        launching = [
            pool.submit(user, *launch, user.executor, "command", "--", "true", timeout=180)
            for user in users
        ]
        go.touch()
        ended = [
            pool.submit(user.ended, run_id) for user, run_id in zip(users, ending, strict=True)
        ]
        assert [each.result()["state"] for each in ended] == ["SUCCEEDED"] * 2
        listing = [pool.submit(user, "list", "--refresh", "now", timeout=60) for user in users]
        assert [each.result().code for each in listing] == [0, 0]
        assert "does not answer" in listing[0].result().err
        here.cluster.start_ctl()
    later.touch()

    for user, each, run_id in zip(users, launching, lasting, strict=True):
        done = each.result()
        assert done.code == 0, done.err
        assert user.ended(done.out.strip())["state"] == "SUCCEEDED"
        assert len(user.numbers()[done.out.strip()]) == 1
        assert user.ended(run_id)["state"] == "SUCCEEDED"


@pytest.mark.parametrize("part", ["dbd", "db"])
def test_a_run_needs_no_accounting(user: User, part: str) -> None:
    getattr(user.cluster, f"stop_{part}")()

    good, bad = user.sh("echo done"), user.sh("exit 3")

    assert user.ended(good)["state"] == "SUCCEEDED"
    assert (user.ended(bad)["state"], user.show(bad)["exit_code"]) == ("FAILED", 3)
    start = time.monotonic()
    user.ok("list")
    assert time.monotonic() - start < 10


def until(true: Any, seconds: int = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        nap(0.1)
