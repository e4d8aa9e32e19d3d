"""A run is launched anew with what was installed then, and its results are compared."""

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nemorun_cli.store.writing import locked
from tests.conftest import Nemorun, waits

RECIPE = """
from pathlib import Path

import fiddle as fdl

from nemorun_cli import recipe
from nemorun_cli.job.track import track


def train(seed: int, *, noise: float = 0.0, fails: str = "") -> None:
    import random
    import time

    from scale import FACTOR

    if fails and Path(fails).exists():
        raise SystemExit(5)
    random.seed(seed)
    for step in range(3):
        loss = FACTOR * random.random() + noise * (time.time_ns() % 1000 + 1)
        track(step=step, loss=loss)
    track(step=3, accuracy=float("nan"))
    Path("model.bin").write_bytes(random.randbytes(64))


@recipe
def small(seed: int = 7) -> fdl.Partial:
    return fdl.Partial(train, seed=seed)
"""


def wheel(folder: Path, version: str, factor: str) -> Path:
    path = folder / f"nemorun_test_scale-{version}-py3-none-any.whl"
    info = f"nemorun_test_scale-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("scale.py", f"FACTOR = {factor}\n")
        file.writestr(
            f"{info}/METADATA",
            f"Metadata-Version: 2.1\nName: nemorun-test-scale\nVersion: {version}\n",
        )
        file.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{info}/RECORD", f"scale.py,,\n{info}/METADATA,,\n{info}/RECORD,,\n")
    return path


def environment(folder: Path, path: Path) -> Path:
    """An environment with what is in a wheel, and not even pip."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    zipfile.ZipFile(path).extractall(site)
    return folder / "bin" / "python"


@pytest.fixture
def small(nemorun: Nemorun, tmp_path: Path) -> Nemorun:
    """A project whose runs have had scale 1.0; other environments here have 2.0."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (nemorun.cwd / "recipes").mkdir()
    (nemorun.cwd / "recipes" / "small.py").write_text(RECIPE)
    environment(tmp_path / "then", wheel(wheels, "1.0", "0.1"))
    environment(tmp_path / "now", wheel(tmp_path, "2.0", "0.3"))
    nemorun.env.update(
        PIP_NO_INDEX="1", PIP_FIND_LINKS=str(wheels), VIRTUAL_ENV=str(tmp_path / "now")
    )
    return nemorun


def launched(small: Nemorun, tmp_path: Path, *arguments: str) -> str:
    python = f"python={tmp_path / 'then' / 'bin' / 'python'}"
    return small.ok("launch", "--wait", "-x", python, "small", *arguments)


def environments(small: Nemorun) -> list[Path]:
    return list((small.store / "environments").glob("[!.]*"))


def verdict(small: Nemorun, *arguments: str) -> tuple[int, dict[str, Any]]:
    done = small("reproduce", *arguments, "--json")
    assert done.out, done.err
    return done.code, json.loads(done.out)


def test_a_run_comes_out_the_same_in_an_environment_of_its_own(
    small: Nemorun, tmp_path: Path
) -> None:
    run_id = launched(small, tmp_path, "seed=3")

    code, found = verdict(small, run_id, "--metric", "loss", "--file", "*.bin")

    assert code == 0
    assert found["reproduced"]
    assert found["run"]["parent"] == run_id
    assert found["run"]["name"] == f"reproduces {run_id[-8:]}"
    assert [(each["kind"], each["name"]) for each in found["checks"]] == [
        ("metric", "loss"),
        ("file", "model.bin"),
    ]
    changed = {each["name"] for each in found["environment_changes"]}
    assert not {"python", "package nemorun-test-scale"} & changed
    (folder,) = environments(small)
    script = small.ok("show", found["run"]["id"], "--script")
    assert f"{folder}/bin/python" in script
    assert str(folder).encode() in (folder / "bin" / "pip").read_bytes()
    built = (folder / "pyvenv.cfg").stat().st_mtime_ns
    done = small("reproduce", run_id, PIP_FIND_LINKS=str(tmp_path / "nothing"))
    assert done.code == 0
    assert done.out.startswith(f"reproduced\t{run_id}\t")
    assert "building" not in done.err
    assert "metric\taccuracy\tnan\tnan\tsame\n" in done.out
    assert (folder / "pyvenv.cfg").stat().st_mtime_ns == built


def test_with_what_is_installed_here_it_is_told_what_differs(
    small: Nemorun, tmp_path: Path
) -> None:
    run_id = launched(small, tmp_path, "seed=3")

    code, found = verdict(
        *(small, run_id, "--environment", "here", "--metric", "accuracy", "--file", "model.bin")
    )
    again, metrics = verdict(small, run_id, "--environment", "here")

    scale = {"name": "package nemorun-test-scale", "before": "1.0", "after": "2.0"}
    assert scale in found["environment_changes"]
    assert (code, found["reproduced"]) == (0, True)
    assert (again, metrics["reproduced"]) == (1, False)
    loss = metrics["checks"][0]
    assert loss["after"] == pytest.approx(3 * loss["before"])
    difference = small("diff", run_id, "last", "--only", "environment")
    assert "environment\tpackage nemorun-test-scale\t1.0\t2.0\n" in difference.out
    assert difference.code == 1
    within = verdict(small, run_id, "--environment", "here", "--metric", "loss:1.0")
    assert (within[0], within[1]["checks"][0]["same"]) == (0, True)


def test_what_does_not_come_out_the_same_is_told(small: Nemorun, tmp_path: Path) -> None:
    run_id = launched(small, tmp_path, "noise=1e-9")
    (small.cwd / "fails").touch()
    failing = launched(small, tmp_path, f"fails={tmp_path / 'fails'}")
    (tmp_path / "fails").touch()

    code, found = verdict(small, run_id, "--environment", "here", "--metric", "loss")
    failed, told = verdict(small, failing, "--environment", "here")

    assert code == 1
    assert not found["checks"][0]["same"]
    assert failed == 10
    assert told["run"]["exit_code"] == 5
    assert not told["reproduced"]


def test_a_package_that_cannot_be_had_is_named_and_nothing_is_launched(
    small: Nemorun, tmp_path: Path
) -> None:
    run_id = launched(small, tmp_path)

    done = small("reproduce", run_id, PIP_FIND_LINKS=str(tmp_path / "nothing"))

    assert done.code == 3
    assert "error: cannot install nemorun-test-scale==1.0: " in done.err
    assert done.err.startswith("building an environment of 1 package with Python 3.")
    assert "PIP_EXTRA_INDEX_URL adds one; `--environment here` uses" in done.err
    assert done.out == ""
    assert environments(small) == []
    assert small.ok("list", "--quiet") == run_id


def test_what_was_used_from_folders_of_the_project_comes_from_its_snapshot(
    small: Nemorun, tmp_path: Path
) -> None:
    source = small.cwd / "lib" / "src"
    source.mkdir(parents=True)
    (source / "scale.py").write_text("FACTOR = 5\n")
    (site,) = (tmp_path / "then").glob("lib/python*/site-packages")
    (site / "scale.py").unlink()
    (site / "scale.pth").write_text(f"{source}\n")
    (info,) = site.glob("nemorun_test_scale*.dist-info")
    origin = {"url": f"file://{small.cwd}/lib", "dir_info": {"editable": True}}
    (info / "direct_url.json").write_text(json.dumps(origin))
    other = site / "elsewhere-1.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: elsewhere\nVersion: 1\n")
    origin["url"] = f"file://{tmp_path}/gone"
    (other / "direct_url.json").write_text(json.dumps(origin))
    run_id = launched(small, tmp_path)
    (source / "scale.py").write_text("FACTOR = 6\n")

    done = small("reproduce", run_id, "--metric", "loss")

    assert done.code == 0, done.err
    assert "left out, as its code is not in the snapshot: elsewhere" in done.err


def test_code_from_another_folder_that_went_along_is_not_left_out(
    small: Nemorun, tmp_path: Path
) -> None:
    source = tmp_path / "other lib" / "src"
    source.mkdir(parents=True)
    (source.parent / "pyproject.toml").touch()
    (source / "scale.py").write_text("FACTOR = 5\n")
    (site,) = (tmp_path / "then").glob("lib/python*/site-packages")
    (site / "scale.py").unlink()
    (site / "scale.pth").write_text(f"{source}\n")
    (info,) = site.glob("nemorun_test_scale*.dist-info")
    origin = {"url": source.parent.as_uri(), "dir_info": {"editable": True}}
    (info / "direct_url.json").write_text(json.dumps(origin))
    (info / "RECORD").write_text("scale.pth,,\n")
    run_id = launched(small, tmp_path)
    (source / "scale.py").write_text("FACTOR = 6\n")

    done = small("reproduce", run_id, "--metric", "loss")

    assert done.code == 0, done.err
    assert "left out" not in done.err
    assert "building an environment of 0 packages" in done.err


def test_while_the_new_run_goes_on_nothing_is_known(small: Nemorun, tmp_path: Path) -> None:
    (tmp_path / "first").touch()
    script = f"echo x >result; rm '{tmp_path}/first' || sleep 60"
    run_id = small.ok("launch", "--wait", "command", "--", "sh", "-c", script)
    here = (run_id, "--environment", "here", "--file", "result", "--timeout", "0s")

    done = small("reproduce", *here)
    code, found = verdict(small, *here)

    assert done.code == code == 14
    assert done.out.startswith(f"not yet known\t{run_id}\t")
    assert (found["reproduced"], found["checks"]) == (None, [])
    small.ok("cancel", found["run"]["id"], done.out.split("\t")[2])


def test_a_recipe_that_came_with_nemorun_finds_itself(nemorun: Nemorun, tmp_path: Path) -> None:
    python = tmp_path / "then" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "then"], check=True)
    (site,) = (tmp_path / "then").glob("lib/python*/site-packages")
    top = Path(__file__).parents[2]
    shutil.copytree(top / "recipes", site / "nemorun_recipes")
    info = site / "nemorun_cli-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: nemorun-cli\nVersion: 0.1.0\n")
    alone = replace(nemorun, cwd=nemorun.home)
    run_id = alone.ok("launch", "--wait", "hello", "steps=2", "-x", f"python={python}")

    done = alone("reproduce", run_id)

    assert done.code == 0, done.err
    assert "metric\tprogress\t1.0\t1.0\tsame" in done.out


def declaring(nemorun: Nemorun, declared: str) -> None:
    text = RECIPE.replace("import recipe\n", "import Reproduces, recipe\n")
    text = text.replace("@recipe\n", f"@recipe(reproduces={declared})\n")
    (nemorun.cwd / "recipes").mkdir(exist_ok=True)
    (nemorun.cwd / "recipes" / "small.py").write_text(text)


def test_what_a_recipe_declares_is_compared_unless_something_is_named(small: Nemorun) -> None:
    declaring(small, "Reproduces(metrics={'loss': '1%'}, files=['*.bin'])")
    run_id = small.ok("launch", "--wait", "small", "seed=3")
    declaring(small, "Reproduces(files='model.bin')")  # What counts is what was launched.

    code, found = verdict(small, run_id, "--environment", "here")
    assert code == 0
    assert [(each["kind"], each["name"]) for each in found["checks"]] == [
        ("metric", "loss"),
        ("file", "model.bin"),
    ]
    loss = found["checks"][0]
    assert loss["tolerance"] == pytest.approx(loss["before"] / 100)
    again = small("reproduce", found["run"]["id"], "--environment", "here")
    assert again.code == 0
    assert "compared is what the recipe declares: loss:1%, *.bin" in again.err
    named = small("reproduce", run_id, "--environment", "here", "--metric", "accuracy")
    assert "declares" not in named.err
    assert "metric\tloss" not in named.out

    (small.cwd / "stop").touch()
    failed = small("launch", "--wait", "small", f"fails={small.cwd / 'stop'}").out.strip()
    refused = small("reproduce", failed)
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.startswith(f"error: {failed} is FAILED: it has no result to reproduce\n")

    for path in small.store.glob("jobs/*/work/model.bin"):
        path.unlink()
    without = small("reproduce", run_id, "--environment", "here")
    assert "left out, as its files are not there: *.bin" in without.err
    assert "file\t" not in without.out

    noisy = small.ok("launch", "--wait", "small", "noise=1e-9")
    code, found = verdict(small, noisy, "--environment", "here")
    assert code == 0
    assert [each["name"] for each in found["checks"]] == ["model.bin"]


def test_declared_files_of_an_imported_run_are_compared_by_what_was_exported(
    small: Nemorun, tmp_path: Path
) -> None:
    declaring(small, "Reproduces(metrics=['loss'], files=['*.bin'])")
    run_id = small.ok("launch", "--wait", "small", "seed=3")
    small.ok("export", run_id, "-o", str(tmp_path / "x.nrz"))
    (tmp_path / "there").mkdir()
    there = replace(small, home=tmp_path / "their-home", cwd=tmp_path / "there")
    there.ok("import", str(tmp_path / "x.nrz"))
    here = ("--environment", "here", "--trust")

    code, found = verdict(there, run_id, *here)

    assert code == 0
    assert [(each["kind"], each["name"]) for each in found["checks"]] == [
        ("metric", "loss"),
        ("file", "model.bin"),
    ]
    there.ok("export", run_id, "-o", str(tmp_path / "again.nrz"))
    assert (tmp_path / "x.nrz").read_bytes() == (tmp_path / "again.nrz").read_bytes()
    (told,) = (there.store / "runs").glob(f"**/{run_id}/results.json")
    told.write_text(told.read_text().replace(found["checks"][1]["before"], "0" * 64))
    assert there("verify", run_id).code == 1
    code, found = verdict(there, run_id, *here)
    assert (code, found["checks"][1]["same"]) == (1, False)
    for damaged in ("[]", '{"files": 3}', "nothing"):
        told.write_text(damaged)
        assert (
            "left out, as its files are not there: *.bin" in there("reproduce", run_id, *here).err
        )


def test_a_declaration_that_cannot_be_meant_is_refused_at_the_launch(nemorun: Nemorun) -> None:
    for declared in (
        "Reproduces(metrics={'loss': 'much'})",
        "Reproduces(metrics={'loss': -1})",
        "Reproduces(3)",
        "Reproduces(files=[3])",
        "['loss']",
    ):
        declaring(nemorun, declared)

        done = nemorun("launch", "small")

        assert (done.code, done.out) == (2, ""), declared
        assert "the recipe 'small' declares what it reproduces in a way that" in done.err


def test_two_at_once_build_one_environment_and_anew_if_gc_has_just_taken_it(
    small: Nemorun, tmp_path: Path, until: Callable[[Callable[[], bool]], None]
) -> None:
    run_id = launched(small, tmp_path)

    started = [small.start("reproduce", run_id) for _ in range(2)]
    ended = [each.communicate(timeout=120) for each in started]

    assert [each.returncode for each in started] == [0, 0], ended
    (folder,) = environments(small)
    with locked(folder.parent / ".lock"):  # As gc does.
        late = small.start("reproduce", run_id)
        until(lambda: waits(late))
        folder.rename(folder.with_name(".new-gone-x"))
    _, err = late.communicate(timeout=120)
    assert late.returncode == 0, err
    assert err.startswith("building an environment")
    assert environments(small) == [folder]


def test_what_is_no_result_cannot_be_reproduced(small: Nemorun, tmp_path: Path) -> None:
    run_id = launched(small, tmp_path)
    failed = small("launch", "--wait", "command", "false").out.strip()
    silent = small.ok("launch", "--wait", "command", "true")

    for arguments, part in (
        ((run_id, "--metric", "lss"), "there are: loss, accuracy"),
        ((run_id, "--metric", "loss:much"), "'much' is no tolerance"),
        ((run_id, "--file", "*.pt"), "has left no file '*.pt'"),
        ((failed,), "is FAILED: it has no result to reproduce"),
        ((silent,), "has tracked no metrics: there is nothing to compare"),
    ):
        done = small("reproduce", *arguments)
        assert done.code == 2, arguments
        assert part in done.err
        assert done.out == ""
