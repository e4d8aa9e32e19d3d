"""A run of a Ray cluster, which alone has its output, travels without the cluster."""

import json
from pathlib import Path

from tests.conftest import Nemorun
from tests.ray.test_runs import SEEDED


def test_output_and_metrics_of_a_cluster_are_in_the_file(rayed: Nemorun, tmp_path: Path) -> None:
    recipes = rayed.cwd / "recipes"
    recipes.mkdir()
    (recipes / "line.py").write_text(SEEDED)
    run_id = rayed.ok("launch", "line(seed=7)", "--wait")
    path = rayed.ok("export", run_id, "-o", str(tmp_path / "x.nrz"))
    (tmp_path / "their-home").mkdir()
    elsewhere = Nemorun(home=tmp_path / "their-home", cwd=tmp_path)

    elsewhere.ok("import", path)

    there, here = (
        json.loads(each.ok("show", run_id, "--json"))["run"] for each in (rayed, elsewhere)
    )
    assert here["metrics"] == there["metrics"]
    assert here["metrics"]["slope"]
    assert elsewhere.ok("logs", run_id) == rayed.ok("logs", run_id)
    assert elsewhere.ok("logs", run_id).count("\n") == 0
    rayed.ok("rm", run_id)
