"""The real recipes train: they learn, and go on where they were stopped."""

import importlib
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nemorun_cli import processes
from nemorun_cli.config.canonical import text_of
from nemorun_cli.config.document import to_document
from nemorun_cli.payload import payload_files
from tests.conftest import Nemorun

pytestmark = pytest.mark.torch
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job's folder, run as job.sh would run it."""

    folder: Path

    def start(self, config: object) -> subprocess.Popen[str]:
        for name, text in payload_files(text_of(to_document(config))).items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (self.folder / "work").mkdir(exist_ok=True)
        command = [sys.executable, str(self.folder / "worker.py")]
        env = {
            **os.environ,
            "NEMORUN_RUN_DIR": str(self.folder),
            "NEMORUN_CODE_DIR": str(ROOT),
            "NEMORUN_METRICS": str(self.folder / "metrics.jsonl"),
        }
        return subprocess.Popen(
            command,
            cwd=self.folder / "work",
            env=env,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, config: object) -> str:
        with self.start(config) as process:
            out, _ = process.communicate(timeout=120)
        assert process.returncode == 0
        return out

    def signal_at(self, step: int, config: object, number: int) -> int:
        """The exit code of a training that gets a signal once it has told of a step."""
        with self.start(config) as process:
            assert process.stdout is not None
            assert any(line.split()[:2] == ["step", f"{step}/500"] for line in process.stdout)
            process.send_signal(number)
            process.stdout.read()
        return process.returncode

    def metrics(self) -> list[dict[str, Any]]:
        text = (self.folder / "metrics.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(folder=tmp_path)


def recipe(name: str, **fields: object) -> Any:
    """A recipe's config, with some of its fields set."""
    sys.path.insert(0, str(ROOT))
    try:
        config = getattr(importlib.import_module(f"recipes.{name}"), name)()
    finally:
        sys.path.remove(str(ROOT))
    for field, value in fields.items():
        setattr(config, field, value)
    return config


def test_digits_learns_to_read(nemorun: Nemorun) -> None:
    run_id, *lines = nemorun.ok("launch", "digits", "--follow").splitlines()

    metrics: Any = nemorun.json("show", run_id)["run"]
    assert metrics["state"] == "SUCCEEDED"
    assert metrics["metrics"]["step"] == 15
    assert metrics["metrics"]["accuracy"] >= 0.96
    assert lines[-1] == f"final test accuracy {metrics['metrics']['accuracy']:.2%}"


def test_an_override_chooses_another_model(nemorun: Nemorun) -> None:
    run_id = nemorun.ok("launch", "digits", "model=mlp(widths=[64])", "epochs=2", "--wait")

    run: Any = nemorun.json("show", run_id)["run"]
    assert run["config"]["model"]["_target_"].endswith("digits:MLP")
    assert run["metrics"]["step"] == 2


def test_the_same_seed_gives_the_same_training(job: Job) -> None:
    first = job.run(recipe("digits", epochs=1))

    assert job.run(recipe("digits", epochs=1)) == first
    assert job.run(recipe("digits", epochs=1, seed=1)) != first


def test_gpt_learns_english(job: Job) -> None:
    out = job.run(recipe("gpt", steps=60, sample=20))

    losses = [line["metrics"]["loss"] for line in job.metrics()]
    assert losses[0] > 5
    assert losses[-1] < 3.2
    assert "a sample:\n" in out


def test_gpt_saves_when_it_is_terminated_and_goes_on_from_there(job: Job) -> None:
    config = recipe("gpt", steps=500, checkpoint_every=1000, sample=5)

    assert job.signal_at(20, config, signal.SIGTERM) == -signal.SIGTERM

    (saved,) = (job.folder / "checkpoints").glob("step-*.pt")
    step = int(saved.stem.split("-")[1])
    assert step >= 20
    config.steps = step + 5
    out = job.run(config)
    assert f"after step {step}\n" in out
    assert re.findall(r"^step +(\d+)", out, re.MULTILINE)[-1] == str(step + 5)
    assert job.metrics()[-1]["metrics"]["loss"] < 5


def test_gpt_goes_on_from_its_last_checkpoint_when_it_was_killed(job: Job) -> None:
    config = recipe("gpt", steps=500, checkpoint_every=10, sample=5)

    assert job.signal_at(30, config, signal.SIGKILL) == -signal.SIGKILL

    newest = max((job.folder / "checkpoints").glob("step-*.pt"))
    step = int(newest.stem.split("-")[1])
    assert step >= 20
    config.steps = step + 1
    assert f"after step {step}\n" in job.run(config)


def test_gpt_trains_on_two_ranks_and_the_first_one_speaks(nemorun: Nemorun) -> None:
    run_id = nemorun.ok(
        *("launch", "gpt", "steps=40", "sample=5", "--wait"),
        *("-x", "launcher=torchrun", "-x", "nproc=2"),
    )

    first, second = (nemorun.ok("logs", run_id, "--rank", rank) for rank in "01")
    assert "2 x cpu" in first or "2 x cuda" in first
    assert "loss" not in second
    run: Any = nemorun.json("show", run_id)["run"]
    assert run["metrics"]["loss"] < 4


CRASH = """
import os
import time

import fiddle as fdl


def crash(rank: int) -> None:
    if int(os.environ["RANK"]) == rank:
        raise ValueError("boom")
    print("waiting", flush=True)
    time.sleep(600)


def recipe() -> fdl.Partial:
    return fdl.Partial(crash, rank=1)
"""


def test_the_first_failing_rank_is_named(nemorun: Nemorun) -> None:
    (nemorun.cwd / "crash.py").write_text(CRASH)

    done = nemorun(
        *("launch", "crash.py:recipe", "--wait"), *("-x", "launcher=torchrun", "-x", "nproc=2")
    )

    assert done.code == 10
    assert "rank 1: ValueError: boom" in done.err
    run: Any = nemorun.json("show", "last")["run"]
    assert run["failing_rank"] == 1
    assert nemorun.ok("logs", "last", "--rank", "0") == "waiting"
    assert "ValueError: boom" in nemorun.ok("logs", "last", "--rank", "1")


def test_a_training_that_was_killed_is_started_again_and_goes_on(nemorun: Nemorun) -> None:
    run_id = nemorun.ok(
        *("launch", "gpt", "steps=60", "checkpoint_every=10", "sample=5", "-x", "retries=1"),
    )
    with nemorun.start("logs", run_id, "--follow") as following:
        assert following.stdout is not None
        assert any(line.split()[:2] == ["step", "20/60"] for line in following.stdout)
        (pid,) = payload_pids(f"{run_id}-1")
        os.kill(pid, signal.SIGKILL)
        rest = following.stdout.read()

    run: Any = nemorun.json("show", run_id)["run"]
    assert (run["state"], run["attempt"]) == ("SUCCEEDED", 2)
    assert re.search(r"after step [1-9]0", rest)


def payload_pids(key: str) -> list[int]:
    """The processes of a job that are Python's."""
    return [
        pid
        for pid in processes.with_key(key)
        if b"worker.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
