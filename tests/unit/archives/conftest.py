"""A store with one run that has ended, and another store that knows nothing of it."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

from nemorun_cli import packagers
from nemorun_cli.actions import export, importing
from nemorun_cli.actions.gathering import Extent
from nemorun_cli.actions.wiring import Ports
from nemorun_cli.core.jobs import JobHandle, JobState, JobStatus
from nemorun_cli.core.runs import Process, RunRecord
from nemorun_cli.store.files import Store
from nemorun_cli.store.index import Index

RUN = "20260101-000000-abcdefgh"
KEY = f"{RUN}-1"
NOW = 4e9
SUBMITTER = Process(pid=7, start=8, boot="boot", namespace="pid:[1]", machine="here")
PLAN = '{"files": {"job.sh": ":"}, "links": {}, "commands": [], "directory": "/nowhere"}'


@dataclass(frozen=True, kw_only=True)
class Place:
    """A user's store."""

    home: Path

    @property
    def ports(self) -> Ports:
        store = Store(home=self.home, host="here")
        return Ports(store=store, index=Index(store=store), clock=lambda: NOW)

    @property
    def run(self) -> Path:
        return self.home / "runs" / "2026-01" / RUN

    @property
    def job(self) -> Path:
        return self.home / "jobs" / KEY

    def launch(self, project: Path, **fields: Any) -> None:
        """A run of this project that has ended well, as the local executor leaves it."""
        store = self.ports.store
        code = packagers.take(project, store.code, home=self.home, workdir=".", now=NOW)
        known: dict[str, Any] = {
            "id": RUN,
            "recipe": "command",
            "argv": ("true",),
            "executor": "local",
            "target": {"job_dir": str(self.home / "jobs"), "machine": "here"},
            "resources": {},
            "directory": str(self.job),
            "created_at": 1_767_225_600.0,
            "submitter": SUBMITTER,
            "host": "here",
            "user": "me",
            "code": asdict(code),
        }
        store.create(RunRecord(**{**known, **fields}), {"plan.json": PLAN})
        handle = JobHandle(executor="local", target="here", key=KEY, native_id="1")
        store.submitted(RUN, 1, handle, now=NOW)
        done = JobStatus(state=JobState.SUCCEEDED, exit_code=0)
        store.conclude(RUN, done, now=NOW, evidence="a test")
        (self.job / "logs" / "1").mkdir(parents=True)
        (self.job / "logs" / "1" / "0.log").write_bytes(b"first\nlast")
        (self.job / "metrics.jsonl").write_text('{"step": 1, "rank": 0, "metrics": {"loss": 2}}\n')

    def export(self, to: Path, **extent: Any) -> export.Exported:
        run = self.ports.store.read(RUN)
        return export.to_file([run], Extent(**extent), to, ports=self.ports, force=True)

    def import_(self, path: Path, **allowed: Any) -> importing.Imported:
        return importing.import_(path, importing.Allowed(**allowed), ports=self.ports)

    def files(self) -> list[str]:
        """What of runs and code there is, and nothing of how it came there."""
        found = [*self.home.glob("code/*"), *self.home.glob("runs/*/*"), *self.home.glob("jobs/*")]
        hidden = list(self.home.glob("runs/.new/*"))
        return sorted(str(each.relative_to(self.home)) for each in [*found, *hidden])


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir(mode=0o755)
    (folder / "train.py").write_text("print('trained')\n")
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("train.py")
    return folder


@pytest.fixture
def mine(tmp_path: Path) -> Place:
    return Place(home=tmp_path / "mine")


@pytest.fixture
def yours(tmp_path: Path) -> Place:
    return Place(home=tmp_path / "yours")


@pytest.fixture
def archive(mine: Place, project: Path, tmp_path: Path) -> Path:
    mine.launch(project)
    mine.export(tmp_path / "x.nrz")
    return tmp_path / "x.nrz"


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Place]:
    return lambda: Place(home=tmp_path_factory.mktemp("home"))
