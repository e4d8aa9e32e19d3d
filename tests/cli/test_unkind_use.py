"""What happens when a command is used in ways that nobody had in mind."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import NEMORUN, Nemorun


def shell(nemorun: Nemorun, script: str) -> subprocess.CompletedProcess[str]:
    """A line of bash, in which `nemorun` is the installed one."""
    env = nemorun.environment(PATH=f"{NEMORUN.parent}:{os.environ['PATH']}")
    command = ["bash", "-c", script]
    return subprocess.run(
        command, cwd=nemorun.cwd, env=env, capture_output=True, text=True, check=False
    )


def only_run(nemorun: Nemorun) -> Any:
    runs: Any = nemorun.json("list")["runs"]
    assert len(runs) == 1
    return runs[0]


def test_a_relative_job_folder_is_one_below_the_current_folder(nemorun: Nemorun) -> None:
    nemorun.ok("launch", "-x", "job_dir=my/jobs", "--wait", "command", "true")

    assert only_run(nemorun)["directory"].startswith(f"{nemorun.cwd}/my/jobs/")


def test_a_job_folder_that_cannot_be_made_is_refused_at_once(nemorun: Nemorun) -> None:
    done = nemorun("launch", "-x", "job_dir=/proc/x", "command", "true")

    assert done.code == 3
    assert "internal" not in done.err
    assert only_run(nemorun)["state"] == "FAILED"


def test_following_with_json_tells_how_it_ended(nemorun: Nemorun) -> None:
    done = nemorun("launch", "--follow", "--json", "command", "--", "sh", "-c", "echo hi; exit 7")

    assert done.code == 10
    assert json.loads(done.out)["run"]["state"] == "FAILED"
    assert json.loads(done.out)["run"]["exit_code"] == 7
    assert "hi" in done.err.splitlines()


@pytest.mark.parametrize("redirection", [">/dev/full", ">&-"])
def test_an_id_that_cannot_be_printed_is_told_elsewhere(nemorun: Nemorun, redirection: str) -> None:
    done = shell(nemorun, f"nemorun launch command true {redirection}")

    assert done.returncode == 1
    assert f"{only_run(nemorun)['id']} was launched, but cannot write" in done.stderr


@pytest.mark.parametrize("redirection", [">/dev/full", ">&-"])
def test_an_answer_that_cannot_be_printed_is_no_bug(nemorun: Nemorun, redirection: str) -> None:
    nemorun.ok("launch", "--wait", "command", "true")

    done = shell(nemorun, f"nemorun list {redirection}")

    assert done.returncode == 1
    assert done.stderr.startswith("error: cannot write to standard output: ")


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("launch command true", 0),
        ("launch --wait command false", 10),
        ("list", 0),
        ("show last", 0),
        ("recipes", 0),
        ("--help", 0),
    ],
)
def test_a_reader_that_leaves_changes_no_exit_code(
    nemorun: Nemorun, command: str, code: int
) -> None:
    nemorun.ok("launch", "--wait", "command", "true")

    done = shell(nemorun, f"nemorun {command} | true; exit ${{PIPESTATUS[0]}}")

    assert (done.returncode, "Error" in done.stderr) == (code, False)


def test_a_reader_that_leaves_is_told_that_the_run_goes_on(nemorun: Nemorun) -> None:
    loop = "for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.2; done"
    done = shell(
        nemorun,
        f"nemorun launch --follow command -- sh -c '{loop}' | head -2; exit ${{PIPESTATUS[0]}}",
    )

    assert done.returncode == 0
    assert "goes on" in done.stderr


def test_bytes_that_are_no_utf_8_do_not_spoil_json(nemorun: Nemorun) -> None:
    shell(nemorun, "nemorun launch --wait --name $'\\xff' command true")

    done = subprocess.run(
        [str(NEMORUN), "list", "--json"],
        env=nemorun.environment(),
        cwd=nemorun.cwd,
        capture_output=True,
        check=True,
    )

    assert json.loads(done.stdout.decode("utf-8"))["runs"][0]["name"] == "\udcff"


def test_a_folder_that_is_gone_is_told(nemorun: Nemorun, tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()

    done = shell(nemorun, f"cd {tmp_path}/gone; rmdir ../gone; nemorun launch hello")

    assert done.returncode == 2
    assert done.stderr.startswith("error: the current folder is gone")


@pytest.mark.parametrize("tag", ["a,b", "", "a\nb"])
def test_what_tag_refuses_launch_refuses(nemorun: Nemorun, tag: str) -> None:
    assert nemorun("launch", "--tag", tag, "command", "true").code == 2
    assert nemorun.json("list")["runs"] == []


def test_show_sends_no_control_characters(nemorun: Nemorun) -> None:
    nemorun.ok("launch", "--name", "\x1b[31mx\ny", "hello", "greeting=\x1b]0;x\x07", "steps=1")

    shown = nemorun.ok("show", "last")

    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "\\x1b[31mx\\ny" in shown


def test_a_command_line_has_no_fields_to_override(nemorun: Nemorun) -> None:
    nemorun.ok("launch", "--wait", "command", "true")

    done = nemorun("rerun", "last", "lr=1")

    assert done.code == 2
    assert "is a command line" in done.err
    assert nemorun("rerun", "last", "--wait", "--", "echo", "new").code == 0


def test_a_timeout_needs_somebody_who_waits(nemorun: Nemorun) -> None:
    assert nemorun("launch", "--timeout", "1s", "command", "true").code == 2
    assert nemorun.json("list")["runs"] == []


def test_waiting_for_an_experiment_that_is_not_there_is_no_success(nemorun: Nemorun) -> None:
    nemorun("launch", "--wait", "--experiment", "there", "command", "false")

    assert nemorun("wait", "--experiment", "not-there").code == 4
    assert nemorun("wait", "--experiment", "there").code == 10


def test_a_variable_is_secret_or_it_is_not(nemorun: Nemorun) -> None:
    both = ("--secret", "PLAIN", "--env", "PLAIN")

    assert nemorun("launch", *both, "command", "true", PLAIN="x").code == 2


def test_what_a_recipe_starts_prints_beside_the_answer(nemorun: Nemorun, project: Path) -> None:
    (project / "loud.py").write_text(
        "import os\nimport fiddle as fdl\nos.system('echo NOISE')\n\n\n"
        "def loud() -> fdl.Partial:\n"
        "    os.system('echo MORE')\n"
        "    return fdl.Partial(print, 'x')\n"
    )

    done = nemorun("launch", "loud.py:loud", "--json")

    assert json.loads(done.out)["run"]["recipe"] == "loud.py:loud"
    assert "NOISE" in done.err


@pytest.mark.parametrize("text", ["bogus = 1", "[executor.long]\ntime = '1h'", "[setings]\nx = 1"])
def test_a_misspelt_key_of_a_settings_file_is_told(
    nemorun: Nemorun, project: Path, text: str
) -> None:
    (project / "nemorun.toml").write_text(text)

    done = nemorun("launch", "command", "true")

    assert done.code == 2
    assert "nemorun.toml" in done.err


def test_where_the_logs_are_is_a_document_too(nemorun: Nemorun) -> None:
    nemorun.ok("launch", "--wait", "command", "true")

    told = json.loads(nemorun.ok("logs", "last", "--path", "--json"))

    assert Path(told["path"]).is_dir()


@pytest.mark.parametrize("name", ["config.json", "plan.json"])
@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", "[" * 5000, '{"_ref_": 9}', '{"_target_": "os:getcwd"}']
)
def test_a_damaged_document_is_told_and_never_launched(
    nemorun: Nemorun, name: str, text: str
) -> None:
    run_id = nemorun.ok("launch", "hello", "steps=1", "--wait")
    (path,) = nemorun.store.glob(f"runs/*/{run_id}/{name}")
    path.write_text(text)

    for overrides in ((), ("steps=2",)):
        done = nemorun("rerun", run_id, *overrides)
        assert (done.code, f"its {name}" in done.err) == (1, True)
        assert "internal" not in done.err
    assert only_run(nemorun)["state"] == "SUCCEEDED"
    shown = nemorun("show", run_id)
    assert (shown.code, f"its {name}" in shown.err) == (0, True)


@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-"])
def test_remarks_that_cannot_be_printed_fail_nothing(nemorun: Nemorun, redirection: str) -> None:
    (nemorun.cwd / "nemorun.toml").unlink()  # There is something to remark.

    assert shell(nemorun, f"nemorun launch hello steps=1 {redirection}").returncode == 0
    assert only_run(nemorun)["recipe"] == "hello"


def test_a_function_without_a_signature_is_no_recipe(nemorun: Nemorun) -> None:
    done = nemorun("launch", "builtins:max")

    assert done.code == 2
    assert "'builtins:max' is no recipe" in done.err
