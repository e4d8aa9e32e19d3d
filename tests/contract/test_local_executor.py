"""The local executor keeps the contract."""

from pathlib import Path

import pytest

from nemorun_cli.executors.local import LocalExecutor
from nemorun_cli.testing import ExecutorContract


class TestLocalExecutor(ExecutorContract):
    @pytest.fixture
    def executor(self, tmp_path: Path) -> LocalExecutor:
        return LocalExecutor.here(tmp_path)
