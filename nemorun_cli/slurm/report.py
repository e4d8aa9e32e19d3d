"""What an enquiry found out: Slurm's rows and the jobs' files, and what they mean together."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from nemorun_cli.core.ids import is_id
from nemorun_cli.core.jobs import JobState, JobStatus, Reason
from nemorun_cli.jobfiles import (
    JobFiles,
    attempts_of,
    first_failure,
    last_words_of,
    progress_of,
    verdict_of,
)
from nemorun_cli.slurm.complaints import accounting_disabled, invalid_job_id
from nemorun_cli.slurm.reading import Accounted, QueueRow, parse_sacct, parse_squeue
from nemorun_cli.slurm.states import is_live, may_be_requeued
from nemorun_cli.slurm.status import status_from_accounting, status_from_queue

SETTLING = 30.0
"""Seconds for which an end without the job's own verdict is not believed yet.

A shared disk shows a file late; a preempted job is requeued a moment after it has ended.
"""
PATIENCE = 120.0
"""Seconds after which a job that neither the queue nor the accounting knows is given up."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """The parts of an enquiry's output."""

    cluster: str = ""
    """The name of the cluster that was asked."""
    queue: Mapping[str, QueueRow] = field(default_factory=dict)
    accounting: Mapping[str, Accounted] = field(default_factory=dict)
    silent: Mapping[str, str] = field(default_factory=dict)
    """Clusters whose controller did not answer, and what squeue said; `-` is the default one."""
    unaccounted: Mapping[str, str] = field(default_factory=dict)
    """Clusters whose accounting did not answer, and what sacct said."""
    folders: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """For each job's folder that is there: path in it to text."""


def read_report(out: str, *, token: str) -> Report:
    """The report in an enquiry's output. No text makes this fail."""
    queue: dict[str, QueueRow] = {}
    accounting: dict[str, Accounted] = {}
    silent: dict[str, str] = {}
    unaccounted: dict[str, str] = {}
    folders: dict[str, dict[str, str]] = {}
    cluster = ""
    before = ""
    for part in f"\n{out}".split(f"\n{token} ")[1:]:
        head, _, text = part.partition("\n")
        what, *words = head.split() or [""]
        where = words[0] if words else "-"
        if what == "cluster":
            cluster = text.strip()
        elif what == "queue":
            queue |= parse_squeue(text)
        elif what == "queue-code" and words[1:] != ["0"] and not invalid_job_id(before):
            silent[where] = before.strip()
        elif what == "accounting":
            accounting |= parse_sacct(text, cluster=None if where == "-" else where)
        elif what == "accounting-code" and words[1:] != ["0"]:
            unaccounted[where] = before.strip()
        elif what == "files":
            folders = _folders(text)
        before = text
    return Report(
        cluster=cluster,
        queue=queue,
        accounting=accounting,
        silent=silent,
        unaccounted=unaccounted,
        folders=folders,
    )


def files_of(found: Mapping[str, str]) -> JobFiles:
    """The small files of a job's folder, from path to text."""
    failures = {
        int(path.split("/")[1]): text
        for path, text in found.items()
        if path.endswith("/first_failure.json") and path.split("/")[1].isdecimal()
    }
    history = found.get("attempts.jsonl", "")
    last = max((each.number for each in attempts_of(history)), default=1)
    ranks = [path for path in found if path.startswith(f"logs/{last}/") and path.endswith(".log")]
    return JobFiles(
        verdict=found.get("exit.json", ""),
        last_words=found.get("last_words.json", ""),
        history=history,
        failures=failures,
        ranks=len(ranks),
        cancelled="cancel" in found,
    )


def status_in(report: Report, key: str, native: str, *, missing: float, now: float) -> JobStatus:
    """How a job is, from all that was found out; `missing`: since when nothing has it as alive.

    The job's own verdict comes before Slurm's word, and Slurm's word before silence. Never
    SUCCEEDED without one of the first two. UNKNOWN says what is waited for.
    """
    found = report.folders.get(key)
    files = files_of(found or {})
    if (told := verdict_of(files)) is not None:
        return told
    row = report.queue.get(native)
    if row is not None and not _is(row.name, row.comment, key):
        row = None  # The number was given to another job.
    if row is not None and is_live(row.state):
        return _alive(row, files, now)
    silent = report.silent.get(native.partition(";")[2] or "-")
    if silent is not None:
        return _unknown(f"Slurm does not answer: {silent}", Reason.UNREACHABLE)
    accounted = report.accounting.get(native)
    if accounted is not None and not _is(accounted.name, accounted.comment, key):
        accounted = None
    if accounted is not None and not is_live(accounted.state):
        return _ended(status_from_accounting(accounted), accounted.state, files, now - missing)
    if row is not None:
        return _ended(status_from_queue(row, now=now), row.state, files, now - missing)
    return _gone(report, native, found, now - missing)


def is_missing(report: Report, key: str, native: str) -> bool:
    """Whether the queue was read and does not have this job as alive."""
    row = report.queue.get(native)
    answered = (native.partition(";")[2] or "-") not in report.silent
    return answered and not (row and is_live(row.state) and _is(row.name, row.comment, key))


def _alive(row: QueueRow, files: JobFiles, now: float) -> JobStatus:
    said = status_from_queue(row, now=now)
    known = progress_of(files)
    if said.state is JobState.RUNNING and known.state is JobState.RUNNING:
        return replace(known, reason=said.reason, reason_detail=said.reason_detail)
    # Between two starts; or Slurm has started it, and its script has not got so far.
    return replace(
        said,
        attempts=known.attempts,
        attempt=max(1, len(known.attempts)),
        started_at=known.started_at,
    )


def _ended(said: JobStatus, word: str, files: JobFiles, since: float) -> JobStatus:
    """An end that Slurm tells of and the job does not; believed when nothing else can follow."""
    begun = bool(files.history)
    settled = not begun and not may_be_requeued(word)
    asked_for = files.cancelled and said.state is JobState.CANCELLED
    if since < SETTLING and not settled and not asked_for:
        return _unknown(f"Slurm says {word}; the job's own word is waited for")
    known = progress_of(files)
    failure = first_failure(files, known.attempt) or {}
    detail = said.reason_detail
    if said.state is JobState.SUCCEEDED:
        detail = "Slurm says so; the job left no verdict"
    elif failure:
        detail = f"{detail}; {failure.get('message')}" if detail else str(failure.get("message"))
    return replace(
        said,
        attempts=known.attempts,
        attempt=max(1, len(known.attempts)),
        started_at=known.started_at or said.started_at,
        reason_detail=detail,
        failing_rank=failure.get("rank"),
    )


def _gone(report: Report, native: str, found: Mapping[str, str] | None, since: float) -> JobStatus:
    """A job that neither the queue nor the accounting knows."""
    where = native.partition(";")[2] or "-"
    complaint = report.unaccounted.get(where, "")
    if complaint and not accounting_disabled(complaint):
        return _unknown(f"it has left the queue, and accounting does not answer: {complaint}")
    cluster = (found or {}).get("cluster", "").strip()
    if cluster and where == "-" and cluster != report.cluster:
        return _unknown(f"it is a job of the cluster {cluster}, not of {report.cluster or 'this'}")
    if since < PATIENCE:
        return _unknown("it has left the queue; how it ended is not known yet")
    files = files_of(found or {})
    if (words := last_words_of(files)) is not None:
        return replace(words, reason_detail="it was ended from outside, and Slurm has forgotten it")
    detail = "Slurm does not know it any more, and it left no verdict"
    if found is None:
        detail = "Slurm does not know it any more, and its folder is gone"
    known = progress_of(files)
    return replace(known, state=JobState.LOST, reason=Reason.LOST, reason_detail=detail)


def _unknown(detail: str, reason: Reason | None = None) -> JobStatus:
    return JobStatus(state=JobState.UNKNOWN, reason=reason, reason_detail=detail)


def _is(name: str, comment: str, key: str) -> bool:
    """Whether these are the name and the comment of the job with this key (see asking)."""
    return name.endswith(f"nemorun-{key.rpartition('-')[0]}") or comment.startswith(
        f"nemorun:{key}"
    )


def _folders(text: str) -> dict[str, dict[str, str]]:
    """From lines `key/path:line`, as grep prints them."""
    folders: dict[str, dict[str, str]] = {}
    for line in text.split("\n"):
        place, colon, content = line.partition(":")
        key, slash, path = place.partition("/")
        if not colon or not slash or not is_id(key.rpartition("-")[0]):
            continue
        files = folders.setdefault(key, {})
        if path:
            files[path] = files.get(path, "") + (f"{content}\n" if content else "")
    return folders
