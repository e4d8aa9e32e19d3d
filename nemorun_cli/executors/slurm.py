"""Jobs on a Slurm cluster: on the cluster itself, or from elsewhere by way of a login node."""

import secrets
import shlex
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar, Self

from nemorun_cli import farfiles, jobfolder, processes
from nemorun_cli.core.errors import NotSentError, UnreachableError, UsageError
from nemorun_cli.core.ids import created_at
from nemorun_cli.core.jobs import (
    Blame,
    JobFile,
    JobHandle,
    JobSpec,
    JobStatus,
    LogLine,
    Plan,
    Resources,
    setting,
)
from nemorun_cli.core.ports import Tunnel
from nemorun_cli.jobfiles import environment_of
from nemorun_cli.slurm import scripts
from nemorun_cli.slurm.asking import SlurmResources, asked

if TYPE_CHECKING:
    from nemorun_cli.slurm.nodes import Memory

_FRESH_NOW = 2.0


@dataclass(frozen=True, kw_only=True)
class SlurmExecutor:
    """One cluster: nothing of ours stays on it but the jobs and their folders."""

    name: ClassVar[str] = "slurm"
    summary: ClassVar[str] = "a Slurm cluster, here or over SSH"
    instant: ClassVar[bool] = False
    settle: ClassVar[float] = 60
    Resources: ClassVar[type[Resources]] = SlurmResources

    host: str = setting("", "login node, as `ssh HOST` knows it; unset: Slurm is on this machine")
    job_dir: str = setting("", "folder for the jobs' folders, on a disk that all nodes share")
    tunnel: str = setting("auto", "how to reach the host", choices=("auto", "openssh", "paramiko"))
    ssh_config: str = setting("", "file that ssh reads instead of ~/.ssh/config")
    ssh_master: str = setting(
        "auto", "a shared connection; require: yours alone", choices=("auto", "require", "none")
    )
    poll_interval: int = setting(30, "time between two questions to Slurm", kind="duration")
    queries: str = ""
    machine: str = ""
    bad_nodes: tuple[Blame, ...] = ()
    """The nodes that a launch keeps off, newest first."""

    @classmethod
    def here(cls, home: PurePath, **settings: Any) -> Self:  # noqa: ANN401
        """The executor that the settings describe; on this machine jobs lie in the store."""
        given = {name: value for name, value in settings.items() if value != ""}
        host, folder = given.get("host", ""), given.pop("job_dir", "")
        if host and not folder.startswith("/"):
            raise UsageError(
                f"slurm on {host} needs a job_dir: an absolute path that all its nodes share",
                hint="-x job_dir=/scratch/YOU/nemorun, or in your settings file",
            )
        if not host:
            folder = str(Path(folder or home / "jobs").expanduser().absolute())
        if bad := {"%", "\\"} & set(folder):
            raise UsageError(f"job_dir: {folder} holds a {min(bad)}, which Slurm takes for its own")
        known = {"machine": processes.machine(), "queries": str(home / "queries"), **given}
        found = cls(**known, job_dir=folder)
        if host:
            found._way()  # What is wrong with it is told before a run is recorded.
        from nemorun_cli.slurm import nodes

        return replace(found, bad_nodes=nodes.bad(found._memory().recall(), time.time()))

    @property
    def target(self) -> str:
        """The host that is asked, and for where jobs lie."""
        return f"{self.host or self.machine}:{self.job_dir}"

    def directory(self, key: str) -> str:
        """The job's folder on the cluster."""
        return str(PurePosixPath(self.job_dir, key))

    def plan(self, spec: JobSpec) -> Plan:
        """The job's folder and the call of sbatch. Pure."""
        from nemorun_cli.payload import payload_files, recorder_files
        from nemorun_cli.slurm.asking import checked, sbatch_options
        from nemorun_cli.slurm.nodes import keeping_off
        from nemorun_cli.slurm.placing import placed
        from nemorun_cli.slurm.script import needs_worker, slurm_script

        ask, notices = keeping_off(checked(asked(spec)), self.bad_nodes)
        if self.host:
            spec = placed(spec, self.host, self._code_folder())
        directory = self.directory(spec.key)
        ray = ("raynode.py", "raymachine.py") if ask.ray else ()
        worker = needs_worker(spec, ask)
        more = payload_files(spec.config, *ray) if worker else recorder_files()
        files = {"job.sh": slurm_script(spec, ask, directory), **more}
        options = sbatch_options(
            ask,
            name=f"nemorun-{spec.run_id}",
            comment=f"nemorun:{spec.key}",
            log=f"{directory}/batch.log",
            after=spec.after,
        )
        code = spec.code
        links = {entry: f"{code.path}/{entry}" for entry in code.entries} if code else {}
        return Plan(
            files=files,
            links={**links, **spec.links},
            commands=(("sbatch", *options, f"{directory}/job.sh"),),
            directory=directory,
            notices=notices,
        )

    def submit(self, spec: JobSpec) -> JobHandle:
        """Send the code, then the job's folder, and call sbatch; exactly once, whatever breaks.

        A trip whose end is not known is taken again: its script finds out what the first one did,
        and calls sbatch only when it is certain that Slurm has no such job.
        """
        from nemorun_cli.slurm.submitting import Submission

        plan = self.plan(spec)
        way = self._way()
        if self.host and spec.code is not None:
            from nemorun_cli.sending import send

            try:
                send(spec.code, self._code_folder(), way)
            except UnreachableError as error:
                raise NotSentError(error.message, hint=error.hint) from None
        submission = Submission(
            plan=plan,
            secrets=spec.secrets,
            key=spec.key,
            folder=self.job_dir,
            cluster=asked(spec).clusters,
            nonce=secrets.token_hex(8),
        )
        return self._handle(spec.key, submission.made(way))

    def find(self, key: str) -> JobHandle | None:
        """The job that an interrupted submission left; after a minute, None is made final."""
        from nemorun_cli.slurm.submitting import found

        age = time.time() - created_at(key)
        native = found(self._way(), self.job_dir, key, final=not 0 <= age < self.settle)
        return None if native is None else self._handle(key, native)

    def poll(self, handles: Sequence[JobHandle]) -> dict[JobHandle, JobStatus]:
        """As of a question that any process of this user asked less than `poll_interval` ago."""
        return self._statuses(handles, floor=self.poll_interval)

    def floor(self) -> float:
        """As long as any process of this user shares an answer."""
        return self.poll_interval

    def poll_now(self, handles: Sequence[JobHandle]) -> dict[JobHandle, JobStatus]:
        """As of a question that is two seconds old at most."""
        return self._statuses(handles, floor=min(_FRESH_NOW, self.poll_interval))

    def glance(self, handles: Sequence[JobHandle]) -> dict[JobHandle, JobStatus]:
        """The verdicts in the jobs' folders, where these are on a disk of this machine."""
        if self.host:
            return {}
        found = {each: jobfolder.verdict(Path(self.directory(each.key))) for each in handles}
        seen = {handle: status for handle, status in found.items() if status is not None}
        for handle in seen:
            self._memory().read(Path(self.directory(handle.key)))
        return seen

    def blamed(self) -> Sequence[tuple[Blame, bool]]:
        """What the failures of the last day say of nodes, newest first; which are kept off."""
        off = {each.node for each in self.bad_nodes}
        return [(each, each.node in off) for each in self._memory().recall()]

    def logs(
        self,
        handle: JobHandle,
        *,
        follow: bool = False,
        tail: int | None = None,
        rank: int | None = None,
    ) -> Iterator[LogLine]:
        """The lines of the job's log files; over SSH by offset, resumed after a cut."""
        from nemorun_cli.slurm.output import Output

        wanted = Output(
            folder=self.directory(handle.key),
            way=self._way() if self.host else None,
            rank=rank,
            tail=tail,
        )
        if not follow:
            return wanted.read()
        return wanted.follow(
            lambda: bool(self.glance([handle])) or self.poll([handle])[handle].state.terminal,
            lambda: self.poll_now([handle])[handle].state.terminal,
        )

    def cancel(self, handle: JobHandle) -> None:
        """Take a waiting job out of the queue; signal a running one's script, which ends it."""
        self.cancel_all([handle])

    def cancel_all(self, handles: Sequence[JobHandle]) -> None:
        """The same for many, a few hundred in one request."""
        from nemorun_cli.slurm.cancelling import cancel

        cancel(handles, self.job_dir, self._way())

    def wait(self, handles: Sequence[JobHandle], *, timeout: float) -> None:
        """Sleep until a job's folder changes, where it can be seen, or for `timeout` seconds."""
        from nemorun_cli.watching import Watcher

        with Watcher() as watcher:
            for handle in () if self.host else handles:
                watcher.add(Path(self.directory(handle.key)))
            if not self.glance(handles):
                watcher.wait(timeout)

    def metrics(self, handle: JobHandle, *, tail: int | None = None) -> Iterator[dict[str, Any]]:
        """The lines of the job's metrics.jsonl that are whole, brought in parts."""
        folder = self.directory(handle.key)
        return farfiles.objects(self._way(), folder, "metrics.jsonl", tail=tail)

    def files(self, handle: JobHandle, pattern: str) -> Iterator[JobFile]:
        """The files in the job's working folder that the pattern means, in one trip."""
        return farfiles.listed(self._way(), f"{self.directory(handle.key)}/work", pattern)

    def read(self, handle: JobHandle, path: str, *, offset: int = 0) -> Iterator[bytes]:
        """The content of one of them."""
        work = f"{self.directory(handle.key)}/work"
        return farfiles.content(self._way(), work, path, offset=offset)

    def environment(self, handle: JobHandle) -> dict[str, Any] | None:
        """What the job's environment.json says."""
        path = shlex.quote(f"{self.directory(handle.key)}/environment.json")
        done = self._way().run(f"head -c 16777216 {path} 2>/dev/null")
        return environment_of(_text(done.out))

    def remove(self, key: str) -> None:
        """Delete the job's folder on the cluster."""
        self._way().run(f"rm -rf {shlex.quote(self.directory(key))}")

    def sizes(self, keys: Sequence[str]) -> dict[str, int]:
        """Bytes in the jobs' folders on the cluster, in one trip."""
        return farfiles.sizes(self._way(), self.job_dir, keys)

    def code_place(self) -> tuple[Tunnel, str] | None:
        """Where code is sent to, if that is another host."""
        return (self._way(), self.job_dir) if self.host else None

    def examine(self) -> Iterator[tuple[str, bool, str]]:
        """The host, Slurm's programs and accounting, runtimes, the job folder, the clocks."""
        from nemorun_cli.slurm.examining import examine

        return examine(self._way(), self.job_dir)

    def _statuses(
        self, handles: Sequence[JobHandle], *, floor: float
    ) -> dict[JobHandle, JobStatus]:
        from nemorun_cli.slurm.enquiries import enquiries_about

        shared = enquiries_about(self.target, Path(self.queries))
        return shared.statuses(handles, self._ask, floor=floor, clock=time.time)

    def _memory(self) -> "Memory":
        from nemorun_cli.slurm.nodes import memory_of

        return memory_of(self.target, Path(self.queries))

    def _ask(self, jobs: str, token: str) -> str:
        script = scripts.enquiry(self.job_dir, token=token)
        return _text(self._way().run(script, data=jobs.encode()).out)

    def _way(self) -> Tunnel:
        from nemorun_cli.tunnels import tunnel_for

        config, master = self.ssh_config, self.ssh_master
        return tunnel_for(self.host, kind=self.tunnel, config=config, master=master)

    def _code_folder(self) -> str:
        return str(PurePosixPath(self.job_dir, "code"))

    def _handle(self, key: str, native: str) -> JobHandle:
        return JobHandle(executor=self.name, target=self.target, key=key, native_id=native)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
