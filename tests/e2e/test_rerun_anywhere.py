"""A run is launched again with neither its project nor the store's old place."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

from tests.conftest import Nemorun


def test_a_run_is_launched_again_from_an_empty_folder(tiny: Nemorun, tmp_path: Path) -> None:
    (tiny.cwd / "data").mkdir()
    (tiny.cwd / ".gitignore").write_text("data\n")
    run_id = tiny.ok("launch", "--wait", "tiny(size=2)", "optim.lr=1e-3", "-x", "time=1h")
    shutil.rmtree(tiny.cwd)
    empty = tmp_path / "empty"
    empty.mkdir()
    elsewhere = replace(tiny, cwd=empty)

    plan = elsewhere.json("rerun", "--dry-run", run_id, "optim.lr=3e-4")
    told = elsewhere.ok("rerun", "--dry-run", run_id, "optim.lr=3e-4")
    again = elsewhere.ok("rerun", "--wait", run_id, "optim.lr=3e-4")

    assert elsewhere.ok("logs", again) == "imported\ntrained AdamW 0.0003 4 ''"
    shown = elsewhere.json("show", again)["run"]
    assert shown["parent"] == run_id  # type: ignore[index]
    change = {"path": "optim.lr", "before": "0.001", "after": "0.0003"}
    assert shown["changes"] == plan["compared_with"]["config"] == [change]  # type: ignore[index]
    assert shown["settings"]["time"]["text"] == "1h"  # type: ignore[index]
    for text in (told, elsewhere.ok("show", again)):
        assert "  optim.lr  0.001 -> 0.0003" in text.splitlines()
    assert f"from       {run_id[-8:]}: 1 value was different" in told
    assert list(empty.iterdir()) == []


def test_a_run_is_launched_again_from_a_store_that_has_moved(tiny: Nemorun, tmp_path: Path) -> None:
    run_id = tiny.ok("launch", "--wait", "tiny", "note=first")
    shutil.rmtree(tiny.cwd)
    tiny.cwd.mkdir()
    moved = tiny.store.rename(tmp_path / "moved")
    there = replace(tiny, env={"NEMORUN_HOME": str(moved)})

    again = there.ok("rerun", "--wait", "last", "steps=1")

    assert there.ok("logs", again) == "imported\ntrained AdamW 0.001 1 'first'"
    done = there("diff", run_id, again, "--json")
    assert done.code == 1
    assert [each["path"] for each in json.loads(done.out)["config"]] == ["steps"]
    assert not tiny.store.exists()


def test_code_that_is_not_what_it_was_is_not_launched_again(tiny: Nemorun) -> None:
    run_id = tiny.ok("launch", "--wait", "tiny")
    (code,) = (tiny.store / "code").glob("[0-9a-f]*")
    (damaged,) = code.glob("recipes/tiny.py")
    damaged.chmod(0o600)
    damaged.write_text(f"{damaged.read_text()}\n# another\n")

    for command in (("rerun", run_id), ("reproduce", run_id, "--environment", "here")):
        done = tiny(*command)
        assert done.code != 0
        assert f"the code of {run_id} in the store is not what it was" in done.err
    assert len(tiny.ok("list", "--quiet").splitlines()) == 1


def test_settings_that_another_executor_has_not_are_left_out(tiny: Nemorun) -> None:
    tiny.ok("launch", "--wait", "tiny", "-x", "shell=/bin/sh", "-x", "time=1h")

    done = tiny("rerun", "last", "--dry-run", "-e", "slurm", "-x", "nodes=2")

    assert done.err == "slurm has no such setting, left out: -x shell=/bin/sh\n"
    told = [line for line in done.out.splitlines() if line.startswith("setting")]
    assert told == ["setting    nodes = 2  (-x)", "setting    time = 1h  (-x)"]


def test_where_its_profile_is_not_known_a_run_needs_another_executor(
    tiny: Nemorun, tmp_path: Path
) -> None:
    (tiny.cwd / "nemorun.toml").write_text('[executors.mine]\ntype = "local"\ntime = "1h"\n')
    run_id = tiny.ok("launch", "--wait", "-e", "mine", "tiny")
    shutil.rmtree(tiny.cwd)
    (tmp_path / "empty").mkdir()
    elsewhere = replace(tiny, cwd=tmp_path / "empty")

    for command in ("rerun", "reproduce"):
        done = elsewhere(command, run_id)
        assert (done.code, done.out) == (2, "")
        assert f"{run_id} was launched on 'mine'" in done.err
        assert "-e local launches it on local" in done.err
    assert not (tiny.store / "environments").exists()
    again = elsewhere.ok("rerun", "--wait", run_id, "-e", "local")
    shown = elsewhere.ok("reproduce", run_id, "-e", "local", "--environment", "here")

    assert elsewhere.ok("logs", again) == elsewhere.ok("logs", run_id)
    assert shown.startswith(f"reproduced\t{run_id}")
