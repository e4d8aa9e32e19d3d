"""Whatever is killed, and whenever: afterwards every run is in its true state."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

KILLED = Path(__file__).with_name("killed_nemorun.py")
ROUNDS = int(os.environ.get("NEMORUN_KILL_ROUNDS", "120"))
PATIENCE = 120


@dataclass(frozen=True, kw_only=True)
class Shell:
    """A user with an empty home and a file in which every job that runs leaves its id."""

    folder: Path

    @property
    def ran(self) -> Path:
        return self.folder / "ran"

    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "NEMORUN_HOME": str(self.folder / "store"),
            "NO_COLOR": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "LC_ALL": "C.UTF-8",
        }

    def start(self, *arguments: str, kill_at: int | None = None) -> subprocess.Popen[str]:
        program = ["-m", "nemorun_cli"] if kill_at is None else [str(KILLED), str(kill_at)]
        return subprocess.Popen(
            [sys.executable, *program, *arguments],
            cwd=self.folder / "project",
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, kill_at: int | None = None) -> tuple[int, str, str]:
        process = self.start(*arguments, kill_at=kill_at)
        out, err = process.communicate(timeout=PATIENCE)
        return process.returncode, out, err

    def launch(self, kill_at: int | None = None) -> tuple[int, str, str]:
        return self.run("launch", *self.payload(), kill_at=kill_at)

    def payload(self) -> tuple[str, ...]:
        script = f'echo "$NEMORUN_RUN_ID" >>"{self.ran}"'
        return ("command", "--", "sh", "-c", script)

    def runs(self) -> dict[str, dict[str, Any]]:
        code, out, err = self.run("list", "--json", "--limit", "0", "--refresh", "now")
        assert code == 0, err
        return {run["id"]: run for run in json.loads(out)["runs"]}

    def settled(self) -> dict[str, dict[str, Any]]:
        """All runs, once none is live."""
        end = time.monotonic() + PATIENCE
        while True:
            runs = self.runs()
            live = [run for run in runs.values() if run["ended_at"] is None and _live(run)]
            if not live:
                return runs
            assert time.monotonic() < end, live

    def assert_true(self, runs: dict[str, dict[str, Any]], printed: list[str]) -> None:
        """Each job ran at most once, every one that ran is known to have, and no other is."""
        ran = Counter(self.ran.read_text().split() if self.ran.exists() else ())
        succeeded = {name for name, run in runs.items() if run["state"] == "SUCCEEDED"}
        others = {run["reason"] for run in runs.values() if run["state"] != "SUCCEEDED"}
        assert set(ran.values()) <= {1}, "a job ran twice"
        assert succeeded == set(ran), "a state is not true"
        assert others <= {"never_submitted"}
        assert set(printed) <= succeeded, "a run that was announced is lost"
        left = [path.name for path in (self.folder / "store" / "jobs").glob("[0-9]*")]
        assert {name.rpartition("-")[0] for name in left} <= set(runs)


def _live(run: dict[str, Any]) -> bool:
    return run["state"] in {"SUBMITTING", "PENDING", "RUNNING"}


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    (tmp_path / "project").mkdir(mode=0o755)
    (tmp_path / "project" / "nemorun.toml").touch()
    return Shell(folder=tmp_path)


def test_a_launch_killed_at_any_step_leaves_a_true_state(shell: Shell) -> None:
    shell.launch()
    _, _, err = shell.launch(kill_at=0)
    steps = int(err.rpartition("steps: ")[2])
    assert steps > 20

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(shell.launch, range(1, steps + 5)))

    printed = [out.strip() for _, out, _ in results if out.strip()]
    runs = shell.settled()
    shell.assert_true(runs, printed)
    killed = [code for code, _, _ in results if code == -signal.SIGKILL]
    assert len(killed) >= steps - 5
    assert {run["state"] for run in runs.values()} == {"SUCCEEDED", "FAILED"}


def test_a_launch_killed_at_any_time_leaves_a_true_state(shell: Shell) -> None:
    chance = random.Random(20)  # noqa: S311

    def one(delay: float) -> str:
        process = shell.start("launch", *shell.payload())
        timer = threading.Timer(delay, process.kill)
        timer.start()
        out, _ = process.communicate(timeout=PATIENCE)
        timer.cancel()
        return out.strip()

    with ThreadPoolExecutor(2) as pool:
        delays = [chance.uniform(0.05, 0.6) for _ in range(ROUNDS)]
        printed = [out for out in pool.map(one, delays) if out]

    shell.assert_true(shell.settled(), printed)


def test_an_observer_killed_at_any_step_spoils_nothing(shell: Shell) -> None:
    code, printed, _ = shell.launch()
    _, _, err = shell.run("list", kill_at=0)
    steps = int(err.rpartition("steps: ")[2])

    for step in range(1, steps + 1):
        shell.launch()
        shell.run("list", "--refresh", "now", kill_at=step)

    runs = shell.settled()
    assert code == 0
    shell.assert_true(runs, [printed.strip()])
    assert len(runs) == steps + 1


def test_fifty_launches_at_once_are_fifty_runs(shell: Shell) -> None:
    with ThreadPoolExecutor(50) as pool:
        results = list(pool.map(lambda _: shell.launch(), range(50)))

    told = [err for _, _, err in results if "the same command line and code as" not in err]
    assert ([code for code, _, _ in results], set(told) - {""}) == ([0] * 50, set())
    printed = [out.strip() for _, out, _ in results]
    runs = shell.settled()
    assert len(set(printed)) == 50
    assert set(runs) == set(printed)
    shell.assert_true(runs, printed)
