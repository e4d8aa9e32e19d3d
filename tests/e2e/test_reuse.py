"""A launch tells of an earlier run that was the same, and can return that instead."""

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from nemorun_cli.actions.reuse import MOST
from tests.conftest import Done, Nemorun

SAME = "the same config and code as"


def tail(run_id: str) -> str:
    return run_id[-8:]


def runs(nemorun: Nemorun) -> int:
    return len(nemorun.ok("list", "-q", "--limit", "0").split())


@pytest.fixture
def once(tiny: Nemorun) -> str:
    """The id of a run that has succeeded."""
    return tiny.ok("launch", "tiny", "--wait")


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """An interpreter of a virtual environment of its own."""
    venv, home = tmp_path / "venv", Path(sys.executable).resolve().parent
    install(venv, "lonely-1.2.3")
    (venv / "bin").mkdir()
    (venv / "bin" / "python").symlink_to(Path(sys.executable).resolve())
    version = ".".join(map(str, sys.version_info[:3]))
    told = {"home": home, "include-system-site-packages": "false", "version": version}
    (venv / "pyvenv.cfg").write_text("".join(f"{name} = {each}\n" for name, each in told.items()))
    return venv / "bin" / "python"


def install(venv: Path, package: str) -> None:
    packages = venv / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    (packages / f"{package}.dist-info").mkdir(parents=True)


def test_the_earlier_run_is_named_with_its_result(tiny: Nemorun, once: str) -> None:
    metrics = tiny.json("show", once)["run"]["metrics"]  # type: ignore[index]

    done = tiny("launch", "tiny")

    day = f"{once[:4]}-{once[4:6]}-{once[6:8]}"
    told = rf"{SAME} {tail(once)} of {day}, SUCCEEDED \((.*)\); --reuse returns it"
    found = re.search(told, done.err)
    assert found is not None, done.err
    name, _, value = found[1].split(", ")[0].partition(" ")
    assert float(value) == pytest.approx(metrics[name], rel=1e-5)
    assert done.out.strip() != once


def test_reusing_launches_nothing_and_is_as_if_it_had(tiny: Nemorun, once: str) -> None:
    answer = tiny("launch", "tiny", "--reuse")

    assert (answer.code, answer.out) == (0, f"{once}\n")
    assert f"nothing is launched: {SAME} {tail(once)}" in answer.err
    waited = tiny.json("launch", "tiny", "--reuse", "--wait")
    assert waited == tiny.json("status", once)
    followed = tiny.ok("launch", "tiny", "--reuse", "--follow")
    assert followed == f"{once}\n{tiny.ok('logs', once)}"
    assert runs(tiny) == 1


DIFFERENCES: dict[str, tuple[str, ...]] = {
    "a value": ("steps=7",),
    "a variable": ("--env", "SEED=2"),
    "a secret": ("--secret", "HOME"),
    "the resources": ("-x", "gpus_per_node=1"),
}


@pytest.mark.parametrize("what", DIFFERENCES)
def test_what_differs_is_launched(what: str, tiny: Nemorun, once: str) -> None:
    done = tiny("launch", "tiny", "--reuse", *DIFFERENCES[what])

    assert (done.code, SAME in done.err) == (0, False), done.err
    assert done.out.strip() != once


def test_other_code_is_launched_and_the_old_code_is_found_again(
    tiny: Nemorun, once: str, project: Path
) -> None:
    helpers = project / "helpers.py"
    before = helpers.read_text()
    helpers.write_text(f"{before}\n# changed\n")
    other = tiny.ok("launch", "tiny", "--reuse")
    helpers.write_text(before)

    assert other != once
    assert tiny.ok("launch", "tiny", "--reuse") == once


def test_what_cannot_change_a_result_makes_no_difference(tiny: Nemorun, once: str) -> None:
    options = ("-x", "time=1h", "-x", "retries=2", "--name", "again", "--tag", "other")

    assert tiny.ok("launch", "tiny", "--reuse", *options) == once


def test_a_failure_is_told_and_not_reused(nemorun: Nemorun) -> None:
    failed = nemorun("launch", "--wait", "command", "false").out.strip()

    done = nemorun("launch", "--reuse", "command", "false")

    assert f"the same command line and code as {tail(failed)}" in done.err
    assert "FAILED (exit 1)\n" in done.err
    assert done.out.strip() != failed


def test_a_run_under_way_is_reused(nemorun: Nemorun) -> None:
    run_id = nemorun.ok("launch", "command", "sleep", "600")

    assert nemorun.ok("launch", "--reuse", "command", "sleep", "600") == run_id
    nemorun.ok("cancel", run_id)
    assert nemorun.ok("launch", "--reuse", "command", "sleep", "600") != run_id


def test_a_run_that_was_asked_to_end_is_not_returned(nemorun: Nemorun) -> None:
    stubborn = ("command", "--", "sh", "-c", 'trap "" TERM; echo on; sleep 600')
    run_id = nemorun.ok("launch", "-x", "grace=10m", *stubborn)
    with nemorun.start("logs", "--follow", run_id) as follower:
        assert follower.stdout is not None
        assert follower.stdout.readline() == "on\n"
        follower.terminate()
    nemorun("cancel", "--no-wait", run_id)

    done = nemorun("launch", "--reuse", *stubborn)

    assert nemorun.json("status", run_id)["run"]["state"] == "RUNNING"  # type: ignore[index]
    assert f"{tail(run_id)} of {run_id[:4]}" in done.err
    assert "RUNNING and asked to end" in done.err
    assert "--reuse returns it" not in done.err
    assert done.out.strip() not in {"", run_id}


def test_a_success_is_found_behind_any_number_of_failures(nemorun: Nemorun, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    flag.touch()
    test = ("command", "--", "test", "-e", str(flag))
    once = nemorun.ok("launch", "--wait", *test)
    flag.unlink()
    started = [nemorun.start("launch", "--wait", *test) for _ in range(MOST + 1)]
    for process in started:
        process.communicate(timeout=90)

    assert [process.returncode for process in started] == [10] * (MOST + 1)
    assert nemorun.ok("launch", "--reuse", *test) == once
    assert f"{tail(once)} of" in nemorun("launch", *test).err


def test_labels_that_the_earlier_run_does_not_get_are_told(tiny: Nemorun, once: str) -> None:
    done = tiny("launch", "tiny", "--reuse", "--name", "mine", "-t", "paper", "--experiment", "e")

    assert done.out.strip() == once
    assert "--name and --experiment and --tag left aside" in done.err
    assert tiny.json("show", once)["run"]["tags"] == []  # type: ignore[index]
    tiny.ok("tag", once, "paper")
    assert "left aside" not in tiny("launch", "tiny", "--reuse", "-t", "paper").err


def test_of_many_at_once_one_launches(nemorun: Nemorun) -> None:
    started = [nemorun.start("launch", "--reuse", "command", "sleep", "600") for _ in range(10)]

    answers = [process.communicate(timeout=90)[0].strip() for process in started]

    assert len(set(answers)) == 1
    assert runs(nemorun) == 1


def test_a_deleted_run_is_not_returned(tiny: Nemorun, once: str) -> None:
    tiny.ok("rm", once)

    done = tiny("launch", "tiny", "--reuse")

    assert (done.code, SAME in done.err) == (0, False)


def test_a_plan_tells_of_it_too(tiny: Nemorun, once: str) -> None:
    done = tiny("launch", "tiny", "--dry-run", "--json")

    assert f"{SAME} {tail(once)}" in done.err
    same = {"run": once, "state": "SUCCEEDED", "environment": None}
    assert json.loads(done.out)["same_as"] == same
    assert tiny.json("launch", "tiny", "steps=7", "--dry-run")["same_as"] is None


def test_without_a_project_nothing_is_claimed(nemorun: Nemorun, tmp_path: Path) -> None:
    lonely = Nemorun(home=nemorun.home, cwd=tmp_path / "elsewhere")
    lonely.cwd.mkdir()
    lonely.ok("launch", "--wait", "command", "true")

    assert "the same" not in lonely("launch", "command", "true").err


def test_cancelling_on_exit_would_end_a_run_of_others(nemorun: Nemorun) -> None:
    assert nemorun("launch", "--reuse", "--wait", "--cancel-on-exit", "command", "true").code == 2


def test_the_same_packages_are_claimed_only_where_they_are_seen(
    nemorun: Nemorun, python: Path, tmp_path: Path
) -> None:
    def launch(user: Nemorun = nemorun) -> Done:
        return user("launch", "--reuse", "--wait", "command", "--", str(python), "-c", "pass")

    first = launch()
    again = launch()
    elsewhere = launch(replace(nemorun, env={"PYTHONPATH": str(tmp_path)}))
    install(tmp_path / "venv", "second-0.1")
    other = launch()

    assert "the same command line, code and environment as" in again.err
    assert "the same command line and code as" in elsewhere.err
    assert first.out == again.out == elsewhere.out
    assert "the same" not in other.err
    assert other.out != first.out
