"""The installed nemorun beside a scripted Slurm whose nodes fail: later launches keep off them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Nemorun
from tests.slurmfake.world import World

Until = Callable[[Callable[[], bool]], None]
TWO = ("-x", "nodes=2", "-x", "poll_interval=1s")
FIRST_ONLY = 'echo up; [ "$NEMORUN_ATTEMPT" != 1 ] || sleep 600'


@pytest.fixture
def cluster(nemorun: Nemorun, world: World) -> World:
    """A world of four nodes, which the installed nemorun finds, too."""
    nemorun.env["PATH"] = world.path
    world.set(runs=True, nodes=["n1", "n2", "n3", "n4"])
    return world


def planned(nemorun: Nemorun, *options: str) -> tuple[list[str], str]:
    """What sbatch would be told to exclude, and what the user is told of it."""
    done = nemorun("launch", "-e", "slurm", "--dry-run", "--json", *options, "command", "true")
    (command,) = json.loads(done.out)["plan"]["commands"]
    return [word for word in command if word.startswith("--exclude")], done.err


def lose_a_node(nemorun: Nemorun, cluster: World, until: Until, *options: str) -> Path:
    """A run from which Slurm takes a node; the folder of its job."""
    launch = ("launch", "-e", "slurm", *TWO, *options, "command", "--", "sh", "-c", FIRST_ONLY)
    key = f"{nemorun.ok(*launch)}-1"
    folder = nemorun.store / "jobs" / key
    until(lambda: "up" in _text(folder / "logs/1/0.log"))
    cluster.set(conditions={"n3": "down*"})
    (job,) = cluster.jobs(key)
    cluster.change(job["id"], requeue="NODE_FAIL")
    cluster.signal(job["id"], "KILL")
    return folder


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def test_a_node_that_failed_is_kept_off(nemorun: Nemorun, cluster: World, until: Until) -> None:
    lose_a_node(nemorun, cluster, until)
    assert nemorun("wait", "last").code == 0

    excluded, told = planned(nemorun)

    assert excluded == ["--exclude=n3"]
    assert "n3: node failure in" in told
    assert "it is excluded (-x exclude_bad=false takes it all the same)" in told
    assert planned(nemorun, "-x", "exclude=n1")[0] == ["--exclude=n1,n3"]
    assert planned(nemorun, "-x", "exclude_bad=false") == ([], "")
    assert planned(nemorun, "-x", "nodes=4")[0] == []
    run_id = nemorun.ok("launch", "-e", "slurm", "command", "true")
    assert "--exclude=n3" in cluster.jobs(f"{run_id}-1")[0]["argv"]


def test_what_speaks_against_a_node_is_listed(
    nemorun: Nemorun, cluster: World, until: Until
) -> None:
    folder = lose_a_node(nemorun, cluster, until)
    nemorun("wait", "last")

    (row,) = [
        line.split("\t") for line in nemorun.ok("executors", "slurm", "--bad-nodes").splitlines()
    ]
    listed = nemorun.json("executors", "slurm", "--bad-nodes")["bad_nodes"]

    run_id = folder.name.removesuffix("-1")
    assert (*row[:4], row[5]) == ("n3", "node_failure", run_id, "1", "yes")
    known = {"node": "n3", "cause": "node_failure", "run": run_id, "attempt": 1}
    assert listed == [{**known, "time": row[4], "excluded": True}]


def test_a_node_is_blamed_though_its_job_does_not_start_again(
    nemorun: Nemorun, cluster: World
) -> None:
    nemorun.ok("launch", "-e", "slurm", *TWO, "-x", "requeue=false", "command", "sleep", "600")
    cluster.set(conditions={"n2": "DOWN*"})
    (job,) = cluster.jobs()
    cluster.change(job["id"], states=[[0.0, "NODE_FAIL", ""]])

    nemorun("status")

    assert planned(nemorun)[0] == ["--exclude=n2"]


@pytest.mark.usefixtures("cluster")
def test_a_node_on_which_ranks_fail_first_is_kept_off_after_the_second_time(
    nemorun: Nemorun,
) -> None:
    launch = ("launch", "-e", "slurm", *TWO, "--wait", "command", "--")
    fails = ("sh", "-c", '[ "$RANK" != 0 ] || exit 5; sleep 600')

    assert nemorun(*launch, *fails).code == 10
    assert planned(nemorun) == ([], "")
    assert nemorun(*launch, *fails).code == 10

    excluded, told = planned(nemorun)
    assert excluded == ["--exclude=n1"]
    assert "n1: rank failure in" in told


def test_no_other_executor_knows_of_bad_nodes(nemorun: Nemorun) -> None:
    done = nemorun("executors", "local", "--bad-nodes")

    assert done.code == 2
    assert "'local' knows of no bad nodes" in done.err
    assert nemorun("executors", "--bad-nodes").code == 2
    assert nemorun("executors", "slurm", "--bad-nodes").out == ""
