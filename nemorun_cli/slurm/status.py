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
    (r"NodeDown|NodeFail|SystemFailure", Reason.NODE_FAILURE),
    (r"Dependency.*", Reason.DEPENDENCY),
)
"""Reasons that squeue gives for jobs that have ended (slurm.h, FAIL_*).

Not JobLaunchFailure: version 22.05 says so of every job that a signal ended, too.
"""
_OOM_EXIT = "0:125"
_NO_OUTPUT = 53
"""No signal: slurmstepd ends itself with it where it cannot open the files of a job."""
_LAUNCH = "its folder or its output file could not be opened on the node"


def status_from_queue(row: QueueRow, *, now: float | None = None) -> JobStatus:
    """What squeue says of a job that it shows.

    PREEMPTED, NODE_FAIL and their like come out as FAILED, but Slurm may start the job again:
    ask `may_be_requeued(row.state)`. COMPLETED is taken at its word; of exit codes and of steps
    that failed sacct alone knows. Where `now` is given, a start that lies ahead of it is told.
    """
    word = word_of(row.state)
    if word is None:
        return _unknown(row.state)
    if word.state is JobState.PENDING:
        return _pending(row, word, now)
    if word.state is JobState.RUNNING:
        return JobStatus(state=word.state, reason_detail=_doing(word), started_at=row.start)
    if word.state is JobState.SUCCEEDED:
        return JobStatus(state=word.state, exit_code=0, started_at=row.start)
    raised = re.match(r"RaisedSignal:([0-9]{1,2})\b", row.reason)
    signal = int(raised[1]) if raised else None
    if signal == _NO_OUTPUT:
        detail = _told(_LAUNCH, row.state, row.reason)
        return JobStatus(state=word.state, reason=word.reason, reason_detail=detail)
    reason = _ended_by(row.reason) or word.reason
    return JobStatus(
        state=word.state,
        reason=reason,
        reason_detail=_told(word.text, row.state, "" if reason is word.reason else row.reason),
        signal=signal,
        started_at=row.start if word.state is JobState.FAILED else None,
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
        started_at=None if state is JobState.PENDING else found.start,
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


def _doing(word: Word) -> str:
    """What a job does that is not quite running; nothing where the state says it all."""
    return _told(word.text, word.name) if word.text else ""


def _pending(row: QueueRow, word: Word, now: float | None) -> JobStatus:
    text, own, may_start = word.text, row.state, False
    if word.name == "PENDING":
        why = explain(row.reason)
        # squeue gives a start for jobs that are held, too.
        text, own, may_start = why.text, _code(row.reason), why.kind == "wait"
    on = f"-M {row.cluster} " if row.cluster else ""
    text = text.replace("scontrol release ID", f"scontrol {on}release {row.id}")
    detail = text if own in text else _told(text, own)
    begin = _begin(row, now, estimated=own != "BeginTime") if may_start else ""
    depends = row.reason.lower().lstrip("(").startswith("dependency")
    return JobStatus(
        state=JobState.PENDING,
        reason=Reason.DEPENDENCY if depends else Reason.WAITING,
        reason_detail="; ".join(filter(None, (detail, begin))),
    )


def _begin(row: QueueRow, now: float | None, *, estimated: bool) -> str:
    """When it starts, if that lies ahead. For BeginTime, squeue gives that time, no estimate."""
    if now is None or row.start is None or row.start <= now:
        return ""
    start = datetime.fromtimestamp(row.start, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"Slurm estimates a start at {start}" if estimated else f"not before {start}"


def _code(reason: str) -> str:
    """The name at the start of a reason; a sentence has none."""
    name = re.match(r"\(?([A-Za-z]+)(?=$|[),:]|_?\()", reason.strip())
    return name[1] if name and name[1] not in {"None", "null"} else ""


def _ended_by(reason: str) -> Reason | None:
    return next((why for pattern, why in _ENDED_BY if re.fullmatch(pattern, reason)), None)


def _verdict(found: Accounted, word: Word) -> tuple[JobState, Reason | None, str]:
    if word.state in {JobState.PENDING, JobState.RUNNING}:
        waiting = Reason.WAITING if word.state is JobState.PENDING else None
        return word.state, waiting, _doing(word)
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
    if found.signal == _NO_OUTPUT:
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
    # For NODE_FAIL and its like the code is Slurm's own, mostly 1:0 or 0:0.
    own = reason_of(found.state) in {Reason.EXIT, None}
    code = (found.exit_code or None) if own else None
    return code, None if found.signal == _NO_OUTPUT else found.signal


def _attempt(found: Accounted, number: int) -> Attempt:
    reason, state = reason_of(found.state), state_of(found.state)
    code, signal = _ending(found, state)
    return Attempt(
        number=number,
        started_at=found.start,
        ended_at=found.end,
        exit_code=code,
        signal=signal,
        reason=reason.value if reason else None,
    )
