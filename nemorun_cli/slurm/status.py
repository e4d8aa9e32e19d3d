"""What squeue and sacct say about a job, as a JobStatus.

Slurm knows less than the job itself: where the job left a verdict, that comes first.
"""

import re
from datetime import UTC, datetime

from nemorun_cli.core.jobs import Attempt, JobState, JobStatus, Reason
from nemorun_cli.slurm.pending import explain
from nemorun_cli.slurm.reading import Accounted, QueueRow, Step
from nemorun_cli.slurm.states import OUT_OF_MEMORY, Word, reason_of, state_of, word_of

_ENDED_BY = (
    (r"OutOfMemory", Reason.OOM),
    (r"TimeLimit", Reason.TIME_LIMIT),
    (r"RaisedSignal.*", Reason.SIGNAL),
    (r"NodeDown|NodeFail|JobLaunchFailure|SystemFailure", Reason.NODE_FAILURE),
    (r"Dependency.*", Reason.DEPENDENCY),
)
"""Reasons that squeue gives for jobs that have ended (slurm.h, FAIL_*)."""
_OOM_EXIT = "0:125"
_NO_OUTPUT_EXIT = "0:53"
_LAUNCH = "its folder or its output file could not be opened on the node"


def status_from_queue(row: QueueRow, *, now: float | None = None) -> JobStatus:
    """What squeue says of a job that it shows.

    PREEMPTED, NODE_FAIL and their like come out as FAILED, but Slurm may start the job again:
    ask `may_be_requeued(row.state)`. Where `now` is given, an expected start after it is told.
    """
    word = word_of(row.state)
    if word is None:
        return _unknown(row.state)
    if word.state is JobState.PENDING:
        return _pending(row, word, now)
    if word.state is JobState.RUNNING:
        return JobStatus(
            state=word.state, reason_detail=_told(word.text, row.state), started_at=row.start
        )
    if word.state is JobState.SUCCEEDED:
        return JobStatus(state=word.state, exit_code=0, started_at=row.start)
    signal = re.match(r"RaisedSignal:([0-9]{1,2})\b", row.reason)
    more = row.reason if row.reason and row.reason != "None" else ""
    return JobStatus(
        state=word.state,
        reason=_ended_by(row.reason) or word.reason,
        reason_detail=", ".join(filter(None, (_told(word.text, row.state), more))),
        signal=int(signal[1]) if signal else None,
        started_at=row.start,
    )


def status_from_accounting(found: Accounted) -> JobStatus:
    """What sacct says of a job, its steps and its earlier starts.

    Never SUCCEEDED unless the job is COMPLETED, its exit code 0, and neither its batch step nor
    its last srun failed. Accounting lags: a job may have ended that is still RUNNING here. For
    PREEMPTED and its like ask `may_be_requeued(found.state)`.
    """
    word = word_of(found.state)
    if word is None:
        return _unknown(found.state)
    state, reason, detail = _verdict(found, word)
    code, signal = _ending(found, state)
    starts = [each for each in (*found.earlier, found) if each.start is not None]
    return JobStatus(
        state=state,
        reason=reason,
        reason_detail=detail,
        exit_code=code,
        signal=signal,
        attempt=max(1, len(starts)),
        started_at=found.start,
        ended_at=found.end if state.terminal else None,
        attempts=tuple(_attempt(each, number) for number, each in enumerate(starts, start=1)),
    )


def _unknown(state: str) -> JobStatus:
    detail = f"Slurm calls its state {state!r}" if state else "Slurm does not tell its state"
    return JobStatus(state=JobState.UNKNOWN, reason_detail=detail)


def _told(text: str, *words: str) -> str:
    """Our words, with Slurm's own in brackets behind them, or alone."""
    own = " ".join(filter(None, words))
    return f"{text} ({own})" if text and own else text or own


def _pending(row: QueueRow, word: Word, now: float | None) -> JobStatus:
    text, own = word.text, row.state
    if word.name == "PENDING":
        text, own = explain(row.reason).text, _code(row.reason)
    on = f"-M {row.cluster} " if row.cluster else ""
    text = text.replace("scontrol release ID", f"scontrol {on}release {row.id}")
    detail = text if own in text else _told(text, own)
    if now is not None and row.start is not None and row.start > now:
        start = datetime.fromtimestamp(row.start, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        detail = f"{detail}; Slurm estimates a start at {start}"
    depends = row.reason.lower().lstrip("(").startswith("dependency")
    reason = Reason.DEPENDENCY if depends else Reason.WAITING
    return JobStatus(state=JobState.PENDING, reason=reason, reason_detail=detail)


def _code(reason: str) -> str:
    """The name at the start of a reason; a sentence has none."""
    name = re.match(r"\(?([A-Za-z]+)(?=$|[),:]|_?\()", reason.strip())
    return name[1] if name and name[1] not in {"None", "null"} else ""


def _ended_by(reason: str) -> Reason | None:
    return next((why for pattern, why in _ENDED_BY if re.fullmatch(pattern, reason)), None)


def _verdict(found: Accounted, word: Word) -> tuple[JobState, Reason | None, str]:
    if word.state is JobState.PENDING:
        return word.state, Reason.WAITING, word.text
    if word.name not in {"COMPLETED", "FAILED"}:
        return word.state, word.reason, _told(word.text, found.state)
    step = _failing_step(found, word)
    if found.exit == _OOM_EXIT or (step and reason_of(step.state) is Reason.OOM):
        return JobState.FAILED, Reason.OOM, _told(OUT_OF_MEMORY, found.state, found.exit)
    if word.name == "COMPLETED" and found.exit_code == 0 and not step:
        return JobState.SUCCEEDED, None, ""
    if word.name == "COMPLETED" and not found.exit:
        return JobState.UNKNOWN, None, f"Slurm tells no exit code ({found.state})"
    return JobState.FAILED, *_failure(found, word, step)


def _failure(found: Accounted, word: Word, step: Step | None) -> tuple[Reason, str]:
    if found.exit == _NO_OUTPUT_EXIT:
        return Reason.EXIT, _told(_LAUNCH, found.state, found.exit)
    if found.signal is not None:
        return Reason.SIGNAL, f"{found.state} {found.exit}"
    if step and word.name == "COMPLETED" and found.exit_code == 0:
        text = f"its step {step.name} ended as {step.state}"
        return reason_of(step.state) or Reason.EXIT, _told(text, found.state, found.exit)
    return Reason.EXIT, f"{found.state} {found.exit}"


def _failing_step(found: Accounted, word: Word) -> Step | None:
    """The step that tells more than the job does.

    A job may fail with a code of its own where a step was out of memory. One that says COMPLETED
    is believed against its earlier sruns, which may have been tried again, but not against its
    batch step or the last srun.
    """
    steps = found.steps
    if word.name == "COMPLETED":
        numbered = [step for step in steps if step.name[:1].isdigit()]
        steps = (*(step for step in steps if step.name == "batch"), *numbered[-1:])
    failed = [step for step in steps if state_of(step.state) is JobState.FAILED]
    oom = [step for step in failed if reason_of(step.state) is Reason.OOM]
    return next(iter((*oom, *failed)), None)


def _ending(found: Accounted, state: JobState) -> tuple[int | None, int | None]:
    """The exit code and the signal; a failed job whose code says 0 has none."""
    if state is JobState.SUCCEEDED:
        return 0, None
    if not state.terminal:
        return None, None
    signal = None if found.exit == _NO_OUTPUT_EXIT else found.signal
    return found.exit_code or None, signal


def _attempt(found: Accounted, number: int) -> Attempt:
    reason = reason_of(found.state)
    return Attempt(
        number=number,
        started_at=found.start,
        ended_at=found.end,
        exit_code=found.exit_code,
        signal=found.signal,
        reason=reason.value if reason else None,
    )
