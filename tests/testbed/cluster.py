"""The test cluster, as tests use it: what `cluster.sh` starts, breaks and mends."""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from nemorun_cli.watching import nap

SCRIPT = Path(__file__).with_name("cluster.sh")
FOLDER = Path(os.environ.get("NEMORUN_TESTBED") or "/var/tmp/nemorun-testbed")  # noqa: S108
NODES = ("n1", "n2", "n3", "n4")
_IMPOSSIBLE = 3
_STARTED = ("RUNNING", "COMPLETING", "COMPLETED")
_UNFINISHED = ("PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED", "REQUEUED")


class ImpossibleError(Exception):
    """There can be no cluster on this machine; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A cluster that is up: hosts login, ctl and n1 to n4, partitions batch, low and short."""

    folder: Path = FOLDER

    @classmethod
    def start(cls) -> Self:
        """The cluster, up and whole; a tenth of a second where it is so already.

        Waits while a test in any process has it for itself; such a test has `mend`.
        """
        done = _script("up", timeout=900)
        if done.returncode == _IMPOSSIBLE:
            raise ImpossibleError(done.stderr.strip().removeprefix("no test cluster: "))
        assert done.returncode == 0, done.stderr
        return cls()

    def mend(self) -> None:
        """Bring back whatever is missing."""
        _do("mend")

    @property
    def ssh_config(self) -> Path:
        """For `ssh -F`: knows login, and n1 to n4 through login."""
        return self.folder / "ssh" / "config"

    @property
    def home(self) -> Path:
        """Root's home on all the hosts, which is not root's home here."""
        return self.folder / "home" / "root"

    @property
    def limits_memory(self) -> bool:
        """Whether a job that needs more memory than it asked for is killed for it."""
        return "ConstrainRAMSpace=yes" in (self.folder / "etc/slurm/cgroup.conf").read_text()

    def env(self) -> dict[str, str]:
        """What root has on login for an environment."""
        return {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self.home),
            "USER": "root",
            "LOGNAME": "root",
            "SHELL": "/bin/bash",
            "LC_ALL": "C.UTF-8",
        }

    def on(self, host: str, argv: Sequence[str]) -> list[str]:
        """A command that runs another on a host, in the same folder and environment."""
        enter = ["ip", "netns", "exec", f"nemorun-{host}", "unshare", "--uts"]
        return [*enter, "sh", "-c", 'hostname "$0" && exec "$@"', host, *argv]

    def on_login(self, argv: Sequence[str]) -> list[str]:
        """A command that runs another on the login node."""
        return self.on("login", argv)

    def run(
        self,
        *argv: str,
        host: str = "login",
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        timeout: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        """How a command ended on a host, whichever way."""
        return subprocess.run(
            self.on(host, argv),
            env={**self.env(), **(env or {})},
            cwd=cwd or self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def admin(self, *argv: str, timeout: float = 60) -> str:
        """What a Slurm command that succeeds says on ctl, as root."""
        done = self.run(*argv, host="ctl", timeout=timeout)
        assert done.returncode == 0, f"{argv}: {done.stderr}"
        return done.stdout.strip()

    def state(self, job_id: str) -> str:
        """The controller's word for a job's state; empty once it has forgotten the job."""
        done = self.run("squeue", "--noheader", "--states=all", f"--jobs={job_id}", "--format=%T")
        return done.stdout.strip()

    def wait(self, job_id: str, *states: str, seconds: float = 120) -> str:
        """Wait until the controller gives a job one of these states, and say which."""
        end = time.monotonic() + seconds
        while (state := self.state(job_id)) not in states:
            gone = state not in _UNFINISHED or time.monotonic() > end
            assert not gone, f"job {job_id} is {state or 'forgotten'}, not {' or '.join(states)}"
            nap(0.2)
        return state

    def start_now(self, job_id: str) -> None:
        """Spare a requeued job most of the ten seconds that it has to wait."""
        if self.wait(job_id, "PENDING", *_STARTED) == "PENDING":
            # A node refuses a job that starts in the second in which it was ended.
            nap(2)
            self.run("scontrol", "update", f"JobId={job_id}", "StartTime=now", host="ctl")
            self.wait(job_id, *_STARTED)

    def kill_node(self, node: str) -> None:
        """End all that runs on a node at once, jobs and daemons, as a power cut does."""
        _do("kill-node", node)

    def start_node(self, node: str) -> None:
        """Bring a node back, and wait until it takes jobs."""
        _do("start-node", node)

    def stop_ctl(self) -> None:
        _do("stop-ctl")

    def start_ctl(self) -> None:
        _do("start-ctl")

    def restart_ctl(self) -> None:
        self.stop_ctl()
        self.start_ctl()

    def stop_dbd(self) -> None:
        _do("stop-dbd")

    def start_dbd(self) -> None:
        _do("start-dbd")

    def stop_db(self) -> None:
        _do("stop-db")

    def start_db(self) -> None:
        _do("start-db")

    def cut(self) -> None:
        """Let nothing pass to or from login's sshd, as a cable pulled out does."""
        _do("cut")

    def heal(self) -> None:
        """Let everything pass again; connections that were cut go on."""
        _do("heal")


def _do(*arguments: str) -> None:
    done = _script(*arguments, timeout=180)
    assert done.returncode == 0, f"{arguments}: {done.stderr}"


def _script(*arguments: str, timeout: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(SCRIPT), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
