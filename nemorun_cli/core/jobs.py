"""What a job is: what to execute, where it is, what the back-end says of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Self
from urllib.parse import quote, unquote


class JobState(StrEnum):
    """The small set of states; UNKNOWN is an answer of a poll and is never stored."""

    SUBMITTING = "SUBMITTING"
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    LOST = "LOST"
    UNKNOWN = "UNKNOWN"

    @property
    def terminal(self) -> bool:
        """Whether a run in this state stays in it for ever."""
        return self in _TERMINAL


_TERMINAL = frozenset(
    {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.LOST},
)
LIVE_STATES = (JobState.SUBMITTING, JobState.PENDING, JobState.RUNNING)


NEVER = "never starts"
"""How the detail of a PENDING job begins that its back-end will not start as it stands."""


class Reason(StrEnum):
    """Why a job is in its state."""

    EXIT = "exit"
    SIGNAL = "signal"
    TIME_LIMIT = "time_limit"
    OOM = "oom"
    PREEMPTED = "preempted"
    NODE_FAILURE = "node_failure"
    IMPORT_ERROR = "import_error"
    DEPENDENCY = "dependency"
    WAITING = "waiting"
    NEVER_SUBMITTED = "never_submitted"
    SUBMIT_REFUSED = "submit_refused"
    CANCELLED = "cancelled"
    LOST = "lost"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One start of a run's payload. Times are seconds since 1970, UTC; None is unknown."""

    number: int
    started_at: float | None = None
    ended_at: float | None = None
    exit_code: int | None = None
    signal: int | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class JobStatus:
    """What the back-end says about a job, and nothing we made up."""

    state: JobState
    reason: Reason | None = None
    reason_detail: str = ""
    exit_code: int | None = None
    signal: int | None = None
    attempt: int = 1
    started_at: float | None = None
    ended_at: float | None = None
    failing_rank: int | None = None
    """The rank that failed first, where several ran."""
    attempts: tuple[Attempt, ...] = ()


@dataclass(frozen=True, kw_only=True)
class JobHandle:
    """Where a job is. Its text, `type://target/key/native-id`, round-trips."""

    executor: str
    target: str
    key: str
    native_id: str

    def __str__(self) -> str:
        parts = "/".join(quote(part, safe="") for part in (self.target, self.key, self.native_id))
        return f"{self.executor}://{parts}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The handle that this text stands for; ValueError for any other text."""
        executor, _, rest = text.partition("://")
        parts = [unquote(part) for part in rest.split("/")]
        if not executor or len(parts) != 3:  # noqa: PLR2004
            raise ValueError(f"not a job handle: {text!r}")
        return cls(executor=executor, target=parts[0], key=parts[1], native_id=parts[2])


def setting(
    default: Any,  # noqa: ANN401
    doc: str,
    *,
    kind: str = "",
    choices: tuple[str, ...] = (),
) -> Any:  # noqa: ANN401
    """A dataclass field that a user may set with `-x NAME=VALUE`.

    `kind` says how its text is read where the annotation does not: `duration` gives seconds.
    With `choices`, it is one of these words.
    """
    metadata = {"doc": doc, "kind": kind, "choices": choices}
    if isinstance(default, (list, dict)):
        return field(default_factory=default.copy, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a job asks for, under the names common to all executors. Durations are seconds."""

    causes: ClassVar[tuple[str, ...]] = (Reason.EXIT, Reason.SIGNAL, Reason.TIME_LIMIT)
    """Why an attempt may have ended, where there can be a next one: what `retry` may name."""

    nodes: int = setting(1, "how many nodes")
    nproc: int = setting(1, "processes per node; more than one needs launcher=torchrun")
    gpus_per_node: int | None = setting(None, "GPUs on each node")
    time: int | None = setting(None, "time limit of one attempt", kind="duration")
    grace: int = setting(30, "time between the first signal and KILL", kind="duration")
    retries: int = setting(0, "how often a failed attempt is started again")
    retry: tuple[str, ...] = setting((), "the same by cause: `exit=0,signal=2,time_limit=inf`")
    retry_window: int | None = setting(
        None, "time after the first start in which the next ones may begin", kind="duration"
    )
    launcher: str = setting("plain", "how processes start: plain or torchrun")
    python: str | None = setting(None, "the interpreter that runs the recipe")
    link: tuple[str, ...] = setting((), "ignored paths of the project that the job may read")
    split_streams: bool = setting(False, "keep standard error in a file of its own")  # noqa: FBT003


@dataclass(frozen=True, kw_only=True)
class Dependency:
    """A run that has to end before this one may start."""

    run_id: str
    condition: str
    """`ok`, `any` or `notok`."""
    handle: JobHandle
    directory: str


@dataclass(frozen=True, kw_only=True)
class Repository:
    """What git knew of the code in a snapshot, or in a part of it, when that was taken."""

    place: str
    """The folder of the snapshot in which its files lie; empty for all that is in no other."""
    root: str
    """The folder it was taken from."""
    commit: str | None = None
    """The one that was checked out."""
    branch: str | None = None
    remote: str | None = None
    """Its address, without credentials."""
    dirty: bool = False
    """Whether the code differs from the commit."""
    changed: tuple[str, ...] = ()
    """Tracked files that differ from the commit, the first hundred."""
    untracked: tuple[str, ...] = ()
    """Files of the snapshot that git does not track, the first hundred."""
    patch: str | None = None
    """The name, in the store, of the patch that makes the code of the commit."""


@dataclass(frozen=True, kw_only=True)
class Code:
    """The snapshot a job runs from."""

    hash: str
    path: str
    """Where it lies on the submitting side."""
    root: str
    """The project folder it was taken from."""
    entries: tuple[str, ...]
    """The paths in it to which a working folder links, sorted; mostly its top-level names."""
    files: int = 0
    bytes: int = 0
    commit: str | None = None
    repositories: tuple[Repository, ...] = ()
    """The project's own first, if it has one; then those inside, then those that go with it."""
    imports: tuple[str, ...] = ()
    """Folders of it from which Python imports before it looks into its environment."""
    live: tuple[str, ...] = ()
    """Code that a job imports from where it is, and that may still change: what, and why."""


@dataclass(frozen=True, kw_only=True)
class JobSpec:
    """All that an executor needs to know to start a job; resources included."""

    run_id: str
    key: str
    name: str
    argv: tuple[str, ...] | None = None
    """The command line to execute; None means that the worker executes `config`."""
    config: str | None = None
    """The text of config.json."""
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Values that may appear in no file of ours, no argv and no log."""
    resources: Resources = field(default_factory=Resources)
    code: Code | None = None
    links: Mapping[str, str] = field(default_factory=dict)
    """Further entries of the working folder: name to absolute path on the submitting side."""
    workdir: str = ""
    """Where the payload starts: relative to the job's working folder, or absolute without code."""
    after: tuple[Dependency, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a submission would write and run: `files` maps path to text, relative to the job."""

    files: Mapping[str, str]
    commands: tuple[tuple[str, ...], ...]
    directory: str
    links: Mapping[str, str] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    """What whoever launches should know of it beforehand."""


@dataclass(frozen=True, kw_only=True)
class Blame:
    """What speaks against one node of a cluster."""

    node: str
    cause: str
    """`node_failure`; or `rank_failure`, the first of several nodes on which a rank failed."""
    run_id: str
    attempt: int
    time: float
    nodes: int = 0
    """How many nodes the cluster had then; 0 is unknown."""


REMARK = "remark"
"""The stream of what an executor says to whoever reads the output, and no job wrote."""


@dataclass(frozen=True, kw_only=True)
class LogLine:
    """One line of a job's output, without its line end."""

    text: str
    rank: int | None = 0
    """None is the launcher's own output."""
    node: str | None = None
    stream: str | None = None
    time: float | None = None
    attempt: int = 1


@dataclass(frozen=True, kw_only=True)
class JobFile:
    """A file that a job has left in its working folder."""

    path: str
    """Below the working folder, with `/`; bytes that are no UTF-8 stand as surrogates."""
    size: int
    modified_ns: int
    """When it was last changed, in nanoseconds since 1970."""
