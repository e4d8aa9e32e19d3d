"""Jobs as detached processes of this machine."""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, ClassVar, Self

from nemorun_cli import jobfolder, processes, workfiles, wrappers
from nemorun_cli.core.errors import RefusedError, SpecError, UnreachableError
from nemorun_cli.core.jobs import (
    JobFile,
    JobHandle,
    JobSpec,
    JobStatus,
    LogLine,
    Plan,
    Resources,
    setting,
)
from nemorun_cli.core.runs import Process

# The wrapper takes the token only when it is told to go, and whoever takes it first decides: the
# wrapper (`accepted`), or somebody who found the submitter dead (`void`).
_GATE = (
    # Telling is left to a subshell: where the submitter has just been killed, SIGPIPE ends that.
    'IFS= read -r go && [ "$go" = go ] && mv ready accepted && { (echo accepted); '
    'exec "$0" job.sh </dev/null >/dev/null; }'
)
_VERDICT_SIZE = 512
_PYTHONS = {"PYTHONPATH", "PYTHONHOME"}
"""Variables that let an interpreter find other packages than its own."""
_PATIENCE = 10


@dataclass(frozen=True, kw_only=True)
class LocalResources(Resources):
    """What a job asks for on this machine."""

    link: tuple[str, ...] = setting(
        ("*",),
        "ignored paths of the project that the job may read; `*`: all at its top",
    )


@dataclass(frozen=True, kw_only=True)
class LocalExecutor:
    """This machine: one process session a job, and nothing of ours that stays."""

    name: ClassVar[str] = "local"
    summary: ClassVar[str] = "detached processes on this machine"
    instant: ClassVar[bool] = True
    settle: ClassVar[float] = 0
    lays_out_code: ClassVar[bool] = True
    Resources: ClassVar[type[Resources]] = LocalResources

    job_dir: str = setting("", "folder that holds the jobs' folders")
    shell: str = setting("/bin/sh", "the POSIX shell that runs job.sh")
    machine: str = ""

    @classmethod
    def here(cls, home: PurePath, **settings: Any) -> Self:  # noqa: ANN401
        """The executor of this machine; its jobs lie in the store's `jobs` folder."""
        given = {name: value for name, value in settings.items() if value}
        folder = Path(given.pop("job_dir", home / "jobs")).expanduser().absolute()
        return cls(**{"machine": processes.machine(), **given}, job_dir=str(folder))

    @property
    def target(self) -> str:
        """The machine's name."""
        return self.machine

    def directory(self, key: str) -> str:
        """The job's folder on this machine."""
        return str(Path(self.job_dir) / key)

    def plan(self, spec: JobSpec) -> Plan:
        """The job's folder and the one command that starts it. Pure."""
        if spec.resources.nodes != 1:
            raise SpecError(
                f"the local executor has one node, not {spec.resources.nodes}",
                hint="leave out nodes, or launch on a cluster with -e",
            )
        from nemorun_cli.launchers import active_python, job_script
        from nemorun_cli.payload import layingout_files, payload_files, recorder_files

        directory = self.directory(spec.key)
        python = spec.resources.python or active_python()
        script = job_script(spec, directory, python=python, lays_out=True)
        files = {"job.sh": script, "exit.json.part": " " * _VERDICT_SIZE, "ready": ""}
        plain = spec.argv is not None and spec.resources.launcher == "plain"
        files |= recorder_files() if plain else payload_files(spec.config)
        if spec.code is not None:
            files |= layingout_files()
        if spec.after:
            files["waiting"] = "".join(f"{d.condition} {d.run_id}\n" for d in spec.after)
        code = spec.code
        links = {entry: f"{code.path}/{entry}" for entry in code.entries} if code else {}
        return Plan(
            files=files,
            links={**links, **spec.links},
            commands=((self.shell, "-c", _GATE, self.shell),),
            directory=directory,
        )

    def submit(self, spec: JobSpec) -> JobHandle:
        """Start the wrapper, blocked; write down who it is; then let it go.

        The folder's rename decides which of several submissions of one key is the one.
        """
        from nemorun_cli.launchers import inherited

        plan = self.plan(spec)
        _require_interpreter(spec)
        folder = Path(plan.directory)
        if not wrappers.stage(plan, {}):
            return self._earlier(spec.key)
        try:
            process = wrappers.start(plan.commands[0], folder, {**inherited(), **spec.secrets})
        except OSError as error:
            if not wrappers.take(folder, "void") and (found := self.find(spec.key)):
                return found  # It was let go before that went wrong.
            raise RefusedError(f"cannot start the job in {folder}: {error}") from None
        return self._handle(spec.key, process)

    def find(self, key: str) -> JobHandle | None:
        """The job if its wrapper was let go.

        When the submitter is dead, None is made final: the wrapper cannot start any more.
        """
        folder = Path(self.directory(key))
        process = jobfolder.process(folder / "process.json")
        submitter = jobfolder.process(folder / "submitter.json")
        if submitter is not None and processes.alive(submitter) is False:
            wrappers.take(folder, "void")
        if process is None or not (folder / "accepted").exists():
            return None
        return self._handle(key, process)

    def poll(self, handles: Sequence[JobHandle]) -> dict[JobHandle, JobStatus]:
        """What the job's files and this machine's processes say, without a single request."""
        if not Path(self.job_dir).is_dir():
            raise UnreachableError(
                f"the job folder {self.job_dir} is not there",
                hint="is the disk that holds it mounted?",
            )
        return {handle: wrappers.status_of(Path(self.directory(handle.key))) for handle in handles}

    def logs(
        self,
        handle: JobHandle,
        *,
        follow: bool = False,
        tail: int | None = None,
        rank: int | None = None,
    ) -> Iterator[LogLine]:
        """The lines of the job's log files; with `follow`, until it has ended."""
        from nemorun_cli import joblogs

        folder = Path(self.directory(handle.key))
        if not follow:
            return joblogs.read_logs(folder, tail=tail, rank=rank)

        def ended() -> bool:
            return wrappers.status_of(Path(self.directory(handle.key))).state.terminal

        return joblogs.follow_logs(folder, ended, tail=tail, rank=rank)

    def cancel(self, handle: JobHandle) -> None:
        """Leave the mark and signal the wrapper; a killed wrapper's payload is ended for it."""
        folder = Path(self.directory(handle.key))
        process = jobfolder.process(folder / "process.json")
        if process is None or (folder / "exit.json").exists():
            return
        if process.machine != processes.machine():
            raise UnreachableError(f"the job runs on {process.machine}", hint="cancel it there")
        with suppress(OSError):
            (folder / "cancel").touch(mode=0o600)
        if processes.alive(process):
            with suppress(ProcessLookupError):
                os.kill(process.pid, 15)
        elif wrappers.survivors(folder, process):
            with processes.detached((self.shell, "job.sh", "reap"), folder):
                pass

    def wait(self, handles: Sequence[JobHandle], *, timeout: float) -> None:
        """Sleep until one of the jobs' folders changes."""
        from nemorun_cli.watching import Watcher

        with Watcher() as watcher:
            for handle in handles:
                watcher.add(Path(self.directory(handle.key)))
            if not any(
                wrappers.status_of(Path(self.directory(handle.key))).state.terminal
                for handle in handles
            ):
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
        """What the job's environment.json says."""
        return jobfolder.environment(Path(self.directory(handle.key)))

    def still_finds(
        self, spec: JobSpec, recorded: Mapping[str, Any], *, since: float
    ) -> bool | None:
        """By the folder of a virtual environment; None for another interpreter."""
        from nemorun_cli.interpreters import still_finds
        from nemorun_cli.launchers import active_python, inherited, interpreter

        if {"PATH", *_PYTHONS} & set(spec.env) or _PYTHONS & set(inherited()):
            return None
        python = interpreter(spec, spec.resources.python or active_python())
        root = spec.code.root if spec.code is not None else ""
        return still_finds(python, recorded, since=since, root=root)

    def remove(self, key: str) -> None:
        """Delete the job's folder."""
        shutil.rmtree(self.directory(key), ignore_errors=True)

    def sizes(self, keys: Sequence[str]) -> dict[str, int]:
        """Bytes in the jobs' folders."""
        return jobfolder.sizes(Path(self.job_dir), keys)

    def examine(self) -> Iterator[tuple[str, bool, str]]:
        """The programs that job.sh needs, and the job folder."""
        for program in ("sh", "setsid", "grep", "sed", "mv", "date", "sleep"):
            path = shutil.which(program)
            yield program, path is not None, path or "not on PATH"
        parent = Path(self.job_dir)
        while not parent.exists() and parent != parent.parent:
            parent = parent.parent
        yield "job folder", os.access(parent, os.W_OK), self.job_dir

    def _handle(self, key: str, process: Process) -> JobHandle:
        return JobHandle(
            executor=self.name,
            target=self.target,
            key=key,
            native_id=str(process.pid),
        )

    def _earlier(self, key: str) -> JobHandle:
        """The job of another submission of this key, which may be under way."""
        from nemorun_cli.watching import Watcher

        folder = Path(self.directory(key))
        with Watcher() as watcher:
            watcher.add(folder)
            for _ in range(_PATIENCE):
                if found := self.find(key):
                    return found
                if not (folder / "ready").exists():
                    break
                watcher.wait(1.0)
        raise RefusedError(f"an earlier submission of {key} was interrupted")


def _require_interpreter(spec: JobSpec) -> None:
    python = spec.resources.python
    if python is not None and shutil.which(python) is None:
        raise RefusedError(
            f"there is no interpreter {python!r} on this machine",
            hint="-x python=PATH names one that has what the recipe needs",
        )
