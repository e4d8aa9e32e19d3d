"""The test cluster of Ray, as tests use it: what `ray.sh` starts, stops and kills."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from nemorun_cli.rayjobs.dashboard import Dashboard
from tests.testbed.cluster import ImpossibleError

SCRIPT = Path(__file__).with_name("ray.sh")
FOLDER = Path(os.environ.get("NEMORUN_TESTBED") or "/var/tmp/nemorun-testbed", "ray")  # noqa: S108
_IMPOSSIBLE = 3


@dataclass(frozen=True, kw_only=True)
class RayCluster:
    """A head and another node that are up; jobs have the interpreter that runs the tests."""

    folder: Path = FOLDER
    address: str = "http://127.0.0.1:28265"

    @classmethod
    def start(cls) -> Self:
        """The cluster, up; ImpossibleError where there can be none."""
        done = _script("up", timeout=300)
        if done.returncode == _IMPOSSIBLE:
            raise ImpossibleError(done.stderr.strip().removeprefix("no test cluster of Ray: "))
        assert done.returncode == 0, done.stderr
        return cls()

    @property
    def token(self) -> Path:
        """The file of what the cluster wants to be shown."""
        return self.folder / "token"

    @property
    def api(self) -> Dashboard:
        return Dashboard(address=self.address)

    def do(self, *command: str) -> None:
        """`up`, `crash`, `head` or `lose`."""
        done = _script(*command, timeout=300)
        assert done.returncode == 0, done.stderr


def _script(*command: str, timeout: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(SCRIPT), *command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env={**os.environ, "RAY": str(Path(sys.executable).with_name("ray"))},
    )
