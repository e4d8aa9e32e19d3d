"""Jobs under nohup(1): an executor in one file."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, ClassVar, Self

from nemorun_cli import jobfolder, joblogs, processes
from nemorun_cli.core.jobs import (
    JobHandle,
    JobSpec,
    JobState,
    JobStatus,
    LogLine,
    Plan,
    Resources,
    setting,
)
from nemorun_cli.launchers import job_script
from nemorun_cli.payload import payload_files


@dataclass(frozen=True, kw_only=True)
class NohupResources(Resources):
    niceness: int = setting(0, "how far the job steps back for others, 0 to 19")


@dataclass(frozen=True, kw_only=True)
class NohupExecutor:
    """This machine, by way of nohup."""

    name: ClassVar[str] = "nohup"
    summary: ClassVar[str] = "background processes under nohup"
    instant: ClassVar[bool] = True
    settle: ClassVar[float] = 0
    Resources: ClassVar[type[Resources]] = NohupResources

    folder: str = setting("", "folder that holds the jobs' folders")

    @classmethod
    def here(cls, home: PurePath, **settings: Any) -> Self:
        return cls(folder=settings.get("folder") or str(home / "nohup"))

    @property
    def target(self) -> str:
        return self.folder

    def directory(self, key: str) -> str:
        return str(Path(self.folder) / key)

    def plan(self, spec: JobSpec) -> Plan:
        directory = self.directory(spec.key)
        script = job_script(spec, directory, python=spec.resources.python or "python3")
        niceness = str(getattr(spec.resources, "niceness", 0))
        return Plan(
            directory=directory,
            files={"job.sh": script, **payload_files(spec.config)},
            links={entry: f"{spec.code.path}/{entry}" for entry in spec.code.entries}
            if spec.code
            else {},
            commands=(("nohup", "nice", "-n", niceness, "sh", "job.sh"),),
        )

    def submit(self, spec: JobSpec) -> JobHandle:
        plan = self.plan(spec)
        folder = Path(plan.directory)
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            # Making the folder decides which of two submissions of one key is the one.
            jobfolder.fill(folder, plan, {})
        except FileExistsError:
            return self._handle(spec.key)
        process = subprocess.Popen(
            plan.commands[0],
            cwd=folder,
            env={**os.environ, **spec.secrets},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        (folder / "pid").write_text(str(process.pid))
        process.returncode = 0  # Nobody here waits for it.
        return self._handle(spec.key)

    def find(self, key: str) -> JobHandle | None:
        return self._handle(key) if Path(self.directory(key), "pid").exists() else None

    def poll(self, handles: Sequence[JobHandle]) -> dict[JobHandle, JobStatus]:
        return {handle: self._status(handle) for handle in handles}

    def logs(
        self,
        handle: JobHandle,
        *,
        follow: bool = False,
        tail: int | None = None,
        rank: int | None = None,
    ) -> Iterator[LogLine]:
        folder = Path(self.directory(handle.key))
        if not follow:
            return joblogs.read_logs(folder, tail=tail, rank=rank)
        return joblogs.follow_logs(
            folder,
            lambda: self._status(handle).state.terminal,
            tail=tail,
            rank=rank,
        )

    def cancel(self, handle: JobHandle) -> None:
        folder = Path(self.directory(handle.key))
        if not (folder / "exit.json").exists():
            (folder / "cancel").touch()
            os.kill(int((folder / "pid").read_text()), 15)

    def _status(self, handle: JobHandle) -> JobStatus:
        folder = Path(self.directory(handle.key))
        verdict = jobfolder.verdict(folder)
        if verdict is not None:
            return verdict
        try:
            wrapper = processes.describe(int((folder / "pid").read_text()))
        except (OSError, ValueError):
            return JobStatus(state=JobState.UNKNOWN, reason_detail="no such job here")
        if processes.alive(wrapper) or any(processes.with_key(handle.key)):
            return jobfolder.progress(folder)
        return jobfolder.verdict(folder) or jobfolder.without_verdict(
            folder,
            detail="its processes are gone",
        )

    def _handle(self, key: str) -> JobHandle:
        return JobHandle(executor=self.name, target=self.target, key=key, native_id=key)
