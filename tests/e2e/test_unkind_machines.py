"""Full disks, read-only homes, clocks that jump: a clear message, and nothing half-written."""

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import NEMORUN, Nemorun, require

SIZE = "600k"


@pytest.fixture
def small_disk(nemorun: Nemorun) -> Iterator[Path]:
    """A disk of a few hundred kB that holds the store."""
    nemorun.store.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0700", "tmpfs", str(nemorun.store)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    why = "root and a kernel that lets it mount a tmpfs are needed"
    require("a small disk", there=done.returncode == 0, why=why)
    yield nemorun.store
    subprocess.run(["umount", "-l", str(nemorun.store)], check=True)


def fill(folder: Path) -> Path:
    path = folder / "filler"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        while os.write(fd, b"x" * 4096):
            pass
    except OSError as error:
        assert error.errno == errno.ENOSPC
    os.close(fd)
    return path


def test_a_full_disk_is_told_and_leaves_nothing_half_written(
    nemorun: Nemorun, small_disk: Path
) -> None:
    before = nemorun.ok("launch", "command", "true")
    nemorun.ok("wait", before)
    filler = fill(small_disk)

    done = nemorun("launch", "command", "--", "true")

    assert done.code in (1, 3)
    assert done.out == ""
    assert "space" in done.err
    assert nemorun.ok("list", "--quiet").split()[-1] == before
    filler.unlink()
    states = {run["state"] for run in json.loads(nemorun.ok("list", "--json"))["runs"]}
    assert states <= {"SUCCEEDED", "FAILED"}
    assert nemorun("launch", "--wait", "command", "true").code == 0


def test_a_disk_that_fills_up_while_a_job_runs_does_not_hide_how_it_ended(
    nemorun: Nemorun, small_disk: Path
) -> None:
    script = "until [ -e go ]; do sleep 0.05; done; exit 7"
    run_id = nemorun.ok("launch", "command", "--", "sh", "-c", script)
    work = small_disk / "jobs" / f"{run_id}-1" / "work"
    (work / "go.soon").touch()
    filler = fill(small_disk)

    (work / "go.soon").rename(work / "go")

    assert nemorun("status", run_id).code in (0, 1)
    filler.unlink()
    assert nemorun("wait", run_id, "--timeout", "30s").code == 10
    assert nemorun.json("status", run_id)["run"]["exit_code"] == 7  # type: ignore[index]


def test_a_job_on_a_full_disk_can_be_cancelled(nemorun: Nemorun, small_disk: Path) -> None:
    run_id = nemorun.ok("launch", "command", "--", "sleep", "600")
    filler = fill(small_disk)

    nemorun("cancel", run_id)

    filler.unlink()
    assert nemorun.state(run_id) == "CANCELLED"


def test_a_home_that_cannot_be_written_is_told(nemorun: Nemorun) -> None:
    shutil.rmtree(nemorun.store, ignore_errors=True)
    nemorun.store.write_text("a file where the store should be")

    done = nemorun("launch", "command", "true")

    assert done.code in (1, 3)
    assert str(nemorun.store) in done.err
    assert "NEMORUN_HOME" in done.err


def test_a_read_only_store_is_still_listed(nemorun: Nemorun) -> None:
    run_id = nemorun.ok("launch", "command", "true")
    nemorun.ok("wait", run_id)
    mount = ["mount", "--bind", str(nemorun.store), str(nemorun.store)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    require("a read-only disk", there=done.returncode == 0, why="root is needed to mount one")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(nemorun.store)], check=True)

        listed = nemorun("list", "--quiet")
        launched = nemorun("launch", "command", "true")
    finally:
        subprocess.run(["umount", "-l", str(nemorun.store)], check=True)

    assert (listed.code, listed.out.strip()) == (0, run_id)
    assert launched.code in (1, 3)
    assert "ead-only" in launched.err


def test_a_clock_that_goes_backwards_loses_no_run(nemorun: Nemorun) -> None:
    code = (
        "import sys, time; shift = float(sys.argv.pop(1)); now = time.time\n"
        "time.time = lambda: now() + shift\n"
        "from nemorun_cli.cli import main; main()"
    )

    for shift in ("0", "-86400", "86400", "-1000000"):
        subprocess.run(
            [sys.executable, "-c", code, shift, "launch", "--wait", "command", "true"],
            env=nemorun.environment(),
            cwd=nemorun.cwd,
            check=True,
            capture_output=True,
        )

    runs = json.loads(nemorun.ok("list", "--json"))["runs"]
    assert [run["state"] for run in runs] == ["SUCCEEDED"] * 4
    assert runs[0]["created_at"] > runs[-1]["created_at"]


def test_a_store_that_others_could_read_is_made_private(nemorun: Nemorun) -> None:
    run_id = nemorun.ok("launch", "command", "true")
    nemorun.ok("wait", run_id)
    nemorun.ok("list")

    open_to_others = [
        path
        for path in [nemorun.store, *nemorun.store.rglob("*")]
        if not path.is_symlink() and path.stat().st_mode & 0o077
    ]

    assert open_to_others == []


def test_a_user_whom_no_file_names_can_launch(nemorun: Nemorun) -> None:
    nameless = ["unshare", "--user", "--map-user=54321", "--"]
    there = subprocess.run([*nameless, "true"], capture_output=True, check=False).returncode == 0
    require("a user without a name", there=there, why="unshare(1) may not make users here")
    known = {"PATH": os.environ["PATH"], "NEMORUN_HOME": str(nemorun.store)}

    launch = [*nameless, str(NEMORUN), "launch", "--wait", "--json", "command", "true"]
    done = subprocess.run(launch, env=known, cwd=nemorun.cwd, check=False, capture_output=True)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["run"]["user"] == "54321"
    del known["NEMORUN_HOME"]
    homeless = subprocess.run(launch, env=known, cwd=nemorun.cwd, check=False, capture_output=True)
    assert homeless.returncode == 2
    assert b"there is no HOME to keep the runs in" in homeless.stderr


def test_no_network_is_needed(nemorun: Nemorun) -> None:
    alone = ["unshare", "--net", "--"]
    why = "unshare(1) may not make a network namespace here"
    there = subprocess.run([*alone, "true"], capture_output=True, check=False).returncode == 0
    require("a machine without network", there=there, why=why)

    done = subprocess.run(
        [*alone, sys.executable, "-m", "nemorun_cli", "launch", "--wait", "command", "true"],
        env=nemorun.environment(PATH=os.environ["PATH"]),
        cwd=nemorun.cwd,
        check=False,
        capture_output=True,
    )

    assert done.returncode == 0
