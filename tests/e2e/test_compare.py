"""Runs side by side: what differs between them, and what came of it."""

import json
from pathlib import Path

import pytest

from tests.conftest import Nemorun

RECIPE = """
import fiddle as fdl
from nemorun_cli import recipe, track

def train(lr: float, steps: int = 3, name: str = "a") -> None:
    for step in range(1, steps + 1):
        track.log(step=step, loss=lr / step)
    if lr < 1:
        track.log(accuracy=lr)

@recipe
def fit(lr: float = 0.5) -> fdl.Partial:
    return fdl.Partial(train, lr=lr)
"""


@pytest.fixture
def three(nemorun: Nemorun, project: Path) -> tuple[Nemorun, list[str]]:
    """Three runs of an experiment, the last of which has no accuracy."""
    (project / "recipes").mkdir()
    (project / "recipes" / "fit.py").write_text(RECIPE)
    arguments = (["lr=0.5"], ["lr=0.25", "steps=2"], ["lr=8.0"])
    ids = [nemorun.ok("launch", "fit", *each, "--experiment", "e") for each in arguments]
    nemorun.ok("wait", *ids)
    return nemorun, ids


def table(text: str, separator: str = "\t") -> list[list[str]]:
    return [line.split(separator) for line in text.splitlines()]


def test_rows_are_runs_and_columns_what_they_say_and_measured(
    three: tuple[Nemorun, list[str]],
) -> None:
    nemorun, (one, two, big) = three

    head, *rows = table(nemorun.ok("compare", one, two, big))
    assert head == ["id", "state", "recipe", "name", "lr", "steps", "name", "loss", "accuracy"]
    assert rows == [
        [one, "SUCCEEDED", "fit", "", "0.5", "3", "a", repr(0.5 / 3), "0.5"],
        [two, "SUCCEEDED", "fit", "", "0.25", "2", "a", "0.125", "0.25"],
        [big, "SUCCEEDED", "fit", "", "8.0", "3", "a", repr(8 / 3), ""],
    ]


def test_what_is_missing_comes_last_whatever_the_order(three: tuple[Nemorun, list[str]]) -> None:
    nemorun, (one, two, big) = three

    def order(sort: str, *more: str) -> list[str]:
        told = nemorun.ok("compare", "--experiment", "e", "--csv", "--sort", sort, *more)
        return [row[0] for row in table(told, ",")[1:]]

    assert order("accuracy") == [two, one, big]
    assert order("-accuracy", "--metric", "loss") == [one, two, big]
    assert order("-lr") == [big, one, two]
    assert order("loss:max") == [two, one, big]


def test_only_what_differs_and_the_metrics_asked_for(three: tuple[Nemorun, list[str]]) -> None:
    nemorun, (one, two, _) = three

    arguments = ("--only-changed", "-m", "loss:min", "-m", "acc*")
    done = nemorun("compare", one, two, *arguments)

    assert table(done.out)[0][4:] == ["lr", "steps", "loss:min", "accuracy"]
    found = json.loads(nemorun.ok("compare", one, two, "--json"))
    assert found["changed"] == ["lr", "steps"]
    assert [each["config"]["lr"] for each in found["runs"]] == ["0.5", "0.25"]
    assert found["runs"][0]["metrics"]["loss"]["max"] == 0.5


def test_what_cannot_be_compared_is_said(three: tuple[Nemorun, list[str]]) -> None:
    nemorun, (one, *_) = three

    assert nemorun("compare").code == 2
    assert nemorun("compare", one, "--experiment", "e").code == 2
    assert nemorun("compare", "--experiment", "other").code == 4
    unknown = nemorun("compare", one, "--sort", "-speed")
    assert (unknown.code, unknown.out) == (2, "")
    assert "has a metric or a path 'speed'" in unknown.err
    assert "did you mean 'loss'?" in nemorun("compare", one, "--sort", "-metric.loss").err
    misspelt = nemorun("compare", one, "-m", "loss", "-m", "acuracy:max")
    assert (misspelt.code, misspelt.out) == (2, "")
    assert "none of these runs has a metric 'acuracy'" in misspelt.err
    assert "did you mean 'accuracy'?" in misspelt.err
    assert "they have accuracy, loss" in nemorun("compare", one, "-m", "f1").err
    (nemorun.store / "runs" / f"{one[:4]}-{one[4:6]}" / one / "config.json").write_text("{}")
    broken = nemorun("compare", one)
    assert broken.code == 0
    assert "its config.json is not what was launched" in broken.err
