"""An executor without a back-end, for tests of what is built on executors."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, ClassVar, Self

from nemorun_cli.core.errors import NemorunError, SpecError, UnreachableError
from nemorun_cli.core.jobs import (
    JobHandle,
    JobSpec,
    JobState,
    JobStatus,
    LogLine,
    Plan,
    Reason,
    Resources,
)


@dataclass
class FakeWorld:
    """What a fake back-end holds; tests change it as they please."""

    statuses: dict[str, JobStatus] = field(default_factory=dict)
    specs: dict[str, JobSpec] = field(default_factory=dict)
    cancelled: list[str] = field(default_factory=list)
    polls: int = 0
    unreachable: bool = False
    refuse: NemorunError | None = None
    lines: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class FakeExecutor:
    """An executor without a back-end: jobs stay PENDING until a test says otherwise."""

    name: ClassVar[str] = "fake"
    summary: ClassVar[str] = "a back-end for tests"
    instant: ClassVar[bool] = False
    settle: ClassVar[float] = 0
    Resources: ClassVar[type[Resources]] = Resources
    worlds: ClassVar[dict[str, FakeWorld]] = {}

    world: str = "world"

    @classmethod
    def here(cls, home: PurePath, **settings: Any) -> Self:  # noqa: ANN401, ARG003
        """The fake of the world that the settings name."""
        return cls(**settings)

    @property
    def target(self) -> str:
        """The world's name."""
        return self.world

    @property
    def state(self) -> FakeWorld:
        """The world itself."""
        return self.worlds.setdefault(self.world, FakeWorld())

    def directory(self, key: str) -> str:
        """A folder that is nowhere."""
        return f"/nowhere/{key}"

    def plan(self, spec: JobSpec) -> Plan:
        """One command that is never run."""
        if spec.resources.nodes < 1:
            raise SpecError(f"nodes must be 1 or more, got {spec.resources.nodes}")
        return Plan(files={}, commands=(("fake", spec.key),), directory=self.directory(spec.key))

    def submit(self, spec: JobSpec) -> JobHandle:
        """Remember the job, unless the world refuses it."""
        if self.state.refuse is not None:
            raise self.state.refuse
        self.state.specs.setdefault(spec.key, spec)
        self.state.statuses.setdefault(spec.key, JobStatus(state=JobState.PENDING))
        return self._handle(spec.key)

    def find(self, key: str) -> JobHandle | None:
        """The job, if the world has it."""
        return self._handle(key) if key in self.state.statuses else None

    def poll(self, handles: Sequence[JobHandle]) -> dict[JobHandle, JobStatus]:
        """What the world says; UnreachableError when it was made unreachable."""
        self.state.polls += 1
        if self.state.unreachable:
            raise UnreachableError(f"{self.world} does not answer")
        unknown = JobStatus(state=JobState.UNKNOWN, reason_detail="no such job")
        return {handle: self.state.statuses.get(handle.key, unknown) for handle in handles}

    def logs(
        self,
        handle: JobHandle,
        *,
        follow: bool = False,  # noqa: ARG002
        tail: int | None = None,
        rank: int | None = None,
    ) -> Iterator[LogLine]:
        """The lines a test has put there."""
        lines = self.state.lines.get(handle.key, [])
        for text in lines if tail is None else lines[len(lines) - min(tail, len(lines)) :]:
            yield LogLine(text=text, rank=rank or 0)

    def cancel(self, handle: JobHandle) -> None:
        """Note the request, and end a job that is alive."""
        self.state.cancelled.append(handle.key)
        status = self.state.statuses.get(handle.key)
        if status is not None and not status.state.terminal:
            ended = JobStatus(state=JobState.CANCELLED, reason=Reason.CANCELLED)
            self.state.statuses[handle.key] = ended

    def _handle(self, key: str) -> JobHandle:
        return JobHandle(executor=self.name, target=self.target, key=key, native_id=key)
