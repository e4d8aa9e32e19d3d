"""Looking at live runs: who asks which back-end, and what is written down of the answer."""

import queue
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from nemorun_cli import processes
from nemorun_cli.actions.environment import keep_at_end
from nemorun_cli.actions.wiring import Ports
from nemorun_cli.core import lifecycle
from nemorun_cli.core.errors import NemorunError, NotFoundError, StoreError, UnreachableError
from nemorun_cli.core.ids import key_of
from nemorun_cli.core.jobs import JobHandle, JobState, JobStatus
from nemorun_cli.core.ports import AsksRarely, CanGlance, CanPollNow, Executor
from nemorun_cli.core.runs import Run

FRESH = 30.0
"""Seconds for which an answer of a back-end is good enough, if it does not say itself."""
PATIENCE = 2.0
"""Seconds that a reading command waits for all back-ends together."""
PATIENCE_NOW = 60.0
_SUBMITTING = JobStatus(state=JobState.SUBMITTING)


class Refresh(StrEnum):
    """How eagerly the back-ends are asked."""

    NEVER = "never"
    AUTO = "auto"
    NOW = "now"


@dataclass(frozen=True, kw_only=True)
class Observed:
    """Runs as they stand now, and what could not be found out."""

    runs: tuple[Run, ...]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Group:
    executor: Executor
    now: float
    fresh: bool
    """Whether an answer of some seconds ago is too old."""
    runs: tuple[Run, ...]


@dataclass(frozen=True, kw_only=True)
class _Finding:
    handle: JobHandle | None
    status: JobStatus


_Answer = dict[str, _Finding] | NemorunError


def refresh(
    runs: Sequence[Run],
    *,
    ports: Ports,
    mode: Refresh = Refresh.AUTO,
    patience: float | None = None,
) -> Observed:
    """The same runs, in the same order, after asking about those that may have changed.

    Every terminal state that is seen is recorded. A back-end that does not answer hides nothing:
    its runs keep their last known state, with `stale_since`, and a problem tells of it. It has
    `patience` seconds to answer, else as many as the mode allows.
    """
    if mode is Refresh.NEVER:
        return Observed(runs=tuple(runs))
    problems: list[str] = []
    groups = _groups((run for run in runs if run.live), ports, mode, problems)
    news: dict[str, Run] = {}
    groups = [_glanced(group, news, ports, problems) for group in groups]
    groups = [group for group in (_due(each, ports, mode) for each in groups) if group.runs]
    if patience is None:
        patience = PATIENCE_NOW if mode is Refresh.NOW else PATIENCE
    answers = _ask_all(groups, patience)
    for group, answer in zip(groups, answers, strict=True):
        if isinstance(answer, NemorunError):
            problems.append(f"{group.executor.name} {group.executor.target}: {answer.message}")
            group = _as_last_seen(group, ports)  # noqa: PLW2901
        news.update((run.id, _after(run, answer, ports, problems)) for run in group.runs)
    ports.index.touch([run.id for run in news.values() if not run.stale_since], ports.clock())
    return Observed(
        runs=tuple(news.get(run.id, run) for run in runs),
        problems=tuple(dict.fromkeys(problems)),
    )


def conclude(run: Run, status: JobStatus, *, ports: Ports, evidence: str) -> Run:
    """Record a verdict; the run with the verdict that stands, which may be an earlier one."""
    now = ports.clock()
    standing = ports.store.conclude(run.id, status, now=now, evidence=evidence)
    if standing.state is not JobState.SUCCEEDED:
        from nemorun_cli.store.twins import twins_of

        if (twins := twins_of(run.record, home=ports.store.home)) is not None:
            twins.spent(run.id)
    return replace(run, status=standing, observed_at=now, stale_since=None)


def _groups(
    runs: Iterable[Run],
    ports: Ports,
    mode: Refresh,
    problems: list[str],
) -> list[_Group]:
    groups: dict[tuple[str, str], _Group] = {}
    for run in runs:
        try:
            executor = ports.executor_of(run.record)
        except NemorunError as error:
            problems.append(f"{run.record.executor}: {error.message}")
            continue
        place = (run.record.executor, executor.target)
        now, fresh = ports.clock(), mode is Refresh.NOW
        group = groups.get(place, _Group(executor=executor, now=now, fresh=fresh, runs=()))
        groups[place] = replace(group, runs=(*group.runs, run))
    return list(groups.values())


def _glanced(group: _Group, news: dict[str, Run], ports: Ports, problems: list[str]) -> _Group:
    """The group without those whose end could be seen without a request; that is news."""
    if not isinstance(group.executor, CanGlance):
        return group
    handles = [run.handle for run in group.runs if run.handle is not None]
    seen = group.executor.glance(handles) if handles else {}
    for run in group.runs:
        if run.handle in seen:
            answer = {run.id: _Finding(handle=run.handle, status=seen[run.handle])}
            news[run.id] = _after(run, answer, ports, problems)
    return replace(group, runs=tuple(run for run in group.runs if run.id not in news))


def _due(group: _Group, ports: Ports, mode: Refresh) -> _Group:
    """The group without those of which enough is known."""
    if group.executor.instant or mode is Refresh.NOW:
        return group
    floor = group.executor.floor() if isinstance(group.executor, AsksRarely) else FRESH
    now = ports.clock()
    return replace(group, runs=tuple(run for run in group.runs if _stale(run, now, floor)))


def _as_last_seen(group: _Group, ports: Ports) -> _Group:
    """The group with the times of the index, which alone knows of answers that were no news."""
    seen = {run.id: run.observed_at for run in ports.index.live()}
    runs = (replace(run, observed_at=seen.get(run.id) or run.observed_at) for run in group.runs)
    return replace(group, runs=tuple(runs))


def _stale(run: Run, now: float, floor: float) -> bool:
    # A clock that went backwards makes everything stale, rather than fresh for ever.
    return run.observed_at is None or not 0 <= now - run.observed_at < floor


def _ask_all(groups: Sequence[_Group], patience: float) -> list[_Answer]:
    """Each group's answer; those that need a request are asked at the same time."""
    answers: queue.SimpleQueue[tuple[int, _Answer]] = queue.SimpleQueue()
    found: list[_Answer] = [UnreachableError(f"no answer in {patience:.0f} s") for _ in groups]
    asked = 0
    for number, group in enumerate(groups):
        if group.executor.instant:
            found[number] = _ask(group)
            continue
        asked += 1
        threading.Thread(target=_ask_into, args=(answers, number, group), daemon=True).start()
    end = time.monotonic() + patience
    for _ in range(asked):
        try:
            number, answer = answers.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            break
        found[number] = answer
    return found


def _ask_into(
    answers: queue.SimpleQueue[tuple[int, _Answer]],
    number: int,
    group: _Group,
) -> None:
    answers.put((number, _ask(group)))


def _ask(group: _Group) -> _Answer:
    try:
        handles = {run.id: run.handle or _find(run, group.executor) for run in group.runs}
        known = [handle for handle in handles.values() if handle is not None]
        poll = group.executor.poll
        if group.fresh and isinstance(group.executor, CanPollNow):
            poll = group.executor.poll_now
        statuses = poll(known) if known else {}
        return {run.id: _finding(run, handles[run.id], statuses, group) for run in group.runs}
    except NemorunError as error:
        return error
    except Exception as error:  # noqa: BLE001 - One broken back-end must not hide the others.
        return NemorunError(f"{type(error).__name__}: {error}")


def _find(run: Run, executor: Executor) -> JobHandle | None:
    """The job that a submitter left behind; a living submitter tells of it itself."""
    if processes.alive(run.record.submitter):
        return None
    return executor.find(key_of(run.id, 1))


def _finding(
    run: Run,
    handle: JobHandle | None,
    statuses: dict[JobHandle, JobStatus],
    group: _Group,
) -> _Finding:
    if handle is not None:
        unknown = JobStatus(state=JobState.UNKNOWN, reason_detail="the back-end did not tell")
        return _Finding(handle=handle, status=statuses.get(handle, unknown))
    age = group.now - run.record.created_at
    if processes.alive(run.record.submitter) is False and not 0 <= age < group.executor.settle:
        return _Finding(
            handle=None,
            status=lifecycle.never_submitted("nemorun was ended before the job was submitted"),
        )
    return _Finding(handle=None, status=_SUBMITTING)


def _after(run: Run, answer: _Answer, ports: Ports, problems: list[str]) -> Run:
    """The run after this answer, and all that is new of it written down, if it can be."""
    now = ports.clock()
    if isinstance(answer, NemorunError):
        silent = JobStatus(state=JobState.UNKNOWN, reason=run.reason, reason_detail=answer.message)
        return lifecycle.observe(run, silent, now=now)
    finding = answer[run.id]
    after = lifecycle.observe(replace(run, handle=finding.handle), finding.status, now=now)
    try:
        return _record(run, after, ports, now)
    except NotFoundError:
        return after  # Somebody has just deleted it.
    except StoreError as error:
        # What cannot be written down is true all the same, and the next observer finds it again.
        problems.append(error.message)
        return after


def _record(run: Run, after: Run, ports: Ports, now: float) -> Run:
    if run.handle is None and after.handle is not None:
        ports.store.submitted(run.id, 1, after.handle, now=now)
    if after.state.terminal:
        ended = conclude(after, after.status, ports=ports, evidence="seen by an observer")
        keep_at_end(ended, ports=ports)
        return ended
    if lifecycle.changed(run, after):
        ports.store.observed(run.id, after.status, now=now, stale_since=after.stale_since)
    return after
