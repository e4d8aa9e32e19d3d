"""Jobs on a Slurm cluster: on the cluster itself, or from elsewhere by way of a login node."""

import secrets
import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePath, PurePosixPath
from typing import Any, ClassVar, Self

from nemorun_cli import jobfolder, processes
from nemorun_cli.core.errors import NotSentError, SpecError, UnreachableError, UsageError
from nemorun_cli.core.ids import created_at
from nemorun_cli.core.jobs import JobHandle, JobSpec, JobStatus, LogLine, Plan, Resources, setting
from nemorun_cli.core.ports import Finished, Tunnel
from nemorun_cli.slurm import scripts
from nemorun_cli.slurm.asking import SlurmResources

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
        return found

    @property
    def target(self) -> str:
        """The host that is asked, and for where jobs lie."""
        return f"{self.host or self.machine}:{self.job_dir}"

    def directory(self, key: str) -> str:
        """The job's folder on the cluster."""
        return str(PurePosixPath(self.job_dir, key))

    def plan(self, spec: JobSpec) -> Plan:
        """The job's folder and the call of sbatch. Pure."""
        from nemorun_cli.slurm.asking import checked, sbatch_options
        from nemorun_cli.slurm.script import needs_worker, slurm_script

        ask = checked(_asked(spec))
        spec = self._placed(spec)
        directory = self.directory(spec.key)
        files = {"job.sh": slurm_script(spec, ask, directory)}
        if needs_worker(spec, ask):
            from nemorun_cli.payload import payload_files

            ray = ("raynode.py", "raymachine.py") if ask.ray else ()
            files |= payload_files(spec.config, *ray)
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
            cluster=_asked(spec).clusters,
            nonce=secrets.token_hex(8),
        )
        return self._handle(spec.key, submission.made(way))

    def find(self, key: str) -> JobHandle | None:
        """The job that an interrupted submission left; after a minute, None is made final."""
        token = f"@{secrets.token_hex(8)}"
        age = time.time() - created_at(key)
        final = not 0 <= age < self.settle
        script = scripts.search(self.job_dir, key, token=token, final=final, cluster=None)
        finished = self._way().run(script)
        word, rest = scripts.answer(_text(finished.out), token)
        if word == "known":
            from nemorun_cli.slurm.reading import parse_submitted

            if (native := parse_submitted(rest)) is not None:
                return self._handle(key, str(native))
        if word == "none":
            return None
        raise UnreachableError(f"Slurm does not say whether it has {key}: {_complaint(finished)}")

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
        return {handle: status for handle, status in found.items() if status is not None}

    def logs(
        self,
        handle: JobHandle,
        *,
        follow: bool = False,
        tail: int | None = None,
        rank: int | None = None,
    ) -> Iterator[LogLine]:
        """The lines of the job's log files; over SSH by offset, resumed after a cut."""

        def over() -> bool:
            if self.glance([handle]):
                return True
            with suppress(UnreachableError):  # Lines come all the same.
                return self.poll([handle])[handle].state.terminal
            return False

        folder = self.directory(handle.key)
        if self.host:
            from nemorun_cli.farlogs import FarLogs

            far = FarLogs(tunnel=self._way(), folder=folder, rank=rank, tail=tail)
            return self._to_the_end(far.follow(over), handle) if follow else far.read()
        from nemorun_cli import joblogs

        if not follow:
            return joblogs.read_logs(Path(folder), tail=tail, rank=rank)
        return joblogs.follow_logs(Path(folder), over, tail=tail, rank=rank)

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

    def metrics(self, handle: JobHandle) -> Iterator[dict[str, Any]]:
        """The lines of the job's metrics.jsonl that are whole; the last megabyte of them."""
        from nemorun_cli.jobfiles import objects

        path = f"{self.directory(handle.key)}/metrics.jsonl"
        finished = self._way().run(f"tail -c 1048576 {shlex.quote(path)} 2>/dev/null")
        return objects(_text(finished.out).splitlines())

    def remove(self, key: str) -> None:
        """Delete the job's folder on the cluster."""
        self._way().run(f"rm -rf {shlex.quote(self.directory(key))}")

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

    def _to_the_end(self, lines: Iterator[LogLine], handle: JobHandle) -> Iterator[LogLine]:
        """These lines; then who asks next is told that the job has ended."""
        from nemorun_cli.watching import nap

        yield from lines
        with suppress(UnreachableError):
            for _ in range(3):  # An answer that many share may be older than the end.
                if self.poll_now([handle])[handle].state.terminal:
                    return
                nap(_FRESH_NOW)

    def _ask(self, jobs: str, token: str) -> str:
        script = scripts.enquiry(self.job_dir, token=token)
        return _text(self._way().run(script, data=jobs.encode()).out)

    def _way(self) -> Tunnel:
        from nemorun_cli.tunnels import tunnel_for

        return tunnel_for(
            self.host,
            kind=self.tunnel,
            config=self.ssh_config,
            master=self.ssh_master,
        )

    def _placed(self, spec: JobSpec) -> JobSpec:
        """The spec with its code where the cluster sees it."""
        if not self.host:
            return spec
        if spec.links:
            raise SpecError(
                f"link: files of this machine are not on {self.host}",
                hint="put them there, and give their path in an override",
            )
        if spec.code is None:
            return replace(spec, workdir="")  # Where it was typed is a folder of this machine.
        path = str(PurePosixPath(self._code_folder(), spec.code.hash))
        return replace(spec, code=replace(spec.code, path=path))

    def _code_folder(self) -> str:
        return str(PurePosixPath(self.job_dir, "code"))

    def _handle(self, key: str, native: str) -> JobHandle:
        return JobHandle(executor=self.name, target=self.target, key=key, native_id=native)


def _asked(spec: JobSpec) -> SlurmResources:
    if isinstance(spec.resources, SlurmResources):
        return spec.resources
    return SlurmResources(**vars(spec.resources))


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _complaint(finished: Finished) -> str:
    lines = _text(finished.err or finished.out).strip().splitlines()
    return lines[-1] if lines else f"exit code {finished.code}"
