"""What all tests share: an empty home, the installed nemorun, a word on what is missing."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from nemorun_cli import processes
from nemorun_cli.core.runs import Process

REQUIRED = os.environ.get("NEMORUN_REQUIRE_BACKENDS") == "1"
NEMORUN = Path(sys.executable).with_name("nemorun")
_MISSING: dict[str, str] = {}
collect_ignore = ["plugin"]  # A distribution of its own, which test_plugin.py installs.


@dataclass(frozen=True, kw_only=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, kw_only=True)
class Nemorun:
    """The installed command, as somebody with an empty home types it."""

    home: Path
    cwd: Path
    env: dict[str, str] = field(default_factory=dict)

    @property
    def store(self) -> Path:
        return self.home / "store"

    def environment(self, **more: str) -> dict[str, str]:
        plain = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "NEMORUN_HOME": str(self.store),
            "NO_COLOR": "1",
            "LC_ALL": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            "COLUMNS": "100",
        }
        return {**plain, **self.env, **more}

    def start(self, *arguments: str, **env: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(NEMORUN), *arguments],
            cwd=self.cwd,
            env=self.environment(**env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="surrogateescape",
        )

    def __call__(self, *arguments: str, timeout: float = 90, **env: str) -> Done:
        with self.start(*arguments, **env) as process:
            out, err = process.communicate(timeout=timeout)
            return Done(code=process.returncode, out=out, err=err)

    def ok(self, *arguments: str, timeout: float = 90, **env: str) -> str:
        done = self(*arguments, timeout=timeout, **env)
        assert done.code == 0, done.err
        return done.out.rstrip("\n")

    def json(self, command: str, *arguments: str) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.ok(command, "--json", *arguments))
        return found

    def state(self, run_id: str) -> str:
        return json.loads(self.ok("status", run_id, "--json"))["run"]["state"]  # type: ignore[no-any-return]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir(mode=0o755)
    (folder / "nemorun.toml").touch()
    return folder


@pytest.fixture
def nemorun(tmp_path: Path, project: Path) -> Iterator[Nemorun]:
    home = tmp_path / "home"
    home.mkdir()
    yield Nemorun(home=home, cwd=project)
    _end_all(home / "store" / "jobs")


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], None]:
    """Wait, for 30 seconds at most, until something is true."""

    def wait(true: Callable[[], bool], seconds: float = 30) -> None:
        from nemorun_cli.watching import nap

        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, "it did not come true"
            nap(0.02)

    return wait


def living(run_id: str, word: str = "") -> list[int]:
    """The living processes of a run's job whose command lines have this word."""
    found = []
    for pid in processes.with_key(f"{run_id}-1"):
        with suppress(OSError):
            if word.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found


def waits(process: subprocess.Popen[str]) -> bool:
    """Whether a process waits for a lock."""
    lines = Path("/proc/locks").read_text().splitlines()
    return any("->" in line and str(process.pid) in line.split() for line in lines)


def require(name: str, *, there: bool, why: str) -> None:
    """Skip a test whose back-end is not there; fail it where back-ends are required."""
    if there:
        return
    _MISSING[name] = why
    if REQUIRED:
        pytest.fail(f"{name} is required and missing: {why}")
    pytest.skip(f"{name}: {why}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    from importlib.util import find_spec

    without = [name for name in ("torch", "sklearn") if find_spec(name) is None]
    for item in items:
        if item.get_closest_marker("torch") and without and not REQUIRED:
            _MISSING["torch"] = f"{', '.join(without)} not installed"
            item.add_marker(pytest.mark.skip(reason=f"torch: {_MISSING['torch']}"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _MISSING:
        terminalreporter.section("back-ends that were missing")
        for name, why in sorted(_MISSING.items()):
            terminalreporter.line(f"{name}: {why}")


def _end_all(jobs: Path) -> None:
    """End what a test has left running: these jobs' own processes and no others."""
    for path in jobs.glob("*/process.json"):
        wrapper = Process(**json.loads(path.read_text()))
        pids = list(processes.with_key(path.parent.name))
        if processes.alive(wrapper):
            pids.append(wrapper.pid)
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
