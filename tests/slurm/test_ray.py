"""Clusters of Ray inside jobs of the real Slurm cluster, of which nothing is left."""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nemorun_cli import processes
from tests.conftest import living
from tests.slurm.users import SAVES, User, having

# Ray's own processes need a gigabyte.
RAY = having(ray="true", mem="3G")
TWO = (*RAY, *having(nodes=2, nodelist="n[1-2]"))
KNOWS = """
import json
import os
import signal
import sys
from pathlib import Path

import ray
from ray._raylet import GcsClient

context = ray.init(logging_level="error", log_to_driver=False)
known = {
    "address": os.environ["RAY_ADDRESS"],
    "folder": context.address_info["session_dir"].partition("/r/")[0],
    "nodes": len(ray.nodes()),
    "cpus": ray.cluster_resources()["CPU"],
    "gpus": ray.cluster_resources().get("GPU"),
}
print(json.dumps(known), flush=True)


def wait(path):
    while not path.exists():
        signal.sigtimedwait([signal.SIGCHLD], 0.1)
    return path.read_text()


def write(path):
    path.with_suffix(".new").write_text(known["address"])
    path.with_suffix(".new").rename(path)


"""
FAILS = f"""{KNOWS}
write(Path(sys.argv[1]))
wait(Path(sys.argv[2]))
sys.exit(2 + int(os.environ["NEMORUN_ATTEMPT"]))
"""
INTRUDES = f"""{KNOWS}
try:
    GcsClient(address=wait(Path(sys.argv[1])))
except ray.exceptions.AuthenticationError:
    print("refused", flush=True)
write(Path(sys.argv[2]))
signal.pause()
"""


@pytest.mark.torch
def test_a_recipe_trains_over_the_nodes_as_it_does_alone(here: User) -> None:
    here = replace(here, cwd=Path(__file__).parents[2])
    # Without what is dropped by chance, it does not matter who looks at which picture.
    words = ("epochs=2", "model.dropout=0", "--env", "OMP_NUM_THREADS=1")

    run_id = here.launch("ray_digits", *words, *TWO)
    alone = here.ok("launch", "digits", "-e", "local", *words, "--wait", timeout=120)

    run = here.ended(run_id, seconds=180)
    assert run["state"] == "SUCCEEDED", here.lines(run_id)
    expected = here.show(alone)["metrics"]
    assert run["metrics"]["step"] == expected["step"]
    assert run["metrics"]["accuracy"] == pytest.approx(expected["accuracy"], abs=0.005)
    assert run["metrics"]["loss"] == pytest.approx(expected["loss"], rel=0.02)
    assert not living(run_id)


def test_two_jobs_on_one_node_are_two_clusters(here: User, until: Callable[..., None]) -> None:
    files = [str(here.cwd.parent / each) for each in ("one", "other")]
    on_n3 = (*RAY, *having(nodelist="n3"))
    asked = having(retries=1, cpus_per_task=2, gpus_per_node=2)

    fails = here.launch(*on_n3, *asked, "command", "--", sys.executable, "-c", FAILS, *files)
    stays = here.launch(*on_n3, "command", "--", sys.executable, "-c", INTRUDES, *files)
    run = here.ended(fails, seconds=180)
    os.kill(agent_of(stays), signal.SIGKILL)
    killed = here.ended(stays)

    assert (run["state"], run["exit_code"], run["attempt"]) == ("FAILED", 4, 2)
    assert run["attempts"][0]["exit_code"] == 3
    assert (killed["state"], killed["signal"]) == ("FAILED", 9)
    known = [json.loads(said(here, *each)[0]) for each in ((fails, 1), (fails, 2), (stays, 1))]
    assert [each["nodes"] for each in known] == [1, 1, 1]
    assert [each["cpus"] for each in known] == [2, 2, 1]
    assert [each["gpus"] for each in known] == [2, 2, None]
    assert len({each["address"] for each in known}) == 3
    assert said(here, stays)[1:] == ["refused"]
    assert not Path(known[0]["folder"]).exists()
    assert not Path(known[1]["folder"]).exists()
    until(lambda: not living(stays), 30)  # Slurm ends them.
    shutil.rmtree(known[2]["folder"])
    assert not living(fails)


def test_a_cluster_starts_anew_with_its_job_and_ends_with_it(here: User) -> None:
    script = f'echo "$NEMORUN_ATTEMPT $RAY_ADDRESS"; {SAVES}'
    run_id = here.sh(script, *TWO, *having(grace="20s"))
    here.until_said(run_id, "up")

    here.cluster.admin("scontrol", "requeue", here.job(run_id))
    here.cluster.start_now(here.job(run_id))
    here.until_said(run_id, "up", attempt=2)
    between = living(run_id, "raylet")
    done = here("cancel", run_id)

    assert done.code == 0, done.err
    assert here.show(run_id)["state"] == "CANCELLED"
    first, second = said(here, run_id, 1), said(here, run_id, 2)
    assert (len(between), second[1:]) == (2, ["up", "saved"])
    assert first[0].split()[1] != second[0].split()[1]
    assert not list(Path("/tmp").glob(f"nemorun-{here.job(run_id)}-*"))  # noqa: S108
    assert not living(run_id)


def test_a_python_without_ray_is_told(here: User) -> None:
    bare = here.cwd / "bare"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    bare.chmod(0o755)

    run = here.ended(here.sh("true", *RAY, *having(nodes=2, python=bare)))

    assert (run["state"], run["reason"], run["exit_code"]) == ("FAILED", "import_error", 70)
    assert "has no ray: set `python` or `venv`" in run["reason_detail"]


def test_a_cluster_that_does_not_come_up_in_time_is_told(here: User) -> None:
    run = here.ended(here.sh("true", *RAY, *having(ray_timeout="1s")))

    assert (run["state"], run["reason"], run["exit_code"]) == ("FAILED", "exit", 70)
    assert "Ray has not started in time" in run["reason_detail"]


def said(user: User, run_id: str, attempt: int = 1) -> list[str]:
    """The lines of the driver's own log."""
    path = user.folder(run_id) / "logs" / str(attempt) / "0.log"
    return path.read_text().splitlines() if path.exists() else []


def agent_of(run_id: str) -> int:
    """The process that has a node's part of Ray, the first of its kind; srun has the same words."""
    pids = [pid for pid in living(run_id, "--ray") if is_python(pid)]
    return min(pids, key=lambda pid: processes.describe(pid).start)


def is_python(pid: int) -> bool:
    """Whether a process is an interpreter of Python."""
    return Path(f"/proc/{pid}/exe").readlink().name.startswith("python")
