"""What the layers ask of each other, as protocols."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, BinaryIO, ClassVar, Protocol, Self, runtime_checkable

from nemorun_cli.core.jobs import (
    Blame,
    JobFile,
    JobHandle,
    JobSpec,
    JobStatus,
    LogLine,
    Plan,
    Resources,
)

Clock = Callable[[], float]


@dataclass(frozen=True, kw_only=True)
class Finished:
    """How a script on a host has ended."""

    code: int
    """Its exit code; 128 and the signal's number for one that a signal ended."""
    out: bytes
    err: bytes


class Tunnel(Protocol):
    """How scripts and bytes reach a host. Creating one touches nothing; each call is one trip."""

    @property
    def host(self) -> str:
        """The host as the user names it; empty for this machine."""

    def run(self, script: str, *, data: bytes | BinaryIO = b"", timeout: float = 60) -> Finished:
        """Run a POSIX sh script on the host in the user's home, with `data` as its standard input.

        `out` and `err` are the script's own, byte for byte, whatever login shells print. A program
        that the tunnel is told of is found even if only a login shell has it on its PATH. Any exit
        code is an answer, no error.

        RefusedError: the host, or its key, was not accepted, or did not accept us. NotSentError:
        the host cannot be reached, and nothing was started. UnreachableError: the connection broke
        or `timeout` seconds went by, and the script may have run, or may still be running.
        """


class Executor(Protocol):
    """A kind of place where jobs run, as a frozen dataclass of its target.

    Creating one touches nothing. No method may assume a shared file system, a resident login
    host, or a POSIX shell on the submitting side.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    """What it is, in a few words."""
    instant: ClassVar[bool]
    """Whether a poll costs no request, so that every reading command makes one."""
    settle: ClassVar[float]
    """Seconds after which a job that `find` does not know was never submitted."""
    Resources: ClassVar[type[Resources]]
    """The settings a job may ask this executor for."""

    @classmethod
    def here(cls, home: PurePath, **settings: Any) -> Self:  # noqa: ANN401
        """The executor that a launch from this machine, with its store in `home`, would use."""

    @property
    def target(self) -> str:
        """Where exactly, as short text: handles of equal type and target are polled together."""

    def directory(self, key: str) -> str:
        """The job's own folder, where the executor keeps it."""

    def plan(self, spec: JobSpec) -> Plan:
        """What `submit` would write and run. Pure.

        SpecError for what is knowably wrong now.
        """

    def submit(self, spec: JobSpec) -> JobHandle:
        """Hand the job to the back-end; idempotent in `spec.key`, from any process.

        When it returns, the back-end has the job. When it raises, `find` tells whether it does;
        RefusedError says that it does not and will not.
        """

    def find(self, key: str) -> JobHandle | None:
        """What an interrupted submit left behind. Starts nothing.

        None is final once the submitter is dead: the job can never start after it.
        """

    def poll(self, handles: Sequence[JobHandle]) -> dict[JobHandle, JobStatus]:
        """The status of each, in as few requests as the back-end allows.

        An unknown job is UNKNOWN with a reason. UnreachableError when nobody answers.
        """

    def logs(
        self,
        handle: JobHandle,
        *,
        follow: bool = False,
        tail: int | None = None,
        rank: int | None = None,
    ) -> Iterator[LogLine]:
        """The job's output, of one rank, or of rank 0 and the first failing one. Stateless.

        With `follow` it ends when the job has ended and its last line was given.
        """

    def cancel(self, handle: JobHandle) -> None:
        """Ask the job to end. Idempotent, does not wait, never changes a job that has ended."""


@runtime_checkable
class CanWait(Protocol):
    """An executor that can sleep until one of its jobs may have news."""

    def wait(self, handles: Sequence[JobHandle], *, timeout: float) -> None:
        """Return when a job may have changed, or after `timeout` seconds."""


@runtime_checkable
class LaysOutCode(Protocol):
    """An executor on the store's own disk whose jobs lay out a snapshot that is not whole there."""

    lays_out_code: ClassVar[bool]


@runtime_checkable
class CanGlance(Protocol):
    """An executor that can see some ends without asking its back-end."""

    def glance(self, handles: Sequence[JobHandle]) -> dict[JobHandle, JobStatus]:
        """The status of those jobs whose end can be seen; of the others nothing."""


@runtime_checkable
class AsksRarely(Protocol):
    """An executor that knows how often its back-end may be asked."""

    def floor(self) -> float:
        """Seconds for which an answer is good enough; 30 where nobody says."""


@runtime_checkable
class CanPollNow(Protocol):
    """An executor whose `poll` may give an answer that is some seconds old."""

    def poll_now(self, handles: Sequence[JobHandle]) -> dict[JobHandle, JobStatus]:
        """As `poll`, from the back-end as it is now. For people, not for loops."""


@runtime_checkable
class CanCancelTogether(Protocol):
    """An executor that can ask many jobs to end by few requests."""

    def cancel_all(self, handles: Sequence[JobHandle]) -> None:
        """As `cancel` of each."""


@runtime_checkable
class CanRemove(Protocol):
    """An executor whose job folders can be deleted."""

    def remove(self, key: str) -> None:
        """Delete the folder of a job that has ended. A second call does nothing."""


@runtime_checkable
class CanMeasure(Protocol):
    """An executor that can say how much room its jobs' folders take."""

    def sizes(self, keys: Sequence[str]) -> dict[str, int]:
        """Bytes on the disk of the folder of each of these jobs that has one, in few requests.

        UnreachableError when nobody answers.
        """


@runtime_checkable
class KeepsCode(Protocol):
    """An executor that sends the code of its jobs to another host."""

    def code_place(self) -> tuple[Tunnel, str] | None:
        """The way there, and the folder of the jobs' folders, in which `code` holds the snapshots.

        None where it sends none.
        """


@runtime_checkable
class CanExamine(Protocol):
    """An executor that can say whether its back-end is in order."""

    def examine(self) -> Iterator[tuple[str, bool, str]]:
        """One (what, whether it is in order, what was seen) for each thing it needs."""


@runtime_checkable
class BlamesNodes(Protocol):
    """An executor that remembers on which nodes jobs have failed, and keeps new ones off these."""

    def blamed(self) -> Sequence[tuple[Blame, bool]]:
        """All that is remembered, newest first, and whether its node is kept off. Asks nobody."""


@runtime_checkable
class HasMetrics(Protocol):
    """An executor that can hand out the metrics a job has tracked."""

    def metrics(self, handle: JobHandle, *, tail: int | None = None) -> Iterator[dict[str, Any]]:
        """One {time, step, rank, metrics} for each line tracked, oldest first.

        With `tail`, those of the last lines alone, without reading the others.
        """


@runtime_checkable
class HasFiles(Protocol):
    """An executor that can hand out the files a job has left in its working folder."""

    def files(self, handle: JobHandle, pattern: str) -> Iterator[JobFile]:
        """The files whose path `core.globs` matches with this pattern, in the order of their paths.

        A link counts as the file it leads to, if that is in the working folder too: so the job's
        code, which is linked there, is left out. UnreachableError when nobody answers.
        """

    def read(self, handle: JobHandle, path: str, *, offset: int = 0) -> Iterator[bytes]:
        """The content of such a file from this byte on, in pieces; each is read as it is asked for.

        NotFoundError if there is none, or it is not in the working folder.
        """


@runtime_checkable
class HasEnvironment(Protocol):
    """An executor that can hand out what a job has recorded of its environment."""

    def environment(self, handle: JobHandle) -> Mapping[str, Any] | None:
        """What the job's environment.json says; None while there is none.

        `image` is what the back-end knows of it: the digest, where there is one.
        """


@runtime_checkable
class ForeseesEnvironment(Protocol):
    """An executor that can see, before a launch, what the job would find."""

    def still_finds(
        self, spec: JobSpec, recorded: Mapping[str, Any], *, since: float
    ) -> bool | None:
        """Whether the job would record an environment of the same fingerprint as `recorded`.

        That was recorded at `since` or later. None where it cannot be told for certain without
        starting something.
        """
