"""The installed nemorun beside a scripted Slurm: few questions, whatever the crowd; all is told."""

import json
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from nemorun_cli.actions import launch, wiring
from nemorun_cli.actions.settle import Settled
from nemorun_cli.core.ids import key_of
from nemorun_cli.core.jobs import JobHandle
from nemorun_cli.executors.slurm import SlurmExecutor
from nemorun_cli.slurm.asking import SlurmResources
from tests.conftest import Done, Nemorun
from tests.slurmfake.world import SILENT, World

FLOOR = 1
Until = Callable[[Callable[[], bool]], None]


@pytest.fixture
def cluster(nemorun: Nemorun, world: World) -> World:
    """The world, which the installed nemorun finds, too."""
    nemorun.env["PATH"] = world.path
    return world


def many(nemorun: Nemorun, world: World, states: list[str]) -> list[JobHandle]:
    """Runs whose jobs are in these states, launched without the time that it takes to."""
    ports = wiring.ports({"NEMORUN_HOME": str(nemorun.store)})
    executor = SlurmExecutor.here(nemorun.store, poll_interval=FLOOR)
    settled = Settled(executor=executor, resources=SlurmResources(), settings={})
    content = launch.Content(recipe="command", argv=("true",))
    handles, jobs = [], []
    for number, state in enumerate(states, start=1):
        prepared = launch.prepare(
            content, settled, launch.Label(), code=None, workdir="/", links={}, now=time.time() - 60
        )
        key = key_of(prepared.record.id, 1)
        folder = Path(executor.directory(key))
        (folder / "logs" / "1").mkdir(parents=True)
        (folder / "job.sh").write_text("grace=1\n")
        if state == "RUNNING":
            (folder / "attempts.jsonl").write_text('{"attempt":1,"started_at":1}\n')
            (folder / "logs" / "1" / "0.log").write_text("a line\n")
        ports.store.create(prepared.record, {})
        handle = JobHandle(executor="slurm", target=executor.target, key=key, native_id=str(number))
        ports.store.submitted(prepared.record.id, 1, handle, now=time.time())
        handles.append(handle)
        jobs.append(
            {"id": str(number), "name": f"nemorun-{key[:-2]}", "comment": f"nemorun:{key}"}
            | {"cluster": "", "submitted": 1.0, "exit": "0:0", "earlier": []}
            | {"states": [(0.0, state, "Priority" if state == "PENDING" else "")]}
        )
    with world.changing() as known:
        known["jobs"].extend(jobs)
    return handles


def rows(nemorun: Nemorun, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(nemorun.ok("list", "--json", *arguments))["runs"]
    return found


def test_a_crowd_of_shells_asks_no_oftener_than_one(nemorun: Nemorun, cluster: World) -> None:
    handles = many(nemorun, cluster, ["RUNNING"] * 150 + ["PENDING"] * 150)
    cluster.change("1", gone=True)
    begun = time.monotonic()

    with ExitStack() as stack:
        following = [nemorun.start("logs", "-f", each.key[:-2]) for each in handles[1:5]]
        shells = [stack.enter_context(shell) for shell in following]
        listed = crowd(nemorun, 20)
        for shell in shells:
            shell.send_signal(signal.SIGINT)
        followed = [shell.communicate(timeout=30)[0] for shell in shells]
    budget = (time.monotonic() - begun) / FLOOR + 1

    assert {(done.code, done.out.count("\n")) for done in listed} == {(0, 50)}
    assert followed == ["a line\n"] * 4
    assert 1 <= len(cluster.calls("squeue")) <= budget
    assert 1 <= len(cluster.calls("sacct")) <= budget


def crowd(nemorun: Nemorun, size: int) -> list[Done]:
    """What as many shells are told at once."""
    ways = [("list", "--refresh", ("now", "auto")[number % 2]) for number in range(size)]
    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(lambda words: nemorun(*words), ways))


def test_a_controller_that_is_silent_hides_no_other_run(nemorun: Nemorun, cluster: World) -> None:
    nemorun.ok("launch", "-e", "slurm", "--name", "far", "command", "true")
    nemorun("launch", "--wait", "--name", "near", "command", "true")
    cluster.set(controller=SILENT)

    done = nemorun("list", "--refresh", "now", "--json")
    strict = nemorun("list", "--refresh", "now", "--strict")

    found = {run["name"]: run for run in json.loads(done.out)["runs"]}
    assert (done.code, strict.code) == (0, 17)
    assert "Unable to contact slurm controller" in done.err
    assert (found["near"]["state"], found["far"]["state"]) == ("SUCCEEDED", "PENDING")
    assert found["far"]["stale_since"] is not None


def test_a_pipe_is_told_the_profile_as_a_person_is(nemorun: Nemorun, cluster: World) -> None:
    settings = nemorun.home / ".config" / "nemorun"
    settings.mkdir(parents=True)
    (settings / "config.toml").write_text('[executors.big]\ntype = "slurm"\n')
    nemorun.ok("launch", "-e", "big", "command", "true")
    nemorun.ok("launch", "-e", "slurm", "command", "true")
    assert len(cluster.jobs()) == 2

    rows_of = [line.split("\t") for line in nemorun.ok("list").splitlines()]

    assert [row[4] for row in rows_of] == ["slurm", "big"]
    assert [run["executor"] for run in rows(nemorun)] == ["slurm", "slurm"]


def test_a_run_that_waits_says_why_in_words(nemorun: Nemorun, cluster: World) -> None:
    cluster.set(states=[(0.0, "PENDING", "PartitionTimeLimit")])
    nemorun.ok("launch", "-e", "slurm", "command", "true")

    status = nemorun.ok("status")
    (run,) = rows(nemorun)

    assert "never starts: it asks for more time than its partition allows" in status
    assert "-x partition=" in run["reason_detail"]


def test_what_ran_out_of_memory_is_listed_as_such(nemorun: Nemorun, cluster: World) -> None:
    cluster.set(runs=True)
    killed = "slurmstepd: error: Detected 1 oom_kill event in StepId=100.0.\n"
    cluster.next_calls("srun", {"act": True, "err": killed, "code": 137})

    done = nemorun("launch", "-e", "slurm", "-x", "poll_interval=1s", "--wait", "command", "false")

    (run,) = rows(nemorun)
    assert done.code == 10
    assert (run["state"], run["reason"]) == ("FAILED", "oom")
    assert "\toom\t" in nemorun.ok("list")


@pytest.mark.parametrize(
    "complaint", ["", "Slurm accounting storage is disabled", "sacct: error: slurmdbd: refused"]
)
def test_a_run_needs_no_accounting(nemorun: Nemorun, cluster: World, complaint: str) -> None:
    cluster.set(runs=True, accounting=complaint, min_job_age=0.0)

    done = nemorun(
        *("launch", "-e", "slurm", "-x", "poll_interval=1s", "--wait", "command", "--"),
        *("sh", "-c", "echo hello; exit 3"),
    )

    (run,) = rows(nemorun)
    assert done.code == 10
    assert (run["state"], run["exit_code"]) == ("FAILED", 3)
    assert nemorun.ok("logs") == "hello"


def test_three_hundred_runs_are_cancelled_in_few_calls(nemorun: Nemorun, cluster: World) -> None:
    many(nemorun, cluster, ["PENDING", "RUNNING"] * 150)

    done = nemorun("cancel", "--all", "--yes")

    assert (done.code, done.err) == (0, "")
    assert done.out.count("CANCELLED") == 300
    assert len(cluster.calls("scancel")) <= 4
    assert len(cluster.calls("squeue")) <= 4
    assert nemorun("cancel", "--all", "--yes").code == 0
    assert len(cluster.calls("scancel")) <= 4


def test_who_survives_being_cancelled_is_told_of(nemorun: Nemorun, cluster: World) -> None:
    many(nemorun, cluster, ["RUNNING"])
    cluster.next_calls("scancel", *[{}] * 9)

    done = nemorun("cancel", "last", "--no-wait")

    assert done.code == 0
    assert nemorun.state("last") == "RUNNING"


def test_a_run_is_told_of_once_it_has_ended_however_it_was_followed(
    nemorun: Nemorun, cluster: World, until: Until
) -> None:
    cluster.set(runs=True)
    nemorun.ok(
        *("launch", "-e", "slurm", "-x", "poll_interval=1s", "command", "--"),
        *("sh", "-c", 'while [ ! -e "$NEMORUN_RUN_DIR/go" ]; do sleep 0.05; done; echo done'),
    )
    (folder,) = (nemorun.store / "jobs").iterdir()
    with nemorun.start("logs", "-f") as following, nemorun.start("wait", "last") as waiting:
        until((folder / "logs" / "1" / "0.log").exists)

        (folder / "go").touch()

        out, _ = following.communicate(timeout=30)
        waiting.communicate(timeout=30)
    assert (out, following.returncode, waiting.returncode) == ("done\n", 0, 0)
    assert nemorun.state("last") == "SUCCEEDED"


def test_a_doctor_says_what_a_cluster_has(nemorun: Nemorun, cluster: World) -> None:
    cluster.set(accounting="Slurm accounting storage is disabled")

    done = nemorun("doctor", "slurm")

    assert done.code == 0, done.out
    assert "states come from the queue and the jobs' own verdicts" in done.out
    assert "a node sees the job folder" in done.out
    assert "fake" in done.out


def test_a_doctor_says_that_the_controller_is_silent(nemorun: Nemorun, cluster: World) -> None:
    cluster.set(controller=SILENT)

    done = nemorun("doctor", "slurm")

    assert done.code != 0
    assert "Unable to contact slurm controller" in done.out + done.err


def test_following_outlives_a_controller_that_falls_silent(
    nemorun: Nemorun, cluster: World, until: Until
) -> None:
    cluster.set(runs=True)
    script = 'echo up; while [ ! -e "$NEMORUN_RUN_DIR/go" ]; do sleep 0.05; done; echo done'
    nemorun.ok(
        *("launch", "-e", "slurm", "-x", "poll_interval=1s", "command", "--", "sh", "-c", script)
    )
    (folder,) = (nemorun.store / "jobs").iterdir()
    until((folder / "logs" / "1" / "0.log").exists)
    cluster.set(controller=SILENT)
    asked = len(cluster.calls("squeue"))

    with nemorun.start("logs", "-f") as following:
        until(lambda: len(cluster.calls("squeue")) > asked)
        (folder / "go").touch()
        out, err = following.communicate(timeout=30)

    assert (following.returncode, out) == (0, "up\ndone\n"), err
