"""Whoever presses Ctrl-C is told no story, however early that is."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import Nemorun

INTERRUPT = """
import os, signal, sys

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["INTERRUPT_AT"]:
            sys.meta_path.remove(self)
            signal.raise_signal(signal.SIGINT)

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


def test_whoever_stops_waiting_is_told_how_to_go_on(nemorun: Nemorun) -> None:
    done = nemorun("launch", "--wait", "--timeout", "0s", "command", "sleep", "60")
    run_id = done.out.strip()
    again = nemorun("wait", run_id, "--timeout", "0s")

    assert done.code == again.code == 14
    for each in (done, again):
        assert f"{run_id} goes on; `nemorun logs --follow {run_id[-8:]}`" in each.err
    nemorun.ok("launch", "command", "sleep", "61")
    assert "2 runs go on" in nemorun("wait", "--timeout", "0s").err
