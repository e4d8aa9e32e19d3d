"""The test cluster is what it claims to be."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nemorun_cli.watching import nap
from tests.testbed.cluster import NODES, Cluster

Until = Callable[[Callable[[], bool]], None]


def sbatch(cluster: Cluster, *options: str, script: str) -> str:
    done = cluster.run("sbatch", "--parsable", "--output=/dev/null", *options, f"--wrap={script}")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def ended(cluster: Cluster, job_id: str) -> str:
    """How a job ended, once accounting says so."""
    end = time.monotonic() + 60
    while True:
        asked = ("sacct", "-X", "-n", "-P", "-o", "state,exitcode", "-j", job_id)
        told = cluster.run(*asked).stdout.strip()
        if told and told.partition("|")[0] not in {"PENDING", "RUNNING"}:
            return told
        assert time.monotonic() < end, f"job {job_id}: {told!r}"
        nap(0.2)


def pids(cluster: Cluster) -> dict[str, str]:
    return {path.name: path.read_text() for path in (cluster.folder / "run").glob("*.pid")}


def test_a_job_runs_and_accounting_remembers_it(cluster: Cluster) -> None:
    job_id = sbatch(cluster, "--comment=told", script="exit 3")

    assert ended(cluster, job_id) == "FAILED|3:0"
    comment = cluster.admin("sacct", "-X", "-n", "-P", "-o", "comment", "-j", job_id)
    assert comment == "told"


def test_each_node_is_a_host_of_its_own(cluster: Cluster) -> None:
    done = cluster.run("srun", "--nodes=4", "hostname")

    assert sorted(done.stdout.split()) == list(NODES)


def test_nodes_reach_each_other_by_name(cluster: Cluster) -> None:
    script = 'srun --nodes=1 --ntasks=1 --nodelist=n3 bash -c "echo hello >/dev/tcp/n4/22"'

    assert ended(cluster, sbatch(cluster, "--nodelist=n3,n4", "-N2", script=script)).startswith(
        "COMPLETED"
    )


@pytest.mark.parametrize("host", ["login", "n2"])
def test_ssh_reaches_a_host(cluster: Cluster, host: str) -> None:
    ssh = ["ssh", "-F", str(cluster.ssh_config), host, "hostname; echo $HOME"]

    done = subprocess.run(ssh, capture_output=True, text=True, timeout=30, check=True)

    assert done.stdout.split() == [host, str(cluster.home)]


def test_somebody_who_is_not_root_has_jobs(cluster: Cluster) -> None:
    ssh = ["ssh", "-F", str(cluster.ssh_config), "-l", "cluster", "login", "srun id -un"]

    done = subprocess.run(ssh, capture_output=True, text=True, timeout=30, check=True)

    assert done.stdout == "cluster\n"


def test_a_job_sees_the_gpus_that_it_asked_for(cluster: Cluster) -> None:
    done = cluster.run("srun", "--gpus-per-node=3", "printenv", "CUDA_VISIBLE_DEVICES")

    assert len(done.stdout.strip().split(",")) == 3


def test_what_no_node_can_give_is_refused(cluster: Cluster) -> None:
    done = cluster.run("sbatch", "--gpus-per-node=9", "--wrap=true")

    assert done.returncode == 1
    assert "Requested node configuration is not available" in done.stderr


def test_an_account_that_does_not_exist_is_refused(cluster: Cluster) -> None:
    done = cluster.run("sbatch", "--account=nosuch", "--wrap=true")

    assert done.returncode == 1
    assert "Invalid account" in done.stderr


def test_too_much_memory_ends_a_job(cluster: Cluster) -> None:
    if not cluster.limits_memory:
        pytest.skip("control groups of version 1 are needed")
    script = "python3 -c 'print(len(bytearray(400_000_000)))'"

    job_id = sbatch(cluster, "--mem=100M", script=script)

    assert ended(cluster, job_id).startswith("OUT_OF_MEMORY")


def test_a_better_job_takes_the_place_of_a_low_one(cluster: Cluster) -> None:
    everything = ("--nodelist=n4", "--exclusive")
    low = sbatch(cluster, "--partition=low", *everything, script="sleep 600")
    cluster.wait(low, "RUNNING")

    better = sbatch(cluster, *everything, script="true")

    assert ended(cluster, better) == "COMPLETED|0:0"
    cluster.start_now(low)
    cluster.admin("scancel", low)


def test_a_requeued_job_starts_again_soon(cluster: Cluster) -> None:
    job_id = sbatch(cluster, script="sleep 600")
    cluster.wait(job_id, "RUNNING")

    cluster.admin("scontrol", "requeue", job_id)

    cluster.wait(job_id, "PENDING")
    cluster.wait(job_id, "RUNNING", seconds=40)
    assert "Restarts=1" in cluster.admin("scontrol", "show", "job", job_id)
    cluster.admin("scancel", job_id)


def test_up_changes_nothing_where_all_is_up(cluster: Cluster) -> None:
    before = pids(cluster)
    start = time.monotonic()

    Cluster.start()

    assert time.monotonic() - start < 2
    assert pids(cluster) == before
    assert {name.partition(".")[0] for name in before} >= {"slurmctld", "munged", "sshd-login"}


@pytest.mark.disturbs
def test_a_job_outlives_its_node(cluster: Cluster) -> None:
    job_id = sbatch(cluster, "--nodelist=n2", "--requeue", script="sleep 600")
    cluster.wait(job_id, "RUNNING")

    cluster.kill_node("n2")
    cluster.wait(job_id, "PENDING")
    cluster.start_node("n2")

    cluster.start_now(job_id)
    assert "Restarts=1" in cluster.admin("scontrol", "show", "job", job_id)
    cluster.admin("scancel", job_id)


@pytest.mark.disturbs
def test_the_controller_comes_back_with_its_jobs(cluster: Cluster) -> None:
    job_id = sbatch(cluster, script="sleep 600")
    cluster.wait(job_id, "RUNNING")

    cluster.stop_ctl()
    assert "is DOWN" in cluster.run("scontrol", "ping").stdout
    cluster.start_ctl()

    assert cluster.state(job_id) == "RUNNING"
    cluster.admin("scancel", job_id)


@pytest.mark.disturbs
@pytest.mark.parametrize("part", ["dbd", "db"])
def test_jobs_run_while_accounting_is_away(cluster: Cluster, part: str) -> None:
    getattr(cluster, f"stop_{part}")()

    job_id = sbatch(cluster, script="true")
    cluster.wait(job_id, "COMPLETED")
    assert cluster.run("sacct", "-j", job_id).returncode != 0

    getattr(cluster, f"start_{part}")()
    assert ended(cluster, job_id) == "COMPLETED|0:0"


@pytest.mark.disturbs
def test_a_cut_connection_hangs_and_goes_on(cluster: Cluster, until: Until, tmp_path: Path) -> None:
    script = "for i in $(seq 20); do echo $i; sleep 0.2; done"
    ssh = ["ssh", "-F", str(cluster.ssh_config), "login", script]
    out = tmp_path / "out"
    with out.open("wb") as file, subprocess.Popen(ssh, stdout=file) as talking:
        until(lambda: out.read_text() != "")

        cluster.cut()
        nap(1)
        told = out.read_text()
        nap(1)
        assert out.read_text() == told
        cluster.heal()

        assert talking.wait(60) == 0
    assert out.read_text().split() == [str(each) for each in range(1, 21)]
