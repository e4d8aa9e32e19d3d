"""Room is made by what nobody needs: never by a run that lives, or has a tag, or by its code."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nemorun_cli.store import snapshots as store_snapshots
from tests.conftest import Nemorun, waits

LONG_AGO = time.time() - 400 * 86400


def snapshots(nemorun: Nemorun) -> list[str]:
    return sorted(path.name for path in (nemorun.store / "code").iterdir() if path.name.isalnum())


def runs(nemorun: Nemorun) -> set[str]:
    return {run["id"] for run in nemorun.json("list")["runs"]}  # type: ignore[attr-defined]


def ended(nemorun: Nemorun, *options: str, code: str = "code") -> str:
    """A run that has ended, of a project with this code."""
    (nemorun.cwd / "code.py").write_text(code)
    return nemorun.ok("launch", "command", *options, "--wait", "--", "sh", "-c", "echo x >result")


def age(nemorun: Nemorun) -> None:
    """Have all snapshots and patches look as if they had last been used long ago."""
    for path in (*(nemorun.store / "code").iterdir(), *patches(nemorun)):
        os.utime(path, (LONG_AGO, LONG_AGO))


def patches(nemorun: Nemorun) -> list[Path]:
    return [*(nemorun.store / "code" / ".patches").glob("*")]


def committed(nemorun: Nemorun) -> None:
    """Have the project in a repository: what changes afterwards makes a patch."""
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    for words in (("init", "-q"), ("add", "-A"), (*who, "commit", "-qm", "x")):
        subprocess.run(["git", *words], cwd=nemorun.cwd, check=True)


def test_it_shows_what_would_go_and_deletes_only_when_told_to(nemorun: Nemorun) -> None:
    run = ended(nemorun)
    age(nemorun)

    for arguments in ((), ("--yes", "--dry-run")):
        shown = nemorun("gc", "--older-than", "0s", *arguments)
        assert shown.code == 0
        rows = [line.split("\t") for line in shown.out.splitlines()]
        assert [row[:3] for row in rows] == [
            ["run", run, "SUCCEEDED"],
            ["code", snapshots(nemorun)[0], ""],
        ]
        assert all(int(row[4]) > 0 for row in rows)
        assert "1 run, 1 snapshot: " in shown.err
        assert "nothing was deleted" in shown.err
    done = nemorun("gc", "--older-than", "0s", "--yes")

    assert done.out == shown.out
    assert "deleted 1 run, 1 snapshot: " in done.err
    assert runs(nemorun) == set()
    assert snapshots(nemorun) == []
    assert list((nemorun.store / "jobs").iterdir()) == []
    assert "nothing to delete" in nemorun("gc", "--older-than", "0s").err


def test_runs_that_live_or_have_a_tag_are_never_among_them(nemorun: Nemorun) -> None:
    tagged, failed = ended(nemorun, "--tag", "x"), nemorun.ok("launch", "command", "--", "false")
    alive = nemorun.ok("launch", "command", "--", "sleep", "60")
    nemorun("wait", failed)
    old = ended(nemorun)
    age(nemorun)

    young = nemorun("gc", "--older-than", "1d", "--yes")
    assert (young.code, young.out) == (0, "")
    assert nemorun.ok("gc", "--older-than", "0s", "--state", "failed").split("\t")[1] == failed
    nemorun.ok("gc", "--older-than", "0s", "--yes")

    assert runs(nemorun) == {tagged, alive}
    assert old not in runs(nemorun)
    assert len(snapshots(nemorun)) == 1
    nemorun.ok("cancel", alive)


def test_a_run_that_a_waiting_one_looks_at_stays(nemorun: Nemorun, project: Path) -> None:
    first = nemorun.ok(
        "launch", "command", "--", "sh", "-c", f"until [ -e {project}/x ]; do sleep 0.1; done"
    )
    second = nemorun.ok("launch", "command", "--", "sleep", "60")
    waiting = nemorun.ok("launch", "--after", second, "--after", "@-2", "command", "--", "true")
    (project / "x").touch()
    nemorun.ok("wait", first)

    assert nemorun("gc", "--older-than", "0s", "--yes").out == ""

    nemorun.ok("cancel", waiting, second)
    assert runs(nemorun) == {first, second, waiting}


def test_what_a_kept_run_was_made_from_stays_with_it(nemorun: Nemorun) -> None:
    parent = ended(nemorun)
    child = nemorun.ok("rerun", parent, "--wait", "--tag", "paper")

    without = nemorun.ok("gc", "--older-than", "0s")
    assert without.split("\t")[1] == parent
    nemorun.ok("gc", "--older-than", "0s", "--keep-tag", "paper", "--yes")

    assert runs(nemorun) == {parent, child}


def test_code_goes_a_day_after_its_last_run_and_a_rerun_uses_it(nemorun: Nemorun) -> None:
    first, second = ended(nemorun, code="1"), ended(nemorun, code="2")
    age(nemorun)
    nemorun.ok("rerun", second, "--dry-run")
    nemorun.ok("rm", first, second)

    done = json.loads(nemorun.ok("gc", "--yes", "--json"))

    assert (done["deleted"], len(done["code"]), done["runs"]) == (True, 1, [])
    assert snapshots(nemorun) != [done["code"][0]["hash"]]
    assert len(snapshots(nemorun)) == 1


def test_a_launch_at_the_same_moment_has_its_code(nemorun: Nemorun) -> None:
    nemorun.ok("rm", ended(nemorun))
    age(nemorun)
    launch = ("launch", "command", "--wait", "--", "cat", "code.py")

    commands = [nemorun.start(*each) for _ in range(3) for each in (launch, ("gc", "--yes"))]
    told = [(each.communicate(timeout=90)[1], each.returncode) for each in commands]

    assert [code for _, code in told] == [0] * len(commands), told
    assert len(snapshots(nemorun)) == 1


def test_no_code_goes_while_a_record_cannot_be_read(nemorun: Nemorun) -> None:
    run = ended(nemorun)
    age(nemorun)
    (record,) = (nemorun.store / "runs").glob(f"*/{run}/run.json")
    record.write_text("{")

    done = nemorun("gc", "--older-than", "0s", "--yes")

    assert done.code == 0
    assert "no code is deleted" in done.err
    assert len(snapshots(nemorun)) == 1


def test_a_patch_goes_with_its_code_unless_it_is_used_again(nemorun: Nemorun) -> None:
    committed(nemorun)
    first, second = ended(nemorun, code="1"), ended(nemorun, code="2")
    nemorun.ok("rm", first, second)
    age(nemorun)
    again = ended(nemorun, code="1")

    shown = [line.split("\t")[0] for line in nemorun.ok("gc").splitlines()]
    assert sorted(shown) == ["code", "patch"]
    nemorun.ok("gc", "--yes")

    assert len(patches(nemorun)) == 1
    assert "+1" in nemorun.ok("show", again, "--patch")
    age(nemorun)
    rerun = nemorun.ok("rerun", again, "--wait")
    nemorun.ok("rm", again, rerun)
    assert nemorun.ok("gc", "--yes") == ""


def test_environments_that_nobody_uses_go(nemorun: Nemorun) -> None:
    environments = nemorun.store / "environments"
    for name in ("old", "young", "used"):
        (environments / name / "bin").mkdir(parents=True)
    (environments / "used" / "bin" / "python").symlink_to(sys.executable)
    python = f"python={environments}/used/bin/python"
    run = nemorun.ok("launch", "-x", python, "command", "--", "sleep", "60")
    assert time.time() - (environments / "used").stat().st_mtime < 3600
    for name in ("old", "used"):
        os.utime(environments / name, (LONG_AGO, LONG_AGO))
    other = nemorun.home / "link"
    other.symlink_to(nemorun.store)

    nemorun.ok("gc", "--yes", NEMORUN_HOME=str(other))

    assert {path.name for path in environments.glob("[!.]*")} == {"young", "used"}
    nemorun.ok("cancel", run)


def test_an_environment_stays_that_is_found_while_gc_is_about_to_take_it(
    nemorun: Nemorun, until: Callable[[Callable[[], bool]], None]
) -> None:
    folder = nemorun.store / "environments" / "old"
    folder.mkdir(parents=True)
    os.utime(folder, (LONG_AGO, LONG_AGO))

    with store_snapshots.safe(folder.parent):
        gc = nemorun.start("gc", "--yes")
        until(lambda: waits(gc))
        assert store_snapshots.touch(folder)
    out, err = gc.communicate(timeout=90)

    assert (gc.returncode, out) == (0, ""), err
    assert folder.is_dir()


def test_killed_at_any_moment_no_run_is_half_deleted_and_the_next_does_the_rest(
    nemorun: Nemorun, tmp_path: Path
) -> None:
    committed(nemorun)
    for code in "12":
        ended(nemorun, code=code)
    folder = nemorun.store / "environments" / "old" / "bin"
    folder.mkdir(parents=True)
    (folder / "python").touch()
    for path in nemorun.store.rglob("*"):
        os.utime(path, (LONG_AGO, LONG_AGO), follow_symlinks=False)

    done = subprocess.run(
        [sys.executable, "-m", "tests.e2e.killed_gc", nemorun.store, tmp_path / "saved"],
        cwd=Path(__file__).parents[2],
        env=nemorun.environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout) > 50


def test_twenty_launches_and_twenty_gc_at_once_do_each_other_no_harm(nemorun: Nemorun) -> None:
    committed(nemorun)
    nemorun.ok("rm", ended(nemorun))
    age(nemorun)
    launch = ("launch", "command", "--", "test", "-f", "code.py")
    gc = ("gc", "--yes", "--older-than", "0s")

    started = [nemorun.start(*each) for _ in range(20) for each in (launch, gc)]
    told = [(*each.communicate(timeout=90), each.returncode) for each in started]

    assert [each for each in told if each[2] != 0] == []
    known = runs(nemorun)
    launched = {out.strip() for out, _, _ in told[::2]}
    removed = {line.split("\t")[1] for out, _, _ in told[1::2] for line in out.splitlines()}
    assert known | removed >= launched
    assert not known & removed
    for run in known:
        nemorun.ok("wait", run)
    records = [json.loads(each.read_text()) for each in nemorun.store.glob("runs/2*/*/run.json")]
    for record in records:
        assert (nemorun.store / "code" / record["code"]["hash"] / "code.py").exists()
        (repository,) = record["code"]["repositories"]
        assert (nemorun.store / "code" / ".patches" / repository["patch"]).exists()


@pytest.mark.parametrize("text", ["60", "soon"])
def test_an_age_has_a_unit(nemorun: Nemorun, text: str) -> None:
    done = nemorun("gc", "--older-than", text, "--yes")

    assert done.code == 2
    assert "--older-than" in done.err
    assert "the units are s, m, h, d and w" in done.err
