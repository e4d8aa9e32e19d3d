"""Jobs on a Ray cluster, by its Jobs API; or with a cluster of their own on this machine."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath, PurePosixPath
from typing import Any, ClassVar, Self

from nemorun_cli.core.errors import SpecError, UnreachableError, UsageError
from nemorun_cli.core.jobs import JobFile, JobHandle, JobSpec, JobStatus, LogLine, Plan, setting
from nemorun_cli.executors.local import LocalExecutor
from nemorun_cli.jobfiles import JobFiles
from nemorun_cli.rayjobs.access import LOCAL, settled
from nemorun_cli.rayjobs.asking import RayResources, checked, gpu_count
from nemorun_cli.rayjobs.dashboard import PATIENT, QUICK, Dashboard

_FOLDERS = "/tmp"  # noqa: S108 # On the node, where the job's folder is made anew, or not at all.
_TAIL = 1000
"""Lines of a log in which a job tells how it has ended."""
_TOLD = 100_000
"""Lines of a log in which a job tells what it ran with."""
_MANY = 8
"""So many running jobs are asked how far they are, if somebody wants to know it now."""
_NOTABLE = 10_000_000


@dataclass(frozen=True, kw_only=True)
class _Embedded(LocalExecutor):
    """This machine; a recipe that calls `ray.init()` has a cluster that ends with it."""

    name: ClassVar[str] = "ray"
    Resources: ClassVar[type[RayResources]] = RayResources

    def plan(self, spec: JobSpec) -> Plan:
        """As on this machine, for a payload that starts its own cluster. Pure."""
        ask = checked(_asked(spec))
        for name in ("cpus", "gpus", "memory", "resources", "pip", "runtime_env", "metadata"):
            if getattr(ask, name):
                raise SpecError(f"{name} is asked of a cluster", hint="-x address=http://HOST:8265")
        # Without it `ray.init()` would join any cluster that is found on this machine.
        alone = {"RAY_ADDRESS": LOCAL, "RAY_USAGE_STATS_ENABLED": "0", **spec.env}
        return super().plan(replace(spec, resources=ask, env=alone))


@dataclass(frozen=True, kw_only=True)
class RayExecutor:
    """One cluster: a Ray job a run, which tells in its log what its folder holds."""

    name: ClassVar[str] = "ray"
    summary: ClassVar[str] = "a Ray cluster, or one that the job starts for itself"
    instant: ClassVar[bool] = False
    settle: ClassVar[float] = 60
    Resources: ClassVar[type[RayResources]] = RayResources

    address: str = setting(LOCAL, "the dashboard: `http://HOST:8265`, `auto`; local: its own")
    job_dir: str = setting("", "folder for the jobs' folders, on the node that runs the driver")
    machine: str = ""

    @classmethod
    def here(cls, home: PurePath, **settings: Any) -> Self:  # noqa: ANN401
        """The executor of a cluster, settled by address; or of this machine."""
        given = {name: value for name, value in settings.items() if value}
        address = settled(given.get("address", LOCAL))
        folder = given.get("job_dir", "")
        if address == LOCAL:
            here = _Embedded.here(home, job_dir=folder)
            return cls(address=LOCAL, job_dir=here.job_dir, machine=here.machine)
        if folder and not folder.startswith("/"):
            raise UsageError(f"job_dir: {folder!r} is no absolute path on the cluster's nodes")
        return cls(address=address, job_dir=folder.rstrip("/") or _FOLDERS)

    @property
    def target(self) -> str:
        """The dashboard's address, or the machine, and for where jobs lie."""
        return f"{self.machine or self.address}:{self.job_dir}"

    def directory(self, key: str) -> str:
        """The job's folder on the node that runs its driver."""
        if self._own is not None:
            return self._own.directory(key)
        return str(PurePosixPath(self.job_dir, f"nemorun-{key}"))

    def plan(self, spec: JobSpec) -> Plan:
        """The job's files, what is uploaded, and the request that starts it. Pure."""
        if self._own is not None:
            return self._own.plan(spec)
        from nemorun_cli.rayjobs import packages, script, submitting

        ask = checked(_asked(spec))
        spec = replace(spec, resources=replace(ask, gpus_per_node=gpu_count(ask)))
        directory = self.directory(spec.key)
        request = json.dumps(submitting.request_of(spec, ask), indent=2, sort_keys=True)
        put = ("PUT", f"{self.address}/api/packages/gcs/{submitting.job_package(spec.key)}")
        code: list[tuple[str, ...]] = []
        notices: tuple[str, ...] = ()
        if spec.code is not None:
            size = f"{spec.code.files} files, {packages.shown(spec.code.bytes)}, once"
            name = packages.code_package(spec.code)
            code = [("PUT", f"{self.address}/api/packages/gcs/{name}", size)]
            if spec.code.bytes > _NOTABLE:
                notices = (f"code for the cluster, unless it has it: {size}",)
        return Plan(
            files={**script.files_of(spec, directory), "request.json": request},
            commands=(*code, put, ("POST", f"{self.address}/api/jobs/", "request.json")),
            directory=directory,
            links=dict(spec.links),
            notices=notices,
        )

    def submit(self, spec: JobSpec) -> JobHandle:
        """Upload what the cluster does not have, then submit the job under its key.

        The cluster takes a submission id once; that decides which of several submissions starts.
        """
        if self._own is not None:
            return self._own.submit(spec)
        from nemorun_cli.rayjobs import script, submitting

        plan = self.plan(spec)
        files = {name: text for name, text in plan.files.items() if name != "request.json"}
        if spec.secrets:
            files[script.SECRETS] = script.secrets_text(spec.secrets)
        request = json.loads(plan.files["request.json"])
        submitting.submit(self._dashboard(), request, files, code=spec.code)
        return self._handle(spec.key)

    def find(self, key: str) -> JobHandle | None:
        """The job if the cluster knows it."""
        if self._own is not None:
            return self._own.find(key)
        return None if self._dashboard().job(key) is None else self._handle(key)

    def poll(self, handles: Sequence[JobHandle]) -> dict[JobHandle, JobStatus]:
        """As of one list of the cluster's jobs; of each that has ended, the end of its log."""
        if self._own is not None:
            return self._own.poll(handles)
        return self._statuses(handles, self._dashboard(QUICK), running=False)

    def poll_now(self, handles: Sequence[JobHandle]) -> dict[JobHandle, JobStatus]:
        """The same, with more patience, and of a few running jobs which attempt it is."""
        if self._own is not None:
            return self._own.poll(handles)
        return self._statuses(handles, self._dashboard(), running=len(handles) <= _MANY)

    def floor(self) -> float:
        """A cluster may be asked every ten seconds; this machine at any time."""
        return 0 if self._own is not None else 10

    def logs(
        self,
        handle: JobHandle,
        *,
        follow: bool = False,
        tail: int | None = None,
        rank: int | None = None,
    ) -> Iterator[LogLine]:
        """The lines of the job's one log, without what the job tells nemorun in it."""
        if self._own is not None:
            return self._own.logs(handle, follow=follow, tail=tail, rank=rank)
        from nemorun_cli.rayjobs import logs

        if rank:
            return iter(())
        dashboard = self._dashboard()
        if not follow:
            return self._explained(logs.read(dashboard, handle.key, tail=tail), handle)
        follower = logs.Follower(dashboard=dashboard, key=handle.key)
        return self._explained(follower.lines(tail=tail), handle)

    def cancel(self, handle: JobHandle) -> None:
        """Have the cluster signal the job's script, which ends the payload."""
        if self._own is not None:
            self._own.cancel(handle)
        else:
            self._dashboard().stop(handle.key)

    def metrics(self, handle: JobHandle, *, tail: int | None = None) -> Iterator[dict[str, Any]]:
        """What the job has tracked, as its log tells it."""
        if self._own is not None:
            return self._own.metrics(handle, tail=tail)
        from nemorun_cli.rayjobs import logs

        if tail is None:
            return logs.metrics(self._dashboard(), handle.key)
        return logs.last_metrics(self._dashboard(QUICK), handle.key, within=tail)

    def files(self, handle: JobHandle, pattern: str) -> Iterator[JobFile]:
        """The files of a job of this machine; a cluster keeps those of its jobs to itself."""
        if self._own is not None:
            return self._own.files(handle, pattern)
        raise _out_of_reach(self.directory(handle.key))

    def read(self, handle: JobHandle, path: str, *, offset: int = 0) -> Iterator[bytes]:
        """The content of such a file."""
        if self._own is not None:
            return self._own.read(handle, path, offset=offset)
        raise _out_of_reach(self.directory(handle.key))

    def environment(self, handle: JobHandle) -> dict[str, Any] | None:
        """What the job has recorded; it tells so in its log when its first attempt has ended."""
        if self._own is not None:
            return self._own.environment(handle)
        from nemorun_cli.rayjobs.telling import environment_of

        return environment_of(self._told(handle.key), handle.key)

    def remove(self, key: str) -> None:
        """Have the cluster forget the job; its folder stays on the node."""
        if self._own is not None:
            self._own.remove(key)
        else:
            self._dashboard().delete(key)

    def sizes(self, keys: Sequence[str]) -> dict[str, int]:
        """Bytes in the jobs' folders on this machine; of a cluster's nothing is known."""
        return {} if self._own is None else self._own.sizes(keys)

    def examine(self) -> Iterator[tuple[str, bool, str]]:
        """The cluster and its version, or that Ray is installed here."""
        from nemorun_cli.rayjobs.examining import examine

        return examine(None if self._own is not None else self._dashboard(QUICK))

    @property
    def _own(self) -> _Embedded | None:
        if self.address != LOCAL:
            return None
        return _Embedded(job_dir=self.job_dir, machine=self.machine)

    def _told(self, key: str) -> str:
        """What the job has told last, at most so many lines."""
        dashboard = self._dashboard(QUICK)
        data = dashboard.tail(dashboard.job(key) or {}, _TOLD) or b""
        return data.decode(errors="replace")

    def _dashboard(self, timeout: float = PATIENT) -> Dashboard:
        return Dashboard(address=self.address, timeout=timeout)

    def _statuses(
        self, handles: Sequence[JobHandle], dashboard: Dashboard, *, running: bool
    ) -> dict[JobHandle, JobStatus]:
        from nemorun_cli.rayjobs import reading, telling

        def files(key: str, entry: dict[str, Any]) -> JobFiles:
            ended = entry.get("status") in reading.ENDED
            known = telling.files_of(str(entry.get("message") or ""), key)
            if not ended and not (running and entry.get("status") == "RUNNING"):
                return JobFiles()
            if known.verdict and '"attempt": 1,' in known.verdict:
                return known  # Ray has put the last lines of a log into its message.
            try:
                data = dashboard.tail(entry, _TAIL) or b""
            except UnreachableError:
                return known
            return telling.files_of(data.decode(errors="replace"), key)

        jobs = dashboard.jobs()
        found = {}
        for handle in handles:
            entry = jobs.get(handle.key)
            found[handle] = (
                reading.gone(self.address)
                if entry is None
                else reading.status_of(entry, files(handle.key, entry))
            )
        return found

    def _explained(self, lines: Iterator[LogLine], handle: JobHandle) -> Iterator[LogLine]:
        """These lines; where there are none, why Ray could not start the job."""
        silent = True
        for line in lines:
            silent = False
            yield line
        entry = self._dashboard().job(handle.key) if silent else None
        if entry and entry.get("error_type") not in (None, "JOB_ENTRYPOINT_COMMAND_ERROR"):
            told = str(entry.get("message") or "").splitlines()
            yield from (LogLine(text=text, rank=None) for text in told)

    def _handle(self, key: str) -> JobHandle:
        return JobHandle(executor=self.name, target=self.target, key=key, native_id=key)


def _out_of_reach(folder: str) -> UsageError:
    return UsageError(
        f"a Ray cluster hands out the log of a job alone: its files are in {folder}, on a node",
        hint="have the job write what is to stay to a disk or a bucket that you can read",
    )


def _asked(spec: JobSpec) -> RayResources:
    if isinstance(spec.resources, RayResources):
        return spec.resources
    return RayResources(**vars(spec.resources))
