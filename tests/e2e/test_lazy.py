"""Launching what cannot be imported where it is launched."""

from pathlib import Path

import pytest

from tests.conftest import Nemorun

RECIPE = """
import fiddle as fdl
from nemorun_cli import lazy, recipe


@recipe
def heavy() -> fdl.Partial:
    '''Trains with a framework that is not here.'''
    return fdl.Partial(lazy("training:fit"), net=fdl.Config(lazy("training:Net"), width=4))
"""
TRAINING = """
from dataclasses import dataclass

import heavy_framework


@dataclass
class Net:
    width: int
    scale: float = heavy_framework.SCALE


def fit(net: Net, epochs: int = 1) -> None:
    print(f"{net.width} x {net.scale} for {epochs}")
"""


@pytest.fixture
def heavy(nemorun: Nemorun, project: Path, tmp_path: Path) -> Nemorun:
    """A project whose framework is there for one interpreter alone."""
    (project / "recipes").mkdir()
    (project / "recipes" / "heavy.py").write_text(RECIPE)
    (project / "training.py").write_text(TRAINING)
    (tmp_path / "cluster").mkdir()
    (tmp_path / "cluster" / "heavy_framework.py").write_text("SCALE = 2.5\n")
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path / "cluster"} exec python3 "$@"\n')
    python.chmod(0o755)
    return nemorun


def test_the_job_imports_what_the_launch_does_not(heavy: Nemorun, tmp_path: Path) -> None:
    done = heavy(
        *("launch", "heavy", "net.width=8", "epochs=3", "--follow"),
        *("-x", f"python={tmp_path / 'python'}"),
    )

    assert (done.code, done.out.splitlines()[1:]) == (0, ["8 x 2.5 for 3"])


def test_a_rerun_takes_changes_without_the_framework(heavy: Nemorun, tmp_path: Path) -> None:
    python = f"python={tmp_path / 'python'}"
    heavy.ok("launch", "heavy", "--wait", "-x", python)

    run_id = heavy.ok("rerun", "last", "net.width=2", "--wait")

    assert heavy.ok("logs", run_id) == "2 x 2.5 for 1"
    assert "expects int" in heavy("rerun", "last", "net.width=wide").err


def test_a_job_that_lacks_it_too_says_which(heavy: Nemorun) -> None:
    done = heavy("launch", "heavy", "--wait")

    run = heavy.json("show", "last")["run"]
    assert done.code == 10
    assert "heavy_framework" in done.err
    assert (run["state"], run["reason"]) == ("FAILED", "import_error")  # type: ignore[index]


def test_what_can_be_set_is_shown(heavy: Nemorun) -> None:
    rows = [line.split("\t")[:3] for line in heavy.ok("recipes", "heavy").splitlines()]

    assert ["net.width", "int", "4"] in rows
    assert ["net.scale", "float", "heavy_framework.SCALE"] in rows


def test_a_recipe_that_imports_it_says_what_to_do(heavy: Nemorun, project: Path) -> None:
    (project / "recipes" / "heavy.py").write_text(f"import heavy_framework\n{RECIPE}")

    done = heavy("launch", "heavy")

    assert done.code == 2
    assert "No module named 'heavy_framework' (recipes/heavy.py:1)" in done.err
    assert 'lazy("heavy_framework:NAME")' in done.err


def test_an_interpreter_that_is_not_there_is_refused(heavy: Nemorun) -> None:
    done = heavy("launch", "heavy", "-x", "python=/no/such/python")

    assert done.code == 3
    assert "there is no interpreter '/no/such/python'" in done.err


def test_completion_reads_its_source(heavy: Nemorun) -> None:
    out = heavy.ok("launch", "heavy", "net.", _NEMORUN_COMPLETE="1")

    assert [line.split("\t")[0] for line in out.splitlines()] == ["net.width=", "net.scale="]
