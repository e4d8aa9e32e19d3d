"""A job runs from the code that was there when it was launched."""

import subprocess
from pathlib import Path

import pytest

from tests.conftest import Nemorun


@pytest.fixture
def repository(project: Path, nemorun: Nemorun) -> Path:
    (project / "tracked.py").write_text("print('first')\n")
    (project / ".gitignore").write_text("data/\n*.log\n")
    (project / "data").mkdir()
    (project / "data" / "set.txt").write_text("42")
    for argv in (["init", "-q"], ["add", "."]):
        subprocess.run(["git", *argv], cwd=project, env=nemorun.environment(), check=True)
    return project


def test_a_queued_job_never_sees_a_later_edit(nemorun: Nemorun, repository: Path) -> None:
    parent = nemorun.ok(
        "launch", "command", "--", "sh", "-c", "until [ -e go ]; do sleep .05; done"
    )
    child = nemorun.ok("launch", "--after", parent, "command", "--", "python3", "tracked.py")

    (repository / "tracked.py").write_text("print('later')\n")
    (nemorun.store / "jobs" / f"{parent}-1" / "work" / "go").touch()

    assert nemorun("wait", child).code == 0
    assert nemorun.ok("logs", child) == "first"


def test_untracked_files_go_along_and_ignored_ones_are_linked(
    nemorun: Nemorun, repository: Path
) -> None:
    (repository / "untracked.py").write_text("print(open('data/set.txt').read())\n")

    done = nemorun("launch", "--follow", "command", "--", "python3", "untracked.py")

    assert done.out.splitlines()[1:] == ["42"]
    dry = nemorun.ok("launch", "--dry-run", "command", "true")
    assert "linked     data" in dry


def test_where_git_is_not_installed_that_is_told(
    nemorun: Nemorun, repository: Path, tmp_path: Path
) -> None:
    nemorun.env["PATH"] = str(tmp_path / "bin")

    told = nemorun("launch", "--dry-run", "command", "true").err

    assert "git is not installed: no commit is recorded" in told
    refused = nemorun("launch", "--require-clean", "command", "true")
    assert (refused.code, refused.err.split(": nothing")[0]) == (3, "error: git is not installed")
    (repository / ".git").rename(tmp_path / "away")
    assert "git is not" not in nemorun("launch", "--dry-run", "command", "true").err


def test_the_same_code_is_stored_once(nemorun: Nemorun, repository: Path) -> None:
    for number in range(3):
        nemorun.ok("launch", "--name", str(number), "command", "true")

    assert len(list((nemorun.store / "code").glob("[0-9a-f]*"))) == 1
    assert (repository / "tracked.py").exists()


def test_new_files_belong_to_the_run(nemorun: Nemorun, repository: Path) -> None:
    (repository / "sub").mkdir()
    (repository / "sub" / "here.py").write_text("print(open('here.py').read(5))\n")
    inside = Nemorun(home=nemorun.home, cwd=repository / "sub")
    script = "python3 here.py && touch new && mkdir made && pwd"

    run_id, text, folder = inside.ok(
        "launch", "--follow", "command", "--", "sh", "-c", script
    ).splitlines()

    assert text == "print"
    assert Path(folder, "new").exists()
    assert folder.startswith(str(nemorun.store / "jobs" / run_id))
    assert not (repository / "sub" / "new").exists()
    assert not list((nemorun.store / "code").rglob("new"))
    nemorun.ok("wait", run_id)


def test_rerun_starts_from_the_stored_code(nemorun: Nemorun, repository: Path) -> None:
    first = nemorun.ok(
        "launch", "--wait", "-x", "time=1h", "command", "--", "python3", "tracked.py"
    )
    (repository / "tracked.py").write_text("print('later')\n")
    elsewhere = Nemorun(home=nemorun.home, cwd=nemorun.home)

    again, *lines = elsewhere.ok("rerun", first, "--follow").splitlines()

    assert lines == ["first"]
    shown = nemorun.json("show", again)["run"]
    assert shown["parent"] == first  # type: ignore[index]
    assert shown["settings"]["time"]["text"] == "1h"  # type: ignore[index]
    assert shown["code_hash"] == nemorun.json("show", first)["run"]["code_hash"]  # type: ignore[index]


def test_a_launch_from_a_snapshot_that_was_changed_is_refused(
    nemorun: Nemorun, repository: Path
) -> None:
    first = nemorun.ok("launch", "--wait", "command", "--", "python3", "tracked.py")
    stored = Path(nemorun.json("show", first)["run"]["code"]["path"])  # type: ignore[index]
    (stored / "tracked.py").chmod(0o600)
    (stored / "tracked.py").write_text("print('evil')\n")

    done = nemorun("launch", "--wait", "command", "--", "python3", "tracked.py")

    assert (done.code, done.out) == (1, "")
    assert f"{stored} is not what was stored: tracked.py" in done.err
    assert nemorun("verify", first).code == 1
    assert nemorun.ok("list", "--quiet") == first
    subprocess.run(["rm", "-rf", stored], check=True)
    again = nemorun.ok("launch", "--wait", "command", "--", "python3", "tracked.py")
    assert nemorun.ok("logs", again) == "first"
    assert nemorun("verify", first).code == 0
    assert repository.exists()


def test_rerun_without_the_code_says_so(nemorun: Nemorun, repository: Path) -> None:
    first = nemorun.ok("launch", "--wait", "command", "true")
    (nemorun.store / "code").rename(nemorun.store / "away")

    done = nemorun("rerun", first)

    assert done.code == 4
    assert "not in the store" in done.err
    assert repository.exists()


def test_a_folder_that_others_may_write_to_is_no_project(nemorun: Nemorun, project: Path) -> None:
    project.chmod(0o777)

    done = nemorun("launch", "--wait", "command", "--", "pwd")

    assert "no project here" in done.err
    assert f"{project} would be one, if it were yours and nobody else could write to it" in done.err
    assert nemorun.ok("logs") == str(project)


def test_a_module_that_was_left_behind_is_named(nemorun: Nemorun, tmp_path: Path) -> None:
    folder = tmp_path / "lonely"
    folder.mkdir()
    recipe = "import fiddle as fdl\ndef train() -> None:\n    import {}\n"
    recipe += "def fit() -> fdl.Partial:\n    return fdl.Partial(train)\n"
    (folder / "near.py").write_text(recipe.format("neighbour"))
    (folder / "far.py").write_text(recipe.format("elsewhere"))
    (folder / "neighbour.py").touch()
    lonely = Nemorun(home=nemorun.home, cwd=folder)

    near = lonely("launch", "--wait", "near.py:fit")
    shown = lonely.ok("show")
    far = lonely("launch", "--wait", "far.py:fit")

    hint = f"neighbour lies in {folder}, which is no project"
    assert near.code == far.code == 10
    assert hint in near.err
    assert hint in shown
    assert "which is no project" not in far.err
    (folder / "nemorun.toml").touch()
    assert lonely("launch", "--wait", "near.py:fit").code == 0


def test_the_home_folder_is_no_project(nemorun: Nemorun) -> None:
    (nemorun.home / "pyproject.toml").touch()
    at_home = Nemorun(home=nemorun.home, cwd=nemorun.home)

    assert at_home("launch", "--wait", "command", "true").err == (
        f"no project here: it runs in {nemorun.home}, on files that may still change\n"
    )
