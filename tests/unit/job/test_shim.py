"""A recipe's file can be imported in a job where neither fiddle nor nemorun is installed."""
# The class of the fixture `job` is in conftest.py, which nothing can import.

from typing import Any

RECIPE = """
import fiddle as fdl
import fiddle.experimental.auto_config
from fiddle import ArgFactory, Config, Partial, selectors
from fiddle.experimental import serialization
from fiddle.experimental.auto_config import auto_config
from nemorun_cli import Reproduces, factory, lazy, recipe, track
from nemorun_cli.job.track import track as as_before

AdamW = lazy("torch.optim:AdamW")

class LearningRate(fdl.Tag):
    "How fast."

@recipe
def plain() -> fdl.Partial[int]:
    return fdl.Partial(main)

@recipe(reproduces=Reproduces(metrics={"loss": 1e-6}, files=["model.pt"]))
def called(config: Config[int]) -> Config:
    return Config(main)

@factory
def part(): return "part"

@auto_config
def automatic(): return "automatic"

@auto_config(experimental_always_inline=True)
def with_arguments(): return "with arguments"

def main():
    print(part(), automatic(), with_arguments())
    track.log(step=1, loss=0.5)
    as_before(step=2, loss=0.25)

def build():
    plain()

def build_otherwise():
    fdl.build(1, 2)
"""


BARE = """
import sys, importlib
def main(target):
    sys.path[:] = [entry for entry in sys.path if "site-packages" not in entry]
    sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in repr(finder)]
    getattr(importlib.import_module("mine"), target)()
"""


def run_bare(job: Any, target: str) -> Any:
    """Run a function of RECIPE where nothing is installed."""
    job.code(mine=RECIPE, bare=BARE)
    return job.run({"_target_": "bare:main", "_kind_": "partial", "target": target})


def test_it_imports_and_its_target_runs(job: Any) -> None:
    ended = run_bare(job, "main")

    assert (ended.stdout, ended.stderr) == ("part automatic with arguments\n", "")
    first, second = (job.folder / "metrics.jsonl").read_text().splitlines()
    assert '"loss": 0.5' in first
    assert '"loss": 0.25' in second


def test_building_a_config_there_says_what_to_do(job: Any) -> None:
    for target in ("build", "build_otherwise"):
        ended = run_bare(job, target)

        assert ended.returncode == 1
        assert "RuntimeError: recipes are built before launch" in ended.stderr
        assert "or install fiddle where the job runs" in ended.stderr


def test_what_is_installed_wins(job: Any) -> None:
    job.code(
        fiddle="installed = True",
        mine="import fiddle\ndef main(): print(fiddle.installed)",
    )

    assert job.run({"_target_": "mine:main", "_kind_": "partial"}).stdout == "True\n"
