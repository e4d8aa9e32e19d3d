"""The process that torchrun is on a node: it outlives the signals that are meant for its ranks."""
# The class of the fixture `job` is in conftest.py, which nothing can import.

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

# What torchrun does with a rank, as far as signals go.
TORCHRUN = """
import subprocess
import sys


def main(args):
    rank = subprocess.Popen(args[args.index("--no-python") + 1:], start_new_session=True)
    sys.exit(rank.wait())
"""
SAVES = 'trap "echo saved; exit 0" USR1 USR2; echo >"$1"; while :; do sleep 0.05; done'


def agent(job: Any, tmp_path: Path, *argv: str) -> "subprocess.Popen[str]":
    package = tmp_path / "torch" / "distributed"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").touch()
    (package / "run.py").write_text(TORCHRUN)
    options = ("--agent", "--nnodes=1", "--no-python", *argv)
    started: subprocess.Popen[str] = job.start(None, *options, PYTHONPATH=str(tmp_path))
    return started


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2])
def test_it_passes_on_what_tells_its_ranks_to_save(job: Any, tmp_path: Path, number: int) -> None:
    ready = job.folder / "ready"
    os.mkfifo(ready)
    with agent(job, tmp_path, "sh", "-c", SAVES, "sh", str(ready)) as process:
        ready.read_text()
        process.send_signal(number)
        out, err = process.communicate(timeout=30)

    assert (process.returncode, out, err) == (0, "saved\n", "")


def test_it_ends_as_torchrun_does(job: Any, tmp_path: Path) -> None:
    with agent(job, tmp_path, "sh", "-c", "exit 3") as process:
        process.communicate(timeout=30)

    assert process.returncode == 3


def test_the_ranks_get_these_signals_as_anybody_does(job: Any, tmp_path: Path) -> None:
    with agent(job, tmp_path, "grep", "SigIgn", "/proc/self/status") as process:
        out, _ = process.communicate(timeout=30)

    ignored = int(out.split()[1], 16)
    assert not ignored & (1 << (signal.SIGUSR1 - 1) | 1 << (signal.SIGUSR2 - 1))
