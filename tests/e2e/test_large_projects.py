"""Of a large project a launch stores what is new; its job, or who looks at it, lays out all."""

import json
from pathlib import Path

import pytest

from tests.conftest import Nemorun
from tests.e2e.test_snapshots import commit

FILES = 1_100
SHOW = "import library as it, os; print(it.__file__, it.WORD, len(os.listdir('many')))"
RUN = ("command", "--", "python3", "-c", SHOW)


@pytest.fixture
def large(nemorun: Nemorun, project: Path) -> Nemorun:
    """With a first run, which has stored everything, and an edit after it."""
    (project / "many").mkdir()
    for number in range(FILES):
        (project / f"many/{number}.txt").write_text(str(number))
    (project / "library.py").write_text("WORD = 'first'\n")
    commit(project)
    nemorun.ok("launch", "--wait", *RUN)
    (project / "library.py").write_text("WORD = 'second'\n")
    return nemorun


def waiting(nemorun: Nemorun) -> tuple[str, str]:
    """A run that waits for another one, which does not end; both ids."""
    first = nemorun.ok("launch", "command", "--", "sleep", "60")
    return first, nemorun.ok("launch", "--after", first, *RUN)


def code_of(nemorun: Nemorun, run: str) -> Path:
    document = json.loads(nemorun.ok("show", run, "--json"))
    return Path(nemorun.store, "code", document["run"]["code"]["hash"])


def test_the_job_runs_what_was_there_when_it_was_launched(large: Nemorun) -> None:
    run = large.ok("launch", *RUN)
    (large.cwd / "library.py").write_text("WORD = 'third'\n")
    large.ok("wait", run)

    path, word, count = large.ok("logs", run).split()

    assert (word, count) == ("second", str(FILES))
    assert Path(path).resolve().is_relative_to(code_of(large, run))
    large.ok("verify", run)
    assert not list((large.store / "code").glob(".pending-*"))


def test_a_job_that_waits_for_others_lays_out_its_code_before(large: Nemorun) -> None:
    first, second = waiting(large)
    code = code_of(large, second)
    while not code.is_dir():
        assert large.ok("list", "-q", "--state", "pending") == second

    assert not (large.store / f"jobs/{second}.1/logs/1").exists()
    large.ok("cancel", first, second)


def test_whoever_asks_for_the_code_first_lays_it_out(large: Nemorun) -> None:
    before = large.ok("list", "-q")
    run = large.ok("launch", *RUN)

    changes = large("diff", before, run, "--only", "code")

    assert "library.py" in changes.out
    large.ok("wait", run)
    assert large.ok("rerun", run, "--wait")
    large.ok("export", run, "-o", "run.nrz")
    large.ok("verify", "run.nrz")
