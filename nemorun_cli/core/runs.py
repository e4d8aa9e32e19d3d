"""A run: what was launched, once and for all, and how it stands."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nemorun_cli.core.jobs import JobHandle, JobState, JobStatus, Reason

SCHEMA_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Process:
    """One process of one boot of one machine: what a pid alone does not say."""

    pid: int
    start: int
    """Clock ticks between boot and the start of the process (proc(5), stat field 22)."""
    boot: str
    """The kernel's boot id; another one means that the machine has restarted."""
    namespace: str
    """The pid namespace, outside which the pid means nothing."""
    machine: str


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """What is known of a run when it is launched; never changed afterwards."""

    id: str
    recipe: str
    executor: str
    target: Mapping[str, Any]
    """The executor's own fields: enough to build it again."""
    resources: Mapping[str, Any]
    directory: str
    """The job's own folder, where the executor keeps it."""
    created_at: float
    submitter: Process
    host: str
    user: str
    name: str | None = None
    profile: str | None = None
    experiment: str | None = None
    tags: tuple[str, ...] = ()
    parent: str | None = None
    config_hash: str | None = None
    code: Mapping[str, Any] | None = None
    argv: tuple[str, ...] | None = None
    """The command line of a `command` run."""
    workdir: str = "."
    """Where the payload starts, in its working folder or, without code, anywhere."""
    overrides: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    """Those of overrides, by their names as typed."""
    include_repos: tuple[str, ...] = ()
    """Folders given with --include-repo, as typed."""
    folder: str = "."
    """Where these are named from: a folder of the project or, without one, any."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Each setting as used: name to {value, source}."""
    environment: Mapping[str, Any] = field(default_factory=dict)
    """Names given with --env (and plain values), and names alone of secrets."""
    after: tuple[str, ...] = ()
    recipe_source: Mapping[str, Any] | None = None
    schema_version: int = SCHEMA_VERSION


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run as it stands. Times are seconds since 1970, UTC; None is unknown."""

    record: RunRecord
    status: JobStatus = field(default_factory=lambda: JobStatus(state=JobState.SUBMITTING))
    handle: JobHandle | None = None
    tags: tuple[str, ...] = ()
    notes: str = ""
    observed_at: float | None = None
    stale_since: float | None = None
    problems: tuple[str, ...] = ()
    """What of its record could not be read."""

    @property
    def id(self) -> str:
        """The run's id."""
        return self.record.id

    @property
    def state(self) -> JobState:
        """The state last known, never UNKNOWN."""
        return self.status.state

    @property
    def reason(self) -> Reason | None:
        """Why it is in that state."""
        return self.status.reason

    @property
    def live(self) -> bool:
        """Whether it may still change."""
        return not self.state.terminal


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which runs are asked for; an empty field asks for nothing."""

    states: tuple[JobState, ...] = ()
    recipe: str | None = None
    executor: str | None = None
    experiment: str | None = None
    tags: tuple[str, ...] = ()
    since: float | None = None
    """Created at this time or later."""

    def accepts(self, run: Run) -> bool:
        """Whether this run is among them."""
        record = run.record
        return (
            (not self.states or run.state in self.states)
            and self.recipe in (None, record.recipe)
            and self.executor in (None, record.executor, record.profile)
            and self.experiment in (None, record.experiment)
            and all(tag in run.tags for tag in self.tags)
            and (self.since is None or record.created_at >= self.since)
        )

    @property
    def empty(self) -> bool:
        """Whether it accepts every run."""
        return self == Filter()
