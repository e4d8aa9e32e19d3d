"""The test engine, as tests use it: what `engine.sh` starts, stops and kills."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from nemorun_cli.containers.engine import Engine
from tests.testbed.cluster import ImpossibleError

SCRIPT = Path(__file__).with_name("engine.sh")
FOLDER = Path(os.environ.get("NEMORUN_TESTBED") or "/var/tmp/nemorun-testbed", "docker")  # noqa: S108
IMAGE = "nemorun-test/python"
"""Python, a shell and the programs that job.sh needs."""
SH = "nemorun-test/sh"
"""Nothing but busybox."""
_IMPOSSIBLE = 3


@dataclass(frozen=True, kw_only=True)
class TestEngine:
    """An engine that is up and has the two images."""

    __test__ = False
    folder: Path = FOLDER

    @classmethod
    def start(cls) -> Self:
        """The engine, up; ImpossibleError where there can be none."""
        done = _script("up", timeout=900)
        if done.returncode == _IMPOSSIBLE:
            raise ImpossibleError(done.stderr.strip().removeprefix("no test engine: "))
        assert done.returncode == 0, done.stderr
        return cls()

    @property
    def address(self) -> str:
        return f"unix://{self.folder}/docker.sock"

    @property
    def api(self) -> Engine:
        return Engine(address=self.address)

    def containers(self, label: str) -> list[str]:
        """The states of the containers with this label, running or not."""
        return [str(each["State"]) for each in self.api.containers(label)]

    def networks(self, label: str) -> list[str]:
        """The names of the networks with this label."""
        query = {"filters": json.dumps({"label": [label]})}
        return [str(each["Name"]) for each in self.api._json("GET", "/networks", query)]

    @contextmanager
    def live_restore(self) -> Iterator[None]:
        """Meanwhile containers outlive the daemon."""
        settings = self.folder / "daemon.json"
        before = settings.read_text()
        try:
            settings.write_text(json.dumps({**json.loads(before), "live-restore": True}))
            self.do("reload")
            yield
        finally:
            settings.write_text(before)
            self.do("start")
            self.do("reload")

    def do(self, command: str) -> None:
        """`stop`, `start`, `crash` or `reload`."""
        done = _script(command, timeout=120)
        assert done.returncode == 0, done.stderr


def _script(command: str, *, timeout: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(SCRIPT), command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
