"""The Ray executor keeps the contract on a real cluster, and with one of the job's own."""

from pathlib import Path
from typing import ClassVar

import pytest

from nemorun_cli.executors.ray import RayExecutor
from nemorun_cli.testing import ExecutorContract


class TestRay(ExecutorContract):
    patience: ClassVar[float] = 180


class TestEmbeddedRay(ExecutorContract):
    @pytest.fixture
    def executor(self, tmp_path: Path) -> RayExecutor:
        return RayExecutor.here(tmp_path, address="local")
