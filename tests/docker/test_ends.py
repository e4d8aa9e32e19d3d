"""Whatever ends a container, an engine or nemorun: afterwards every run is in its true state."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
import pytest

from nemorun_cli.core.errors import RefusedError, UnreachableError
from nemorun_cli.core.jobs import JobHandle, JobState, JobStatus, Reason
from nemorun_cli.executors.docker import DockerExecutor
from nemorun_cli.testing import new_spec
from tests.conftest import Nemorun
from tests.docker.test_contract import InTheImage
from tests.testbed.engine import IMAGE, TestEngine

Until = Callable[..., None]
KILLED = Path(__file__).parents[1] / "e2e" / "killed_nemorun.py"
SLEEPER = ("sh", "-c", "echo up; sleep 600")


def sleeper(executor: DockerExecutor, until: Until, *argv: str) -> JobHandle:
    """A job that runs, and would for long."""
    handle = executor.submit(new_spec(*(argv or SLEEPER), resources=InTheImage(grace=1)))
    until(lambda: [line.text for line in executor.logs(handle)] == ["up"])
    return handle


def status(executor: DockerExecutor, handle: JobHandle) -> JobStatus:
    return executor.poll_now([handle])[handle]


def gone(executor: DockerExecutor, engine: TestEngine) -> bool:
    return engine.containers(f"nemorun.jobs={executor.job_dir}") == []


def test_a_killed_container_is_a_failed_run(
    executor: DockerExecutor, engine: TestEngine, until: Until
) -> None:
    handle = sleeper(executor, until)

    engine.api.signal(handle.native_id, "KILL")
    until(lambda: status(executor, handle).state.terminal)

    told = status(executor, handle)
    assert (told.state, told.reason, told.signal) == (JobState.FAILED, Reason.SIGNAL, 9)
    assert told.reason_detail == "its container was killed"
    assert gone(executor, engine)


def test_a_container_that_somebody_removed_is_lost(
    executor: DockerExecutor, engine: TestEngine, until: Until
) -> None:
    handle = sleeper(executor, until)

    engine.api.remove(handle.native_id, running=True)

    told = status(executor, handle)
    assert (told.state, told.reason) == (JobState.LOST, Reason.LOST)
    assert "removed" in told.reason_detail


def test_a_container_that_was_cancelled_and_removed_is_cancelled(
    executor: DockerExecutor, engine: TestEngine, until: Until
) -> None:
    stubborn = ("sh", "-c", "trap '' TERM; echo up; while :; do sleep 1; done")
    handle = sleeper(executor, until, *stubborn)

    executor.cancel(handle)
    engine.api.remove(handle.native_id, running=True)

    assert status(executor, handle).state is JobState.CANCELLED


def test_what_ignores_term_is_killed_after_its_grace(
    executor: DockerExecutor, engine: TestEngine, until: Until
) -> None:
    stubborn = ("sh", "-c", "trap '' TERM; echo up; while :; do sleep 1; done")
    handle = sleeper(executor, until, *stubborn)

    executor.cancel(handle)
    until(lambda: status(executor, handle).state.terminal)

    assert status(executor, handle).state is JobState.CANCELLED
    assert gone(executor, engine)


def test_a_paused_container_can_be_cancelled(
    executor: DockerExecutor, engine: TestEngine, until: Until
) -> None:
    handle = sleeper(executor, until)
    engine.api._ask("POST", f"/containers/{handle.native_id}/pause")

    paused = status(executor, handle)
    executor.cancel(handle)
    until(lambda: status(executor, handle).state.terminal)

    assert (paused.state, paused.reason_detail) == (JobState.RUNNING, "paused")
    assert status(executor, handle).state is JobState.CANCELLED


def test_a_container_of_another_with_the_same_name_is_left_alone(
    executor: DockerExecutor, engine: TestEngine
) -> None:
    spec = new_spec("true", resources=InTheImage())
    name = f"nemorun-{spec.key}"
    with closing(docker.DockerClient(base_url=engine.address)) as client:
        client.containers.create(IMAGE, "true", name=name)

    with pytest.raises(RefusedError, match="not this job's"):
        executor.submit(spec)

    assert engine.api.inspect(name) is not None
    assert executor.find(spec.key) is None
    engine.api.remove(name)


@pytest.mark.disturbs
@pytest.mark.parametrize("how", ["stop", "crash"])
def test_an_engine_that_goes_tells_the_truth_when_it_is_back(
    executor: DockerExecutor, engine: TestEngine, until: Until, how: str
) -> None:
    """Without live-restore the engine takes its containers with it."""
    handle = sleeper(executor, until)
    done = executor.submit(new_spec("true", resources=InTheImage()))
    until((Path(executor.directory(done.key)) / "last_words.json").exists)

    engine.do(how)
    with pytest.raises(UnreachableError, match="does not answer"):
        executor.poll([handle, done])
    engine.do("start")

    until(lambda: status(executor, handle).state.terminal)
    told = status(executor, handle)
    assert (told.state, told.reason) in {
        (JobState.FAILED, Reason.SIGNAL),
        (JobState.LOST, Reason.LOST),
    }
    assert status(executor, done).state is JobState.SUCCEEDED
    assert gone(executor, engine)


@pytest.mark.disturbs
@pytest.mark.parametrize("how", ["stop", "crash"])
def test_jobs_outlive_an_engine_that_lets_them(
    executor: DockerExecutor, engine: TestEngine, until: Until, how: str
) -> None:
    script = "echo up; until [ -e go ]; do sleep 0.1; done; echo done"
    with engine.live_restore():
        one, two = (
            executor.submit(
                new_spec("sh", "-c", script, workdir="", resources=InTheImage(nodes=nodes))
            )
            for nodes in (1, 2)
        )
        until(lambda: all([*executor.logs(each)] for each in (one, two)))

        engine.do(how)
        engine.do("start")

        assert {status(executor, each).state for each in (one, two)} == {JobState.RUNNING}
        for each in (one, two):
            Path(executor.directory(each.key), "work", "go").touch()
        for each in (one, two):
            assert [line.text for line in executor.logs(each, follow=True)] == ["up", "done"]
            assert status(executor, each).state is JobState.SUCCEEDED
    assert gone(executor, engine)


@pytest.mark.disturbs
def test_an_engine_that_is_away_changes_nothing_in_the_record(
    docked: Nemorun, engine: TestEngine
) -> None:
    run_id = docked.ok("launch", "command", "--", *SLEEPER)
    assert docked.state(run_id) in ("PENDING", "RUNNING")

    engine.do("stop")
    listed = docked("list", "--refresh", "now")
    launched = docked("launch", "command", "--", "true")
    engine.do("start")

    assert listed.code == 0
    assert "does not answer" in listed.err
    assert "RUNNING" in listed.out or "PENDING" in listed.out
    assert launched.code == 17
    docked.ok("list", "--refresh", "now")
    assert docked.state(run_id) == "FAILED"


@pytest.fixture
def marked(docked: Nemorun, tmp_path: Path) -> Path:
    """A file, in every container too, in which each job that runs leaves its id."""
    folder = tmp_path / "marks"
    folder.mkdir()
    docked.env["NEMORUN_MOUNTS"] = str(folder)
    return folder / "ran"


def launch_killed_at(
    docked: Nemorun, step: int, marks: Path, kind: str = ""
) -> subprocess.CompletedProcess[str]:
    script = f"echo $NEMORUN_RUN_ID >>{marks}"
    at = f"{step}:{kind}"
    return subprocess.run(
        [sys.executable, str(KILLED), at, "launch", "command", "--", "sh", "-c", script],
        cwd=docked.cwd,
        env=docked.environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_launch_killed_anywhere_leaves_the_truth_and_nothing_else(
    docked: Nemorun, engine: TestEngine, marked: Path, until: Until
) -> None:
    whole = launch_killed_at(docked, 0, marked)
    steps = int(whole.stderr.rpartition("steps: ")[2])
    few = sorted({*range(1, steps, max(1, steps // 8)), *range(max(1, steps - 12), steps + 1)})

    for step in few:
        launch_killed_at(docked, step, marked)

    runs: list[dict[str, Any]] = []

    def settled() -> bool:
        runs[:] = json.loads(docked.ok("list", "--json", "--refresh", "now"))["runs"]
        live = {"SUBMITTING", "PENDING", "RUNNING"}
        return not [run for run in runs if run["state"] in live]

    until(settled, 60)
    ran = Counter(marked.read_text().split())
    assert set(ran.values()) == {1}
    assert {run["id"] for run in runs if run["state"] == "SUCCEEDED"} == set(ran)
    others = [run for run in runs if run["state"] != "SUCCEEDED"]
    assert {run["reason"] for run in others} == {"never_submitted"}
    assert engine.containers(f"nemorun.jobs={docked.store}/jobs") == []


def test_who_dies_between_the_end_and_its_record_leaves_it_to_the_next(
    executor: DockerExecutor, engine: TestEngine, until: Until
) -> None:
    handle = executor.submit(new_spec("sh", "-c", "exit 3", resources=InTheImage()))
    folder = Path(executor.directory(handle.key))
    until((folder / "last_words.json").exists)
    until(lambda: engine.containers(f"nemorun.jobs={executor.job_dir}") == ["exited"])

    engine.api.remove(handle.native_id)  # and then it died

    told = status(executor, handle)
    assert (told.state, told.exit_code) == (JobState.FAILED, 3)
    assert (folder / "exit.json").exists()


def test_what_was_left_behind_is_removed_in_passing(
    executor: DockerExecutor, engine: TestEngine, until: Until
) -> None:
    over = executor.submit(new_spec("true", resources=InTheImage()))
    folder = Path(executor.directory(over.key))
    until(lambda: engine.containers(f"nemorun.jobs={executor.job_dir}") == ["exited"])
    (folder / "last_words.json").rename(folder / "exit.json")
    other = sleeper(executor, until)

    status(executor, other)

    assert engine.containers(f"nemorun.jobs={executor.job_dir}") == ["running"]
    executor.cancel(other)
    until(lambda: status(executor, other).state is JobState.CANCELLED)


def test_another_engine_at_the_same_address_says_nothing_of_a_job(
    executor: DockerExecutor, engine: TestEngine, until: Until
) -> None:
    handle = sleeper(executor, until)
    folder = Path(executor.directory(handle.key))
    told = json.loads((folder / "started.json").read_text())
    (folder / "started.json").write_text(json.dumps({**told, "engine": "another"}))
    stranger = replace(handle)

    engine.api.remove(handle.native_id, running=True)

    assert status(executor, stranger).state is JobState.UNKNOWN


def test_a_shell_that_the_image_lacks_is_told(executor: DockerExecutor, engine: TestEngine) -> None:
    spec = new_spec("true", resources=InTheImage(entrypoint="/no/such/entry"))

    with pytest.raises(RefusedError, match="no/such/entry"):
        executor.submit(spec)

    assert executor.find(spec.key) is None
    assert gone(executor, engine)
    assert list(Path(executor.directory(spec.key)).glob("void"))


def test_an_entry_point_that_fails_is_told_in_its_words(
    executor: DockerExecutor, until: Until
) -> None:
    ask = InTheImage(entrypoint='sh -c "echo no licence >&2; exit 4"')

    handle = executor.submit(new_spec("true", resources=ask))
    until(lambda: status(executor, handle).state.terminal)

    told = status(executor, handle)
    assert (told.state, told.exit_code, told.reason_detail) == (JobState.FAILED, 4, "no licence")
