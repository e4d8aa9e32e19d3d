"""The only way a run changes its state."""

from dataclasses import replace

from nemorun_cli.core.jobs import JobState, JobStatus, Reason
from nemorun_cli.core.runs import Run


def observe(run: Run, status: JobStatus, *, now: float) -> Run:
    """The run as it stands after this report. Pure, and safe to repeat.

    A terminal state absorbs whatever is reported later. UNKNOWN keeps the last known state and
    notes since when nothing is known: since it was last seen, or else launched. RUNNING → PENDING
    is legal: the scheduler requeued the job.
    """
    if run.state.terminal:
        return run
    if status.state is JobState.UNKNOWN:
        return replace(
            run,
            stale_since=run.stale_since or run.observed_at or run.record.created_at,
            status=replace(run.status, reason_detail=status.reason_detail, reason=status.reason),
        )
    if status.state is JobState.SUBMITTING:
        return run
    return replace(run, status=status, observed_at=now, stale_since=None)


def changed(before: Run, after: Run) -> bool:
    """Whether the second holds news worth writing down."""
    return replace(before, observed_at=None) != replace(after, observed_at=None)


def never_submitted(detail: str) -> JobStatus:
    """The verdict on a run whose submitter died before the back-end had the job."""
    return JobStatus(
        state=JobState.FAILED,
        reason=Reason.NEVER_SUBMITTED,
        reason_detail=detail,
    )


def refused(detail: str) -> JobStatus:
    """The verdict on a run that the back-end definitely did not take."""
    return JobStatus(state=JobState.FAILED, reason=Reason.SUBMIT_REFUSED, reason_detail=detail)


_ENDS = {
    JobState.SUCCEEDED: 0,
    JobState.FAILED: 10,
    JobState.CANCELLED: 11,
    JobState.LOST: 15,
}
_CAUSES = {Reason.TIME_LIMIT: 12, Reason.NODE_FAILURE: 13, Reason.PREEMPTED: 13}
_WORST_FIRST = (15, 14, 13, 12, 10, 11)
STILL_ALIVE = 14


def exit_code_of(run: Run) -> int:
    """What `wait` exits with for this run; 14 while it is alive."""
    if run.state is JobState.FAILED and run.reason in _CAUSES:
        return _CAUSES[run.reason]
    return _ENDS.get(run.state, STILL_ALIVE)


def worst(codes: list[int]) -> int:
    """One exit code for several runs: the first non-zero in the order 15 14 13 12 10 11."""
    return next((code for code in _WORST_FIRST if code in codes), 0)
