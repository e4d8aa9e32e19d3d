"""Refreshing runs over back-ends that answer, refuse or are silent."""

import time
from pathlib import Path

import pytest

from nemorun_cli import executors, processes
from nemorun_cli.actions import cancel, launch, remove, wait
from nemorun_cli.actions.environment import environment_of
from nemorun_cli.actions.observe import Refresh, refresh
from nemorun_cli.actions.settle import Settled
from nemorun_cli.actions.wiring import Ports
from nemorun_cli.core.errors import (
    NotFoundError,
    NotSentError,
    RefusedError,
    UnreachableError,
    UsageError,
)
from nemorun_cli.core.jobs import JobHandle, JobState, JobStatus, Reason, Resources
from nemorun_cli.core.runs import Filter, Process, Run
from nemorun_cli.fakes import FakeExecutor, FakeWorld
from nemorun_cli.store.files import Store
from nemorun_cli.store.index import Index
from nemorun_cli.watching import nap

GONE = Process(
    pid=2**22 + 1,
    start=1,
    boot=processes.boot(),
    namespace=processes.namespace(),
    machine=processes.machine(),
)


class Clock:
    now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ports(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Ports:
    monkeypatch.setitem(executors.BUILT_IN, "fake", "nemorun_cli.fakes:FakeExecutor")
    FakeExecutor.worlds.clear()
    store = Store(home=tmp_path, host="here")
    return Ports(store=store, index=Index(store=store, clock=clock), clock=clock)


def more_able(monkeypatch: pytest.MonkeyPatch, **methods: object) -> None:
    """Have runs held by an executor that can do more than it must."""
    able = type("AbleExecutor", (FakeExecutor,), methods)
    monkeypatch.setattr(executors, "load", lambda _: able)


def launched(ports: Ports, world: str = "world") -> Run:
    settled = Settled(executor=FakeExecutor(world=world), resources=Resources(), settings={})
    content = launch.Content(recipe="command", argv=("true",))
    prepared = launch.prepare(
        content,
        settled,
        launch.Label(),
        code=None,
        workdir=".",
        links={},
        now=ports.clock(),
    )
    return launch.submit(prepared, ports=ports)


def world(name: str = "world") -> FakeWorld:
    return FakeExecutor(world=name).state


def tell(run: Run, status: JobStatus, name: str = "world") -> None:
    world(name).statuses[f"{run.id}-1"] = status


def test_one_silent_back_end_does_not_hide_the_others(ports: Ports) -> None:
    silent, telling = launched(ports, "silent"), launched(ports, "telling")
    world("silent").unreachable = True
    tell(telling, JobStatus(state=JobState.SUCCEEDED), "telling")

    seen = refresh([silent, telling], ports=ports, mode=Refresh.NOW)

    assert [run.state for run in seen.runs] == [JobState.PENDING, JobState.SUCCEEDED]
    assert seen.runs[0].stale_since == ports.clock()
    assert len(seen.problems) == 1
    assert "silent" in seen.problems[0]


def test_who_is_silent_is_told_of_as_of_his_last_answer(ports: Ports, clock: Clock) -> None:
    run = launched(ports)
    for _ in range(3):
        clock.now += 600
        tell(run, JobStatus(state=JobState.RUNNING))
        refresh(ports.index.live(), ports=ports, mode=Refresh.NOW)
    answered = clock.now
    world().unreachable = True

    for _ in range(3):
        clock.now += 600
        (seen,) = refresh([ports.store.read(run.id)], ports=ports, mode=Refresh.NOW).runs
        assert (seen.state, seen.stale_since) == (JobState.RUNNING, answered)


def test_a_run_of_a_back_end_that_is_gone_is_forgotten_by_force_alone(ports: Ports) -> None:
    run = launched(ports)
    world().unreachable = True

    with pytest.raises(UsageError, match="still alive") as refused:
        remove.remove([run], ports=ports)
    assert "--force" in refused.value.hint
    (left,) = remove.remove([run], ports=ports, force=True)

    assert f"fake:/nowhere/{run.id}-1 was not deleted, and its job {run.id}-1 may still run" in left
    with pytest.raises(NotFoundError):
        ports.store.read(run.id)


def test_a_folder_that_cannot_be_deleted_keeps_its_record_unless_forced(
    ports: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise UnreachableError("no way to the host")

    run = launched(ports)
    tell(run, JobStatus(state=JobState.SUCCEEDED))
    more_able(monkeypatch, remove=fail)

    with pytest.raises(UnreachableError) as refused:
        remove.remove([run], ports=ports)
    assert "--force" in refused.value.hint
    assert ports.store.read(run.id).state is JobState.SUCCEEDED
    (left,) = remove.remove([run], ports=ports, force=True)

    assert left.endswith(f"/nowhere/{run.id}-1 was not deleted: no way to the host")


def test_no_force_deletes_a_run_that_is_alive(ports: Ports) -> None:
    run = launched(ports)

    with pytest.raises(UsageError, match="still alive"):
        remove.remove([run], ports=ports, force=True)

    assert ports.store.read(run.id).live


def test_a_run_that_is_deleted_while_it_is_asked_about_harms_no_other(ports: Ports) -> None:
    gone, other = launched(ports), launched(ports)
    for run in (gone, other):
        tell(run, JobStatus(state=JobState.SUCCEEDED))
    ports.store.remove(gone.id)

    seen = refresh([gone, other], ports=ports, mode=Refresh.NOW)

    assert [run.state for run in seen.runs] == [JobState.SUCCEEDED] * 2
    assert ports.store.read(other.id).state is JobState.SUCCEEDED


def test_what_a_run_ran_with_is_told_even_if_it_is_deleted_meanwhile(
    ports: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = launched(ports)
    more_able(monkeypatch, environment=lambda *_: {"python": {"version": "3.11.1"}})
    ports.store.remove(run.id)

    found = environment_of(run, ports=ports)

    assert found is not None
    assert found["python"]["version"] == "3.11.1"


def test_a_group_is_asked_once(ports: Ports) -> None:
    runs = [launched(ports) for _ in range(20)]

    refresh(runs, ports=ports, mode=Refresh.NOW)

    assert world().polls == 1


def test_fresh_answers_are_not_asked_for_again(ports: Ports, clock: Clock) -> None:
    launched(ports)
    refresh(ports.index.live(), ports=ports, mode=Refresh.NOW)

    clock.now += 29
    refresh(ports.index.live(), ports=ports, mode=Refresh.AUTO)
    asked = world().polls
    clock.now += 2
    refresh(ports.index.live(), ports=ports, mode=Refresh.AUTO)

    assert (asked, world().polls) == (1, 2)


def test_a_clock_that_went_back_makes_everything_stale(ports: Ports, clock: Clock) -> None:
    launched(ports)
    refresh(ports.index.live(), ports=ports, mode=Refresh.NOW)

    clock.now -= 100_000
    refresh(ports.index.live(), ports=ports, mode=Refresh.AUTO)

    assert world().polls == 2


def test_an_executor_may_say_for_how_long_an_answer_is_good(
    ports: Ports, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    more_able(monkeypatch, floor=lambda _: 5.0)
    launched(ports)
    refresh(ports.index.live(), ports=ports, mode=Refresh.NOW)

    clock.now += 4
    refresh(ports.index.live(), ports=ports)
    asked = world().polls
    clock.now += 2
    refresh(ports.index.live(), ports=ports)

    assert (asked, world().polls) == (1, 2)


def test_an_end_that_can_be_seen_is_not_asked_for(
    ports: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = JobStatus(state=JobState.SUCCEEDED, exit_code=0)
    run, other = launched(ports), launched(ports)
    more_able(monkeypatch, glance=lambda _, __: {run.handle: done})

    seen = refresh([run, other], ports=ports, mode=Refresh.NOW)

    assert [each.state for each in seen.runs] == [JobState.SUCCEEDED, JobState.PENDING]
    assert ports.store.read(run.id).state is JobState.SUCCEEDED
    assert world().polls == 1


def test_who_asks_for_now_gets_an_answer_of_now(
    ports: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = JobStatus(state=JobState.SUCCEEDED, exit_code=0)
    run = launched(ports)

    def poll_now(_: FakeExecutor, handles: list[JobHandle]) -> dict[JobHandle, JobStatus]:
        return dict.fromkeys(handles, done)

    more_able(monkeypatch, poll_now=poll_now)

    refreshed = refresh([run], ports=ports)
    asked_now = refresh([run], ports=ports, mode=Refresh.NOW)

    assert refreshed.runs[0].state is JobState.PENDING
    assert asked_now.runs[0].state is JobState.SUCCEEDED


def test_many_are_cancelled_by_one_request(ports: Ports, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def cancel_all(executor: FakeExecutor, handles: list[JobHandle]) -> None:
        asked.append(len(handles))
        for handle in handles:
            executor.cancel(handle)

    more_able(monkeypatch, cancel_all=cancel_all)
    runs = [launched(ports) for _ in range(5)]

    done = cancel.cancel(runs, ports=ports)

    assert {run.state for run in done.runs} == {JobState.CANCELLED}
    assert asked == [5]


def test_who_cannot_be_asked_to_end_is_not_waited_for(
    ports: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(_: FakeExecutor, __: JobHandle) -> None:
        raise UnreachableError("no route to host")

    more_able(monkeypatch, cancel=unreachable)
    run = launched(ports)
    began = time.monotonic()

    done = cancel.cancel([run], ports=ports)

    assert time.monotonic() - began < 5
    assert (done.survivors, done.unasked) == ((), frozenset({run.id}))
    assert done.problems == (f"{run.id}: no route to host",)


def test_a_launch_that_was_no_use_leaves_no_run_in_doubt(ports: Ports) -> None:
    world().refuse = UsageError("there is no such host")

    with pytest.raises(UsageError):
        launched(ports)

    (run,) = ports.index.select(Filter(), limit=None).runs
    assert (run.state, run.reason) == (JobState.FAILED, Reason.SUBMIT_REFUSED)


def test_a_host_that_was_never_reached_leaves_no_run_in_doubt(ports: Ports) -> None:
    world().refuse = NotSentError("no route to host")

    with pytest.raises(NotSentError):
        launched(ports)

    (run,) = ports.index.select(Filter(), limit=None).runs
    assert (run.state, run.reason) == (JobState.FAILED, Reason.NEVER_SUBMITTED)


def test_a_verdict_survives_a_back_end_that_forgets(ports: Ports) -> None:
    run = launched(ports)
    tell(run, JobStatus(state=JobState.FAILED, reason=Reason.EXIT, exit_code=3))
    refresh([run], ports=ports, mode=Refresh.NOW)
    world().statuses.clear()

    again = ports.store.read(run.id)

    assert (again.state, again.status.exit_code) == (JobState.FAILED, 3)


def test_a_dead_submitter_s_job_is_adopted(ports: Ports) -> None:
    run = abandoned(ports)
    world().statuses[f"{run.id}-1"] = JobStatus(state=JobState.RUNNING)

    (seen,) = refresh([run], ports=ports, mode=Refresh.NOW).runs

    assert seen.state is JobState.RUNNING
    assert ports.store.read(run.id).handle is not None


def test_a_dead_submitter_without_a_job_never_submitted(ports: Ports) -> None:
    run = abandoned(ports)

    (seen,) = refresh([run], ports=ports, mode=Refresh.NOW).runs

    assert (seen.state, seen.reason) == (JobState.FAILED, Reason.NEVER_SUBMITTED)
    assert f"{run.id}-1" not in world().specs


def test_a_living_submitter_is_left_alone(ports: Ports) -> None:
    run = abandoned(ports, submitter=processes.describe(1))

    (seen,) = refresh([run], ports=ports, mode=Refresh.NOW).runs

    assert seen.state is JobState.SUBMITTING


def test_a_refused_job_has_failed_and_says_why(ports: Ports) -> None:
    world().refuse = RefusedError("no such partition")

    with pytest.raises(RefusedError, match="no such partition"):
        launched(ports)

    (run,) = ports.index.select(Filter(), limit=None).runs
    assert (run.state, run.reason) == (JobState.FAILED, Reason.SUBMIT_REFUSED)
    assert run.status.reason_detail == "no such partition"


def test_cancel_asks_every_live_run_and_no_other(ports: Ports) -> None:
    runs = [launched(ports) for _ in range(3)]
    tell(runs[0], JobStatus(state=JobState.SUCCEEDED))

    done = cancel.cancel(runs, ports=ports)

    assert world().cancelled == [f"{run.id}-1" for run in runs[1:]]
    assert [run.state for run in done.runs] == ["SUCCEEDED", "CANCELLED", "CANCELLED"]
    assert done.survivors == ()


def test_waiting_gives_up_in_time(ports: Ports) -> None:
    run = launched(ports)

    (still,) = wait.wait([run], ports=ports, timeout=0.1)

    assert still.live


def test_who_waits_has_patience_with_a_slow_back_end(
    ports: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = launched(ports)
    tell(run, JobStatus(state=JobState.SUCCEEDED))

    def poll(self: FakeExecutor, handles: list[JobHandle]) -> dict[JobHandle, JobStatus]:
        nap(0.3)
        return FakeExecutor.poll(self, handles)

    monkeypatch.setattr("nemorun_cli.actions.observe.PATIENCE", 0.1)
    more_able(monkeypatch, poll=poll)

    (glanced,) = refresh([run], ports=ports).runs
    (waited,) = wait.wait([run], ports=ports, timeout=30)

    assert glanced.live
    assert waited.state is JobState.SUCCEEDED


def abandoned(ports: Ports, submitter: Process = GONE) -> Run:
    """A run whose submitter wrote it down and came no further."""
    from dataclasses import replace

    record = replace(launched(ports).record, id="20260101-000000-bbbbbbbb", submitter=submitter)
    ports.store.create(record, {})
    return ports.store.read(record.id)
