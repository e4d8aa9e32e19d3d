"""The wrapper of a job on this machine: the shell that runs job.sh, and what became of it."""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from nemorun_cli import jobfolder, processes
from nemorun_cli.core.errors import RefusedError
from nemorun_cli.core.jobs import JobState, JobStatus, Plan, Reason
from nemorun_cli.core.runs import Process


def stage(plan: Plan, more: Mapping[str, str]) -> bool:
    """Make a job's folder in one step, with word of who submits; False when there is one already.

    RefusedError for a folder that cannot be written; then nothing of it is left.
    """
    folder = Path(plan.directory)
    staged = folder.with_name(f".{folder.name}.{os.getpid()}")
    me = json.dumps(asdict(processes.describe(os.getpid())))
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        jobfolder.fill(staged, plan, {**more, "submitter.json": me})
        staged.rename(folder)
    except OSError as error:
        shutil.rmtree(staged, ignore_errors=True)
        if folder.is_dir():
            return False
        raise RefusedError(
            f"cannot write the job's folder {folder}: {error.strerror}",
            hint="free some space there, or choose a folder with room that you may write to",
        ) from None
    return True


def start(gate: Sequence[str], folder: Path, env: Mapping[str, str]) -> Process:
    """Start the wrapper, write down who it is, let it go: in this order, whatever happens."""
    with processes.detached(gate, folder, env) as wrapper:
        process = processes.describe(wrapper.pid)
        jobfolder.write(folder / "process.json", json.dumps(asdict(process)))
        assert wrapper.stdin is not None
        assert wrapper.stdout is not None
        wrapper.stdin.write(b"go\n")
        wrapper.stdin.flush()
        if not wrapper.stdout.readline():
            raise OSError(wrapper.wait(), "the shell did not start it; see wrapper.log there")
    return process


def take(folder: Path, name: str) -> bool:
    """Take the token by which a blocked wrapper may start; False if somebody has taken it."""
    try:
        (folder / "ready").rename(folder / name)
    except OSError:
        return False
    return True


def status_of(folder: Path) -> JobStatus:
    """What became of the job in this folder, by its files and this machine's processes."""
    verdict = jobfolder.verdict(folder)
    if verdict is not None:
        return verdict
    process = jobfolder.process(folder / "process.json")
    if process is None:
        return _gone(folder)
    running = processes.alive(process)
    if running is None:
        return JobStatus(
            state=JobState.UNKNOWN,
            reason=Reason.UNREACHABLE,
            reason_detail=f"runs on {process.machine}",
        )
    if running:
        return jobfolder.progress(folder)
    if survivors(folder, process):
        return jobfolder.progress(
            folder,
            detail="its wrapper was killed: how it ends will not be known",
        )
    # It may have ended between the two looks.
    return jobfolder.verdict(folder) or _without_verdict(folder, process)


def survivors(folder: Path, wrapper: Process) -> bool:
    """Whether anything that a dead wrapper started still lives."""
    leader = jobfolder.session(folder, wrapper)
    if wrapper.boot != processes.boot():
        return False
    in_session = processes.in_session(leader) if leader else ()
    return any(in_session) or any(processes.with_key(folder.name))


def _without_verdict(folder: Path, wrapper: Process) -> JobStatus:
    rebooted = wrapper.boot != processes.boot()
    cause = "the machine restarted" if rebooted else "its wrapper was killed"
    return jobfolder.without_verdict(
        folder,
        detail=f"{cause} before the job could say how it ended",
    )


def _gone(folder: Path) -> JobStatus:
    if folder.is_dir():
        return JobStatus(state=JobState.UNKNOWN, reason_detail="the job has not been started")
    return JobStatus(
        state=JobState.LOST,
        reason=Reason.LOST,
        reason_detail=f"its folder {folder} has been deleted",
    )
