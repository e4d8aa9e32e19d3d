"""What the scripted Slurm really runs: batch scripts, again and again, and the tasks of srun."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from tests.slurmfake.fake import Changing, now_in, options_of, read

World = dict[str, Any]
Job = dict[str, Any]


def slurmd(folder: str, words: list[str]) -> int:
    """Start a job's script, and again as often as it is requeued; note how it ended."""
    while True:
        with Changing(folder) as world:
            job = job_of(world, words[0])
            begun = now_in(world)
            job["states"].append([begun, "RUNNING", ""])
            job["requeue"] = None
            with Path(job["output"]).open("ab") as output:
                script = subprocess.Popen(
                    [*world["shell"], job["script"]],
                    env=environment_of(job, world),
                    cwd="/",
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
            job["pid"], job["keeper"] = script.pid, os.getpid()
        code = watched(script, folder, job)
        end_all(folder, words[0])
        with Changing(folder) as world:
            job = job_of(world, words[0])
            if not over(job, begun, now_in(world), code):
                continue
        return 0


def watched(script: "subprocess.Popen[bytes]", folder: str, job: Job) -> int:
    """The exit code of a script, which is warned and ended when its time is up."""
    if not job["limit"]:
        return script.wait()
    for seconds, name in (
        (max(0.5, job["limit"] - job["warned"]), "USR2"),
        (job["warned"], "TERM"),
    ):
        try:
            return script.wait(seconds)
        except subprocess.TimeoutExpired:
            script.send_signal(signal.Signals[f"SIG{name}"])
    with Changing(folder) as world:
        job_of(world, job["id"])["verdict"] = "TIMEOUT"
    try:
        return script.wait(2)
    except subprocess.TimeoutExpired:
        script.kill()
        return script.wait()


def over(job: Job, begun: float, now: float, code: int) -> bool:
    """Note the end of a start; whether it was the last one."""
    job["pid"] = 0
    text = f"{code}:0" if code >= 0 else f"0:{-code}"
    if job["requeue"]:
        job["earlier"].append([begun, now, job["requeue"], text])
        job["states"].append([now, "PENDING", "BeginTime"])
        job["restarts"] += 1
        return False
    word = job.get("verdict") or ("COMPLETED" if code == 0 else "FAILED")
    job["states"].append([now, word, "None"])
    job["exit"] = text
    return True


def environment_of(job: Job, world: World) -> dict[str, str]:
    """What Slurm tells a batch script of itself."""
    nodes = world["nodes"]
    known = {
        "SLURM_JOB_ID": job["id"],
        "SLURM_JOB_NODELIST": ",".join(nodes),
        "SLURM_JOB_NUM_NODES": str(len(nodes)),
        "SLURM_NNODES": str(len(nodes)),
        "SLURMD_NODENAME": nodes[0],
    }
    if job["restarts"]:
        known["SLURM_RESTART_COUNT"] = str(job["restarts"])
    return {**job["env"], **known}


def end_all(folder: str, number: str) -> None:
    """Kill what a start has left: whatever says in its environment that it is of this job here."""
    own = f"PATH={folder}/bin:".encode()
    marks = {f"SLURM_JOB_ID={number}".encode(), b"SLURMD_NODENAME=n1"}
    for entry in Path("/proc").iterdir():
        try:
            variables = entry.joinpath("environ").read_bytes().split(b"\0")
            if marks <= set(variables) and any(each.startswith(own) for each in variables):
                os.kill(int(entry.name), signal.SIGKILL)
        except (OSError, ValueError):
            continue


def job_of(world: World, number: str) -> Any:
    """The job of this number."""
    return next(job for job in reversed(world["jobs"]) if job["id"] == number)


def srun(folder: str, words: list[str]) -> int:
    """Run the command in each task; the highest exit code. A task that fails ends the others."""
    if words == ["--help"]:
        help_text: str = read(f"{folder}/world")["srun_help"]
        sys.stdout.write(help_text)
        return 0
    options, command = options_of(words)
    count = int(options.get("ntasks", "1"))
    nodes = int(options.get("nodes", "1"))
    with Changing(folder) as world:
        step = f"{os.environ.get('SLURM_JOB_ID', '0')}.{world['next_step']}"
        world["next_step"] += 1
        files = outputs(options)
        tasks = [start(command, number, count, nodes, files) for number in range(count)]
        world["steps"][step] = [task.pid for task in tasks]
        forward(tasks)
    readers = [label(task, number) for number, task in enumerate(tasks) if "label" in options]
    codes = ended(tasks, kill="kill-on-bad-exit" in options)
    for reader in readers:
        reader.join()
    with Changing(folder) as world:
        world["steps"].pop(step, None)
    return max(128 - code if code < 0 else code for code in codes)


def outputs(options: dict[str, str]) -> tuple[BinaryIO | None, BinaryIO | None]:
    """The files of --output and --error; None is srun's own stream."""
    found = [Path(options[name]).open("ab") if name in options else None for name in NAMES]  # noqa: SIM115
    return found[0], found[1] or found[0]


NAMES = ("output", "error")


def start(
    command: list[str], number: int, count: int, nodes: int, files: tuple[Any, Any]
) -> "subprocess.Popen[bytes]":
    """One task, which knows who it is."""
    labelled = subprocess.PIPE if files[0] is None and count > 1 else None
    known = {
        "SLURM_PROCID": str(number),
        "SLURM_NTASKS": str(count),
        "SLURM_NODEID": str(number * nodes // count),
        "SLURM_LOCALID": str(number % max(1, count // nodes)),
        "SLURM_NNODES": str(nodes),
    }
    return subprocess.Popen(
        command,
        env={**os.environ, **known},
        stdin=subprocess.DEVNULL,
        stdout=files[0] or labelled,
        stderr=files[1] or (subprocess.STDOUT if labelled else None),
    )


def forward(tasks: list["subprocess.Popen[bytes]"]) -> None:
    """Pass on the signals that srun gets."""

    def passed(number: int, _: object) -> None:
        for task in tasks:
            os.kill(task.pid, number)

    for each in (signal.SIGHUP, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(each, passed)


def label(task: "subprocess.Popen[bytes]", number: int) -> threading.Thread:
    """Print what the task prints, each line with its number."""

    def copy() -> None:
        for line in task.stdout or ():
            os.write(1, b"%d: %b" % (number, line))

    reader = threading.Thread(target=copy)
    reader.start()
    return reader


def ended(tasks: list["subprocess.Popen[bytes]"], *, kill: bool) -> list[int]:
    """The exit codes of all tasks, in the order in which they ended."""
    waiting = {task.pid: task for task in tasks}
    codes = []
    while waiting:
        pid, status = os.wait()
        if pid not in waiting:
            continue
        del waiting[pid]
        codes.append(os.waitstatus_to_exitcode(status))
        if codes[-1] and kill:
            for other in waiting:
                os.kill(other, signal.SIGTERM)
    return codes


ACTS: dict[str, Callable[[str, list[str]], int]] = {"slurmd": slurmd, "srun": srun}
