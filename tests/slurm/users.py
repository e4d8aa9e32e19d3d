"""Who types nemorun in these tests: somebody on the login node, or on a laptop far from it."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nemorun_cli.core.jobs import JobHandle
from nemorun_cli.watching import nap
from tests.conftest import NEMORUN, Nemorun
from tests.testbed.cluster import Cluster

SAVES = 'trap "sleep 1; echo saved; exit 0" TERM; echo up; while :; do sleep 0.1; done'


@dataclass(frozen=True, kw_only=True)
class User(Nemorun):
    """The installed command, as it is typed for this cluster, by somebody with an empty home."""

    cluster: Cluster
    executor: str
    jobs: Path
    """Where the jobs' folders are; all hosts see it."""

    def command(self, *arguments: str) -> list[str]:
        typed = [str(NEMORUN), *arguments]
        return self.cluster.on_login(typed) if self.executor == "slurm" else typed

    def start(self, *arguments: str, **env: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.cwd,
            env=self.environment(**env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="surrogateescape",
        )

    def launch(self, *words: str, **env: str) -> str:
        """The id of a run that Slurm has."""
        return self.ok("launch", "-e", self.executor, *words, timeout=90, **env)

    def sh(self, script: str, *options: str) -> str:
        """The id of a run of a line of sh."""
        return self.launch(*options, "command", "--", "sh", "-c", script)

    def show(self, run_id: str) -> dict[str, Any]:
        found: Any = self.json("show", run_id)["run"]
        return found  # type: ignore[no-any-return]

    def ended(self, run_id: str, seconds: int = 60) -> dict[str, Any]:
        """All that is known of a run, which has ended."""
        self("wait", run_id, "--timeout", f"{seconds}s", timeout=seconds + 60)
        run = self.show(run_id)
        assert run["state"] in {"SUCCEEDED", "FAILED", "CANCELLED", "LOST"}, brief(run)
        return run

    def until(self, run_id: str, *states: str, seconds: int = 60) -> dict[str, Any]:
        """All that is known of a run once it is in one of these states."""
        for _ in range(seconds * 2):
            run = self.show(run_id)
            if run["state"] in states:
                return run
            nap(0.4)
        raise AssertionError(brief(run))

    def until_said(self, run_id: str, text: str, *, ranks: int = 1, attempt: int = 1) -> None:
        """Wait until each rank has said this."""
        for rank in range(ranks):
            path = self.folder(run_id) / f"logs/{attempt}/{rank}.log"
            for _ in range(900):
                if path.exists() and text in path.read_text():
                    break
                nap(0.1)
            assert text in path.read_text()

    def job(self, run_id: str) -> str:
        """Slurm's number for the run."""
        return JobHandle.parse(self.show(run_id)["handle"]).native_id

    def numbers(self) -> dict[str, set[str]]:
        """The numbers of all jobs that Slurm has or has had lately, for each run that has any."""
        queue = ("squeue", "--noheader", "--states=all", "--format=%i|%k")
        # The queue forgets jobs after a while, and accounting lags by seconds.
        past = ("sacct", "-X", "--noheader", "--parsable2", "-S", "now-1hours")
        rows = self.cluster.admin(*queue).splitlines()
        rows += self.cluster.admin(*past, "--format=jobid,comment").splitlines()
        found: dict[str, set[str]] = {}
        for number, _, comment in (row.partition("|") for row in rows):
            key = comment.partition(" ")[0].removeprefix("nemorun:")
            found.setdefault(key.removesuffix("-1"), set()).add(number)
        return found

    def folder(self, run_id: str) -> Path:
        """The job's folder."""
        return self.jobs / f"{run_id}-1"

    def lines(self, run_id: str, *options: str) -> list[str]:
        """The run's output."""
        return self.ok("logs", run_id, *options).splitlines()

    def said(self, run_id: str, *options: str) -> list[str]:
        """The same without the remarks of Slurm's own when it ends something."""
        lines = self.lines(run_id, *options)
        return [line for line in lines if not line.startswith("slurmstepd-")]


def brief(run: Mapping[str, Any]) -> str:
    """How a run stands, in a line."""
    names = ("id", "state", "reason", "reason_detail", "exit_code", "stale_since", "attempts")
    return ", ".join(f"{name}={run[name]}" for name in names)


def having(**settings: object) -> tuple[str, ...]:
    """Settings, as they are typed."""
    return tuple(word for name, value in settings.items() for word in ("-x", f"{name}={value}"))


@contextmanager
def on_login(cluster: Cluster, folder: Path) -> Iterator[User]:
    """Somebody on the login node."""
    home = _home(folder, "[executors.slurm]")
    path = {"PATH": cluster.env()["PATH"]}
    user = User(
        home=home,
        cwd=folder / "project",
        env=path,
        cluster=cluster,
        executor="slurm",
        jobs=home / "store" / "jobs",
    )
    yield user
    _end_all(user)


@contextmanager
def on_laptop(cluster: Cluster, folder: Path) -> Iterator[User]:
    """Somebody who reaches the cluster by ssh, under the name cw."""
    jobs = folder / "far"
    home = _home(
        folder,
        *("[executors.cw]", 'type = "slurm"', 'host = "login"', f'job_dir = "{jobs}"'),
        f'ssh_config = "{cluster.ssh_config}"',
    )
    user = User(home=home, cwd=folder / "project", cluster=cluster, executor="cw", jobs=jobs)
    yield user
    _end_all(user)


@pytest.fixture
def here(cluster: Cluster, tmp_path: Path) -> Iterator[User]:
    """Somebody on the login node."""
    with on_login(cluster, tmp_path / "here") as user:
        yield user


@pytest.fixture
def far(cluster: Cluster, tmp_path: Path) -> Iterator[User]:
    """Somebody on a laptop."""
    with on_laptop(cluster, tmp_path / "laptop") as user:
        yield user


@pytest.fixture(params=["here", "far"])
def user(request: pytest.FixtureRequest) -> User:
    """The one, and the other."""
    found: User = request.getfixturevalue(request.param)
    return found


def _home(folder: Path, *table: str) -> Path:
    settings = folder / "home" / ".config" / "nemorun"
    settings.mkdir(parents=True)
    common = (f'python = "{sys.executable}"', 'poll_interval = "1s"', 'grace = "5s"')
    (settings / "config.toml").write_text("\n".join([*table, *common, ""]))
    (folder / "project").mkdir(mode=0o755)
    (folder / "project" / "nemorun.toml").touch()
    return folder / "home"


def _end_all(user: User) -> None:
    """Leave nothing of a test in the queue."""
    if not user.jobs.exists():
        return
    keys = {path.name for path in user.jobs.iterdir()}
    queue = user.cluster.run("squeue", "--noheader", "--format=%i|%k", host="ctl")
    rows = (line.split("|nemorun:") for line in queue.stdout.splitlines())
    ids = [row[0] for row in rows if row[1:] and row[1].split()[0] in keys]
    if ids:
        user.cluster.run("scancel", *ids, host="ctl")
