"""The folder of a scripted Slurm: what is in it, what it shall do, what it was asked."""

import marshal
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMMANDS = ("sbatch", "squeue", "sacct", "scancel", "scontrol", "sinfo", "srun", "slurmd")
TIMED_OUT = "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation\n"
REFUSED = "sbatch: error: Batch job submission failed: Invalid account or account/partition\n"
SILENT = "slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n"
_ROOT = Path(__file__).parents[2]
_NEW: dict[str, Any] = {
    "accounting": "",  # what sacct complains of instead of answering
    "banners": ("", ""),  # what sbatch prints around its answer
    "clock": 0.0,  # seconds by which the world is ahead of time
    "cluster": "fake",
    "conditions": {},  # of nodes that are not idle
    "controller": "",  # what all others complain of instead of answering
    "exit": "0:0",
    "faults": {},
    "jobs": [],
    "lag": 0.0,  # seconds that accounting is behind
    "min_job_age": 300.0,
    "names_cluster": False,
    "next": 100,
    "next_step": 0,
    "nodes": ["n1"],
    "noise": ("", ""),  # what squeue prints around its rows
    "runs": False,  # whether batch scripts are really run
    "shell": ["sh"],
    "srun_help": "  --overlap\n",
    "states": [(0.0, "PENDING", "Priority")],  # of each new job: after how long, word, reason
    "steps": {},
}


@dataclass(frozen=True, kw_only=True)
class World:
    """The scripted Slurm in one folder; PATH is how it comes before any other."""

    folder: Path

    @classmethod
    def made(cls, folder: Path) -> "World":
        """A new one, in a folder that does not exist yet."""
        world = cls(folder=folder)
        programs = folder / "bin"
        programs.mkdir(parents=True)
        main = f"import sys; sys.path.insert(0, {str(_ROOT)!r})\nfrom tests.slurmfake import fake\n"
        (programs / "fake").write_text(f"#!{sys.executable} -SE\n{main}fake.main()\n")
        (programs / "timeout").write_text(_TIMEOUT.format(real=shutil.which("timeout")))
        for program in programs.iterdir():
            program.chmod(0o755)
        for name in COMMANDS:
            (programs / name).symlink_to("fake")
        (folder / "world").write_bytes(marshal.dumps(_NEW))
        world.set_timeout(5.0)
        return world

    @property
    def path(self) -> str:
        """The PATH of those who shall find it."""
        return f"{self.folder}/bin:{os.environ['PATH']}"

    def set_timeout(self, seconds: float) -> None:
        """The time after which `timeout` ends a command, whatever it was asked for."""
        (self.folder / "limit").write_text(f"{seconds}\n")

    def read(self) -> dict[str, Any]:
        found: dict[str, Any] = marshal.loads((self.folder / "world").read_bytes())  # noqa: S302
        return found

    @contextmanager
    def changing(self) -> Iterator[dict[str, Any]]:
        """The world, alone; what was changed is kept."""
        import fcntl

        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            found = self.read()
            yield found
            (self.folder / "world.new").write_bytes(marshal.dumps(found))
            (self.folder / "world.new").replace(self.folder / "world")

    def set(self, **values: Any) -> None:
        """Change some of what the world is like; see _NEW."""
        assert values.keys() <= _NEW.keys()
        with self.changing() as world:
            world.update(values)

    def next_calls(self, command: str, *faults: dict[str, Any] | None) -> None:
        """What the next calls of this command do instead; None is a good call.

        `act`: what was asked is done all the same, `mute` without its answer. `out`, `err`, `code`
        come on top. `hang`: seconds that it takes then. `die`: the whole session is killed then.
        """
        with self.changing() as world:
            world["faults"].setdefault(command, []).extend(faults)

    def pass_time(self, seconds: float) -> None:
        with self.changing() as world:
            world["clock"] += seconds

    def calls(self, *commands: str) -> list[list[str]]:
        """The calls of these commands so far, each with its words."""
        try:
            lines = (self.folder / "calls").read_text(errors="surrogateescape").splitlines()
        except FileNotFoundError:
            return []
        return [line.split("\t") for line in lines if line.split("\t")[0] in commands]

    def jobs(self, key: str = "") -> list[dict[str, Any]]:
        """The jobs that were ever taken, of one key if it is given."""
        return [job for job in self.read()["jobs"] if f"nemorun:{key}" in job["comment"]]

    def job(self, number: str) -> dict[str, Any]:
        return next(job for job in reversed(self.read()["jobs"]) if job["id"] == number)

    def add(self, **fields: Any) -> None:
        """Have a job that nobody submitted: its `id`, `name`, `comment`, `states` and the like.

        With `gone` accounting alone knows it.
        """
        plain = {"name": "", "comment": "", "cluster": "", "submitted": 1.0, "exit": "0:0"}
        with self.changing() as world:
            world["jobs"].append({**plain, "earlier": [], "restarts": 0, **fields})

    def change(self, number: str, **fields: Any) -> None:
        """Change a job."""
        with self.changing() as world:
            for job in world["jobs"]:
                if job["id"] == number:
                    job.update(fields)

    def signal(self, number: str, name: str) -> None:
        """Signal the batch script of a job, as Slurm does."""
        os.kill(self.job(number)["pid"], signal.Signals[f"SIG{name}"])

    def requeue(self, number: str, word: str) -> None:
        """Take a job away to start it again; accounting has `word` for that."""
        self.change(number, requeue=word)
        self.signal(number, "TERM")

    def end(self) -> None:
        """End all that was started here."""
        for job in self.jobs():
            for pid in (job.get("keeper"), job.get("pid")):
                if pid:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
        own = f"PATH={self.folder}/bin:".encode()
        for entry in Path("/proc").iterdir():
            with suppress(OSError, ValueError):
                if any(
                    each.startswith(own) for each in (entry / "environ").read_bytes().split(b"\0")
                ):
                    os.kill(int(entry.name), signal.SIGKILL)


_TIMEOUT = """#!/bin/sh
while case $1 in -k) shift ;; -*) ;; *) false ;; esac do shift; done
shift
read -r limit <"${{0%/bin/timeout}}/limit"
exec {real} "$limit" "$@"
"""
