"""Slurm's words for the state of a job, and what each means.

The words are those of squeue(1) and sacct(1), "JOB STATE CODES", of versions 17.02 to 25.11, and
of Slurm's page "Job State Codes", which adds flags that only its JSON output shows.
"""

from dataclasses import dataclass

from nemorun_cli.core.jobs import JobState, Reason

_PENDING, _RUNNING = JobState.PENDING, JobState.RUNNING
OUT_OF_MEMORY = "it used more memory than it asked for; ask for more (`-x mem=`)"
_RELEASE = "`scontrol release ID` lets it start"
_FAILED, _CANCELLED = JobState.FAILED, JobState.CANCELLED


@dataclass(frozen=True, kw_only=True)
class Word:
    """One of Slurm's words for a state."""

    name: str
    code: str
    state: JobState
    reason: Reason | None = None
    text: str = ""
    """What it means, where the state alone does not say it."""
    requeues: bool = False
    """Whether Slurm may start the job again under the same id: it is the end only if it stays."""


def _word(name: str, code: str, state: JobState, text: str = "") -> Word:
    reason, requeues = _REASONS.get(name), name in _REQUEUES
    return Word(name=name, code=code, state=state, reason=reason, text=text, requeues=requeues)


_REASONS = {
    "FAILED": Reason.EXIT,
    "TIMEOUT": Reason.TIME_LIMIT,
    "DEADLINE": Reason.TIME_LIMIT,
    "OUT_OF_MEMORY": Reason.OOM,
    "PREEMPTED": Reason.PREEMPTED,
    "NODE_FAIL": Reason.NODE_FAILURE,
    "BOOT_FAIL": Reason.NODE_FAILURE,
    "LAUNCH_FAILED": Reason.NODE_FAILURE,
    "RECONFIG_FAIL": Reason.NODE_FAILURE,
    "CANCELLED": Reason.CANCELLED,
    "REVOKED": Reason.CANCELLED,
}
_REQUEUES = {
    *("PREEMPTED", "NODE_FAIL", "BOOT_FAIL", "LAUNCH_FAILED", "RECONFIG_FAIL", "EXPEDITING"),
    *("REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD"),
}
WORDS = (
    _word("PENDING", "PD", _PENDING),
    _word("CONFIGURING", "CF", _PENDING, "its nodes are being made ready, which may take minutes"),
    _word("POWER_UP_NODE", "", _PENDING, "its nodes are being switched on"),
    _word("REQUEUED", "RQ", _PENDING, "it is being put back into the queue"),
    _word("REQUEUE_FED", "RF", _PENDING, "its federation is putting it back into the queue"),
    _word("REQUEUE_HOLD", "RH", _PENDING, f"it is back in the queue, and held; {_RELEASE}"),
    _word(
        "SPECIAL_EXIT",
        "SE",
        _PENDING,
        f"the site put it back into the queue, and holds it; {_RELEASE}",
    ),
    _word(
        "RESV_DEL_HOLD", "RD", _PENDING, f"its reservation was deleted, and it is held; {_RELEASE}"
    ),
    _word("EXPEDITING", "", _PENDING, "Slurm is deciding whether to start it again at once"),
    _word("RUNNING", "R", _RUNNING),
    _word("COMPLETING", "CG", _RUNNING, "it has ended, and Slurm is cleaning up after it"),
    _word("SIGNALING", "SI", _RUNNING, "it is being sent a signal"),
    _word("STAGE_OUT", "SO", _RUNNING, "its files are being staged out"),
    _word("RESIZING", "RS", _RUNNING, "its size is being changed"),
    _word("SUSPENDED", "S", _RUNNING, "it is suspended, and others use its cores"),
    _word("STOPPED", "ST", _RUNNING, "it is stopped by SIGSTOP, and keeps its cores"),
    _word("COMPLETED", "CD", JobState.SUCCEEDED),
    _word("FAILED", "F", _FAILED),
    _word("TIMEOUT", "TO", _FAILED, "it reached its time limit"),
    _word("DEADLINE", "DL", _FAILED, "its deadline passed"),
    _word("OUT_OF_MEMORY", "OOM", _FAILED, OUT_OF_MEMORY),
    _word("PREEMPTED", "PR", _FAILED, "it had to make room for another job"),
    _word("NODE_FAIL", "NF", _FAILED, "one of its nodes failed"),
    _word("BOOT_FAIL", "BF", _FAILED, "one of its nodes did not boot"),
    _word("LAUNCH_FAILED", "", _FAILED, "it could not be launched on its nodes"),
    _word("RECONFIG_FAIL", "", _FAILED, "its nodes could not be configured for it"),
    _word("CANCELLED", "CA", _CANCELLED),
    _word("REVOKED", "RV", _CANCELLED, "another cluster of the federation started it"),
)
_BY_NAME = {word.name: word for word in WORDS} | {word.code: word for word in WORDS if word.code}


def word_of(text: str) -> Word | None:
    """The word that a State column holds; None for one that no known version writes.

    Long and short codes count in any case, `CANCELLED by 501` too, and a name that was cut to the
    width of its column, as sacct(1) does with a `+` at the end, if only one name begins so.
    """
    first = next(iter(text.split()), "").upper()
    if not first.endswith("+"):
        return _BY_NAME.get(first)
    begun = first.rstrip("+")
    cut = [word for word in WORDS if begun and word.name.startswith(begun)]
    return next((word for word in cut if word.name == begun or len(cut) == 1), None)


def state_of(text: str) -> JobState:
    """The state that a word of Slurm's stands for; UNKNOWN for an unknown word, never an error."""
    word = word_of(text)
    return word.state if word else JobState.UNKNOWN


def reason_of(text: str) -> Reason | None:
    """Why a job is in the state that this word names, as far as the word alone says it."""
    word = word_of(text)
    return word.reason if word else None


def may_be_requeued(text: str) -> bool:
    """Whether a job with this word may yet start again under the same id.

    PREEMPTED, NODE_FAIL and their like are the end only of a job that Slurm does not requeue.
    """
    word = word_of(text)
    return word is not None and word.requeues


def is_live(text: str) -> bool:
    """Whether a job with this word is queued or running; False for an unknown word."""
    return state_of(text) in {JobState.PENDING, JobState.RUNNING}
