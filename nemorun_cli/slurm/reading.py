"""What sbatch, squeue and sacct print, as values: job ids, rows of the queue, accounted jobs.

No text makes these functions fail. What is no row is passed over: banners, headers, warnings.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from nemorun_cli.slurm.states import word_of

SQUEUE_FORMAT = "%i|%T|%r|%S|%V|%N|%j|%k"
"""For `squeue --noheader --format`: texts that users choose come last, for they may hold a `|`."""
SACCT_FIELDS = "JobID,State,ExitCode,Submit,Start,End,NodeList,JobName,Comment"
"""For `sacct --noheader --parsable2 --format`. Every version since 17.02 knows these fields.

Comment is empty unless the site sets AccountingStoreFlags=job_comment (slurm.conf(5)).
"""

_ID = r"[0-9]+(?:_(?:[0-9]+|\[[^\]|]*\]?))?(?:\+[0-9]+)?"
_JOB = re.compile(_ID)
_JOB_OR_STEP = re.compile(rf"({_ID})(?:\.(\S+))?")
_HEADER = re.compile(r"CLUSTER:\s*(\S+)")
_SUBMITTED = (
    re.compile(r"([0-9]{1,10})(?:;([\w.-]+))?"),
    re.compile(r".*\bSubmitted batch job ([0-9]{1,10})(?: on cluster ([\w.-]+))?\b.*"),
)
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_LARGEST_ID = _NO_TIME = 2**32 - 3  # slurm.h has NO_VAL and INFINITE above it.


@dataclass(frozen=True, kw_only=True)
class JobId:
    """What sbatch calls a job. Its text is that of `sbatch --parsable`: `12` or `12;cluster`."""

    id: str
    cluster: str | None = None
    """None where sbatch named none: then commands on this job carry no `-M` either."""

    def __str__(self) -> str:
        return self.id if self.cluster is None else f"{self.id};{self.cluster}"


@dataclass(frozen=True, kw_only=True)
class QueueRow:
    """One job as squeue(1) shows it. Times are seconds since 1970; None is unknown."""

    id: str
    state: str
    """Slurm's own word."""
    reason: str = ""
    """Why it is pending, or how it ended, in Slurm's own words."""
    start: float | None = None
    """Of a pending job: when Slurm expects to start it."""
    submit: float | None = None
    """Each requeue sets it anew."""
    nodes: str = ""
    name: str = ""
    comment: str = ""
    cluster: str | None = None


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of a job: `batch`, `extern`, or the number of an srun."""

    name: str
    state: str
    exit_code: int | None = None
    signal: int | None = None


@dataclass(frozen=True, kw_only=True)
class Accounted:
    """One start of a job as sacct(1) has it. Times are seconds since 1970; None is unknown."""

    id: str
    state: str
    """Slurm's own word, such as `CANCELLED by 501`."""
    exit: str = ""
    """Slurm's own ExitCode, such as `0:125`."""
    exit_code: int | None = None
    signal: int | None = None
    submit: float | None = None
    """Each requeue sets it anew."""
    start: float | None = None
    end: float | None = None
    nodes: str = ""
    name: str = ""
    comment: str = ""
    steps: tuple[Step, ...] = ()
    earlier: tuple["Accounted", ...] = field(default=())
    """Earlier starts under the same id, oldest first; their own `earlier` is empty."""

    @property
    def earlier_words(self) -> tuple[str, ...]:
        """How the earlier starts ended, such as `("PREEMPTED", "NODE_FAIL")`."""
        return tuple(each.state for each in self.earlier)


def parse_submitted(stdout: str) -> JobId | None:
    """The job that sbatch says it has taken; None if it says so nowhere.

    Reads `12`, `12;cluster` (sbatch(1), --parsable) and `Submitted batch job 12 on cluster x`,
    each alone on its line; the last such line counts, whatever site banners and wrappers print.
    """
    for line in reversed(_COLOURS.sub("", stdout).split("\n")):
        for pattern in _SUBMITTED:
            found = pattern.fullmatch(line.strip())
            if found and 0 < int(found[1]) <= _LARGEST_ID:
                return JobId(id=str(int(found[1])), cluster=found[2])
    return None


def parse_squeue(stdout: str) -> dict[str, QueueRow]:
    """The rows of `squeue --format SQUEUE_FORMAT`, by the text of their JobId.

    With `-M`, squeue heads the rows of each cluster with `CLUSTER: name`; these rows' keys are
    `12;name`. An array's waiting tasks are one row, `12_[4-9%2]`. A job that is not here has left
    the queue only if squeue succeeded, or complained of nothing but an invalid job id.
    """
    rows: dict[str, QueueRow] = {}
    cluster = None
    for line in stdout.split("\n"):
        if header := _HEADER.fullmatch(line.strip()):
            cluster = header[1]
        elif row := _queue_row(line):
            key = JobId(id=row.id, cluster=cluster)
            rows[str(key)] = replace(row, cluster=cluster)
    return rows


def parse_sacct(
    stdout: str,
    *,
    cluster: str | None = None,
    mine: Callable[[Accounted], bool] = lambda _: True,
) -> dict[str, Accounted]:
    """The rows of `sacct --duplicates --format SACCT_FIELDS`, by the text of their JobId.

    `cluster` is the one that was asked with `-M`, if any. Several rows of one id are several
    starts of one job: the newest is the value, the others are its `earlier`. An id may also have
    been another job's before: starts that are not `mine` are as good as absent.
    """
    starts: dict[str, list[Accounted]] = {}
    for found in _starts(stdout):
        if mine(found):
            starts.setdefault(str(JobId(id=found.id, cluster=cluster)), []).append(found)
    return {key: _newest(found) for key, found in starts.items()}


def parse_exit(text: str) -> tuple[int | None, int | None]:
    """The exit code and the signal of `code:signal`, as sacct(1) has it under ExitCode.

    `0:9` gives (None, 9), for what a signal ends has no exit code. What is no signal, as in the
    `0:125` of a job that ran out of memory, gives neither. sacct takes 128 from the codes above
    it: a batch script that ends with 137 has `9:0`.
    """
    found = re.fullmatch(r"([0-9]{1,10})(?::([0-9]{1,10}))?", text.strip())
    if not found:
        return None, None
    code, signal = int(found[1]), int(found[2] or 0)
    if not signal:
        return code, None
    return code or None, signal if signal < _NO_SIGNAL else None


_NO_SIGNAL = 65


def _queue_row(line: str) -> QueueRow | None:
    cells = [cell.strip() for cell in line.split("|", 7)]
    if len(cells) < 2 or not _JOB.fullmatch(cells[0]):  # noqa: PLR2004
        return None
    if len(cells) < 8 and word_of(cells[1]) is None:  # noqa: PLR2004
        return None  # A name may hold a line end: what is cut short is a row if it has a state.
    number, state, reason, start, submit, nodes, name, comment = [*cells, *[""] * 6][:8]
    return QueueRow(
        id=number,
        state=state,
        reason=_given(reason),
        start=_moment(start),
        submit=_moment(submit),
        nodes=_given(nodes),
        name=name,
        comment=_given(comment),
    )


def _starts(stdout: str) -> Iterator[Accounted]:
    """Each start with its steps, which sacct prints right below it."""
    current: Accounted | None = None
    for line in stdout.split("\n"):
        cells = [cell.strip() for cell in line.split("|", 8)]
        found = _JOB_OR_STEP.fullmatch(cells[0])
        if not found or len(cells) < 3:  # noqa: PLR2004
            continue
        if found[2] is None:
            if current:
                yield current
            current = _start(found[1], cells)
        elif current and current.id == found[1]:
            code, signal = parse_exit(cells[2])
            step = Step(name=found[2], state=cells[1], exit_code=code, signal=signal)
            current = replace(current, steps=(*current.steps, step))
    if current:
        yield current


def _start(number: str, cells: list[str]) -> Accounted:
    _, state, exit_text, submit, start, end, nodes, name, comment = [*cells, *[""] * 6][:9]
    code, signal = parse_exit(exit_text)
    return Accounted(
        id=number,
        state=state,
        exit=exit_text,
        exit_code=code,
        signal=signal,
        submit=_moment(submit),
        start=_moment(start),
        end=_moment(end),
        nodes="" if nodes == "None assigned" else nodes,
        name=name,
        comment=_given(comment),
    )


def _newest(starts: list[Accounted]) -> Accounted:
    *earlier, newest = sorted(starts, key=lambda found: found.submit or 0)
    return replace(newest, earlier=tuple(earlier))


def _moment(text: str) -> float | None:
    """Seconds since 1970. A local time without its zone could be any hour: None."""
    if re.fullmatch(r"[0-9]{1,10}", text):
        seconds = int(text)
        return float(seconds) if 0 < seconds < _NO_TIME else None
    try:
        moment = datetime.fromisoformat(text)
        return moment.timestamp() if moment.tzinfo else None
    except (ValueError, OverflowError, OSError):
        return None


def _given(text: str) -> str:
    """Slurm prints `(null)`, `N/A` or `n/a` for what there is not."""
    return "" if text.lower() in {"(null)", "n/a"} else text
