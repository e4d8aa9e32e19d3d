"""Jobs of several containers, which are nodes on a network of their own."""

import json
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nemorun_cli.core.jobs import JobHandle, JobState, JobStatus, Reason
from nemorun_cli.executors.docker import DockerExecutor
from nemorun_cli.testing import new_spec
from tests.conftest import Nemorun
from tests.docker.test_contract import InTheImage
from tests.docker.test_ends import launch_killed_at, status
from tests.testbed.engine import SH, TestEngine

Until = Callable[..., None]
TWO = ("-x", "nodes=2")
MEETING = """
import os, socket
host, port, rank = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), os.environ["RANK"]
if rank == "0":
    with socket.create_server(("", port)) as server:
        print(server.accept()[0].recv(99).decode())
else:
    while True:
        try:
            socket.create_connection((host, port)).send(f"{rank} was here".encode())
            break
        except ConnectionRefusedError:
            pass
"""


def submitted(executor: DockerExecutor, script: str, **asked: Any) -> JobHandle:
    """A job on two nodes; each runs this script."""
    asked = {"image": SH, "nodes": 2, "grace": 1, **asked}
    spec = new_spec("sh", "-c", script, workdir="", resources=InTheImage(**asked))
    return executor.submit(spec)


def ended(executor: DockerExecutor, handle: JobHandle, until: Until) -> JobStatus:
    until(lambda: status(executor, handle).state.terminal)
    return status(executor, handle)


def lines(executor: DockerExecutor, handle: JobHandle, rank: int) -> list[str]:
    return [line.text for line in executor.logs(handle, rank=rank)]


def up(executor: DockerExecutor, handle: JobHandle) -> bool:
    """Whether both ranks have spoken."""
    return all("up" in lines(executor, handle, rank) for rank in (0, 1))


def left(engine: TestEngine, jobs: object) -> list[str]:
    """What there is of these jobs' containers and networks."""
    label = f"nemorun.jobs={jobs}"
    return engine.containers(label) + engine.networks(label)


def test_ranks_on_two_nodes_meet_at_the_first(docked: Nemorun, engine: TestEngine) -> None:
    run_id = docked.ok("launch", "command", *TWO, "--wait", "--", "python3", "-c", MEETING)

    assert docked.ok("logs", run_id, "--rank", "0") == "1 was here"
    assert docked.ok("logs", run_id, "--rank", "1") == ""
    assert left(engine, docked.store / "jobs") == []


def test_a_rank_that_fails_ends_the_others_and_is_named(
    executor: DockerExecutor, engine: TestEngine, until: Until
) -> None:
    handle = submitted(executor, 'echo up; [ "$RANK" = 0 ] || exit 5; sleep 600')

    told = ended(executor, handle, until)

    assert (told.state, told.exit_code, told.failing_rank) == (JobState.FAILED, 5, 1)
    assert told.reason_detail == "rank 1 on node 1: exit code 5"
    assert up(executor, handle)
    assert left(engine, executor.job_dir) == []


def test_of_several_that_fail_the_first_one_counts(executor: DockerExecutor, until: Until) -> None:
    failure = '"$NEMORUN_RUN_DIR/logs/1/first_failure.json"'
    script = f'[ "$RANK" = 0 ] || exit 5; until [ -e {failure} ]; do :; done; exit 9'
    handle = submitted(executor, script)

    told = ended(executor, handle, until)

    assert (told.exit_code, told.failing_rank) == (5, 1)


def test_a_cancelled_job_ends_on_all_nodes(
    executor: DockerExecutor, engine: TestEngine, until: Until
) -> None:
    script = "trap 'sleep 0.5; echo saved; exit 3' TERM; echo up; while :; do sleep 0.1; done"
    handle = submitted(executor, script, grace=20)
    until(lambda: up(executor, handle))

    executor.cancel(handle)

    assert ended(executor, handle, until).state is JobState.CANCELLED
    assert [lines(executor, handle, rank)[-1] for rank in (0, 1)] == ["saved", "saved"]
    assert left(engine, executor.job_dir) == []


def test_what_ignores_term_is_killed_on_all_nodes(
    executor: DockerExecutor, engine: TestEngine, until: Until
) -> None:
    handle = submitted(executor, "trap '' TERM; echo up; while :; do sleep 0.1; done")
    until(lambda: up(executor, handle))

    executor.cancel(handle)

    assert ended(executor, handle, until).state is JobState.CANCELLED
    assert left(engine, executor.job_dir) == []


def test_all_nodes_take_part_in_the_next_attempt(executor: DockerExecutor, until: Until) -> None:
    script = 'echo "$NEMORUN_ATTEMPT"; [ "$RANK$NEMORUN_ATTEMPT" != 11 ]'
    handle = submitted(executor, script, retries=1)

    told = ended(executor, handle, until)

    assert (told.state, told.attempt) == (JobState.SUCCEEDED, 2)
    assert [lines(executor, handle, rank) for rank in (0, 1)] == [["1", "2"], ["1", "2"]]


def test_a_node_whose_container_is_killed_fails_the_run(
    executor: DockerExecutor, engine: TestEngine, until: Until
) -> None:
    handle = submitted(executor, "echo up; sleep 600", retries=5)
    until(lambda: up(executor, handle))

    engine.api.signal(f"{handle.native_id}-node1", "KILL")

    told = ended(executor, handle, until)
    assert (told.state, told.reason, told.attempt) == (JobState.FAILED, Reason.SIGNAL, 1)
    assert told.reason_detail == "rank 1 on node 1: its container was killed"
    assert left(engine, executor.job_dir) == []


def test_too_much_memory_on_any_node_is_told_as_such(
    executor: DockerExecutor, until: Until
) -> None:
    script = '[ "$RANK" = 0 ] || exec python3 -c "bytearray(10**9)"; sleep 600'
    handle = submitted(executor, script, image=InTheImage().image, memory="64m")

    told = ended(executor, handle, until)

    assert (told.reason, told.failing_rank) == (Reason.OOM, 1)


def test_nothing_is_left_of_a_job_whose_first_container_somebody_removed(
    executor: DockerExecutor, engine: TestEngine, until: Until
) -> None:
    handle = submitted(executor, "echo up; sleep 600")
    until(lambda: up(executor, handle))

    engine.api.remove(handle.native_id, running=True)

    assert ended(executor, handle, until).state is JobState.LOST
    assert left(engine, executor.job_dir) == []


def test_what_somebody_connected_to_a_jobs_network_does_not_keep_it(
    executor: DockerExecutor, engine: TestEngine, until: Until
) -> None:
    handle = submitted(executor, "echo up; until [ -e go ]; do sleep 0.1; done")
    other = executor.submit(new_spec("sleep", "600", resources=InTheImage(grace=1)))
    until(lambda: up(executor, handle))
    connect = {"Container": other.native_id}
    engine.api._ask("POST", f"/networks/{handle.native_id}/connect", body=connect)

    Path(executor.directory(handle.key), "work", "go").touch()

    assert ended(executor, handle, until).state is JobState.SUCCEEDED
    assert engine.networks(f"nemorun.jobs={executor.job_dir}") == []
    executor.cancel(other)
    assert ended(executor, other, until).state is JobState.CANCELLED


def test_a_job_that_cannot_begin_on_a_node_ends_in_its_words(
    executor: DockerExecutor, engine: TestEngine, until: Until
) -> None:
    only_the_first = 'case "$*" in *serve*) echo no licence >&2; exit 4;; esac; exec "$@"'
    entry = f"sh -c '{only_the_first}' sh"

    handle = submitted(executor, "true", entrypoint=entry)

    told = ended(executor, handle, until)
    assert (told.state, told.reason_detail) == (JobState.FAILED, "no licence")
    assert left(engine, executor.job_dir) == []


def test_a_launch_killed_between_creations_starts_all_nodes_or_none(
    docked: Nemorun, engine: TestEngine, tmp_path: Path, until: Until
) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    docked.env.update(NEMORUN_MOUNTS=str(marks), NEMORUN_NODES="2")
    requests = (marks / "ran", "http.client.send")
    whole = launch_killed_at(docked, 0, *requests)
    steps = int(whole.stderr.rpartition("steps: ")[2])

    for step in range(1, steps + 1):
        launch_killed_at(docked, step, *requests)

    runs: list[dict[str, Any]] = []

    def settled() -> bool:
        runs[:] = json.loads(docked.ok("list", "--json", "--refresh", "now"))["runs"]
        return not {"SUBMITTING", "PENDING", "RUNNING"} & {run["state"] for run in runs}

    until(settled, 60)
    ran = Counter((marks / "ran").read_text().split())
    assert set(ran.values()) == {2}
    assert {run["id"] for run in runs if run["state"] == "SUCCEEDED"} == set(ran)
    others = {run["reason"] for run in runs if run["state"] != "SUCCEEDED"}
    assert others == {"never_submitted"}
    assert left(engine, docked.store / "jobs") == []


@pytest.mark.torch
def test_gpt_learns_on_two_nodes(docked: Nemorun, engine: TestEngine) -> None:
    venv = Path(sys.prefix)
    docked = replace(docked, cwd=Path(__file__).parents[2])
    python = ("-x", f"mounts={venv}:{venv}:ro", "-x", f"python={venv}/bin/python")
    # More threads than free processors take very long.
    options = (*TWO, *python, "-x", "launcher=torchrun", "--env", "OMP_NUM_THREADS=1", "--wait")

    run_id = docked.ok("launch", "gpt", "steps=8", "log_every=4", "sample=1", *options, timeout=280)

    told = (docked.store / "jobs" / f"{run_id}-1" / "metrics.jsonl").read_text().splitlines()
    losses = [json.loads(line)["metrics"]["loss"] for line in told]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0] - 0.5
    assert "2 x cpu" in docked.ok("logs", run_id, "--rank", "0")
    assert left(engine, docked.store / "jobs") == []
