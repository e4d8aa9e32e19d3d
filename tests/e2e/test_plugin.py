"""The example of docs/writing-an-executor.md, installed as a distribution of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Nemorun

PLUGIN = Path(__file__).parents[1] / "plugin"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tmp_path_factory.mktemp("source")
    target = tmp_path_factory.mktemp("installed")
    for path in PLUGIN.rglob("*"):
        if path.is_file() and path.suffix in (".py", ".toml"):
            copy = source / path.relative_to(PLUGIN)
            copy.parent.mkdir(exist_ok=True)
            copy.write_bytes(path.read_bytes())
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(target), str(source)], check=True, capture_output=True)
    return target


@pytest.fixture
def plugged(nemorun: Nemorun, installed: Path) -> Nemorun:
    nemorun.env["PYTHONPATH"] = str(installed)
    return nemorun


def test_an_installed_executor_is_listed_and_used(plugged: Nemorun) -> None:
    assert "nohup" in plugged.ok("executors")

    run_id = plugged.ok(
        *("launch", "--wait", "-e", "nohup", "-x", "niceness=3"),
        *("command", "--", "sh", "-c", "nice"),
    )

    assert plugged.ok("logs", run_id) == "3"
    assert plugged.json("show", run_id)["run"]["executor"] == "nohup"  # type: ignore[index]


def test_an_installed_recipe_is_listed_and_launched(plugged: Nemorun) -> None:
    assert "greeting" in plugged.ok("recipes")

    run_id, *lines = plugged.ok("launch", "--follow", "greeting", "name=world").splitlines()

    assert lines == ["greetings, world"]
    assert plugged.state(run_id) == "SUCCEEDED"


def test_a_run_on_an_executor_that_was_removed_is_still_listed(
    plugged: Nemorun, nemorun: Nemorun
) -> None:
    run_id = plugged.ok("launch", "-e", "nohup", "command", "--", "sleep", "600")
    plugged.env.pop("PYTHONPATH")

    done = nemorun("list", "--quiet")

    assert (done.code, done.out.strip()) == (0, run_id)
    assert "nohup" in done.err
    assert nemorun("list", "--strict").code == 17


def test_a_plug_in_that_breaks_breaks_only_itself(plugged: Nemorun, installed: Path) -> None:
    broken = installed / "broken.py"
    broken.write_text("raise RuntimeError('at import')")
    info = installed / "broken-1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[nemorun.executors]\nbroken = broken:Executor\n[nemorun.recipes]\nbroken = broken\n",
    )

    assert "at import" in plugged.ok("executors")
    assert plugged("launch", "-e", "broken", "command", "true").code == 1
    assert plugged("launch", "--wait", "-e", "local", "command", "true").code == 0


def test_the_example_keeps_the_contract(installed: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *("-c", os.devnull, "--rootdir", str(PLUGIN), str(PLUGIN / "test_nohup.py")),
        ],
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert " skipped" not in done.stdout
