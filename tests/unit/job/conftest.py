"""A job's folder and the interpreters that may run in it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nemorun_cli.payload import payload_files


def oldest_python() -> str | None:
    """The oldest interpreter on this machine that a job may meet."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for minor in (8, 9, 10):
        kept = sorted(versions.glob(f"3.{minor}.*/bin/python3"))
        found = shutil.which(f"python3.{minor}")
        # What a version manager puts in the path may refuse to run.
        if kept or (found and "shims" not in found):
            return str(kept[0]) if kept else found
    return None


@pytest.fixture(params=["this python", "the oldest python"])
def python(request: pytest.FixtureRequest) -> str:
    if request.param == "this python":
        return sys.executable
    found = oldest_python()
    if found is None:
        pytest.skip("no Python older than 3.11 on this machine")
    return found


@dataclass(frozen=True, kw_only=True)
class Job:
    folder: Path
    python: str

    def code(self, **modules: str) -> None:
        for name, text in modules.items():
            (self.folder / "code" / f"{name}.py").write_text(text)

    def start(
        self,
        document: Mapping[str, Any] | None = None,
        *argv: str,
        **env: str,
    ) -> subprocess.Popen[str]:
        text = None if document is None else json.dumps(document, sort_keys=True)
        for name, content in payload_files(text).items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        told = {
            "PATH": os.environ["PATH"],
            "NEMORUN_RUN_DIR": str(self.folder),
            "NEMORUN_CODE_DIR": str(self.folder / "code"),
            "NEMORUN_METRICS": str(self.folder / "metrics.jsonl"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        return subprocess.Popen(
            [self.python, str(self.folder / "worker.py"), *argv],
            cwd=self.folder / "work",
            env={**told, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(
        self,
        document: Mapping[str, Any] | None = None,
        *argv: str,
        **env: str,
    ) -> subprocess.CompletedProcess[str]:
        with self.start(document, *argv, **env) as process:
            out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def failure(self, attempt: int = 1) -> dict[str, Any] | None:
        path = self.folder / "logs" / str(attempt) / "first_failure.json"
        return json.loads(path.read_text()) if path.exists() else None

    def log(self, name: str, attempt: int = 1) -> str:
        return (self.folder / "logs" / str(attempt) / name).read_text()


@pytest.fixture
def job(tmp_path: Path, python: str) -> Job:
    folder = tmp_path / "the job's folder"
    for name in ("work", "code"):
        (folder / name).mkdir(parents=True)
    return Job(folder=folder, python=python)
