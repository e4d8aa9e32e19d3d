"""What the real Slurm refuses, and what a launch says of it."""

from pathlib import Path

import pytest

from nemorun_cli.core.errors import RefusedError
from nemorun_cli.executors.slurm import SlurmExecutor
from nemorun_cli.slurm.asking import SlurmResources
from nemorun_cli.testing import new_spec
from tests.testbed.cluster import Cluster


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (SlurmResources(account="nosuch"), "account"),
        (SlurmResources(partition="nosuch"), "partition"),
        # Slurm keeps a job that it refused for this, as FAILED: it counts as none all the same.
        (SlurmResources(gpus_per_node=9), "node configuration"),
        (SlurmResources(sbatch="--no-such-option"), "no-such-option"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_a_job_that_slurm_refuses_is_refused(
    cluster: Cluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ask: SlurmResources,
    said: str,
) -> None:
    monkeypatch.setenv("SLURM_CONF", str(cluster.folder / "etc/slurm/slurm.conf"))
    executor = SlurmExecutor.here(tmp_path)
    spec = new_spec("true", resources=ask, secrets={"TOKEN": "canary"})

    with pytest.raises(RefusedError) as refused:
        executor.submit(spec)

    assert said in refused.value.message
    assert executor.find(spec.key) is None
    assert not list(tmp_path.rglob("secrets"))
