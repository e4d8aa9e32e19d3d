"""Whoever presses Ctrl-C is told no story, however early that is."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import Nemorun

ROOT = Path(__file__).parents[2]
INTERRUPT = """
import os, signal, sys

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["INTERRUPT_AT"]:
            sys.meta_path.remove(self)
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt as interrupt:
                if os.environ.get("INTERRUPT_AS"):
                    raise RuntimeError("Error calling __set_name__") from interrupt
                raise

sys.meta_path.insert(0, Interrupt())
"""
PLACES = {
    "nemorun_cli.cli.boundary": "list",
    "typer": "list",
    "nemorun_cli.cli.output": "show",
    "nemorun_cli.cli.listing": "list",
    "nemorun_cli.actions.wiring": "cancel --all --yes",
    "nemorun_cli.cli.errortexts": "show nosuch",
    "fiddle": "launch hello",
    "nemorun_recipes.hello": "launch hello",
}


@pytest.mark.parametrize("place", PLACES)
def test_an_interrupt_while_a_module_is_imported_ends_the_command(
    nemorun: Nemorun, tmp_path: Path, place: str
) -> None:
    (tmp_path / "sitecustomize.py").write_text(INTERRUPT)
    impatient = replace(nemorun, env={"PYTHONPATH": str(tmp_path), "INTERRUPT_AT": place})

    done = impatient(*PLACES[place].split())

    assert (done.code, done.out, done.err.strip()) == (130, "", "")
    assert not (nemorun.store / "jobs").exists()


def test_an_interrupt_while_a_class_is_made_is_one(nemorun: Nemorun, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(INTERRUPT)
    env = {
        "PYTHONPATH": str(tmp_path),
        "INTERRUPT_AT": "nemorun_cli.cli.listing",
        "INTERRUPT_AS": "an error",
    }

    done = replace(nemorun, env=env)("list")

    assert (done.code, done.out, done.err) == (130, "", "")


def test_little_is_imported_before_an_interrupt_is_caught(nemorun: Nemorun) -> None:
    code = (
        "import os, sys; before = {*sys.modules};"
        "import nemorun_cli.cli; print(*{*sys.modules} - before)"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        cwd=ROOT,
        env=nemorun.environment(),
        capture_output=True,
        text=True,
        check=True,
    )

    assert {*done.stdout.split()} == {"nemorun_cli", "nemorun_cli.cli", "__future__"}


def test_whoever_stops_waiting_is_told_how_to_go_on(nemorun: Nemorun) -> None:
    done = nemorun("launch", "--wait", "--timeout", "0s", "command", "sleep", "60")
    run_id = done.out.strip()
    again = nemorun("wait", run_id, "--timeout", "0s")

    assert done.code == again.code == 14
    for each in (done, again):
        assert f"{run_id} goes on; `nemorun logs --follow {run_id[-8:]}`" in each.err
    nemorun.ok("launch", "command", "sleep", "61")
    assert "2 runs go on" in nemorun("wait", "--timeout", "0s").err
