"""The Slurm executor keeps the contract where Slurm is scripted, too."""

from dataclasses import replace
from pathlib import Path

import pytest

from nemorun_cli.executors.slurm import SlurmExecutor
from nemorun_cli.testing import ExecutorContract
from tests.slurmfake.world import World


class TestScripted(ExecutorContract):
    @pytest.fixture
    def executor(self, world: World, tmp_path: Path) -> SlurmExecutor:
        world.set(runs=True)
        return replace(SlurmExecutor.here(tmp_path), poll_interval=0)
