"""The scripted Slurm, first on the PATH of the tests in this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slurmfake.world import World


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World.made(tmp_path / "slurm")
    home = tmp_path / "own"
    home.mkdir()
    monkeypatch.setenv("PATH", world.path)
    monkeypatch.setenv("HOME", str(home))
    yield world
    world.end()
