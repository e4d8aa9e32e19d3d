"""The Slurm executor keeps the contract: on the cluster, and by way of its login node."""

from pathlib import Path
from typing import ClassVar

import pytest

from nemorun_cli.executors.slurm import SlurmExecutor
from nemorun_cli.testing import ExecutorContract
from tests.testbed.cluster import Cluster


class SlurmContract(ExecutorContract):
    # A time limit is a minute at least, and looked at twice a minute.
    patience: ClassVar[float] = 180


class TestOnTheCluster(SlurmContract):
    @pytest.fixture
    def executor(
        self, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> SlurmExecutor:
        monkeypatch.setenv("SLURM_CONF", str(cluster.folder / "etc/slurm/slurm.conf"))
        return SlurmExecutor.here(tmp_path, poll_interval=1)


class TestOverSSH(SlurmContract):
    @pytest.fixture
    def executor(self, cluster: Cluster, tmp_path: Path) -> SlurmExecutor:
        return SlurmExecutor.here(
            tmp_path,
            host="login",
            tunnel="openssh",
            ssh_config=str(cluster.ssh_config),
            job_dir=str(tmp_path / "far"),
            poll_interval=1,
        )
