"""Results come back with one command, once, and to nowhere else."""

import json
from pathlib import Path

import pytest

from tests.conftest import Nemorun

WORK = """
mkdir -p ckpt/deep && printf 0123456789 >ckpt/last.pt && printf 1 >ckpt/deep/1.pt
printf 'odd' >"$(printf 'odd\\n name')" && ln -s ckpt/last.pt best.pt && ln -s /etc/passwd theirs
"""


@pytest.fixture
def worked(nemorun: Nemorun, project: Path) -> tuple[Nemorun, str]:
    (project / "code.py").write_text("code")
    return nemorun, nemorun.ok("launch", "command", "--wait", "--", "sh", "-c", WORK)


def test_results_are_listed_and_fetched_under_their_paths(
    worked: tuple[Nemorun, str], project: Path
) -> None:
    nemorun, run = worked

    listed = [line.split("\t") for line in nemorun.ok("pull", run).splitlines()]
    assert [line[:2] for line in listed] == [
        ["best.pt", "10"],
        ["ckpt/deep/1.pt", "1"],
        ["ckpt/last.pt", "10"],
        ["odd\\n name", "3"],
    ]
    assert not (project / run).exists()

    done = nemorun("pull", run, "ckpt/last*", "best.pt", "odd*")
    assert done.code == 0
    assert f"3 files, 23 B, fetched into {run}" in done.err
    assert (project / run / "ckpt" / "last.pt").read_text() == "0123456789"
    assert (project / run / "best.pt").read_text() == "0123456789"
    assert (project / run / "odd\n name").read_text() == "odd"
    assert not (project / run / "best.pt").is_symlink()


def test_what_is_there_is_not_fetched_again(worked: tuple[Nemorun, str], project: Path) -> None:
    nemorun, run = worked
    nemorun.ok("pull", run, "ckpt", "-o", "out")
    before = (project / "out" / "ckpt" / "last.pt").stat()
    (project / "out" / "ckpt" / "deep" / "1.pt").write_text("changed here")

    found = json.loads(nemorun.ok("pull", run, "ckpt", "-o", "out", "--json"))

    assert [(each["path"], each["fetched"]) for each in found["files"]] == [
        ("ckpt/deep/1.pt", True),
        ("ckpt/last.pt", False),
    ]
    assert found["directory"] == str(project / "out")
    assert (project / "out" / "ckpt" / "deep" / "1.pt").read_text() == "1"
    assert (project / "out" / "ckpt" / "last.pt").stat().st_ino == before.st_ino


def test_what_nobody_has_left_says_what_there_is(
    worked: tuple[Nemorun, str], project: Path
) -> None:
    nemorun, run = worked

    for pattern in ("*.ckpt", "code.py", "theirs", "../job.sh"):
        done = nemorun("pull", run, pattern, "-o", "out")
        assert (done.code, done.out) == (4, "")
        assert "there is best.pt, ckpt/deep/1.pt, ckpt/last.pt" in done.err
    assert not (project / "out").exists()


def test_a_great_deal_is_fetched_only_if_that_is_meant(nemorun: Nemorun, project: Path) -> None:
    run = nemorun.ok("launch", "command", "--wait", "--", "truncate", "-s", "11G", "large")

    done = nemorun("pull", run, "large")

    assert done.code == 2
    assert "11.0 GiB are to be fetched" in done.err
    assert "add --yes" in done.err
    assert [path.name for path in project.iterdir()] == ["nemorun.toml"]
