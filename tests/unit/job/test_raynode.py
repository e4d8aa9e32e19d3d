"""A node's part of Ray in a job: how nodes meet, what is theirs, and that nothing is left.

Ray itself is a stand-in here: a program that says it has started, and leaves a daemon.
"""
# The class of the fixture `job` is in conftest.py, which nothing can import.

import os
import signal
import socket
import subprocess
from collections.abc import Callable
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemorun_cli.job import raymachine
from nemorun_cli.payload import payload_files

Until = Callable[..., None]
RAY = """
import os
import subprocess
import sys

def main():
    with open(os.environ["CALLS"], "a") as calls:
        calls.write(" ".join(sys.argv[1:]) + "\\n")
    if os.path.exists(os.environ["CALLS"] + ".broken"):
        os.remove(os.environ["CALLS"] + ".broken")
        sys.exit("the port is taken")
    subprocess.Popen(["sleep", "600"], start_new_session=True)
    print("Ray runtime started.", flush=True)
    os.execvp("sleep", ["sleep", "600"])
"""
TOKEN = b"0123456789abcdef"


@pytest.fixture
def node(job: Any, tmp_path: Path) -> Callable[..., "subprocess.Popen[str]"]:
    """Starts a node of two: `node(0, "true")` the first, with its driver."""
    package = tmp_path / "site" / "ray" / "scripts"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").touch()
    (package / "scripts.py").write_text(RAY)
    files = payload_files(None, "raynode.py", "raymachine.py")
    for name in ("raynode.py", "raymachine.py"):
        (job.folder / name).write_text(files[name])
    (job.folder / "ray_token").write_bytes(TOKEN)
    env = {
        "PYTHONPATH": str(tmp_path / "site"),
        "CALLS": str(tmp_path / "calls"),
        "RAY_AUTH_TOKEN_PATH": str(job.folder / "ray_token"),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
        "SLURM_JOB_ID": str(os.getpid()),
        "SLURM_CPUS_ON_NODE": "3",
        "NEMORUN_NUM_NODES": "2",
    }

    def start(number: int, *command: str, patience: float = 30, **more: str) -> Any:
        known = {**env, "NEMORUN_NODE_RANK": str(number), **more}
        return job.start(None, "--ray", str(patience), *command, **known)

    return start


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        port: int = probe.getsockname()[1]
        return port


def calls(tmp_path: Path) -> list[list[str]]:
    path = tmp_path / "calls"
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def test_the_driver_begins_when_all_are_there_and_all_end_with_it(
    job: Any, node: Any, tmp_path: Path
) -> None:
    script = 'wc -l <"$CALLS"; echo "$RAY_ADDRESS"; exit 3'
    with node(0, "sh", "-c", script) as first, node(1, "sh", "-c", script) as second:
        out, err = first.communicate(timeout=60)
        second.communicate(timeout=60)

    head, other = calls(tmp_path)
    where = next(word for word in other if word.startswith("--address=")).partition("=")[2]
    folder = next(word for word in head if word.startswith("--temp-dir=")).partition("=")[2]
    assert (first.returncode, second.returncode) == (3, 0), err
    assert out.split() == ["2", where]
    assert "--head" in head
    assert {"--num-cpus=3", "--num-gpus=0", "--block"} <= {*head, *other}
    assert not Path(folder).parent.exists()
    assert not sleepers(job)


def test_a_port_that_is_lost_costs_one_try(node: Any, tmp_path: Path) -> None:
    (tmp_path / "calls.broken").touch()

    with node(0, "echo", "up", NEMORUN_NUM_NODES="1") as process:
        out, err = process.communicate(timeout=60)

    assert (process.returncode, out) == (0, "up\n"), err
    one, other = ({word for word in call if "port=" in word} for call in calls(tmp_path))
    assert len(one) == len(other) == 10
    assert one & other == {"--min-worker-port=0", "--max-worker-port=0"}


def test_nodes_that_do_not_join_are_named(job: Any, node: Any) -> None:
    with node(0, "true", patience=1, NEMORUN_NUM_NODES="3") as process:
        process.communicate(timeout=60)

    failure = job.failure()
    assert process.returncode == failure["exit_code"] == 70
    assert failure["message"] == "not all nodes have joined Ray in time; missing: 1, 2"
    assert not sleepers(job)


def test_who_does_not_know_the_token_does_not_join(job: Any, node: Any, until: Until) -> None:
    port = free_port()

    def intrudes() -> bool:
        try:
            with Client(("127.0.0.1", port), authkey=b"guessed"):
                return False
        except ConnectionRefusedError:
            return False
        except AuthenticationError:
            return True

    with node(0, "true", patience=3, MASTER_PORT=str(port)) as process:
        until(intrudes)
        process.communicate(timeout=60)

    assert job.failure()["message"].endswith("missing: 1")


def test_signals_are_the_drivers_alone(job: Any, node: Any, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    os.mkfifo(ready)
    script = 'trap "echo saved; exit 0" USR2; trap "echo termed" TERM; echo >"$0"; '
    with (
        node(0, "sh", "-c", f"{script} while :; do sleep 0.05; done", str(ready)) as first,
        node(1) as second,
    ):
        ready.read_text()
        for number in (signal.SIGTERM, signal.SIGUSR2):
            second.send_signal(number)
        first.send_signal(signal.SIGUSR2)
        out, _ = first.communicate(timeout=60)
        second.communicate(timeout=60)

    assert (first.returncode, second.returncode, out) == (0, 0, "saved\n")
    assert job.failure() is None
    assert not sleepers(job)


def test_a_job_that_is_to_end_before_it_has_begun_just_ends(
    job: Any, node: Any, tmp_path: Path, until: Until
) -> None:
    with node(0, "echo", "up", NEMORUN_NUM_NODES="3") as first, node(1) as second:
        until(lambda: len(calls(tmp_path)) == 2)
        second.send_signal(signal.SIGTERM)
        first.send_signal(signal.SIGTERM)
        out, _ = first.communicate(timeout=60)
        second.communicate(timeout=60)

    assert (first.returncode, second.returncode, out) == (128 + signal.SIGTERM, 0, "")
    assert job.failure() is None
    assert not sleepers(job)


def sleepers(job: Any) -> list[str]:
    """What is left of Ray and of drivers of this job."""
    mark = f"NEMORUN_RUN_DIR={job.folder}".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in path.read_bytes().split(b"\0"):
                found.append(path.with_name("cmdline").read_text())
        except OSError:
            continue
    return found


@given(st.integers(1, 10**8), st.integers(1, 999), st.integers(1, 7), st.integers(1, 7))
def test_jobs_near_each_other_have_ports_of_their_own(
    job: int, apart: int, one: int, other: int
) -> None:
    first, second = (raymachine.first_port(each, 1) for each in (job, job + apart))

    assert abs(first - second) >= len((*raymachine.HEAD_PORTS, *raymachine.NODE_PORTS))
    assert raymachine.first_port(job, one) != raymachine.first_port(job + 1, other)
    assert 20000 <= first < 30000


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"SLURM_CPUS_ON_NODE": "8"}, ["--num-cpus=8", "--num-gpus=0"]),
        ({"SLURM_CPUS_ON_NODE": "8", "SLURM_GPUS_ON_NODE": "2"}, ["--num-cpus=8", "--num-gpus=2"]),
        (
            {"SLURM_CPUS_ON_NODE": "1", "CUDA_VISIBLE_DEVICES": "0,3"},
            ["--num-cpus=1", "--num-gpus=2"],
        ),
        (
            {"SLURM_CPUS_ON_NODE": "2", "SLURM_MEM_PER_CPU": "500"},
            [
                *("--num-cpus=2", "--num-gpus=0", "--object-store-memory=314572800"),
                "--memory=734003200",
            ],
        ),
        ({"SLURM_CPUS_ON_NODE": "2", "SLURM_MEM_PER_NODE": "0"}, ["--num-cpus=2", "--num-gpus=0"]),
    ],
)
def test_ray_has_what_the_job_has(told: dict[str, str], expected: list[str]) -> None:
    assert list(raymachine.amounts(told)) == expected


def test_what_a_killed_attempt_has_left_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raymachine, "FOLDERS", str(tmp_path))
    (tmp_path / "nemorun-41-other").mkdir()
    left = Path(raymachine.new_folder(4))

    folder = Path(raymachine.new_folder(4))
    raymachine.sweep(4, str(folder))

    assert not left.exists()
    assert {path.name for path in tmp_path.iterdir()} == {folder.name, "nemorun-41-other"}


def test_a_folder_of_somebody_elses_is_not_taken(tmp_path: Path) -> None:
    mine, open_to_all = tmp_path / "mine", tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)

    assert raymachine.made_private(str(mine)) == str(mine)
    assert raymachine.made_private(str(mine)) == ""
    with pytest.raises(FileExistsError):
        raymachine.made_private(str(open_to_all))
