"""What a run ran with is on record, and `show` tells it."""

import json
import shutil
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from nemorun_cli.core.environments import fingerprint
from tests.conftest import Nemorun


def environment(nemorun: Nemorun, run_id: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(nemorun.ok("show", run_id, "--environment", "--json"))
    return found


def versions(document: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["version"] for each in document["packages"]}


def test_a_recipe_has_its_interpreter_and_packages_on_record(tiny: Nemorun, project: Path) -> None:
    (project / "uv.lock").write_text("version = 1\n")
    run_id = tiny.ok("launch", "tiny", "--wait", "--env", "MY_SETTING=canary")

    document = environment(tiny, run_id)

    assert document["python"]["executable"] == sys.executable
    assert versions(document)["pytest"] == version("pytest")
    assert [each["path"] for each in document["lock_files"]] == ["uv.lock"]
    assert "MY_SETTING" in document["variables"]
    assert "canary" not in json.dumps(document)
    assert document["fingerprint"] == fingerprint(document)
    shown = tiny.json("show", run_id)["run"]
    assert isinstance(shown, dict)
    assert shown["environment"]["recorded"]["packages"] == document["packages"]
    assert shown["environment"]["values"] == {"MY_SETTING": "canary"}
    text = tiny.ok("show", run_id, "--environment")
    assert f"pytest {version('pytest')}" in " ".join(text.split())
    assert f"{len(document['packages'])} packages" in tiny.ok("show", run_id)


def test_a_command_that_begins_with_python_is_told_by_that_one(
    nemorun: Nemorun, tmp_path: Path
) -> None:
    other = tmp_path / "venv"
    packages = other / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    (packages / "lonely-1.2.3.dist-info").mkdir(parents=True)
    (other / "bin").mkdir()
    (other / "bin" / "python").symlink_to(Path(sys.executable).resolve())
    home = Path(sys.executable).resolve().parent
    (other / "pyvenv.cfg").write_text(f"home = {home}\ninclude-system-site-packages = false\n")
    python = str(other / "bin" / "python")

    run_id = nemorun.ok("launch", "--wait", "command", "--", python, "-c", "pass")

    document = environment(nemorun, run_id)
    assert document["python"]["prefix"] == str(other)
    assert versions(document) == {"lonely": "1.2.3"}


def test_it_outlives_the_jobs_folder(nemorun: Nemorun) -> None:
    run_id = nemorun.ok("launch", "command", "python3")
    nemorun("wait", run_id)
    before = environment(nemorun, run_id)

    shutil.rmtree(nemorun.store / "jobs")

    assert environment(nemorun, run_id) == before


def test_a_job_without_a_python_runs_and_has_no_record(nemorun: Nemorun) -> None:
    run_id = nemorun.ok("launch", "--wait", "-x", "python=/bin/false", "command", "true")

    done = nemorun("show", run_id, "--environment")
    assert (nemorun.state(run_id), done.code) == ("SUCCEEDED", 4)
    assert "no record of its environment" in done.err
    shown = nemorun.json("show", run_id)["run"]
    assert isinstance(shown, dict)
    assert shown["environment"]["recorded"] is None


def test_a_record_that_is_slow_or_never_comes_holds_nobody_up(
    nemorun: Nemorun, tmp_path: Path
) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexec sleep 600\n")
    python.chmod(0o755)

    run_id = nemorun.ok("launch", "--wait", "-x", f"python={python}", "command", "echo", "done")

    assert nemorun.ok("logs", run_id) == "done"
    assert nemorun("show", run_id, "--environment").code == 4


def test_a_payload_has_no_children_that_it_did_not_start(nemorun: Nemorun) -> None:
    script = "import os\ntry:\n os.wait()\nexcept ChildProcessError: print('none')"

    run_id = nemorun.ok("launch", "--wait", "command", "--", "python3", "-c", script)

    assert nemorun.ok("logs", run_id) == "none"


def test_what_was_damaged_is_no_record(nemorun: Nemorun) -> None:
    run_id = nemorun.ok("launch", "--wait", "command", "true")
    (kept,) = nemorun.store.glob("runs/*/*/environment.json")
    written = nemorun.store / "jobs" / f"{run_id}-1" / "environment.json"
    kept.write_text('{"packages": [3, {"name": ["x"]}], "python": 7, "gpus": null}')
    written.write_text("torn {")

    assert environment(nemorun, run_id)["packages"] == []
    kept.write_text("[]")
    assert nemorun("show", run_id, "--environment").code == 4
    assert nemorun("show", run_id).code == 0
