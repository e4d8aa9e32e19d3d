"""What the local executor says of jobs, whatever was done to their processes."""

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from nemorun_cli import processes, wrappers
from nemorun_cli.core.errors import RefusedError, SpecError, UnreachableError
from nemorun_cli.core.jobs import (
    Code,
    Dependency,
    JobHandle,
    JobSpec,
    JobState,
    JobStatus,
    Reason,
    Resources,
)
from nemorun_cli.core.runs import Process
from nemorun_cli.executors.local import LocalExecutor
from nemorun_cli.testing import new_spec
from nemorun_cli.watching import nap
from tests.conftest import require

SHELLS = {"dash": "dash", "bash": "bash", "busybox": "busybox"}
PATIENCE = 30


@pytest.fixture(params=SHELLS)
def executor(request: pytest.FixtureRequest, tmp_path: Path) -> LocalExecutor:
    found = shutil.which(SHELLS[request.param])
    require(request.param, there=found is not None, why="it is not installed")
    shell = tmp_path / "sh"
    shell.symlink_to(str(found))
    return LocalExecutor.here(tmp_path, shell=str(shell))


@pytest.fixture
def local(tmp_path: Path) -> LocalExecutor:
    return LocalExecutor.here(tmp_path)


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        nap(0.02)


def status_of(executor: LocalExecutor, handle: JobHandle) -> JobStatus:
    return executor.poll([handle])[handle]


def ended(executor: LocalExecutor, handle: JobHandle) -> JobStatus:
    until(lambda: status_of(executor, handle).state.terminal)
    return status_of(executor, handle)


def running(executor: LocalExecutor, *argv: str, **fields: object) -> JobHandle:
    spec = new_spec(*argv, **fields)
    handle = executor.submit(spec)
    until(lambda: status_of(executor, handle).state is JobState.RUNNING)
    until(lambda: bool(list(processes.with_key(spec.key))))
    return handle


def folder_of(executor: LocalExecutor, handle: JobHandle) -> Path:
    return Path(executor.directory(handle.key))


def test_every_shell_tells_success_failure_and_signals(executor: LocalExecutor) -> None:
    codes = {
        "exit 0": (JobState.SUCCEEDED, None, 0, None),
        "exit 7": (JobState.FAILED, Reason.EXIT, 7, None),
        "exit 255": (JobState.FAILED, Reason.EXIT, 255, None),
        "kill -KILL $$": (JobState.FAILED, Reason.SIGNAL, 137, 9),
        "kill -SEGV $$": (JobState.FAILED, Reason.SIGNAL, 139, 11),
    }
    for script, told in codes.items():
        status = ended(executor, executor.submit(new_spec("sh", "-c", script)))

        assert (status.state, status.reason, status.exit_code, status.signal) == told


def test_every_shell_kills_what_ignores_term_after_the_grace(executor: LocalExecutor) -> None:
    stubborn = "trap '' TERM; while :; do sleep 0.1; done"
    handle = running(executor, "sh", "-c", stubborn, resources=Resources(grace=1))

    executor.cancel(handle)

    status = ended(executor, handle)
    assert (status.state, status.signal) == (JobState.CANCELLED, 9)
    assert not list(processes.with_key(handle.key))


def test_every_shell_lets_a_job_save_its_work_on_term(executor: LocalExecutor) -> None:
    script = "trap 'echo saved; exit 0' TERM; echo ready; while :; do sleep 0.05; done"
    handle = running(executor, "sh", "-c", script)
    until(lambda: [line.text for line in executor.logs(handle)] == ["ready"])

    executor.cancel(handle)

    status = ended(executor, handle)
    assert (status.state, status.exit_code) == (JobState.CANCELLED, 0)
    assert "saved" in [line.text for line in executor.logs(handle)]


def test_every_shell_ends_a_time_limit_and_leaves_no_timer(executor: LocalExecutor) -> None:
    limits = Resources(time=1, grace=1)

    status = ended(executor, executor.submit(new_spec("sleep", "100", resources=limits)))
    short = executor.submit(new_spec("sh", "-c", "exit 0", resources=Resources(time=987654)))

    assert status.reason is Reason.TIME_LIMIT
    assert ended(executor, short).state is JobState.SUCCEEDED
    until(lambda: not _command_lines_with("987654"))


def test_every_shell_ends_what_the_payload_left_in_the_background(executor: LocalExecutor) -> None:
    script = "sleep 987 & setsid sleep 987 & exit 0"

    handle = executor.submit(new_spec("sh", "-c", script))

    assert ended(executor, handle).state is JobState.SUCCEEDED
    assert not list(processes.with_key(handle.key))


def test_every_shell_tries_again_and_remembers_the_attempts(executor: LocalExecutor) -> None:
    handle = executor.submit(new_spec("sh", "-c", "exit 4", resources=Resources(retries=2)))

    status = ended(executor, handle)

    assert (status.attempt, status.exit_code) == (3, 4)
    assert [(each.number, each.exit_code) for each in status.attempts] == [(1, 4), (2, 4), (3, 4)]


def test_every_shell_tries_again_as_often_as_each_cause_may_be(executor: LocalExecutor) -> None:
    script = '[ "$NEMORUN_ATTEMPT" -le 2 ] && exit 4; kill -9 $$'
    asked = Resources(retry=("exit=inf", "signal=1"))

    status = ended(executor, executor.submit(new_spec("sh", "-c", script, resources=asked)))

    assert (status.reason, status.attempt) == (Reason.SIGNAL, 4)
    assert [each.reason for each in status.attempts] == ["exit", "exit", "signal", "signal"]


def test_a_cause_that_is_not_named_has_what_retries_says(local: LocalExecutor) -> None:
    script = '[ "$NEMORUN_ATTEMPT" = 1 ] && exit 4; kill -9 $$'
    asked = Resources(retries=5, retry=("signal=0",))

    status = ended(local, local.submit(new_spec("sh", "-c", script, resources=asked)))

    assert [each.reason for each in status.attempts] == ["exit", "signal"]


def test_an_attempt_is_started_again_after_its_time_limit_if_that_was_asked_for(
    local: LocalExecutor,
) -> None:
    script = '[ "$NEMORUN_ATTEMPT" = 2 ] || exec sleep 600'
    asked = Resources(time=1, grace=1, retry=("time_limit=1",))

    status = ended(local, local.submit(new_spec("sh", "-c", script, resources=asked)))

    assert status.state is JobState.SUCCEEDED
    assert [each.reason for each in status.attempts] == ["time_limit", None]


def test_nothing_is_started_again_after_the_window(local: LocalExecutor) -> None:
    asked = Resources(retries=1000, retry_window=1)

    status = ended(local, local.submit(new_spec("sh", "-c", "sleep 0.4; exit 4", resources=asked)))

    assert status.state is JobState.FAILED
    assert status.attempt < 9


def test_every_shell_starts_a_child_after_its_parent(executor: LocalExecutor) -> None:
    parent = running(executor, "sleep", "1")
    child = executor.submit(_after(executor, parent, "ok", "sh", "-c", "exit 0"))

    assert status_of(executor, child).reason is Reason.WAITING
    assert ended(executor, child).state is JobState.SUCCEEDED
    assert ended(executor, parent).state is JobState.SUCCEEDED


@pytest.mark.parametrize(
    ("script", "condition", "state"),
    [
        ("exit 1", "ok", JobState.CANCELLED),
        ("exit 1", "notok", JobState.SUCCEEDED),
        ("exit 1", "any", JobState.SUCCEEDED),
        ("exit 0", "notok", JobState.CANCELLED),
    ],
)
def test_a_condition_that_cannot_be_met_cancels_the_child(
    local: LocalExecutor, script: str, condition: str, state: JobState
) -> None:
    parent = local.submit(new_spec("sh", "-c", f"sleep 0.3; {script}"))
    child = local.submit(_after(local, parent, condition, "true"))

    status = ended(local, child)

    assert status.state is state
    assert status.reason is (Reason.DEPENDENCY if state is JobState.CANCELLED else None)


def test_a_parent_killed_with_all_its_processes_does_not_stop_its_child_for_ever(
    local: LocalExecutor,
) -> None:
    parent = running(local, "sleep", "600")
    child = local.submit(_after(local, parent, "ok", "true"))

    os.kill(int(parent.native_id), signal.SIGKILL)
    _signal_all(parent.key, signal.SIGKILL)

    assert ended(local, parent).state is JobState.LOST
    assert ended(local, child).reason is Reason.DEPENDENCY


def test_a_waiting_child_can_be_cancelled(local: LocalExecutor) -> None:
    parent = running(local, "sleep", "600")
    child = local.submit(_after(local, parent, "ok", "true"))

    local.cancel(child)

    assert ended(local, child).state is JobState.CANCELLED
    assert status_of(local, parent).state is JobState.RUNNING
    local.cancel(parent)
    ended(local, parent)


def test_a_killed_wrapper_leaves_the_job_running_while_its_payload_lives(
    local: LocalExecutor,
) -> None:
    handle = running(local, "sleep", "600")

    os.kill(int(handle.native_id), signal.SIGKILL)
    until(lambda: processes.alive(_wrapper(local, handle)) is False)

    assert status_of(local, handle).state is JobState.RUNNING
    local.cancel(handle)
    assert ended(local, handle).state is JobState.CANCELLED
    assert not list(processes.with_key(handle.key))


def test_a_killed_wrapper_and_payload_are_lost(local: LocalExecutor) -> None:
    handle = running(local, "sleep", "600")

    os.kill(int(handle.native_id), signal.SIGKILL)
    _signal_all(handle.key, signal.SIGKILL)

    assert ended(local, handle).state is JobState.LOST


def test_a_killed_payload_has_failed_by_that_signal(local: LocalExecutor) -> None:
    handle = running(local, "sleep", "600")

    _signal_all(handle.key, signal.SIGKILL)

    status = ended(local, handle)
    assert (status.state, status.reason, status.signal) == (JobState.FAILED, Reason.SIGNAL, 9)


def test_a_stopped_job_is_still_running(local: LocalExecutor) -> None:
    handle = running(local, "sleep", "600")

    os.kill(int(handle.native_id), signal.SIGSTOP)
    _signal_all(handle.key, signal.SIGSTOP)

    assert status_of(local, handle).state is JobState.RUNNING
    _signal_all(handle.key, signal.SIGCONT)
    os.kill(int(handle.native_id), signal.SIGCONT)
    local.cancel(handle)
    ended(local, handle)


def test_after_a_restart_of_the_machine_a_job_without_verdict_is_lost(
    local: LocalExecutor,
) -> None:
    handle = running(local, "sleep", "600")
    _rewrite(local, handle, boot="another boot")

    status = status_of(local, handle)

    assert (status.state, "restarted" in status.reason_detail) == (JobState.LOST, True)
    _kill(handle)


def test_every_shell_fails_a_job_whose_code_cannot_be_laid_out(executor: LocalExecutor) -> None:
    code = Code(hash="c0de", path="/nowhere/c0de", root="/nowhere", entries=())

    handle = executor.submit(new_spec("true", code=code))

    status = ended(executor, handle)
    assert (status.state, status.exit_code) == (JobState.FAILED, 70)
    (line,) = executor.logs(handle)
    assert "cannot lay out the code: [Errno 2] the store has no such snapshot" in line.text


def test_a_pid_that_was_given_to_somebody_else_is_not_the_job(local: LocalExecutor) -> None:
    handle = running(local, "sleep", "600")
    _kill(handle)
    _rewrite(local, handle, pid=os.getpid(), start=1)

    assert status_of(local, handle).state is JobState.LOST


def test_a_job_of_another_machine_is_not_judged_from_here(local: LocalExecutor) -> None:
    handle = running(local, "sleep", "600")
    _rewrite(local, handle, machine="elsewhere")

    status = status_of(local, handle)

    assert (status.state, status.reason) == (JobState.UNKNOWN, Reason.UNREACHABLE)
    with pytest.raises(UnreachableError, match="elsewhere"):
        local.cancel(handle)
    _kill(handle)


def test_a_zombie_has_ended() -> None:
    pid = os.posix_spawn("/bin/true", ["true"], {})
    zombie = processes.describe(pid)
    until(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z")

    assert processes.alive(zombie) is False
    os.waitpid(pid, 0)


def test_an_interrupted_submission_can_never_start_later(local: LocalExecutor) -> None:
    spec = new_spec("sh", "-c", "echo started")
    wrappers.stage(local.plan(spec), {})
    folder = Path(local.directory(spec.key))
    gone = replace(processes.describe(os.getpid()), pid=1, start=1)
    (folder / "submitter.json").write_text(json.dumps(vars(gone)))

    found = local.find(spec.key)

    assert found is None
    with pytest.raises(RefusedError, match="interrupted"):
        local.submit(spec)
    assert not (folder / "logs" / "1").exists()


def test_a_torn_verdict_is_no_verdict(local: LocalExecutor) -> None:
    handle = local.submit(new_spec("sh", "-c", "exit 0"))
    ended(local, handle)
    (folder_of(local, handle) / "exit.json").write_text('{"state":"SUCC')

    assert status_of(local, handle).state is JobState.LOST


def test_more_than_one_node_is_refused_before_anything_is_written(local: LocalExecutor) -> None:
    with pytest.raises(SpecError, match="one node"):
        local.submit(new_spec("true", resources=Resources(nodes=2)))

    assert not Path(local.job_dir).exists()


@pytest.mark.parametrize("argument", ["a\0b", "x" * 131072])
def test_what_no_system_can_carry_is_refused(local: LocalExecutor, argument: str) -> None:
    with pytest.raises(SpecError, match="no system can pass"):
        local.plan(new_spec("echo", argument))


def test_a_job_folder_that_is_away_is_an_unreachable_back_end(local: LocalExecutor) -> None:
    handle = local.submit(new_spec("true"))
    ended(local, handle)
    shutil.move(local.job_dir, f"{local.job_dir}.away")

    with pytest.raises(UnreachableError, match="is not there"):
        local.poll([handle])


def test_nothing_that_a_job_is_given_can_be_read_by_others(local: LocalExecutor) -> None:
    handle = local.submit(new_spec("sh", "-c", "echo text"))
    ended(local, handle)

    readable = [path for path in folder_of(local, handle).rglob("*") if path.stat().st_mode & 0o77]

    assert readable == []


def _after(executor: LocalExecutor, parent: JobHandle, condition: str, *argv: str) -> JobSpec:
    return new_spec(
        *argv,
        after=(
            Dependency(
                run_id=parent.key,
                condition=condition,
                handle=parent,
                directory=executor.directory(parent.key),
            ),
        ),
    )


def _wrapper(executor: LocalExecutor, handle: JobHandle) -> Process:
    told = json.loads((folder_of(executor, handle) / "process.json").read_text())
    return Process(**told)


def _rewrite(executor: LocalExecutor, handle: JobHandle, **changes: object) -> None:
    path = folder_of(executor, handle) / "process.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def _signal_all(key: str, number: signal.Signals) -> None:
    for pid in processes.with_key(key):
        with suppress(ProcessLookupError):  # What records the environment ends by itself.
            os.kill(pid, number)


def _kill(handle: JobHandle) -> None:
    os.kill(int(handle.native_id), signal.SIGKILL)
    _signal_all(handle.key, signal.SIGKILL)
    until(lambda: not list(processes.with_key(handle.key)))


def _command_lines_with(text: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if text in line.split("\0"):
            found.append(line)
    return found
