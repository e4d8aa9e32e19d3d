"""Each fault that running the best-known launcher showed, as what must not happen here."""

import json
import os
import re
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nemorun_cli import processes
from tests.conftest import Nemorun

Until = Callable[[Callable[[], bool]], None]


def launch(nemorun: Nemorun, *arguments: str) -> str:
    return nemorun.ok("launch", *arguments)


def test_a_failed_job_does_not_exit_with_0(nemorun: Nemorun) -> None:
    done = nemorun("launch", "--wait", "command", "--", "sh", "-c", "echo why; exit 3")

    assert done.code == 10
    assert "exit 3" in done.err
    assert "why" in done.err
    assert nemorun("wait", done.out.strip()).code == 10


def test_cancel_ends_a_local_job_and_says_so(nemorun: Nemorun) -> None:
    run_id = launch(nemorun, "command", "--", "sleep", "600")

    done = nemorun("cancel", run_id)

    assert (done.code, done.out.split()[-1]) == (0, "CANCELLED")
    assert not list(processes.with_key(f"{run_id}-1"))
    assert nemorun("cancel", run_id).code == 0
    assert nemorun("wait", run_id).code == 11


def test_a_killed_launcher_does_not_leave_a_run_running_for_ever(
    nemorun: Nemorun, until: Until
) -> None:
    waiting = nemorun.start("launch", "--wait", "command", "--", "sleep", "1")
    assert waiting.stdout is not None
    run_id = waiting.stdout.readline().strip()
    waiting.send_signal(signal.SIGKILL)
    waiting.communicate()

    assert nemorun.state(run_id) == "RUNNING"
    until(lambda: nemorun.state(run_id) == "SUCCEEDED")


def test_a_failed_parent_stops_its_child(nemorun: Nemorun) -> None:
    go = nemorun.home / "go"
    fail = f"until [ -e '{go}' ]; do sleep 0.05; done; exit 1"
    parent = launch(nemorun, "command", "--", "sh", "-c", fail)
    child = launch(nemorun, "--after", parent, "command", "--", "touch", "started")
    go.touch()

    assert nemorun("wait", child).code == 11
    assert nemorun.json("status", child)["run"]["reason"] == "dependency"  # type: ignore[index]
    assert nemorun("launch", "--after", parent, "command", "true").code == 3


def test_retries_are_not_ignored(nemorun: Nemorun) -> None:
    script = '[ "$NEMORUN_ATTEMPT" = 3 ]'

    done = nemorun("launch", "--wait", "-x", "retries=2", "command", "--", "sh", "-c", script)

    assert done.code == 0
    attempts = nemorun.json("show", "last")["run"]["attempts"]  # type: ignore[index]
    assert [each["exit_code"] for each in attempts] == [1, 1, 0]


def test_no_line_is_lost_when_following(nemorun: Nemorun) -> None:
    script = "for i in 1 2 3 4 5 6 7 8 9 10; do echo line $i; sleep 0.03; done"

    done = nemorun("launch", "--follow", "command", "--", "sh", "-c", script)

    run_id, *lines = done.out.splitlines()
    assert lines == [f"line {number}" for number in range(1, 11)]
    assert nemorun.ok("logs", run_id, "--tail", "2").splitlines() == ["line 9", "line 10"]


def test_an_unreadable_store_is_not_an_empty_one(nemorun: Nemorun) -> None:
    launch(nemorun, "command", "true")
    (nemorun.store / "runs").rename(nemorun.store / "runs.away")
    (nemorun.store / "runs").write_text("not a folder")

    done = nemorun("list")

    assert done.code == 1
    assert "cannot read" in done.err
    assert "NEMORUN_HOME" in done.err


def test_a_damaged_record_is_told_and_hides_no_other(nemorun: Nemorun) -> None:
    good = launch(nemorun, "command", "true")
    bad = launch(nemorun, "command", "true")
    nemorun.ok("wait", good, bad)
    (record,) = nemorun.store.glob(f"runs/*/{bad}/run.json")
    record.write_text('{"id": "trunc')
    shutil.rmtree(nemorun.store / "index", ignore_errors=True)

    for _ in range(2):
        done = nemorun("list", "--quiet")

        assert done.code == 0
        assert done.out.split() == [good]
        assert bad in done.err
    assert record.read_text() == '{"id": "trunc'


def test_no_name_writes_outside_the_store(nemorun: Nemorun, tmp_path: Path) -> None:
    before = set(tmp_path.iterdir())

    run_id = launch(
        nemorun,
        *("--name", "../../escaped", "--experiment", "../../escaped", "--tag", "../escaped"),
        *("command", "--", "true"),
    )

    nemorun.ok("wait", run_id)
    assert nemorun.json("show", run_id)["run"]["name"] == "../../escaped"  # type: ignore[index]
    assert set(tmp_path.iterdir()) == before
    assert not list(tmp_path.rglob("escaped"))
    assert nemorun("show", "../../../etc").code == 4


def test_output_is_kept_once(nemorun: Nemorun) -> None:
    mark = "mark-of-this-test"

    run_id = launch(nemorun, "command", "--", "sh", "-c", "echo mark-of-this-''test")
    nemorun.ok("wait", run_id)

    holders = [
        path
        for path in nemorun.store.rglob("*")
        if path.is_file() and mark.encode() in path.read_bytes()
    ]
    assert [path.name for path in holders] == ["0.log"]


def test_a_mistyped_option_launches_nothing(nemorun: Nemorun) -> None:
    done = nemorun("launch", "command", "true", "--dryrun")

    assert done.code == 2
    assert "--dryrun" in done.err
    assert nemorun.ok("list") == ""


def test_no_file_of_a_parent_folder_is_executed(nemorun: Nemorun, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    for name in ("workspace.py", "conftest.py", "recipes.py", "sitecustomize.py"):
        for folder in (tmp_path, nemorun.cwd):
            (folder / name).write_text(f"open({str(canary)!r}, 'w')")

    launch(nemorun, "command", "true")
    for command in ("list", "show", "status", "logs", "recipes", "executors"):
        nemorun(command)

    assert not canary.exists()


def test_a_crafted_record_executes_nothing(nemorun: Nemorun, tmp_path: Path) -> None:
    run_id = launch(nemorun, "command", "true")
    nemorun.ok("wait", run_id)
    canary = tmp_path / "canary"
    (record,) = nemorun.store.glob(f"runs/*/{run_id}/run.json")
    told = json.loads(record.read_text())
    told["executor"] = f"os; open({str(canary)!r}, 'w')"
    told["target"] = {"job_dir": "$(touch canary)", "__class__": "os.system"}
    record.write_text(json.dumps(told))
    config = {"_target_": "os:system", "_kind_": "config", "command": f"touch {canary}"}
    (record.parent / "config.json").write_text(json.dumps(config))
    (record.parent / "verdict.json").unlink(missing_ok=True)

    for command in ("status", "show", "list", "logs"):
        nemorun(command)

    assert not canary.exists()


def test_fifty_thousand_runs_lock_nobody_out(nemorun: Nemorun) -> None:
    import sqlite3

    run_id = launch(nemorun, "command", "true")
    nemorun.ok("wait", run_id)
    nemorun.ok("list")
    (index,) = (nemorun.store / "index").glob("*.sqlite")
    held = sqlite3.connect(index, isolation_level=None)
    held.execute("BEGIN EXCLUSIVE")

    start = time.monotonic()
    found = nemorun.ok("list", "--quiet")

    assert found == run_id
    assert time.monotonic() - start < 20
    held.close()


def test_a_terminal_that_goes_away_leaves_the_run_alone(nemorun: Nemorun, until: Until) -> None:
    following = nemorun.start("launch", "--follow", "command", "--", "sleep", "4")
    assert following.stdout is not None
    run_id = following.stdout.readline().strip()

    following.send_signal(signal.SIGHUP)
    _, err = following.communicate()

    assert "goes on" in err
    assert nemorun.state(run_id) == "RUNNING"
    until(lambda: nemorun.state(run_id) == "SUCCEEDED")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_wait_says_that_the_run_goes_on(
    nemorun: Nemorun, number: int, code: int
) -> None:
    waiting = nemorun.start("launch", "--wait", "command", "--", "sleep", "600")
    assert waiting.stdout is not None
    run_id = waiting.stdout.readline().strip()
    time_to_settle(waiting.pid)

    waiting.send_signal(number)
    _, err = waiting.communicate()

    assert waiting.returncode == code
    assert re.search("goes on", err)
    assert nemorun.state(run_id) == "RUNNING"


def test_cancel_on_exit_takes_the_run_along(nemorun: Nemorun) -> None:
    command = ("command", "--", "sleep", "600")
    waiting = nemorun.start("launch", "--wait", "--cancel-on-exit", *command)
    assert waiting.stdout is not None
    run_id = waiting.stdout.readline().strip()
    time_to_settle(waiting.pid)

    waiting.send_signal(signal.SIGTERM)
    waiting.communicate()

    assert waiting.returncode == 143
    assert nemorun.state(run_id) == "CANCELLED"


def time_to_settle(pid: int) -> None:
    """Wait until the process sleeps: it has then installed its signal handlers."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        caught = Path(f"/proc/{pid}/status").read_text()
        mask = int(re.search(r"SigCgt:\s*([0-9a-f]+)", caught)[1], 16)  # type: ignore[index]
        if mask & (1 << (signal.SIGTERM - 1)):
            return
        os.sched_yield()
