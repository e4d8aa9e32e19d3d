"""A run of one machine is repeated in a container that has never seen its project."""

import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import Nemorun
from tests.docker.test_runs import SEEDED


@pytest.fixture
def elsewhere(docked: Nemorun, tmp_path: Path) -> Nemorun:
    """The same engine, another home, and an empty folder."""
    (tmp_path / "empty").mkdir()
    env = {**docked.env, "NEMORUN_HOME": str(docked.store / "theirs")}
    return Nemorun(home=docked.home, cwd=tmp_path / "empty", env=env)


def test_a_run_gives_the_same_in_a_container_that_knows_nothing_of_it(
    docked: Nemorun, elsewhere: Nemorun, tmp_path: Path
) -> None:
    recipes = docked.cwd / "recipes"
    recipes.mkdir()
    (recipes / "line.py").write_text(SEEDED)
    run_id = docked.ok("launch", "line(seed=7)", "-e", "local", "--wait")
    docked.ok("export", run_id, "-o", str(tmp_path / "x.nrz"))
    shutil.rmtree(docked.cwd)
    docked.store.rename(tmp_path / "away")
    elsewhere.ok("import", str(tmp_path / "x.nrz"))

    again = elsewhere.ok("rerun", run_id, "--trust", "-e", "docker", "--wait")

    runs = [json.loads(elsewhere.ok("show", each, "--json"))["run"] for each in (run_id, again)]
    assert [run["executor"] for run in runs] == ["local", "docker"]
    assert runs[0]["metrics"] == runs[1]["metrics"]
    assert runs[0]["metrics"]["slope"]
    assert elsewhere.ok("logs", again) == elsewhere.ok("logs", run_id)
