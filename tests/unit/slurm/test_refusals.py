"""What is refused before anything is recorded, and a machine that has Slurm's programs alone."""

from pathlib import Path

import pytest

from nemorun_cli.core.errors import RefusedError, UsageError
from nemorun_cli.core.jobs import JobSpec
from nemorun_cli.executors.slurm import SlurmExecutor

_NOWHERE = """#!/bin/sh
echo "${0##*/}: error: fetch_config: DNS SRV lookup failed" >&2
echo "${0##*/}: fatal: Could not establish a configuration source" >&2
exit 1
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sbatch", "squeue", "scontrol"):
        (folder / name).write_text(_NOWHERE)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


@pytest.mark.parametrize("host", ["a b", "-oProxyCommand=true"])
def test_what_is_no_host_is_refused_at_once(tmp_path: Path, host: str) -> None:
    with pytest.raises(UsageError, match="is no host"):
        SlurmExecutor.here(tmp_path, host=host, job_dir="/jobs")


@pytest.mark.parametrize("folder", ["/jobs/100%", "/jobs/back\\slash"])
def test_a_folder_whose_name_slurm_would_change_is_refused(tmp_path: Path, folder: str) -> None:
    with pytest.raises(UsageError, match="takes for its own"):
        SlurmExecutor.here(tmp_path, job_dir=folder)


def test_a_poll_interval_of_nothing_is_one(tmp_path: Path) -> None:
    assert SlurmExecutor.here(tmp_path, poll_interval=0).poll_interval == 0


@pytest.mark.usefixtures("programs")
def test_programs_that_know_no_cluster_refuse_at_once_and_for_ever(tmp_path: Path) -> None:
    executor = SlurmExecutor.here(tmp_path)
    key = "20260101-000000-aaaaaaaa-1"
    spec = JobSpec(run_id=key[:-2], key=key, name="x", argv=("true",), secrets={"A_KEY": "hidden"})

    with pytest.raises(RefusedError, match="Could not establish a configuration source") as refused:
        executor.submit(spec)

    assert "host" in refused.value.hint
    assert executor.find(key) is None
    assert not Path(executor.directory(key), "secrets").exists()
