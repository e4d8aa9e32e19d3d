"""What differs is told: config, code, environment, settings, results."""

import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

from nemorun_cli.job.layingout import discard
from tests.conftest import NEMORUN, Nemorun


def launched(nemorun: Nemorun, *arguments: str) -> str:
    return nemorun.ok("launch", "--wait", *arguments)


def told(nemorun: Nemorun, *arguments: str) -> dict[str, Any]:
    done = nemorun("diff", *arguments, "--json")
    assert done.code in (0, 1), done.err
    found: dict[str, Any] = json.loads(done.out)
    assert found["different"] == bool(done.code)
    return found


def test_a_run_differs_in_nothing_from_itself_and_from_its_like(tiny: Nemorun) -> None:
    one, other = launched(tiny, "tiny"), launched(tiny, "tiny")

    for before, after in ((one, one), (other, one), ("last", "@-2"), (one, ".")):
        found = told(tiny, before, after)
        parts = [found[name] for name in ("config", "code", "environment", "settings")]
        assert [each or [] for each in parts] == [[]] * 4, parts
        assert tiny("diff", before, after, "--only", "config", "--only", "code").out == ""


def test_a_change_of_the_config_is_told_with_what_set_it(tiny: Nemorun) -> None:
    launched(tiny, "tiny", "optim.lr=1e-3")
    launched(tiny, "tiny(size=3)", "optim.lr=3e-4")

    found = told(tiny, "@-2", "last", "--only", "config")

    changes = {each["path"]: each for each in found["config"]}
    assert list(changes) == ["optim.lr", "steps"]
    assert (changes["optim.lr"]["before"], changes["optim.lr"]["after"]) == ("0.001", "0.0003")
    assert changes["optim.lr"]["after_origin"]["place"] == "optim.lr=3e-4"
    assert changes["steps"]["before_origin"]["kind"] == "recipe"
    assert found["code"] is found["settings"] is found["results"] is None
    done = tiny("diff", "@-2", "last", "--only", "config")
    assert done.out == "config\toptim.lr\t0.001\t0.0003\nconfig\tsteps\t2\t6\n"
    assert done.code == 1


def test_a_run_is_compared_with_what_would_be_launched_here(tiny: Nemorun) -> None:
    run_id = launched(tiny, "tiny(size=3)", "optim.lr=3e-4", "-x", "time=1h")
    (tiny.cwd / "helpers.py").write_text('greeting = "changed"\n')
    (tiny.cwd / "new.py").touch()

    here = told(tiny, run_id, "optim.lr=5", "note=x")
    other = told(tiny, run_id, "tiny", "optim=sgd")

    assert [each["path"] for each in here["config"]] == ["optim.lr", "note"]
    assert here["code"] == [
        {"path": "helpers.py", "change": "changed"},
        {"path": "new.py", "change": "added"},
    ]
    assert here["settings"] == []
    assert here["results"] is here["environment"] is None
    assert {each["path"] for each in other["config"]} == {
        *("optim", "optim.lr", "optim.momentum", "steps"),
    }
    assert told(tiny, "tiny", "tiny(size=2)")["config"][0]["path"] == "steps"
    assert told(tiny, ".", run_id)["code"][1] == {"path": "new.py", "change": "removed"}
    assert len(tiny.json("list")["runs"]) == 1  # type: ignore[arg-type]


def test_settings_and_results_are_told_and_results_never_count(tiny: Nemorun) -> None:
    launched(tiny, "tiny", "-x", "time=1h", "--env", "A=1")
    launched(tiny, "tiny", "-x", "time=2h", "--env", "B=1")
    launched(tiny, "tiny", "steps=5", "-x", "time=2h", "--env", "B=1")

    found = told(tiny, "@-3", "@-2", "--only", "settings", "--only", "results")
    results = told(tiny, "@-2", "last", "--only", "results")

    assert {each["name"]: (each["before"], each["after"]) for each in found["settings"]} == {
        "time": ("1h", "2h"),
        "--env A": ("1", None),
        "--env B": (None, "1"),
    }
    changes = {each["name"]: (each["before"], each["after"]) for each in results["results"]}
    assert changes["metric loss"] == ("0.5", "0.2")
    assert not results["different"]


def test_the_patch_makes_one_code_of_the_other(tiny: Nemorun, tmp_path: Path) -> None:
    project = tiny.cwd
    (project / "gone.txt").write_text("no line end")
    (project / "old.sh").write_text("echo\n")
    (project / "data.bin").write_bytes(b"\0\1")
    launched(tiny, "tiny")
    before = tmp_path / "before"
    shutil.copytree(project, before)
    (project / "gone.txt").unlink()
    (project / "new é.txt").write_text("a\r\nb\x0cc\nno line end")
    (project / "helpers.py").write_text('greeting = "changed"\n')
    (project / "old.sh").chmod(0o755)
    (project / "data.bin").write_bytes(b"\0\2")

    done = tiny("diff", "last", "--patch")

    assert done.code == 1
    assert "Binary files a/data.bin and b/data.bin differ\n" in done.out
    assert "new mode 100755" in done.out
    raw = subprocess.run(
        [NEMORUN, "diff", "last", "--patch"],
        cwd=project,
        env=tiny.environment(),
        capture_output=True,
        check=False,
    )
    subprocess.run(
        ["git", "apply", "--exclude=data.bin", "-"],
        cwd=before,
        env={**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path)},
        input=raw.stdout,
        check=True,
    )
    shutil.copy(project / "data.bin", before / "data.bin")
    assert files(before) == files(project)
    launched(tiny, "tiny")
    assert tiny("diff", "last", "--patch").out == ""
    assert told(tiny, "@-2", "last", "--patch")["patch"] == raw.stdout.decode()


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(each.relative_to(folder)): (each.read_bytes(), each.stat().st_mode & 0o100)
        for each in folder.rglob("*")
        if each.is_file() and "__pycache__" not in str(each)
    }


def test_what_differs_can_be_launched_on_top_of_the_first(tiny: Nemorun) -> None:
    one = launched(tiny, "tiny", "note=none")
    other = launched(tiny, "tiny", "optim=sgd", "optim.momentum=0.5", "note=5", "steps=1")

    done = tiny("diff", one, other, "--as-overrides")
    assert done.code == 1
    (tiny.cwd / "change.yaml").write_text(done.out)
    tiny.ok("rerun", one, "-f", "change.yaml", "--wait")

    assert "note: '5'" in done.out
    assert told(tiny, other, "last", "--only", "config")["config"] == []
    assert tiny("diff", other, "last", "--as-overrides").out == ""
    document = json.loads(tiny("diff", one, other, "--as-overrides", "--json").out)
    assert document["overrides"]["note"] == "5"
    assert document["unknown"] == ["recipes.tiny:SGD"]
    assert "only a registered factory can make these: recipes.tiny:SGD" in done.err
    launched(tiny, "command", "true")
    assert tiny("diff", "last", "last", "--as-overrides").code == 2


def test_command_lines_are_compared_as_they_are(nemorun: Nemorun) -> None:
    launched(nemorun, "command", "--", "echo", "a b")
    launched(nemorun, "command", "--", "echo", "c")

    assert (
        nemorun("diff", "@-2", "last", "--only", "config").out == "config\t\techo 'a b'\techo c\n"
    )
    assert nemorun("diff", "last", "--only", "config").code == 0


def test_nothing_that_is_stored_is_executed(tiny: Nemorun) -> None:
    launched(tiny, "tiny")
    launched(tiny, "tiny", "steps=3")
    (tiny.cwd / "recipes" / "tiny.py").write_text("raise SystemExit(7)\n")
    for code in (tiny.store / "code").glob("*/recipes/tiny.py"):
        code.chmod(0o600)
        code.write_text("raise SystemExit(7)\n")

    assert tiny("diff", "@-2", "last").code == 1
    assert tiny("diff", "@-2", "last", "--as-overrides").out == "steps: 3\n"


def test_what_cannot_be_compared_is_refused(tiny: Nemorun) -> None:
    run_id = launched(tiny, "tiny")

    for arguments, code, part in (
        ((run_id, run_id, "steps=3"), 2, "is a run: nothing can be set in it"),
        ((".",), 2, "name a run"),
        (("nothing",), 4, "there is no recipe and no run 'nothing'"),
        ((run_id, "step=3"), 2, "did you mean 'steps'?"),
        ((run_id, "--only", "rubbish"), 2, "rubbish"),
    ):
        done = tiny("diff", *arguments)
        assert done.code == code, arguments
        assert part in done.err
        assert done.out == ""


def test_code_that_is_gone_hides_nothing_else(tiny: Nemorun) -> None:
    run_id = launched(tiny, "tiny")
    (code,) = (tiny.store / "code").glob("[0-9a-f]*")
    (tiny.cwd / "new.py").touch()
    discard(code)

    done = tiny("diff", run_id, "steps=3")

    assert done.code == 4
    assert f"the code of {run_id} is not in the store any more" in done.err
    assert tiny("diff", run_id, "steps=3", "--only", "config").code == 1
    assert tiny("diff", run_id, run_id).code == 0


def test_files_of_a_run_are_those_of_the_folder_it_was_launched_from(
    tiny: Nemorun, tmp_path: Path
) -> None:
    conf, other = tiny.cwd / "conf", tmp_path / "other"
    for folder in (conf, other):
        folder.mkdir()
    (conf / "exp.yaml").write_text("steps: 3\n")
    (conf / "rate.txt").write_text("0.5")
    (other / "more.yaml").write_text("note: changed\n")
    below, outside = replace(tiny, cwd=conf), replace(tiny, cwd=other)
    launched(below, "tiny", "-f", "exp.yaml", "optim.lr=@rate.txt")

    assert tiny("diff", "last", "--only", "config").out == ""
    outside.ok("rerun", "last", "-f", "more.yaml", "--wait")
    assert tiny("diff", "last", "--only", "config").out == ""
    (conf / "exp.yaml").write_text("steps: 4\n")
    assert tiny("diff", "@-2", "--only", "config").out == "config\tsteps\t3\t4\n"
    assert tiny("diff", "@-2", "note=@rate.txt", "--only", "config").code == 2


def test_repositories_that_went_along_are_looked_at_again(tiny: Nemorun, tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    (library / "lib.py").write_text("x = 1\n")
    launched(tiny, "tiny", "--include-repo", os.path.relpath(library, tiny.cwd))

    assert told(tiny, "last")["code"] == []
    (library / "lib.py").write_text("x = 2\n")
    assert [each["change"] for each in told(tiny, "last")["code"]] == ["changed"]
    shutil.rmtree(library)
    found = told(tiny, "last", "--only", "code")
    assert [each["change"] for each in found["code"]] == ["removed"]
    assert "there is no folder" in found["unfit"][0]["message"]


def test_overrides_that_no_longer_fit_are_told_and_hide_nothing_else(tiny: Nemorun) -> None:
    (tiny.cwd / "exp.yaml").write_text("optim.lr: 0.5\n")
    launched(tiny, "tiny", "-f", "exp.yaml", "note=x", "steps=3")
    recipe = tiny.cwd / "recipes" / "tiny.py"
    recipe.write_text(recipe.read_text().replace("note", "remark"))
    (tiny.cwd / "exp.yaml").write_text("optim.rate: 0.5\n")

    found = told(tiny, "last")

    assert [each["text"] for each in found["unfit"]] == ["--file exp.yaml", "note=x"]
    assert "'note'" in found["unfit"][1]["message"]
    assert {"optim.lr", "note", "remark"} == {each["path"] for each in found["config"]}
    assert {each["path"] for each in found["code"]} == {"exp.yaml", "recipes/tiny.py"}
    done = tiny("diff", "last", "--only", "config")
    assert done.code == 1
    assert done.out.startswith("unfit\t--file exp.yaml\t\t")
    assert "note=x does not fit here" in tiny("diff", "last", "--as-overrides").err
    assert tiny("diff", "last", "remark=[", "nosuch=1").code == 2


def test_a_recipe_that_is_gone_is_a_difference(tiny: Nemorun) -> None:
    run_id = launched(tiny, "tiny")
    (tiny.cwd / "recipes" / "tiny.py").unlink()

    found = told(tiny, run_id)

    assert [each["text"] for each in found["unfit"]] == ["tiny"]
    assert found["config"] is None
    assert found["code"] == [{"path": "recipes/tiny.py", "change": "removed"}]
    assert tiny("diff", run_id, "--as-overrides").code == 2


def test_the_hashes_of_both_sides_are_told_whatever_is_compared(tiny: Nemorun) -> None:
    run = tiny.json("status", launched(tiny, "tiny"))["run"]

    for section in ("code", "config", "settings"):
        found = told(tiny, "last", ".", "--only", section)
        for side in (found["before"], found["after"]):
            assert side["config_hash"] == run["config_hash"]  # type: ignore[index]
            assert side["code_hash"] == run["code_hash"]  # type: ignore[index]
        assert [each for each in ("code", "config", "settings") if found[each] is not None] == [
            section
        ]


def test_a_person_sees_what_changed(tiny: Nemorun) -> None:
    import pexpect

    launched(tiny, "tiny")
    (tiny.cwd / "helpers.py").write_text('greeting = "changed"\n')
    launched(tiny, "tiny", "optim.lr=5")

    shown = pexpect.run(
        f"{NEMORUN} diff @-2 last",
        cwd=str(tiny.cwd),
        env=tiny.environment(TERM="xterm"),
        encoding="utf-8",
    )

    assert "optim.lr  0.001 -> 5.0  (optim.lr=5)" in shown
    assert "~ helpers.py" in shown
    assert "\x1b[" not in shown
    assert "\x1b[33m  ~ helpers.py" in pexpect.run(
        f"{NEMORUN} diff @-2 last --only code",
        cwd=str(tiny.cwd),
        env={**tiny.environment(TERM="xterm"), "NO_COLOR": ""},
        encoding="utf-8",
    )
