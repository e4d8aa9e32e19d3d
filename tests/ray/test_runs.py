"""Runs on a real Ray cluster, as somebody types them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from nemorun_cli.testing import HOSTILE
from tests.conftest import Nemorun
from tests.testbed.raycluster import RayCluster

SEEDED = '''
import random

import fiddle as fdl

from nemorun_cli import recipe
from nemorun_cli import track


def train(*, seed: int = 0, steps: int = 50) -> None:
    """Finds the slope of a noisy line."""
    dice, slope = random.Random(seed), 0.0
    for step in range(steps):
        x = dice.uniform(-1, 1)
        slope -= 0.1 * (slope * x - 3 * x - dice.gauss(0, 0.1)) * x
        track.log(step=step, slope=slope)
    print(repr(slope), end="")


@recipe
def line(seed: int = 0) -> fdl.Partial:
    """Fits a line."""
    return fdl.Partial(train, seed=seed)


def fail() -> None:
    """Fails."""
    raise RuntimeError("too steep")


@recipe
def wrong() -> fdl.Partial:
    """Fails, too."""
    return fdl.Partial(fail)
'''


@pytest.fixture
def lines(rayed: Nemorun) -> Nemorun:
    recipes = rayed.cwd / "recipes"
    recipes.mkdir()
    (recipes / "line.py").write_text(SEEDED)
    return rayed


def metrics(rayed: Nemorun, run_id: str) -> dict[str, float]:
    """The last values that a run has tracked."""
    run = rayed.json("show", run_id)["run"]
    assert isinstance(run, dict)
    found: dict[str, float] = run["metrics"]
    return found


def test_a_recipe_trains_as_it_does_locally(lines: Nemorun) -> None:
    here = lines.ok("launch", "line(seed=7)", "-e", "local", "--wait")
    there = lines.ok("launch", "line(seed=7)", "--wait")

    assert lines.ok("logs", there) == lines.ok("logs", here)
    seen = [metrics(lines, each) for each in (here, there)]
    assert seen[0] == seen[1]
    assert seen[0]["step"] == 49
    one, other = (
        [row.split("\t")[4] for row in lines.ok("metrics", each).splitlines()]
        for each in (here, there)
    )
    assert (len(one), one) == (50, other)
    files = lines("pull", there, "*.pt")
    assert (files.code, files.out) == (2, "")
    assert "a Ray cluster hands out the log of a job alone" in files.err


def test_what_a_job_of_the_cluster_runs_with_is_recorded(lines: Nemorun) -> None:
    script = "print('begun', end='')"
    run_id = lines.ok("launch", "--wait", "command", "--", "python3", "-c", script)

    found = json.loads(lines.ok("show", run_id, "--environment", "--json"))
    assert "ray" in {each["name"] for each in found["packages"]}
    assert lines.ok("logs", run_id) == "begun"
    assert lines.ok("logs", run_id, "--tail", "1") == "begun"


def test_why_a_recipe_failed_is_told(lines: Nemorun) -> None:
    done = lines("launch", "wrong", "-x", "retries=1", "--wait")

    run = lines.json("status", done.out.strip())["run"]
    assert isinstance(run, dict)
    assert done.code == 10
    assert (run["reason"], run["exit_code"], run["attempt"]) == ("exit", 1, 2)
    assert run["reason_detail"] == "RuntimeError: too steep"


def test_text_arrives_as_it_is(rayed: Nemorun) -> None:
    script = "import json,os,sys; print(json.dumps([sys.argv[1:], os.environ['TEXT']]))"
    text = "".join(HOSTILE)
    options = ("--env", f"TEXT={text}", "--name", text, "--wait")

    run_id = rayed.ok("launch", "command", *options, "--", "python3", "-c", script, *HOSTILE)

    assert json.loads(rayed.ok("logs", run_id)) == [list(HOSTILE), text]
    assert not list(rayed.home.rglob("canary"))


def test_bytes_that_are_no_text_arrive_too(rayed: Nemorun) -> None:
    script = r"""printf 'a\377b\n\n::nemorun:: {\n::nemorun:: {"key": 1}\nend\n\n'"""

    run_id = rayed.ok("launch", "command", "--wait", "--", "sh", "-c", script)

    shown = rayed("logs", run_id).out
    assert shown.split("\n") == [
        "a\udcffb",
        "",
        "::nemorun:: {",
        '::nemorun:: {"key": 1}',
        "end",
        "",
        "",
    ]


def test_a_secret_is_in_no_answer_of_the_cluster(rayed: Nemorun, cluster: RayCluster) -> None:
    rayed.env["WORD"] = "canary-4711"
    script = 'echo "${#WORD}"; ls -a "$NEMORUN_RUN_DIR" | grep -c secrets'

    run_id = rayed.ok("launch", "command", "--secret", "WORD", "--wait", "--", "sh", "-c", script)

    assert rayed.ok("logs", run_id).splitlines()[0] == "11"
    assert "canary" not in json.dumps(cluster.api.job(f"{run_id}-1"))
    texts = [path.read_bytes() for path in rayed.home.rglob("*") if path.is_file()]
    assert not any(b"canary-4711" in text for text in texts)


def test_a_driver_has_what_was_asked_for_it(rayed: Nemorun, cluster: RayCluster) -> None:
    asked = ("gpus=2", "cpus=1", "resources=node1=1", "metadata=team=vision")
    options = [word for each in asked for word in ("-x", each)]
    script = "echo $CUDA_VISIBLE_DEVICES $NEMORUN_GPUS_PER_NODE"

    run_id = rayed.ok("launch", "command", *options, "--wait", "--", "sh", "-c", script)

    assert rayed.ok("logs", run_id) == "0,1 2"
    assert (cluster.api.job(f"{run_id}-1") or {})["metadata"]["team"] == "vision"


def test_what_the_project_has_is_there(rayed: Nemorun) -> None:
    (rayed.cwd / "data").mkdir()
    (rayed.cwd / "data" / "words.txt").write_text("mine\n")
    (rayed.cwd / "data" / "run.sh").write_text("#!/bin/sh\ncat data/words.txt\ntouch made\n")
    (rayed.cwd / "data" / "run.sh").chmod(0o755)
    (rayed.cwd / "link").symlink_to("data/words.txt")
    (rayed.cwd / "links").symlink_to("data")
    script = "data/run.sh; cat link links/words.txt; ls"

    run_id = rayed.ok("launch", "command", "--wait", "--", "sh", "-c", script)

    shown = rayed.ok("logs", run_id).splitlines()
    assert shown == ["mine"] * 3 + ["data", "link", "links", "made", "nemorun.toml"]


def test_code_that_goes_along_is_imported(rayed: Nemorun, tmp_path: Path) -> None:
    (tmp_path / "library/src").mkdir(parents=True)
    (tmp_path / "library/src/beside.py").write_text("print('from beside')\n")
    argv = ("command", "--", "python3", "-c", "import beside")

    run_id = rayed.ok("launch", "--include-repo", "../library", "--wait", *argv)

    assert rayed.ok("logs", run_id) == "from beside"


def test_a_run_waits_for_another(rayed: Nemorun) -> None:
    first = rayed.ok("launch", "command", "--", "sh", "-c", "sleep 1; exit 3")
    after = ("--after", f"{first}:notok", "--wait")

    second = rayed.ok("launch", "command", *after, "--", "echo", "after")

    assert rayed.ok("logs", second) == "after"


@pytest.mark.torch
def test_digits_trains_as_it_does_locally(rayed: Nemorun) -> None:
    rayed = replace(rayed, cwd=Path(__file__).parents[2])
    # More threads than free processors take very long.
    launch = ("launch", "digits(epochs=2)", "--env", "OMP_NUM_THREADS=1", "--wait")

    runs = [rayed.ok(*launch, *where, timeout=200) for where in (("-e", "local"), ())]

    one, other = (rayed.ok("logs", each).splitlines()[-1] for each in runs)
    assert "accuracy" in one
    assert one == other


@pytest.mark.torch
def test_digits_trains_over_the_workers(rayed: Nemorun) -> None:
    rayed = replace(rayed, cwd=Path(__file__).parents[2])
    here = rayed.ok("launch", "digits", "-e", "local", "--wait")

    there = rayed.ok("launch", "ray_digits", "--wait", timeout=200)

    one, other = (metrics(rayed, each)["accuracy"] for each in (here, there))
    assert abs(one - other) <= 0.01
    assert other > 0.97
