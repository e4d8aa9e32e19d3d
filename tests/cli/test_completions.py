"""Completion in a real shell, and the files that it needs."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nemorun_cli.cli.complete import SCRIPTS
from nemorun_cli.cli.flags import FLAGS
from tests.completions import flags_text
from tests.conftest import NEMORUN, Nemorun

TOP = Path(__file__).parents[2]


def test_the_files_are_those_that_make_writes() -> None:
    assert (TOP / "nemorun_cli" / "cli" / "flags.py").read_text() == flags_text()
    for name, text in SCRIPTS.items():
        assert (TOP / "completions" / name).read_text() == text


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["la"], ["launch"]),
        (["launch", "--dry"], ["--dry-run"]),
        (["launch", "-e", "lo"], ["local"]),
        (["launch", "-x", "ret"], ["retries="]),
        (["list", "--state", "fa"], ["failed"]),
        (["logs", "la"], ["last"]),
        (["nonsense", ""], []),
        (["launch", "command", "--", "py"], []),
    ],
)
def test_a_word_is_completed(nemorun: Nemorun, words: list[str], found: list[str]) -> None:
    out = nemorun.ok(*words, _NEMORUN_COMPLETE="1")

    assert [line.split("\t")[0] for line in out.splitlines() if line] == found


def test_a_run_is_completed_by_its_tail_and_nothing_is_written(nemorun: Nemorun) -> None:
    run_id = nemorun.ok("launch", "command", "true")
    nemorun.ok("wait", run_id)
    shutil.rmtree(nemorun.store / "index", ignore_errors=True)
    before = sorted(nemorun.store.rglob("*"))

    out = nemorun.ok("show", run_id[-8:-5], _NEMORUN_COMPLETE="1")

    assert out == f"{run_id[-8:]}\t{run_id}"
    assert sorted(nemorun.store.rglob("*")) == before


def test_completion_imports_neither_typer_nor_anything_heavy(nemorun: Nemorun) -> None:
    report = "import sys; from nemorun_cli.cli import main; main(); print(*sys.modules)"
    for words in (["la"], ["logs", ""], ["launch", "-x", ""]):
        done = subprocess.run(
            [sys.executable, "-c", report, *words],
            env=nemorun.environment(_NEMORUN_COMPLETE="1"),
            cwd=nemorun.cwd,
            capture_output=True,
            text=True,
            check=True,
        )
        modules = set(done.stdout.split())

        assert not {"typer", "fiddle", "rich", "sqlite3", "importlib.metadata"} & modules


def test_bash_completes(nemorun: Nemorun) -> None:
    script = """
        source "$1"
        COMP_WORDS=(nemorun launch --expe) COMP_CWORD=2
        _nemorun
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    path = f"{NEMORUN.parent}:{os.environ['PATH']}"

    done = subprocess.run(
        ["bash", "-c", script, "bash", str(TOP / "completions" / "nemorun.bash")],
        env=nemorun.environment(PATH=path),
        cwd=nemorun.cwd,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.split() == ["--experiment"]


def test_every_command_has_its_flags() -> None:
    assert "--json" in set.intersection(*(set(flags) for flags in FLAGS.values()))
