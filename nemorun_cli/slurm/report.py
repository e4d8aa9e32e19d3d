"""What an enquiry found out: Slurm's rows and the jobs' files, and what they mean together."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

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
from nemorun_cli.slurm.states import is_live
from nemorun_cli.slurm.status import status_from_accounting, status_from_queue

SETTLING = 30.0
"""Seconds for which an end without the job's own verdict is not believed yet.

A shared disk shows a file late; a preempted job is requeued a moment after it has ended.
"""
PATIENCE = 120.0
"""Seconds after which a job that neither the queue nor the accounting knows is given up."""
BACKLOG = 1800.0
"""Seconds for which accounting may have a job as alive that is not: its database may be behind."""


class Lost(NamedTuple):
    """The nodes of a job that ended with the failure of one."""

    conditions: Mapping[str, str]
    """Each node's state, in Slurm's words."""
    size: int
    """How many nodes the cluster has; 0 is unknown."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """The parts of an enquiry's output."""

    whole: bool = False
    """Whether the enquiry came to its end."""
    cluster: str = ""
    """The name of the cluster that was asked."""
    answered: frozenset[str] = frozenset()
    """Clusters whose whole queue was read; `-` is the default one."""
    queue: Mapping[str, QueueRow] = field(default_factory=dict)
    accounting: Mapping[str, Accounted] = field(default_factory=dict)
    silent: Mapping[str, str] = field(default_factory=dict)
    """Clusters whose controller did not answer, and what squeue said; `-` is the default one."""
    unaccounted: Mapping[str, str] = field(default_factory=dict)
    """Clusters whose accounting did not answer, and what sacct said."""
    lost: Mapping[str, Lost] = field(default_factory=dict)
    """For some of those jobs whose end was the failure of a node, by their native id."""
    folders: Mapping[str, Mapping[str, str]] | None = None
    """For each job's folder that is there: path in it to text. None: nobody could look."""


def read_report(out: str, *, token: str) -> Report:
    """The report in an enquiry's output. No text makes this fail."""
    parts = tuple(_parts(out, token))

    def those(what: str) -> list[_Part]:
        return [each for each in parts if each.what == what]

    queue: dict[str, QueueRow] = {}
    for each in those("queue"):
        queue |= parse_squeue(each.text)
    accounting: dict[str, Accounted] = {}
    for each in those("accounting"):
        accounting |= parse_sacct(each.text, cluster=None if each.where == "-" else each.where)
    return Report(
        whole=bool(those("end")),
        cluster="".join(each.text for each in those("cluster")).strip(),
        answered=frozenset(each.where for each in those("queue-code") if each.fine),
        queue=queue,
        accounting=accounting,
        silent={each.where: each.before.strip() for each in those("queue-code") if not each.fine},
        unaccounted={
            each.where: each.before.strip() for each in those("accounting-code") if each.code != "0"
        },
        lost=_lost(those("lost"), those("size")),
        folders=_folders("".join(each.text for each in those("files"))) if those("files") else None,
    )


class _Part(NamedTuple):
    """What follows one mark of an enquiry's output."""

    what: str
    where: str
    """The cluster, for those that tell of one."""
    code: str
    """The exit code of the command before it, or the number of the job that it tells of."""
    text: str
    before: str
    """The text of the part before it."""

    @property
    def fine(self) -> bool:
        """Whether squeue answered; who asks it for jobs that have all left is told an error."""
        return self.code == "0" or invalid_job_id(self.before)


def _parts(out: str, token: str) -> Iterator[_Part]:
    before = ""
    for part in f"\n{out}".split(f"\n{token} ")[1:]:
        head, _, text = part.partition("\n")
        what, where, code = (*head.split(), "", "", "")[:3]
        yield _Part(what=what, where=where or "-", code=code, text=text, before=before)
        before = text


def _lost(lists: Sequence[_Part], sizes: Sequence[_Part]) -> dict[str, Lost]:
    counted = {(each.where, each.code): each.text.strip() for each in sizes}
    found = {}
    for each in lists:
        native = each.code if each.where == "-" else f"{each.code};{each.where}"
        rows = (line.partition("|") for line in each.text.split("\n") if "|" in line)
        size = counted.get((each.where, each.code), "")
        found[native] = Lost({row[0]: row[2] for row in rows}, int(size) if size.isdigit() else 0)
    return found


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
    found = (report.folders or {}).get(key)
    files = files_of(found or {})
    row = row_of(report, key, native)
    if (told := verdict_of(files)) is not None:
        return told
    if row is not None and is_live(row.state):
        return _alive(row, files, now)
    where = native.partition(";")[2] or "-"
    if where in report.silent:
        return _unknown(f"Slurm does not answer: {report.silent[where]}", Reason.UNREACHABLE)
    accounted = start_of(report, key, native)
    if accounted is not None and not is_live(accounted.state):
        return _ended(status_from_accounting(accounted), accounted.state, files, now - missing)
    if row is not None:
        return _ended(status_from_queue(row, now=now), row.state, files, now - missing)
    why = _undecided(report, where, found)
    if why is None and accounted is not None and now - missing < BACKLOG:
        why = f"it has left the queue, and accounting still has it as {accounted.state}"
    return _gone(found, now - missing) if why is None else _unknown(why)


def is_missing(report: Report, key: str, native: str) -> bool:
    """Whether all who were asked have answered, and none has this job as alive."""
    row, where = row_of(report, key, native), native.partition(";")[2] or "-"
    if row is not None:
        return not is_live(row.state)
    return where in report.answered and not _speechless(report, where)


def row_of(report: Report, key: str, native: str) -> QueueRow | None:
    """The job in the queue, unless its number was given to another one."""
    row = report.queue.get(native)
    return row if row is not None and _is(row.name, row.comment, key) else None


def start_of(report: Report, key: str, native: str) -> Accounted | None:
    """The last start of the job that accounting knows, which may know other jobs of its number."""
    newest = report.accounting.get(native)
    starts = (*newest.earlier, newest) if newest is not None else ()
    own = [each for each in starts if _is(each.name, each.comment, key)]
    return replace(own[-1], earlier=tuple(own[:-1])) if own else None


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
    # Of what has run its own word may come late; what never began leaves none.
    cancelled = said.state is JobState.CANCELLED and (files.cancelled or not files.history)
    if since < SETTLING and not cancelled:
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
        failing_rank=rank if isinstance(rank := failure.get("rank"), int) else None,
    )


def _undecided(report: Report, where: str, found: Mapping[str, str] | None) -> str | None:
    """Why it means nothing yet that neither the queue nor the accounting knows a job."""
    if where not in report.answered:
        return "Slurm was not asked"
    if _speechless(report, where):
        complaint = report.unaccounted[where]
        return f"it has left the queue, and accounting does not answer: {complaint}"
    cluster = (found or {}).get("cluster", "").strip()
    if cluster and where == "-" and cluster != report.cluster:
        return f"it is a job of the cluster {cluster}, not of {report.cluster or 'this'}"
    return "the folder of the jobs is not there" if report.folders is None else None


def _speechless(report: Report, where: str) -> bool:
    """Whether this cluster has accounting, which does not answer now."""
    complaint = report.unaccounted.get(where)
    return complaint is not None and not accounting_disabled(complaint)


def _gone(found: Mapping[str, str] | None, since: float) -> JobStatus:
    """A job that neither the queue nor the accounting knows."""
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
    named = name.endswith(f"nemorun-{key.rpartition('-')[0]}")
    return named or comment.partition(" ")[0] == f"nemorun:{key}"


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
