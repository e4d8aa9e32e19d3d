"""How jobs of a real Ray cluster end, whoever ends them, and what is told of it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nemorun_cli.core.errors import UnreachableError
from nemorun_cli.core.jobs import JobHandle, JobState, JobStatus, Reason
from nemorun_cli.executors.ray import RayExecutor
from nemorun_cli.rayjobs.asking import RayResources
from nemorun_cli.testing import new_spec
from tests.conftest import Nemorun, living
from tests.testbed.raycluster import RayCluster

Until = Callable[..., None]
KILLED = Path(__file__).parents[1] / "e2e" / "killed_nemorun.py"


def sleeper(executor: RayExecutor, until: Until, **asked: object) -> JobHandle:
    """A job that runs, and would for long."""
    ask = RayResources(grace=1, **asked)  # type: ignore[arg-type]
    handle = executor.submit(new_spec("sh", "-c", "echo up; sleep 600", resources=ask))
    until(lambda: [line.text for line in executor.logs(handle)] == ["up"], 60)
    return handle


def status(executor: RayExecutor, handle: JobHandle) -> JobStatus:
    return executor.poll_now([handle])[handle]


def test_what_ignores_term_is_killed_after_its_grace(executor: RayExecutor, until: Until) -> None:
    stubborn = "trap '' TERM; echo up; while :; do sleep 1; done"
    spec = new_spec("sh", "-c", stubborn, resources=RayResources(grace=1))
    handle = executor.submit(spec)
    until(lambda: [line.text for line in executor.logs(handle)] == ["up"], 60)
    running = status(executor, handle)

    executor.cancel(handle)
    until(lambda: status(executor, handle).state.terminal)

    told = status(executor, handle)
    assert (running.state, running.attempt) == (JobState.RUNNING, 1)
    assert (told.state, told.reason, told.signal) == (JobState.CANCELLED, Reason.CANCELLED, 9)


def test_what_cannot_be_installed_is_told(executor: RayExecutor, until: Until) -> None:
    ask = RayResources(pip=("numpy",), runtime_env={"config": {"setup_timeout_seconds": 1}})
    spec = new_spec("true", resources=ask)

    handle = executor.submit(spec)
    until(lambda: status(executor, handle).state.terminal, 120)

    told = status(executor, handle)
    assert told.state is JobState.FAILED
    assert "runtime_env setup failed" in told.reason_detail
    assert any("timeout" in line.text.lower() for line in executor.logs(handle))


def test_a_launch_killed_anywhere_leaves_the_truth(rayed: Nemorun, cluster: RayCluster) -> None:
    arguments = ("launch", "command", "--name", rayed.home.name, "--", "true")
    whole = killed_at(rayed, 0, *arguments)
    steps = int(whole.stderr.rsplit("steps: ", 1)[1])

    for step in range(max(1, steps - 9), steps + 1):
        killed_at(rayed, step, *arguments)

    runs = rayed.json("list", "--refresh", "now")["runs"]
    assert isinstance(runs, list)
    known = {run["id"]: f"{run['id']}-1" in cluster.api.jobs() for run in runs}
    assert len(runs) > 5
    assert all((run["handle"] is not None) == known[run["id"]] for run in runs)
    # What the cluster does not know may be on its way for a minute.
    assert {run["state"] for run in runs if not known[run["id"]]} <= {"SUBMITTING"}


def test_a_cluster_of_its_own_ends_with_the_run(nemorun: Nemorun, until: Until) -> None:
    begins = "import ray; ray.init(logging_level='error', num_cpus=1); print('up', flush=True)"
    launch = ("launch", "-e", "ray", "-x", "grace=5s", "command", "--", sys.executable, "-c")
    ids = [nemorun.ok(*launch, f"{begins}; import signal; signal.pause()") for _ in range(2)]
    until(lambda: {nemorun.ok("logs", each) for each in ids} == {"up"}, 120)
    between = [len(living(each, "raylet")) for each in ids]

    nemorun.ok("cancel", ids[0])
    wrapper = nemorun.store / "jobs" / f"{ids[1]}-1" / "process.json"
    os.kill(json.loads(wrapper.read_text())["pid"], signal.SIGKILL)
    nemorun.ok("cancel", ids[1])

    assert between == [1, 1]
    until(lambda: not [each for run_id in ids for each in living(run_id)])


@pytest.mark.disturbs
def test_a_node_that_is_lost_takes_its_jobs_with_it(
    executor: RayExecutor, cluster: RayCluster, until: Until
) -> None:
    handle = sleeper(executor, until, resources=("node1=1",))

    cluster.do("lose")
    until(lambda: status(executor, handle).state.terminal, 60)

    told = status(executor, handle)
    assert (told.state, told.reason) == (JobState.FAILED, Reason.NODE_FAILURE)
    assert told.reason_detail


@pytest.mark.disturbs
def test_a_cluster_that_was_started_anew_has_lost_its_jobs(
    executor: RayExecutor, cluster: RayCluster, until: Until
) -> None:
    handle = sleeper(executor, until)

    cluster.do("crash")
    with pytest.raises(UnreachableError):
        executor.poll([handle])
    cluster.do("head")

    told = status(executor, handle)
    assert (told.state, told.reason) == (JobState.LOST, Reason.LOST)
    assert "does not know the job" in told.reason_detail


def killed_at(rayed: Nemorun, step: int, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(KILLED), str(step), *arguments],
        cwd=rayed.cwd,
        env=rayed.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
