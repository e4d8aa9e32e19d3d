"""Contracts that every executor keeps, as tests to inherit, and a fake that keeps them.

class TestMyExecutor(ExecutorContract):
@pytest.fixture
def executor(self, tmp_path):
return MyExecutor.here(tmp_path)
"""

import json
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, ClassVar

from nemorun_cli.core.ids import key_of, new_id
from nemorun_cli.core.jobs import (
    JobHandle,
    JobSpec,
    JobState,
    JobStatus,
    Reason,
)
from nemorun_cli.core.ports import Executor, HasEnvironment
from nemorun_cli.tunnelcontract import RemoteTunnelContract as RemoteTunnelContract  # noqa: PLC0414
from nemorun_cli.tunnelcontract import TunnelContract as TunnelContract  # noqa: PLC0414

HOSTILE = (
    'it\'s "quoted"',
    "$(touch canary) `touch canary` $HOME ${HOME}",
    "two\nlines\tand a tab",
    "; touch canary & | > canary #",
    "naïve 漢字 🜚",
    "\\ \\n %s %d !! ~ * ?",
    "",
    " leading and trailing ",
    "-n",
)


def new_spec(*argv: str, **fields: Any) -> JobSpec:  # noqa: ANN401
    """A job that executes this command line, under a key of its own."""
    run_id = new_id(time.strftime("%Y%m%d-%H%M%S", time.gmtime()), secrets.token_bytes(8))
    spec = JobSpec(run_id=run_id, key=key_of(run_id, 1), name="contract", argv=argv, workdir="/")
    return replace(spec, **fields)


class ExecutorContract:
    """What any executor guarantees; inherit it and provide the fixture `executor`."""

    patience: ClassVar[float] = 60
    """Seconds that a job of a few commands may take on this back-end."""

    def test_a_job_that_returns_0_has_succeeded(self, executor: Executor) -> None:
        status = self.ended(executor, executor.submit(new_spec("sh", "-c", "exit 0")))

        assert (status.state, status.exit_code) == (JobState.SUCCEEDED, 0)

    def test_a_job_that_returns_3_has_failed_with_3(self, executor: Executor) -> None:
        status = self.ended(executor, executor.submit(new_spec("sh", "-c", "exit 3")))

        assert (status.state, status.reason, status.exit_code) == (
            JobState.FAILED,
            Reason.EXIT,
            3,
        )

    def test_a_job_that_was_killed_tells_its_signal(self, executor: Executor) -> None:
        status = self.ended(executor, executor.submit(new_spec("sh", "-c", "kill -9 $$")))

        assert (status.state, status.signal) == (JobState.FAILED, 9)

    def test_submitting_twice_starts_one_job(self, executor: Executor) -> None:
        spec = new_spec("sh", "-c", "echo started")

        first, second = executor.submit(spec), executor.submit(spec)

        self.ended(executor, first)
        assert first == second
        assert [line.text for line in executor.logs(first)] == ["started"]

    def test_find_knows_a_submitted_job_and_no_other(self, executor: Executor) -> None:
        spec = new_spec("sh", "-c", "exit 0")

        before = executor.find(spec.key)
        handle = executor.submit(spec)

        assert before is None
        assert executor.find(spec.key) == handle
        self.ended(executor, handle)

    def test_a_plan_starts_nothing(self, executor: Executor) -> None:
        spec = new_spec("sh", "-c", "exit 0")

        first, second = executor.plan(spec), executor.plan(spec)

        assert first == second
        assert executor.find(spec.key) is None

    def test_a_handle_survives_being_text(self, executor: Executor) -> None:
        handle = executor.submit(new_spec("sh", "-c", "exit 0"))

        again = JobHandle.parse(str(handle))

        assert again == handle
        assert self.ended(executor, again).state is JobState.SUCCEEDED

    def test_an_unknown_job_is_unknown_or_lost_and_no_error(self, executor: Executor) -> None:
        known = executor.submit(new_spec("sh", "-c", "exit 0"))
        stranger = replace(known, key=new_spec("true").key, native_id="999999999")

        statuses = executor.poll([known, stranger])

        assert statuses[stranger].state in (JobState.UNKNOWN, JobState.LOST)
        assert statuses[stranger].reason_detail
        assert statuses[known].state is not JobState.UNKNOWN
        self.ended(executor, known)

    def test_hostile_text_arrives_byte_for_byte(self, executor: Executor) -> None:
        script = 'import json,os,sys; print(json.dumps([sys.argv[1:], os.environ["TEXT"]]))'
        text = "".join(HOSTILE)

        handle = executor.submit(
            new_spec("python3", "-c", script, *HOSTILE, env={"TEXT": text}),
        )

        assert self.ended(executor, handle).state is JobState.SUCCEEDED
        (line,) = executor.logs(handle)
        assert json.loads(line.text) == [list(HOSTILE), text]

    def test_a_secret_reaches_the_job_and_no_plan(self, executor: Executor) -> None:
        value = f"canary-{secrets.token_hex(8)}"
        spec = new_spec("sh", "-c", 'printf %s "${#TOKEN}"', secrets={"TOKEN": value})

        handle = executor.submit(spec)

        self.ended(executor, handle)
        assert [line.text for line in executor.logs(handle)] == [str(len(value))]
        assert value not in repr(executor.plan(spec))
        assert value not in repr(spec)

    def test_following_gives_every_line_once_and_ends(self, executor: Executor) -> None:
        lines = "for i in 1 2 3 4 5 6 7 8 9 10; do echo $i; sleep 0.05; done; printf end"

        handle = executor.submit(new_spec("sh", "-c", lines))
        given = [line.text for line in executor.logs(handle, follow=True)]

        assert given == [*map(str, range(1, 11)), "end"]

    def test_the_tail_is_the_last_lines(self, executor: Executor) -> None:
        handle = executor.submit(new_spec("sh", "-c", "seq 1 1000"))

        self.ended(executor, handle)

        assert [line.text for line in executor.logs(handle, tail=3)] == ["998", "999", "1000"]

    def test_a_cancelled_job_ends_and_stays_cancelled(self, executor: Executor) -> None:
        handle = executor.submit(new_spec("sleep", "600"))

        executor.cancel(handle)
        executor.cancel(handle)

        assert self.ended(executor, handle).state is JobState.CANCELLED
        executor.cancel(handle)
        assert executor.poll([handle])[handle].state is JobState.CANCELLED

    def test_cancelling_a_job_that_has_ended_changes_nothing(self, executor: Executor) -> None:
        handle = executor.submit(new_spec("sh", "-c", "exit 0"))
        self.ended(executor, handle)

        executor.cancel(handle)

        assert executor.poll([handle])[handle].state is JobState.SUCCEEDED

    def test_the_time_limit_is_told_as_such(self, executor: Executor) -> None:
        limits = replace(executor.Resources(), time=1, grace=1)

        handle = executor.submit(new_spec("sleep", "600", resources=limits))

        assert self.ended(executor, handle).reason is Reason.TIME_LIMIT

    def test_a_failed_attempt_is_started_again(self, executor: Executor) -> None:
        twice = replace(executor.Resources(), retries=2)
        script = 'echo $NEMORUN_ATTEMPT; [ "$NEMORUN_ATTEMPT" = 2 ]'

        handle = executor.submit(new_spec("sh", "-c", script, resources=twice))

        status = self.ended(executor, handle)
        assert (status.state, status.attempt) == (JobState.SUCCEEDED, 2)
        assert [(line.attempt, line.text) for line in executor.logs(handle)] == [
            (1, "1"),
            (2, "2"),
        ]

    def test_what_a_job_runs_with_is_recorded(self, executor: Executor) -> None:
        handle = executor.submit(new_spec("python3", "-c", "import sys; print(sys.version)"))

        self.ended(executor, handle)
        (line, *_) = executor.logs(handle)
        if isinstance(executor, HasEnvironment):
            found = executor.environment(handle)
            assert found is not None
            assert found["python"]["version"] == line.text.split()[0]
            assert "NEMORUN_RUN_ID" in found["variables"]

    def test_twenty_at_once_are_twenty_jobs(self, executor: Executor) -> None:
        specs = [new_spec("sh", "-c", f"echo {number}") for number in range(20)]

        with ThreadPoolExecutor(8) as pool:
            handles = list(pool.map(executor.submit, specs))

        assert len(set(handles)) == len(specs)
        for number, handle in enumerate(handles):
            assert self.ended(executor, handle).state is JobState.SUCCEEDED
            assert [line.text for line in executor.logs(handle)] == [str(number)]

    def ended(self, executor: Executor, handle: JobHandle) -> JobStatus:
        """The status of the job once it is terminal; fails when its time is up."""
        end = time.monotonic() + self.patience
        while True:
            status = executor.poll([handle])[handle]
            if status.state.terminal:
                return status
            assert time.monotonic() < end, f"still {status} after {self.patience} s"
            _nap(0.05)


def _nap(seconds: float) -> None:
    from nemorun_cli.watching import nap

    nap(seconds)
