"""Runs that are cancelled, and runs that wait for others."""

import time
from typing import Any

import pytest

from nemorun_cli.watching import nap
from tests.slurm.users import SAVES, User, brief, having

LATER = having(begin="now+1hour")


def test_a_run_that_waits_is_taken_out_of_the_queue(user: User) -> None:
    run_id = user.sh("echo ran", *LATER)
    job = user.job(run_id)
    assert user.cluster.state(job) == "PENDING"

    first = user("cancel", run_id)

    assert first.code == 0, first.err
    assert user.state(run_id) == "CANCELLED"
    assert user.cluster.state(job) in {"CANCELLED", ""}
    assert user("cancel", run_id).code == 0
    assert user("wait", run_id).code == 11


@pytest.mark.parametrize("nodes", [1, 2])
def test_a_run_that_is_cancelled_has_its_grace(user: User, nodes: int) -> None:
    run_id = user.sh(SAVES, *having(nodes=nodes, grace="20s"))
    user.until(run_id, "RUNNING")
    user.until_said(run_id, "up", ranks=nodes)

    start = time.monotonic()
    done = user("cancel", run_id)

    assert done.code == 0, done.err
    assert time.monotonic() - start < 15
    run = user.show(run_id)
    assert (run["state"], run["reason"]) == ("CANCELLED", "cancelled")
    for rank in range(nodes):
        assert user.said(run_id, "--rank", str(rank)) == ["up", "saved"]
    assert user("cancel", run_id).code == 0
    assert user.state(run_id) == "CANCELLED"


def test_a_run_that_will_not_end_is_ended(user: User) -> None:
    run_id = user.sh('trap "" TERM; echo up; sleep 600', *having(nodes=2, grace="2s"))
    user.until_said(run_id, "up", ranks=2)

    done = user("cancel", run_id)

    assert done.code == 0, done.err
    assert user.state(run_id) == "CANCELLED"
    assert user.cluster.state(user.job(run_id)) in {"COMPLETING", "FAILED", "CANCELLED", ""}


def test_many_runs_are_cancelled_at_once(here: User) -> None:
    running = [here.sh("echo up; sleep 600", "--tag", "many") for _ in range(3)]
    waiting = [here.sh("echo up", "--tag", "many", *LATER) for _ in range(3)]
    here.until_said(running[-1], "up")

    done = here("cancel", "--tag", "many", "--yes")

    assert done.code == 0, done.err
    assert {here.state(run_id) for run_id in (*running, *waiting)} == {"CANCELLED"}


def test_runs_follow_each_other_as_they_were_asked_to(user: User) -> None:
    go = user.home.parent / "go"
    hold = f"until [ -e {go} ]; do sleep 0.1; done"
    good = user.sh(f"{hold}; exit 0")
    bad = user.sh(f"{hold}; exit 3")
    after = {
        "ok": user.sh("echo ran", "--after", good),
        "any": user.sh("echo ran", "--after", f"{bad}:any"),
        "notok": user.sh("echo ran", "--after", f"{bad}:notok"),
        "both": user.sh("echo ran", "--after", f"{good}:ok", "--after", f"{bad}:any"),
    }
    never = user.sh("echo ran", "--after", bad)
    chained = user.sh("echo ran", "--after", after["ok"])
    go.touch()

    for run_id in (*after.values(), chained):
        assert user.ended(run_id)["state"] == "SUCCEEDED"
        assert user.lines(run_id) == ["ran"]
    first, second = user.show(good), user.show(after["ok"])
    assert second["started_at"] >= first["ended_at"]
    assert until_given_up(user, never)["reason"] == "dependency"
    user.ok("cancel", never)
    assert user.state(never) == "CANCELLED"


def test_a_run_may_follow_one_that_has_ended(here: User) -> None:
    good, bad = here.sh("exit 0"), here.sh("exit 3")
    here.ended(good)
    here.ended(bad)

    ran = [here.sh("true", "--after", each) for each in (good, f"{bad}:any", f"{bad}:notok")]
    refused = here("launch", "-e", here.executor, "--after", bad, "command", "--", "true")

    assert {here.ended(run_id)["state"] for run_id in ran} == {"SUCCEEDED"}
    assert refused.code == 3
    assert "can never be met: it is FAILED" in refused.err


def until_given_up(user: User, run_id: str) -> dict[str, Any]:
    """All that is known of a run once Slurm has told, when it next plans, why it never starts."""
    for _ in range(100):
        user("list", "--refresh", "now")
        run = user.show(run_id)
        assert run["state"] == "PENDING", brief(run)
        if run["reason_detail"].startswith("never starts: the job it waits for has not ended"):
            return run
        nap(0.3)
    raise AssertionError(brief(run))
