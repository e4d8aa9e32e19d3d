"""Jobs in containers of a Docker engine on this machine."""

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, ClassVar, Self

from nemorun_cli import jobfolder, joblogs, processes, workfiles, wrappers
from nemorun_cli.containers.arguments import container_name
from nemorun_cli.containers.asking import DockerResources, checked
from nemorun_cli.containers.engine import PATIENT, QUICK, Engine
from nemorun_cli.core.errors import RefusedError, UnreachableError
from nemorun_cli.core.jobs import (
    JobFile,
    JobHandle,
    JobSpec,
    JobStatus,
    LogLine,
    Plan,
    setting,
)

_VERDICT_SIZE = 512


@dataclass(frozen=True, kw_only=True)
class DockerExecutor:
    """One engine: a container a job, removed once its end is written down."""

    name: ClassVar[str] = "docker"
    summary: ClassVar[str] = "containers of a Docker engine on this machine"
    # The engine is asked over a socket of this machine, which costs next to nothing.
    instant: ClassVar[bool] = True
    settle: ClassVar[float] = 0
    Resources: ClassVar[type[DockerResources]] = DockerResources

    docker_host: str = setting("", "the engine's address; unset: as the docker command chooses")
    context: str = setting("", "a context of the docker command that names the engine")
    job_dir: str = setting("", "folder that holds the jobs' folders")

    @classmethod
    def here(cls, home: PurePath, **settings: Any) -> Self:  # noqa: ANN401
        """The executor of an engine, settled by address; its jobs lie in the store by default."""
        from nemorun_cli.containers.hosts import address

        given = {name: value for name, value in settings.items() if value}
        folder = Path(given.get("job_dir", home / "jobs")).expanduser().absolute()
        host = address(given.get("docker_host", ""), given.get("context", ""), os.environ)
        return cls(docker_host=host, job_dir=str(folder))

    @property
    def target(self) -> str:
        """The engine's address, and for where jobs lie."""
        return f"{self.docker_host}:{self.job_dir}"

    def directory(self, key: str) -> str:
        """The job's folder, which is in its container under the same path."""
        return str(Path(self.job_dir) / key)

    def plan(self, spec: JobSpec) -> Plan:
        """The job's folder and what its container is created with. Pure.

        MissingExtraError where the SDK that submits is not installed.
        """
        from nemorun_cli.containers.arguments import arguments, as_text, home_of
        from nemorun_cli.containers.hosts import refuse_remote, require_sdk
        from nemorun_cli.containers.script import docker_script
        from nemorun_cli.payload import payload_files, recorder_files

        require_sdk()
        refuse_remote(self.docker_host)
        ask = checked(self._asked(spec))
        directory = self.directory(spec.key)
        names = [container_name(spec.key, node) for node in range(ask.nodes)]
        files = {
            "job.sh": docker_script(spec, ask, directory, names[0]),
            **{
                _given(node): as_text(arguments(spec, ask, directory, node))
                for node in range(ask.nodes)
            },
            "exit.json.part": " " * _VERDICT_SIZE,
            "ready": "",
            f"{Path(home_of(directory)).name}/.keep": "",
        }
        plain = spec.argv is not None and ask.launcher == "plain"
        files |= recorder_files() if plain else payload_files(spec.config)
        if ask.nodes > 1:
            files["nodes/.keep"] = ""
        if spec.after:
            files["waiting"] = "".join(f"{d.condition} {d.run_id}\n" for d in spec.after)
        code = spec.code
        links = {entry: f"{code.path}/{entry}" for entry in code.entries} if code else {}
        return Plan(
            files=files,
            links={**links, **spec.links},
            commands=(
                *([("docker", "network", "create", names[0])] if ask.nodes > 1 else []),
                *(("docker", "create", _given(node)) for node in range(ask.nodes)),
                *(("docker", "start", name) for name in names),
            ),
            directory=directory,
        )

    def submit(self, spec: JobSpec) -> JobHandle:
        """Make the job's folder, then the container, or one for each node, and start it.

        The folder's rename decides which of several submissions on this machine is the one; the
        container's name does so for the engine.
        """
        from nemorun_cli.containers.script import SECRETS, secrets_text
        from nemorun_cli.containers.settling import give_up
        from nemorun_cli.containers.submitting import SLOW, started_job

        plan = self.plan(spec)
        folder = Path(plan.directory)
        secrets = {SECRETS: secrets_text(spec.secrets)} if spec.secrets else {}
        if not wrappers.stage(plan, secrets):
            return self._earlier(spec.key)

        def refused() -> None:
            wrappers.take(folder, "void")
            with suppress(UnreachableError):
                give_up(self._engine(), folder)

        ask = self._asked(spec)
        remembered = started_job(
            self._engine(SLOW),
            [json.loads(plan.files[_given(node)]) for node in range(ask.nodes)],
            pull=ask.pull,
            give_up=refused,
        )
        jobfolder.write(folder / "started.json", remembered)
        return self._handle(spec.key)

    def find(self, key: str) -> JobHandle | None:
        """The job if its container was started.

        When the submitter is dead, None is made final: the container cannot run the job any more.
        """
        folder = Path(self.directory(key))
        if _has_started(folder):
            return self._handle(key)
        submitter = jobfolder.process(folder / "submitter.json")
        if submitter is not None and processes.alive(submitter) is False:
            wrappers.take(folder, "void")
            if _has_started(folder):
                return self._handle(key)
        if (folder / "void").exists():
            from nemorun_cli.containers.settling import give_up

            give_up(self._engine(), folder)
        return None

    def poll(self, handles: Sequence[JobHandle]) -> dict[JobHandle, JobStatus]:
        """As of one request to the engine; containers that have ended are removed."""
        return self._statuses(handles, QUICK)

    def poll_now(self, handles: Sequence[JobHandle]) -> dict[JobHandle, JobStatus]:
        """The same, with more patience for a busy engine."""
        return self._statuses(handles, PATIENT)

    def logs(
        self,
        handle: JobHandle,
        *,
        follow: bool = False,
        tail: int | None = None,
        rank: int | None = None,
    ) -> Iterator[LogLine]:
        """The lines of the job's log files; with `follow`, until it has ended."""
        folder = Path(self.directory(handle.key))
        if not follow:
            return joblogs.read_logs(folder, tail=tail, rank=rank)
        from nemorun_cli.containers.following import end_of

        ended = end_of(folder, lambda: self.poll([handle])[handle].state.terminal)
        return joblogs.follow_logs(folder, ended, tail=tail, rank=rank)

    def cancel(self, handle: JobHandle) -> None:
        """Leave the mark and signal the container's shell, which ends the payload."""
        folder = Path(self.directory(handle.key))
        if not folder.is_dir() or (folder / "exit.json").exists():
            return
        with suppress(OSError):
            (folder / "cancel").touch(mode=0o600)
        self._engine().signal(handle.native_id, "TERM")

    def wait(self, handles: Sequence[JobHandle], *, timeout: float) -> None:
        """Sleep until one of the jobs' folders changes."""
        from nemorun_cli.containers.following import has_spoken
        from nemorun_cli.watching import Watcher

        folders = [Path(self.directory(handle.key)) for handle in handles]
        with Watcher() as watcher:
            for folder in folders:
                watcher.add(folder)
            if not any(has_spoken(folder) for folder in folders):
                watcher.wait(timeout)

    def metrics(self, handle: JobHandle, *, tail: int | None = None) -> Iterator[dict[str, Any]]:
        """The lines of the job's metrics.jsonl that are whole."""
        return jobfolder.read_lines(Path(self.directory(handle.key)) / "metrics.jsonl", tail=tail)

    def files(self, handle: JobHandle, pattern: str) -> Iterator[JobFile]:
        """The files in the job's working folder that the pattern means."""
        return workfiles.listed(Path(self.directory(handle.key)) / "work", pattern)

    def read(self, handle: JobHandle, path: str, *, offset: int = 0) -> Iterator[bytes]:
        """The content of one of them."""
        return workfiles.content(Path(self.directory(handle.key)) / "work", path, offset=offset)

    def environment(self, handle: JobHandle) -> dict[str, Any] | None:
        """What the job's environment.json says, and the image, which the engine has told."""
        from nemorun_cli.containers.settling import environment

        return environment(Path(self.directory(handle.key)))

    def remove(self, key: str) -> None:
        """Delete the job's folder."""
        shutil.rmtree(self.directory(key), ignore_errors=True)

    def sizes(self, keys: Sequence[str]) -> dict[str, int]:
        """Bytes in the jobs' folders."""
        return jobfolder.sizes(Path(self.job_dir), keys)

    def examine(self) -> Iterator[tuple[str, bool, str]]:
        """The SDK, the engine and what it can do, the job folder."""
        from nemorun_cli.containers.examining import examine

        return examine(self._engine(QUICK), Path(self.job_dir))

    def _engine(self, timeout: float = PATIENT) -> Engine:
        return Engine(address=self.docker_host, timeout=timeout)

    def _statuses(self, handles: Sequence[JobHandle], timeout: float) -> dict[JobHandle, JobStatus]:
        from nemorun_cli.containers.settling import statuses

        if not Path(self.job_dir).is_dir():
            raise UnreachableError(
                f"the job folder {self.job_dir} is not there",
                hint="is the disk that holds it mounted?",
            )
        keys = [handle.key for handle in handles]
        found = statuses(self._engine(timeout), Path(self.job_dir), keys)
        return {handle: found[handle.key] for handle in handles}

    def _asked(self, spec: JobSpec) -> DockerResources:
        if isinstance(spec.resources, DockerResources):
            return spec.resources
        return self.Resources(**vars(spec.resources))

    def _handle(self, key: str) -> JobHandle:
        return JobHandle(
            executor=self.name, target=self.target, key=key, native_id=container_name(key)
        )

    def _earlier(self, key: str) -> JobHandle:
        """The job of another submission of this key, which may be under way: pulling, perhaps."""
        from nemorun_cli.watching import Watcher

        folder = Path(self.directory(key))
        with Watcher() as watcher:
            watcher.add(folder)
            while (found := self.find(key)) is None:
                if not (folder / "ready").exists():
                    raise RefusedError(f"an earlier submission of {key} was interrupted")
                watcher.wait(1.0)
        return found


def _given(node: int) -> str:
    """The file with what a node's container is created with."""
    return f"container{node}.json" if node else "container.json"


def _has_started(folder: Path) -> bool:
    return (folder / "accepted").exists() or (folder / "started.json").exists()
