"""Which factory a name means: beside the recipe, in the project, in what is installed."""

from pathlib import Path

import pytest

from tests.conftest import Nemorun

RECIPES = '''
from dataclasses import dataclass

import fiddle as fdl
from nemorun_cli import factory, recipe


@dataclass
class Adam:
    lr: float = 1e-3


def train_{name}(optim: Adam) -> None:
    print("{name}", optim.lr)


@factory
def adam() -> fdl.Config[Adam]:
    return fdl.Config(Adam, lr={lr})


@factory
def only_{name}(lr: float = {lr}) -> fdl.Config[Adam]:
    return fdl.Config(Adam, lr=lr)


@recipe
def train_with_{name}() -> fdl.Partial:
    """Trains a little."""
    return fdl.Partial(train_{name}, optim=fdl.Config(Adam))
'''


@pytest.fixture
def several(nemorun: Nemorun, project: Path, tmp_path: Path) -> Nemorun:
    """Two files of recipes with factories of one name, and an installed package with a third."""
    (project / "recipes").mkdir()
    for name, lr in (("first", 1), ("second", 2)):
        (project / "recipes" / f"{name}.py").write_text(RECIPES.format(name=name, lr=float(lr)))
    site = tmp_path / "site"
    (site / "team-1.0.dist-info").mkdir(parents=True)
    (site / "team.py").write_text(RECIPES.format(name="team", lr=3.0))
    info = site / "team-1.0.dist-info"
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: team\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[nemorun.recipes]\nteam = team\n")
    nemorun.env["PYTHONPATH"] = str(site)
    return nemorun


@pytest.mark.parametrize(
    ("recipe", "optim", "value"),
    [
        ("train_with_first", "adam", "1.0"),
        ("train_with_second", "adam", "2.0"),
        ("train_with_second", "only_second(lr=5)", "5.0"),
        ("train_with_team", "adam", "3.0"),
        ("train_with_team", "only_team(lr=5)", "5.0"),
    ],
)
def test_the_factory_beside_the_recipe_is_meant(
    several: Nemorun, recipe: str, optim: str, value: str
) -> None:
    rows = several.ok("explain", recipe, "optim", f"optim={optim}").splitlines()

    assert f"optim.lr\t{value}\toptim={optim}" in rows


def test_a_rerun_means_the_same(several: Nemorun) -> None:
    several.ok("launch", "train_with_second", "--wait")

    run_id = several.ok("rerun", "last", "optim=adam", "--wait")

    assert several.ok("logs", run_id) == "second 2.0"


def test_what_is_nowhere_is_told_with_what_there_is(several: Nemorun) -> None:
    done = several("explain", "train_with_first", "optim=only_them")

    assert done.code == 2
    assert "did you mean 'only_team'? registered factories: adam, " in done.err
