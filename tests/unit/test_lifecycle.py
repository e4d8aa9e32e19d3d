"""How a run changes its state, and how it never does."""

from hypothesis import given
from hypothesis import strategies as st

from nemorun_cli.core import lifecycle
from nemorun_cli.core.jobs import JobHandle, JobState, JobStatus, Reason
from nemorun_cli.core.runs import Process, Run, RunRecord

ME = Process(pid=1, start=1, boot="b", namespace="n", machine="m")
RECORD = RunRecord(
    id="20260101-000000-aaaaaaaa",
    recipe="r",
    executor="local",
    target={},
    resources={},
    directory="/",
    created_at=0,
    submitter=ME,
    host="h",
    user="u",
)
STATUS = st.builds(
    JobStatus,
    state=st.sampled_from(JobState),
    reason=st.none() | st.sampled_from(Reason),
    exit_code=st.none() | st.integers(0, 255),
)
REPORTS = st.lists(st.tuples(STATUS, st.floats(0, 1e9)), max_size=12)


def after(reports: list[tuple[JobStatus, float]]) -> Run:
    run = Run(record=RECORD)
    for status, now in reports:
        run = lifecycle.observe(run, status, now=now)
    return run


@given(before=REPORTS, later=REPORTS)
def test_a_run_that_has_ended_stays_as_it_ended(
    before: list[tuple[JobStatus, float]], later: list[tuple[JobStatus, float]]
) -> None:
    ended = after(before)
    if not ended.state.terminal:
        return

    assert after(before + later) == ended


@given(reports=REPORTS)
def test_unknown_is_never_a_state(reports: list[tuple[JobStatus, float]]) -> None:
    assert after(reports).state is not JobState.UNKNOWN


@given(reports=REPORTS)
def test_no_path_leads_to_success_without_that_word(
    reports: list[tuple[JobStatus, float]],
) -> None:
    run = after(reports)

    succeeded = any(status.state is JobState.SUCCEEDED for status, _ in reports)
    assert succeeded or run.state is not JobState.SUCCEEDED


@given(reports=REPORTS, status=STATUS, now=st.floats(0, 1e9))
def test_the_same_report_twice_is_one_report(
    reports: list[tuple[JobStatus, float]], status: JobStatus, now: float
) -> None:
    once = lifecycle.observe(after(reports), status, now=now)

    assert lifecycle.observe(once, status, now=now) == once


def test_unknown_keeps_the_last_state_and_since_when() -> None:
    running = lifecycle.observe(Run(record=RECORD), JobStatus(state=JobState.RUNNING), now=10)
    silent = JobStatus(state=JobState.UNKNOWN, reason_detail="no answer")

    first = lifecycle.observe(running, silent, now=20)
    second = lifecycle.observe(first, silent, now=30)

    assert (second.state, second.stale_since) == (JobState.RUNNING, 10)
    assert lifecycle.observe(second, JobStatus(state=JobState.RUNNING), now=40).stale_since is None


def test_a_requeued_job_is_pending_again() -> None:
    running = lifecycle.observe(Run(record=RECORD), JobStatus(state=JobState.RUNNING), now=1)

    assert lifecycle.observe(running, JobStatus(state=JobState.PENDING), now=2).state == "PENDING"


def test_every_end_has_its_exit_code() -> None:
    codes = {
        (JobState.SUCCEEDED, None): 0,
        (JobState.FAILED, Reason.EXIT): 10,
        (JobState.FAILED, Reason.TIME_LIMIT): 12,
        (JobState.FAILED, Reason.NODE_FAILURE): 13,
        (JobState.FAILED, Reason.PREEMPTED): 13,
        (JobState.CANCELLED, Reason.CANCELLED): 11,
        (JobState.LOST, Reason.LOST): 15,
        (JobState.RUNNING, None): 14,
    }
    for (state, reason), code in codes.items():
        run = Run(record=RECORD, status=JobStatus(state=state, reason=reason))
        assert lifecycle.exit_code_of(run) == code


@given(st.lists(st.sampled_from([0, 10, 11, 12, 13, 14, 15])))
def test_several_runs_have_the_code_of_the_worst(codes: list[int]) -> None:
    order = [15, 14, 13, 12, 10, 11, 0]

    assert lifecycle.worst(codes) == min(codes, key=order.index, default=0)


@given(target=st.text(min_size=1), key=st.text(min_size=1), native=st.text())
def test_a_handle_is_its_text(target: str, key: str, native: str) -> None:
    handle = JobHandle(executor="slurm", target=target, key=key, native_id=native)

    assert JobHandle.parse(str(handle)) == handle
