"""What is refused before anything is recorded, and a machine that has Slurm's programs alone."""

from dataclasses import replace
from pathlib import Path

import pytest

from nemorun_cli.core.errors import RefusedError, UsageError
from nemorun_cli.core.jobs import JobSpec
from nemorun_cli.executors.slurm import SlurmExecutor

KEY = "20260101-000000-aaaaaaaa-1"
SPEC = JobSpec(run_id=KEY[:-2], key=KEY, name="x", argv=("true",))
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


def test_without_code_a_job_elsewhere_starts_in_a_folder_that_is_there(tmp_path: Path) -> None:
    spec = replace(SPEC, workdir="/home/me/notes")
    far = SlurmExecutor.here(tmp_path, host="cw", job_dir="/jobs", tunnel="openssh")

    there = far.plan(spec).files["job.sh"]
    here = SlurmExecutor.here(tmp_path).plan(spec).files["job.sh"]

    assert f"cd /jobs/{KEY}/work ||" in there
    assert "cd /home/me/notes ||" in here


def test_a_poll_interval_of_nothing_is_one(tmp_path: Path) -> None:
    assert SlurmExecutor.here(tmp_path, poll_interval=0).poll_interval == 0


def test_a_disk_that_is_full_keeps_nothing_of_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = tmp_path / "bin" / "cat"
    full.parent.mkdir()
    full.write_text("#!/bin/sh\nhead -c 100\necho 'cat: No space left on device' >&2\nexit 1\n")
    full.chmod(0o755)
    monkeypatch.setenv("PATH", f"{full.parent}:/usr/bin:/bin")
    executor = SlurmExecutor.here(tmp_path)

    with pytest.raises(RefusedError, match="No space left on device"):
        executor.submit(replace(SPEC, secrets={"A_KEY": "hidden"}))

    assert list(Path(executor.job_dir).iterdir()) == []


@pytest.mark.usefixtures("programs")
def test_programs_that_know_no_cluster_refuse_at_once_and_for_ever(tmp_path: Path) -> None:
    executor = SlurmExecutor.here(tmp_path)

    with pytest.raises(RefusedError, match="Could not establish a configuration source") as refused:
        executor.submit(replace(SPEC, secrets={"A_KEY": "hidden"}))

    assert "host" in refused.value.hint
    assert executor.find(KEY) is None
    assert not Path(executor.directory(KEY), "secrets").exists()
