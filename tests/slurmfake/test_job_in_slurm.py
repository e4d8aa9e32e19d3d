"""A job's script in Slurm's hands: signalled, requeued, preempted, started twice, by any shell."""

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nemorun_cli.core.jobs import JobHandle, JobState, JobStatus, Reason
from nemorun_cli.slurm.asking import SlurmResources
from nemorun_cli.testing import new_spec
from tests.slurmfake.tunnels import SHELLS, Shell, Through
from tests.slurmfake.world import SILENT, World

Until = Callable[[Callable[[], bool]], None]
# It tells that it is there, and the signals that it gets; on the second one it ends with the code.
LISTENS = """
trap 'echo got USR2 >>"$NEMORUN_RUN_DIR/heard"; exit {code}' USR2
trap 'echo got TERM >>"$NEMORUN_RUN_DIR/heard"; exit {code}' TERM
trap 'echo got HUP >>"$NEMORUN_RUN_DIR/heard"; exit {code}' HUP
echo "up $NEMORUN_ATTEMPT" >>"$NEMORUN_RUN_DIR/heard"
while :; do sleep 0.05; done
"""
OOM = "slurmstepd: error: Detected 1 oom_kill event in StepId=100.0. Some were OOM Killed.\n"


class Job:
    """A job that was submitted, and what can be seen of it."""

    def __init__(self, world: World, executor: Through, handle: JobHandle, until: Until) -> None:
        self.world, self.executor, self.handle, self.until = world, executor, handle, until
        self.number = handle.native_id
        self.folder = Path(executor.job_dir, handle.key)

    def text(self, name: str) -> str:
        try:
            return (self.folder / name).read_text()
        except FileNotFoundError:
            return ""

    def reaches(self, line: str) -> None:
        """Wait until the payload has told this."""
        self.until(lambda: line in self.text("heard").splitlines())

    def leaves_slurm(self) -> None:
        """Wait until Slurm is done with it."""
        self.until(lambda: self.word in ("COMPLETED", "FAILED", "CANCELLED by 0"))

    @property
    def word(self) -> str:
        return str(self.world.job(self.number)["states"][-1][1])

    def verdict(self) -> dict[str, Any]:
        """What the job itself says, once it does."""
        self.until((self.folder / "exit.json").exists)
        found: dict[str, Any] = json.loads(self.text("exit.json"))
        return found

    def ended(self) -> JobStatus:
        self.verdict()
        return self.executor.poll([self.handle])[self.handle]

    def reasons(self) -> list[str | None]:
        """How its attempts ended."""
        return [each.reason for each in self.executor.poll([self.handle])[self.handle].attempts]

    def start_again(self, number: str, restarts: int) -> "subprocess.Popen[bytes]":
        """Start its script once more, as another node may do."""
        job = self.world.job(self.number)
        known = {"SLURM_JOB_ID": number, "SLURM_JOB_NODELIST": "n2", "SLURMD_NODENAME": "n2"}
        return subprocess.Popen(
            [*self.world.read()["shell"], job["script"]],
            env={**job["env"], **known, "SLURM_RESTART_COUNT": str(restarts)},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def launch(world: World, tmp_path: Path, until: Until) -> Callable[..., Job]:
    executor = Through(
        job_dir=str(tmp_path / "jobs"),
        queries=str(tmp_path / "queries"),
        way=Shell(),
        poll_interval=0,
    )
    world.set(runs=True)

    def submitted(*argv: str, shell: str = "dash", **asked: Any) -> Job:
        world.set(shell=list(SHELLS[shell]))
        secrets = asked.pop("secrets", {})
        spec = new_spec(*argv, secrets=secrets, resources=SlurmResources(**asked))
        return Job(world, executor, executor.submit(spec), until)

    return submitted


def listening(code: int = 0) -> tuple[str, ...]:
    return ("sh", "-c", LISTENS.format(code=code))


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("exit 0", (JobState.SUCCEEDED, None, 0, None)),
        ("exit 3", (JobState.FAILED, Reason.EXIT, 3, None)),
        ("kill -9 $$", (JobState.FAILED, Reason.SIGNAL, 137, 9)),
    ],
)
def test_the_exit_code_is_the_payload_s(
    launch: Callable[..., Job], shell: str, script: str, expected: tuple[Any, ...]
) -> None:
    job = launch("sh", "-c", script, shell=shell)

    status = job.ended()

    assert (status.state, status.reason, status.exit_code, status.signal) == expected


def test_what_slurm_takes_away_is_for_slurm_to_tell(
    launch: Callable[..., Job], world: World, shell: str
) -> None:
    job = launch(*listening(code=5), shell=shell)
    job.reaches("up 1")

    world.signal(job.number, "TERM")
    job.leaves_slurm()

    assert job.text("exit.json") == ""
    assert json.loads(job.text("last_words.json"))["state"] == "FAILED"
    assert "got TERM" in job.text("heard")


def test_a_job_that_was_asked_to_end_is_cancelled(launch: Callable[..., Job], shell: str) -> None:
    job = launch(*listening(code=0), shell=shell)
    job.reaches("up 1")

    job.executor.cancel(job.handle)

    status = job.ended()
    assert (status.state, status.reason) == (JobState.CANCELLED, Reason.CANCELLED)
    assert "got TERM" in job.text("heard")


def test_a_job_that_does_not_listen_is_killed_after_its_grace(
    launch: Callable[..., Job], shell: str
) -> None:
    deaf = "trap '' TERM; echo up >>\"$NEMORUN_RUN_DIR/heard\"; while :; do sleep 0.1; done"
    job = launch("sh", "-c", deaf, shell=shell, grace=1)
    job.reaches("up")

    job.executor.cancel(job.handle)

    status = job.ended()
    assert (status.state, status.signal) == (JobState.CANCELLED, 9)


def test_while_the_controller_is_silent_signals_go_by_way_of_srun(
    launch: Callable[..., Job], world: World, shell: str
) -> None:
    job = launch(*listening(code=0), shell=shell)
    job.reaches("up 1")
    world.set(controller=SILENT)

    world.signal(job.number, "USR2")

    assert job.verdict()["reason"] == "time_limit"
    assert "got USR2" in job.text("heard")


def test_a_job_is_killed_though_the_controller_fell_silent_in_between(
    launch: Callable[..., Job], world: World
) -> None:
    deaf = "trap '' TERM; echo up >>\"$NEMORUN_RUN_DIR/heard\"; while :; do sleep 0.1; done"
    job = launch("sh", "-c", deaf, grace=1)
    job.reaches("up")
    job.executor.cancel(job.handle)
    job.until(lambda: ["scancel", "--signal=TERM", f"{job.number}.0"] in world.calls("scancel"))

    world.set(controller=SILENT)

    assert job.verdict()["signal"] == 9


@pytest.mark.parametrize("name", ["USR2", "SIGTERM", "HUP"])
def test_near_its_time_limit_a_job_gets_the_signal_it_asked_for(
    launch: Callable[..., Job], world: World, name: str
) -> None:
    job = launch(*listening(code=0), signal=name)
    job.reaches("up 1")

    world.signal(job.number, "USR2")

    status = job.ended()
    assert (status.state, status.reason, status.exit_code) == (
        JobState.FAILED,
        Reason.TIME_LIMIT,
        0,
    )
    assert job.text("heard").splitlines()[-1] == f"got {name.removeprefix('SIG')}"
    assert world.calls("scontrol")[-1][1:3] != ["requeue", job.number]


def test_a_job_goes_on_as_often_as_it_may(
    launch: Callable[..., Job], world: World, shell: str
) -> None:
    job = launch(*listening(code=0), shell=shell, auto_resume=2)
    for attempt in (1, 2, 3):
        job.reaches(f"up {attempt}")
        world.signal(job.number, "USR2")

    status = job.ended()
    requeues = [words for words in world.calls("scontrol") if words[1] == "requeue"]
    assert requeues == [["scontrol", "requeue", job.number]] * 2
    assert (status.state, status.reason, status.attempt) == (
        JobState.FAILED,
        Reason.TIME_LIMIT,
        3,
    )
    assert job.reasons() == ["time_limit"] * 3


def test_a_job_that_went_on_may_succeed(launch: Callable[..., Job], world: World) -> None:
    script = f'[ "$NEMORUN_ATTEMPT" = 1 ] || exit 0; {LISTENS.format(code=1)}'
    job = launch("sh", "-c", script, auto_resume=1)
    job.reaches("up 1")

    world.signal(job.number, "USR2")

    status = job.ended()
    assert (status.state, status.attempt) == (JobState.SUCCEEDED, 2)
    assert job.reasons() == ["time_limit", None]


def test_a_job_that_slurm_does_not_queue_again_has_ended(
    launch: Callable[..., Job], world: World
) -> None:
    job = launch(*listening(code=0), auto_resume=5)
    job.reaches("up 1")
    world.next_calls("scontrol", {"err": "Requested operation is disabled\n", "code": 1})

    world.signal(job.number, "USR2")

    assert job.ended().reason is Reason.TIME_LIMIT
    assert job.world.job(job.number)["restarts"] == 0


def test_a_warning_that_comes_early_is_passed_on_in_time(
    launch: Callable[..., Job], world: World, shell: str
) -> None:
    begun = time.monotonic()
    job = launch(*listening(code=0), shell=shell, time=3, grace=60)
    job.reaches("up 1")

    world.signal(job.number, "USR2")

    assert job.ended().reason is Reason.TIME_LIMIT
    assert time.monotonic() - begun > 1.2
    assert job.text("heard").splitlines() == ["up 1", "got USR2"]


@pytest.mark.parametrize(
    ("word", "cause"),
    [("PREEMPTED", "preempted"), ("NODE_FAIL", "node_failure"), ("REQUEUED", "requeued")],
)
def test_a_job_that_was_requeued_goes_on_in_its_next_attempt(
    launch: Callable[..., Job], world: World, word: str, cause: str
) -> None:
    job = launch("sh", "-c", f'[ "$NEMORUN_ATTEMPT" = 1 ] || exit 0; {LISTENS.format(code=1)}')
    job.reaches("up 1")

    world.change(job.number, requeue=word)
    world.signal(job.number, "KILL")

    status = job.ended()
    assert (status.state, status.attempt) == (JobState.SUCCEEDED, 2)
    assert job.reasons() == [cause, None]
    assert job.text("logs/1/started") == job.text("logs/2/started") == ""


def test_a_job_that_was_told_to_end_learns_why_when_it_starts_again(
    launch: Callable[..., Job], world: World, shell: str
) -> None:
    script = f'[ "$NEMORUN_ATTEMPT" = 1 ] || exit 0; {LISTENS.format(code=1)}'
    job = launch("sh", "-c", script, shell=shell)
    job.reaches("up 1")

    world.requeue(job.number, "PREEMPTED")

    assert job.ended().state is JobState.SUCCEEDED
    assert job.reasons() == ["preempted", None]
    assert job.text("last_words.json") == ""


def test_without_accounting_a_job_still_knows_that_it_was_requeued(
    launch: Callable[..., Job], world: World
) -> None:
    world.set(accounting="Slurm accounting storage is disabled")
    job = launch("sh", "-c", f'[ "$NEMORUN_ATTEMPT" = 1 ] || exit 0; {LISTENS.format(code=1)}')
    job.reaches("up 1")

    world.change(job.number, requeue="PREEMPTED")
    world.signal(job.number, "KILL")

    assert job.ended().state is JobState.SUCCEEDED
    assert job.reasons() == ["requeued", None]


def test_an_older_start_has_no_say_any_more(
    launch: Callable[..., Job], world: World, shell: str
) -> None:
    job = launch(*listening(code=3), shell=shell)
    job.reaches("up 1")
    later = job.start_again(job.number, restarts=1)
    job.reaches("up 2")

    world.signal(job.number, "USR2")
    job.leaves_slurm()

    assert world.job(job.number)["exit"] == "75:0"
    assert job.text("exit.json") == ""
    os.kill(later.pid, 12)
    later.communicate()
    assert (job.verdict()["attempt"], job.verdict()["reason"]) == (2, "time_limit")


def test_a_run_that_has_ended_does_not_start_again(launch: Callable[..., Job], shell: str) -> None:
    job = launch("sh", "-c", 'echo up >>"$NEMORUN_RUN_DIR/heard"; exit 3', shell=shell)
    before = job.ended()

    again = job.start_again(job.number, restarts=1)
    _, said = again.communicate()

    assert again.returncode == 0
    assert b"nemorun rerun" in said
    assert job.text("heard") == "up\n"
    assert job.ended() == before


def test_of_a_job_that_slurm_took_twice_one_runs(launch: Callable[..., Job], shell: str) -> None:
    job = launch(*listening(code=3), shell=shell)
    job.reaches("up 1")

    twin = job.start_again("101", restarts=0)
    _, said = twin.communicate()

    assert twin.returncode == 0
    assert f"this run is job {job.number}".encode() in said
    assert job.text("heard") == "up 1\n"
    assert job.text("native_id").strip() == job.number
    assert job.executor.poll([job.handle])[job.handle].state is JobState.RUNNING


def test_the_first_rank_that_fails_is_named_and_its_code_counts(
    launch: Callable[..., Job], shell: str
) -> None:
    job = launch("sh", "-c", '[ "$RANK" != 2 ] || exit 7; exec sleep 60', shell=shell, nproc=4)

    status = job.ended()

    assert (status.state, status.reason, status.exit_code) == (JobState.FAILED, Reason.EXIT, 7)
    assert status.failing_rank == 2
    assert "rank 2 on n1" in status.reason_detail


def test_what_ran_out_of_memory_is_told_as_such(
    launch: Callable[..., Job], world: World, shell: str
) -> None:
    world.next_calls("srun", {"act": True, "err": OOM, "code": 137})

    status = launch("sh", "-c", "exit 1", shell=shell).ended()

    assert (status.state, status.reason, status.exit_code) == (JobState.FAILED, Reason.OOM, 137)


def test_what_succeeds_in_spite_of_a_process_out_of_memory_has_succeeded(
    launch: Callable[..., Job], world: World
) -> None:
    world.next_calls("srun", {"act": True, "err": OOM})

    assert launch("true").ended().state is JobState.SUCCEEDED


def test_a_payload_that_speaks_of_memory_did_not_run_out_of_it(
    launch: Callable[..., Job],
) -> None:
    status = launch("sh", "-c", "echo 'CUDA out of memory' >&2; exit 1").ended()

    assert status.reason is Reason.EXIT


def test_while_slurm_takes_a_job_away_its_failure_is_not_its_own(
    launch: Callable[..., Job], world: World, shell: str
) -> None:
    script = f'[ "$NEMORUN_ATTEMPT" = 1 ] || exit 0; {LISTENS.format(code=1)}'
    job = launch("sh", "-c", script, shell=shell)
    job.reaches("up 1")
    world.change(job.number, preempted="2026-11-25T10:00:00")
    (task,) = world.read()["steps"][f"{job.number}.0"]

    os.kill(task, 15)
    job.until(lambda: "ended_at" in job.text("attempts.jsonl"))

    assert job.word == "RUNNING"
    assert job.text("exit.json") == ""
    world.requeue(job.number, "PREEMPTED")
    assert job.ended().state is JobState.SUCCEEDED


def test_a_failure_that_is_told_while_the_signal_comes_is_not_the_payload_s(
    launch: Callable[..., Job], world: World, shell: str
) -> None:
    # What the payload has left of its failure is read until here is somebody who writes it.
    failure = '"$NEMORUN_RUN_DIR/logs/1/first_failure.json"'
    script = f'[ "$NEMORUN_ATTEMPT" = 1 ] || exit 0; mkfifo {failure}; exit 1'
    job = launch("sh", "-c", script, shell=shell)
    told = job.folder / "logs/1/first_failure.json"
    job.until(told.exists)
    with told.open("w"):
        told.unlink()
        world.requeue(job.number, "NODE_FAIL")

    assert job.ended().state is JobState.SUCCEEDED
    assert job.reasons() == ["node_failure", None]


def test_a_failure_while_a_node_is_silent_is_not_the_payload_s(
    launch: Callable[..., Job], world: World
) -> None:
    script = '[ "$NEMORUN_ATTEMPT" = 1 ] || exit 0; exit 1'
    world.set(nodes=["n1", "n2"])
    world.next_calls("srun", None, None, {"code": 1})
    job = launch("sh", "-c", script, nodes=2)
    job.until(lambda: len(world.calls("srun")) == 3)

    world.change(job.number, requeue="NODE_FAIL")
    world.signal(job.number, "KILL")

    assert job.ended().state is JobState.SUCCEEDED
    assert job.reasons() == ["node_failure", None]


def test_a_failure_while_all_nodes_answer_is_the_payload_s(
    launch: Callable[..., Job], world: World
) -> None:
    world.set(nodes=["n1", "n2"])

    status = launch("sh", "-c", "exit 4", nodes=2).ended()

    assert (status.state, status.exit_code) == (JobState.FAILED, 4)
    assert "--overlap" in world.calls("srun")[-1]


def test_ranks_are_told_where_they_meet(launch: Callable[..., Job], world: World) -> None:
    world.set(nodes=["n1", "n2"])
    script = 'echo "$RANK $LOCAL_RANK $WORLD_SIZE $NEMORUN_NODE_RANK $MASTER_ADDR $MASTER_PORT"'
    job = launch("sh", "-c", script, nodes=2, nproc=2)

    assert job.ended().state is JobState.SUCCEEDED

    lines = [job.text(f"logs/1/{rank}.log").split() for rank in range(4)]
    assert [line[:4] for line in lines] == [
        ["0", "0", "4", "0"],
        ["1", "1", "4", "0"],
        ["2", "0", "4", "1"],
        ["3", "1", "4", "1"],
    ]
    assert {tuple(line[4:]) for line in lines} == {("n1", lines[0][5])}
    assert 15000 <= int(lines[0][5]) < 31000


def test_where_slurm_does_not_tell_the_nodes_nothing_is_put_in_their_place(
    launch: Callable[..., Job], world: World
) -> None:
    world.next_calls("scontrol", None, {"err": "scontrol: error\n", "code": 1})

    job = launch("true")

    assert job.ended().exit_code == 70
    assert "does not tell the nodes" in job.text("logs/1/launcher.log")
    assert world.calls("srun") == []


@pytest.mark.parametrize(
    "asked", [{"setup": "false || exit 70"}, {"runtime": "venv", "venv": "/nowhere"}]
)
def test_what_cannot_be_prepared_is_a_failure(
    launch: Callable[..., Job], world: World, asked: dict[str, str]
) -> None:
    status = launch("true", **asked).ended()

    assert (status.state, status.reason) == (JobState.FAILED, Reason.EXIT)
    assert world.calls("srun") == []


def test_a_line_of_setup_that_fails_ends_the_job_and_is_named(
    launch: Callable[..., Job], world: World, shell: str
) -> None:
    setup = "export A=1\nfalse || true\nsh -c 'exit 5'\necho never"

    job = launch("true", shell=shell, setup=setup)

    status = job.ended()
    assert (status.state, status.reason, status.exit_code) == (JobState.FAILED, Reason.EXIT, 5)
    assert status.reason_detail.startswith("line 3 of setup ended with exit code 5")
    assert world.calls("srun") == []
    assert job.text("logs/1/launcher.log") == f"nemorun: {status.reason_detail}\n"


def test_setup_is_one_script_whatever_spans_its_lines(
    launch: Callable[..., Job], shell: str
) -> None:
    setup = """
# A line that says nothing
export A='one
two' B=3
if false; then
    export A=never
fi
hello() {
    false
    echo "hello $1"
}
hello you \\
    all
cat <<END
it's $B
END
"""
    job = launch("sh", "-c", 'echo "$A $B"', shell=shell, setup=setup)

    assert job.ended().state is JobState.SUCCEEDED
    assert job.text("logs/1/launcher.log") == "hello you\nit's 3\n"
    assert job.text("logs/1/0.log") == "one\ntwo 3\n"


def test_a_secret_is_gone_when_the_job_has_ended(launch: Callable[..., Job], shell: str) -> None:
    job = launch("sh", "-c", "echo ${#TOKEN}", shell=shell, secrets={"TOKEN": "it's a $canary"})

    assert job.ended().state is JobState.SUCCEEDED

    assert job.text("logs/1/0.log") == "14\n"
    texts = [path.read_text() for path in job.folder.rglob("*") if path.is_file()]
    assert "canary" not in "".join(texts)


@pytest.mark.parametrize(
    ("word", "cause"), [("PREEMPTED", Reason.PREEMPTED), ("NODE_FAIL", Reason.NODE_FAILURE)]
)
def test_what_slurm_does_to_a_job_is_put_up_with_as_often_as_was_asked_for(
    launch: Callable[..., Job], world: World, shell: str, word: str, cause: Reason
) -> None:
    job = launch(*listening(), shell=shell, retry=(f"{cause}=1",))
    for attempt in (1, 2):
        job.reaches(f"up {attempt}")
        world.change(job.number, requeue=word)
        world.signal(job.number, "KILL")

    status = job.ended()

    assert (status.state, status.reason, status.attempt) == (JobState.FAILED, cause, 2)
    assert job.reasons() == [cause, cause]
    assert job.text("heard").splitlines() == ["up 1", "up 2"]


def test_a_start_that_comes_after_the_window_is_the_end(
    launch: Callable[..., Job], world: World
) -> None:
    job = launch(*listening(), retry_window=1)
    job.reaches("up 1")
    job.until(lambda: time.time() > json.loads(job.text("attempts.jsonl"))["started_at"] + 1)

    world.change(job.number, requeue="PREEMPTED")
    world.signal(job.number, "KILL")

    status = job.ended()
    assert (status.state, status.reason) == (JobState.FAILED, Reason.PREEMPTED)
    assert job.text("heard").splitlines() == ["up 1"]


def test_a_time_limit_counts_among_the_causes(launch: Callable[..., Job], world: World) -> None:
    job = launch(*listening(), retry=("time_limit=1",))
    for attempt in (1, 2):
        job.reaches(f"up {attempt}")
        world.signal(job.number, "USR2")

    assert (job.ended().reason, job.reasons()) == (Reason.TIME_LIMIT, ["time_limit"] * 2)


def test_a_failed_attempt_is_tried_again_in_the_same_start(
    launch: Callable[..., Job], world: World, shell: str
) -> None:
    job = launch("sh", "-c", '[ "$NEMORUN_ATTEMPT" = 3 ]', shell=shell, retries=2)

    status = job.ended()

    assert (status.state, status.attempt) == (JobState.SUCCEEDED, 3)
    assert world.job(job.number)["restarts"] == 0
