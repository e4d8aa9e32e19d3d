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

from nemorun_cli.payload import payload_files

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(
        not (importlib.util.find_spec("torch") and importlib.util.find_spec("sklearn")),
        reason="torch and scikit-learn are not installed: pip install 'nemorun-cli[torch]'",
    ),
]
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job's folder, run as job.sh would run it."""

    folder: Path

    def start(self, config: object, *, nproc: int = 1) -> subprocess.Popen[str]:
        for name, text in payload_files(json.dumps(document(config))).items():
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
        if nproc > 1:
            launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
            command = [*launcher, f"--nproc-per-node={nproc}", "--no-python", *command]
            env["NEMORUN_RANK_LOGS"] = "1"
        return subprocess.Popen(
            command,
            cwd=self.folder / "work",
            env=env,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, config: object, *, nproc: int = 1) -> str:
        with self.start(config, nproc=nproc) as process:
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
        return [json.loads(line) for line in (self.folder / "metrics.jsonl").open()]

    def log(self, name: str) -> str:
        return (self.folder / "logs" / "1" / name).read_text()


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


def document(value: Any) -> Any:
    """The config.json of a recipe, as far as these recipes need it."""
    import fiddle as fdl

    if isinstance(value, fdl.Buildable):
        target = fdl.get_callable(value)
        return {
            "_target_": f"{target.__module__}:{target.__qualname__}",
            "_kind_": "partial" if isinstance(value, fdl.Partial) else "config",
            **{str(name): document(item) for name, item in fdl.ordered_arguments(value).items()},
        }
    if isinstance(value, tuple):
        return {"_type_": "tuple", "value": [document(item) for item in value]}
    return value


def test_digits_learns_to_read(job: Job) -> None:
    out = job.run(recipe("digits"))

    last = job.metrics()[-1]
    assert last["step"] == 15
    assert last["metrics"]["accuracy"] >= 0.96
    assert f"final test accuracy {last['metrics']['accuracy']:.2%}" in out
    assert (job.folder / "work" / "model.pt").exists()


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


def test_gpt_trains_on_two_ranks_and_the_first_one_speaks(job: Job) -> None:
    job.run(recipe("gpt", steps=40, sample=5), nproc=2)

    assert "2 x cpu" in job.log("0.log") or "2 x cuda" in job.log("0.log")
    assert "loss" not in job.log("1.log")
    assert {line["rank"] for line in job.metrics()} == {0}
    assert job.metrics()[-1]["metrics"]["loss"] < 4
