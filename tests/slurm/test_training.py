"""Real recipes train on several nodes, and their loss falls."""

import json
from typing import Any

import pytest

from tests.slurm.users import User, having

pytestmark = pytest.mark.torch
# All nodes are this one machine, whose cores are few.
LEAN = ("--env", "OMP_NUM_THREADS=1")
TWO = (*LEAN, *having(nodes=2, launcher="torchrun"))


def test_gpt_learns_on_two_nodes(user: User) -> None:
    run_id = user.launch("gpt", "steps=24", "log_every=6", "sample=5", *TWO)

    run = user.ended(run_id, seconds=180)
    assert run["state"] == "SUCCEEDED", user.lines(run_id)
    losses = [each["loss"] for each in tracked(user, run_id)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0] - 1
    assert run["metrics"]["step"] == 24
    assert run["metrics"]["loss"] == losses[-1]
    assert any("2 x cpu" in line for line in user.lines(run_id, "--rank", "0"))
    assert "loss" not in "".join(user.lines(run_id, "--rank", "1"))


def test_digits_learns_to_read_on_two_nodes(here: User) -> None:
    run_id = here.launch("digits", "epochs=3", *TWO)

    run = here.ended(run_id, seconds=180)
    assert run["state"] == "SUCCEEDED", here.lines(run_id)
    losses = [each["loss"] for each in tracked(here, run_id)]
    assert losses == sorted(losses, reverse=True)
    assert run["metrics"]["accuracy"] > 0.8


CRASH = """
import os
import time

import fiddle as fdl


def crash(rank: int) -> None:
    if int(os.environ["RANK"]) == rank:
        raise ValueError("boom")
    time.sleep(600)


def recipe() -> fdl.Partial:
    return fdl.Partial(crash, rank=3)
"""


def test_the_rank_of_torchrun_that_fails_is_named_with_its_node(far: User) -> None:
    (far.cwd / "crash.py").write_text(CRASH)
    processes = (*LEAN, *having(nodes=2, nproc=2, launcher="torchrun", nodelist="n[2-3]"))

    done = far("launch", "-e", "cw", "crash.py:recipe", "--wait", *processes, timeout=180)

    assert done.code == 10
    assert "rank 3 on n3: ValueError: boom" in done.err
    run = far.show("last")
    assert (run["failing_rank"], run["exit_code"], run["reason"]) == (3, 1, "exit")


def tracked(user: User, run_id: str) -> list[dict[str, Any]]:
    """What the training has told of its steps."""
    text = (user.folder(run_id) / "metrics.jsonl").read_text()
    return [json.loads(line)["metrics"] for line in text.splitlines()]
