"""Ways to a host for tests: any shell, and one that breaks."""

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from nemorun_cli.core.errors import NotSentError, UnreachableError
from nemorun_cli.core.ports import Finished, Tunnel
from nemorun_cli.executors.slurm import SlurmExecutor

SHELLS: Mapping[str, Sequence[str]] = {
    "dash": ("dash",),
    "bash": ("bash", "--posix"),
    "busybox": ("busybox", "sh"),
}


@dataclass(frozen=True, kw_only=True)
class Shell:
    """This machine, by one shell and nothing between; of many calls the cheapest way."""

    shell: Sequence[str] = ("dash",)
    env: Mapping[str, str] = field(default_factory=dict)
    host: str = ""

    def run(self, script: str, *, data: bytes | BinaryIO = b"", timeout: float = 60) -> Finished:
        """As `Tunnel.run` says."""
        given = data if isinstance(data, bytes) else data.read()
        with subprocess.Popen(
            [*self.shell, "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **self.env},
            start_new_session=True,
        ) as process:
            try:
                out, err = process.communicate(given, timeout=timeout)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise UnreachableError("its time was up") from None
        if process.returncode == -signal.SIGKILL:
            raise UnreachableError("the host was lost")
        return Finished(code=process.returncode, out=out, err=err)


@dataclass
class Breaking:
    """A way that breaks when `breaks` says so: `before` anything is sent, or `after` it was run."""

    way: Tunnel
    breaks: Callable[[], str]
    host: str = "far"
    trips: int = 0
    received: int = 0
    """Bytes that came back."""
    sent: int = 0

    def run(self, script: str, *, data: bytes | BinaryIO = b"", timeout: float = 60) -> Finished:
        """As `Tunnel.run` says."""
        self.trips += 1
        how = self.breaks()
        if how == "unsent":
            raise NotSentError("no way to the host")
        if how == "before":
            raise UnreachableError("the connection broke")
        given = data if isinstance(data, bytes) else data.read()
        self.sent += len(given) + len(script)
        finished = self.way.run(script, data=given, timeout=timeout)
        self.received += len(finished.out)
        if how == "after":
            raise UnreachableError("the connection broke")
        return finished


@dataclass(frozen=True, kw_only=True)
class Through(SlurmExecutor):
    """The executor, by a way of the test's own."""

    way: Any = None

    def _way(self) -> Tunnel:
        found: Tunnel = self.way
        return found
