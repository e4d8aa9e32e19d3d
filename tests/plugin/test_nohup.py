"""The example keeps the contract."""

from pathlib import Path

import pytest
from nemorun_nohup import NohupExecutor

from nemorun_cli.testing import ExecutorContract


class TestNohup(ExecutorContract):
    @pytest.fixture
    def executor(self, tmp_path: Path) -> NohupExecutor:
        return NohupExecutor.here(tmp_path)
