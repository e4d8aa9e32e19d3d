"""What a container is created with, setting by setting."""

from pathlib import Path
from typing import Any

import docker
import pytest

from nemorun_cli.containers.arguments import arguments
from nemorun_cli.containers.asking import DockerResources, checked, gpu_count, size
from nemorun_cli.containers.body import body_of, only_sdk_knows
from nemorun_cli.core.errors import MissingExtraError, SpecError
from nemorun_cli.core.jobs import Code, Dependency, JobHandle, JobSpec
from nemorun_cli.executors.docker import DockerExecutor
from nemorun_cli.testing import new_spec

DIRECTORY = "/store/jobs/key-1"


def given(spec: JobSpec | None = None, node: int = 0, **settings: Any) -> dict[str, Any]:
    ask = checked(DockerResources(image="img", **settings))
    return arguments(spec or new_spec("true"), ask, DIRECTORY, node)


def targets(found: dict[str, Any]) -> dict[str, bool]:
    """Target to whether it may only be read."""
    return {each["Target"]: each["ReadOnly"] for each in found["mounts"]}


def test_a_job_without_wishes_runs_as_the_caller_in_its_own_folder() -> None:
    spec = new_spec("true")

    found = given(spec)

    assert found["name"] == f"nemorun-{spec.key}"
    assert found["user"].count(":") == 1
    assert found["working_dir"] == DIRECTORY
    assert found["environment"]["HOME"] == f"{DIRECTORY}/home"
    assert found["labels"]["nemorun.key"] == spec.key
    assert targets(found) == {DIRECTORY: False}
    assert found["shm_size"] == 16 * 2**30
    assert not {"network", "ipc_mode", "device_requests", "ulimits", "auto_remove"} & found.keys()
    assert "restart_policy" not in found


def test_code_links_and_parents_can_only_be_read() -> None:
    code = Code(hash="h", path="/code/h", root="/p", entries=("a",))
    handle = JobHandle(executor="docker", target="t", key="k", native_id="n")
    parent = Dependency(run_id="r", condition="ok", handle=handle, directory="/store/jobs/k")
    links = {"data": "/p/data", "a": "/code/h/a"}

    found = given(new_spec("true", code=code, links=links, after=(parent,)))

    assert targets(found) == {
        DIRECTORY: False,
        "/code/h": True,
        "/p/data": True,
        "/store/jobs/k": True,
    }


def test_a_command_without_a_project_sees_the_folder_it_was_typed_in() -> None:
    assert targets(given(new_spec("true", workdir="/here")))["/here"] is False
    assert "/" not in targets(given(new_spec("true", workdir="/")))
    asked = given(new_spec("true", workdir="/here"), mounts=("/here:/here:ro",))
    assert targets(asked)["/here"] is True


@pytest.mark.parametrize(
    ("gpus", "count", "ids"),
    [
        ("all", -1, []),
        ("2", 2, []),
        ("device=0,2", 0, ["0", "2"]),
        ("device=GPU-1f", 0, ["GPU-1f"]),
    ],
)
def test_gpus_are_asked_for_by_number_or_by_name(gpus: str, count: int, ids: list[str]) -> None:
    (request,) = given(gpus=gpus)["device_requests"]

    assert (request["Count"], request["DeviceIDs"]) == (count, ids)
    assert request["Capabilities"] == [["gpu"]]


def test_a_job_with_gpus_may_lock_memory() -> None:
    assert {"Name": "memlock", "Soft": -1, "Hard": -1} in given(gpus_per_node=1)["ulimits"]
    only = given(gpus="1", ulimits=("nofile=1024:2048",))["ulimits"]
    assert only == [{"Name": "nofile", "Soft": 1024, "Hard": 2048}]


@pytest.mark.parametrize(
    ("settings", "dealt"),
    [
        ({"gpus_per_node": 2}, [["0", "1"], ["2", "3"]]),
        ({"gpus": "1"}, [["0"], ["1"]]),
        ({"gpus": "device=3,1,5,7"}, [["3", "1"], ["5", "7"]]),
    ],
)
def test_no_two_nodes_have_the_same_gpu(settings: dict[str, Any], dealt: list[list[str]]) -> None:
    requests = [given(node=node, nodes=2, **settings)["device_requests"] for node in (0, 1)]

    assert [each["DeviceIDs"] for (each,) in requests] == dealt


def test_nodes_share_a_network_and_the_first_ones_process_ids() -> None:
    spec = new_spec("true")

    first, second = (given(spec, node=node, nodes=2) for node in (0, 1))

    assert first["network"] == second["network"] == first["name"] == f"nemorun-{spec.key}"
    assert second["name"] == f"nemorun-{spec.key}-node1"
    assert second["pid_mode"] == f"container:{first['name']}"
    assert "pid_mode" not in first
    assert second["labels"].items() - first["labels"].items() == {("nemorun.node", "1")}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"nodes": 2, "gpus_per_node": 1},
        {"gpus": "all", "cpus": 1.5, "memory": "1g", "ipc": "host", "network": "host"},
        {"mounts": ("/data:/in:ro", "cache:/c"), "extra_hosts": ("db:10.0.0.5",), "user": "0:0"},
        {"ulimits": ("nofile=1:2",), "labels": ("team=vision",), "entrypoint": "tini -g --"},
    ],
)
def test_the_engine_is_told_what_the_sdk_would_tell_it(settings: dict[str, Any]) -> None:
    found = given(node=settings.get("nodes", 1) - 1, **settings)
    client = docker.DockerClient(base_url="unix:///nowhere", version="1.41")
    told: dict[str, Any] = {}
    client.api.create_container_from_config = lambda body, *_: {"Id": told.update(body)}
    client.api.inspect_container = lambda _: {}
    client.containers.create(**found)

    ours = body_of(found)
    ours_host, host = ours.pop("HostConfig"), told.pop("HostConfig")
    assert not only_sdk_knows(found)
    assert ours == {name: told[name] for name in ours}
    assert {name: value for name, value in host.items() if value} == {
        "NetworkMode": "default",
        **ours_host,
    }


def test_gpus_are_counted() -> None:
    counts = [gpu_count(DockerResources(gpus=each)) for each in ("all", "3", "device=1,5")]

    assert counts == [None, 3, 2]
    assert gpu_count(DockerResources(gpus_per_node=4)) == 4


@pytest.mark.parametrize(
    ("text", "found"),
    [("1", 1), ("64k", 65536), ("1.5g", 3 * 2**29), ("2GiB", 2**31), ("10MB", 10 * 2**20)],
)
def test_sizes_are_those_of_docker(text: str, found: int) -> None:
    assert size(text, "memory") == found


@pytest.mark.parametrize(
    ("text", "kind", "source", "target", "read_only"),
    [
        ("/data", "bind", "/data", "/data", False),
        ("/data:ro", "bind", "/data", "/data", True),
        ("/data:/in", "bind", "/data", "/in", False),
        ("/data:/in:ro", "bind", "/data", "/in", True),
        ("cache:/root/.cache", "volume", "cache", "/root/.cache", False),
    ],
)
def test_mounts_are_written_as_for_docker(
    text: str, kind: str, source: str, target: str, *, read_only: bool
) -> None:
    found = given(mounts=(text,))["mounts"][-1]

    assert found == {"Type": kind, "Source": source, "Target": target, "ReadOnly": read_only}


def test_an_entry_point_is_ours_the_images_or_the_users() -> None:
    shell = ["sh", "-c"]

    assert given()["entrypoint"] == ["sh"]
    assert "entrypoint" not in given(entrypoint="image")
    assert given(entrypoint="image")["command"][:2] == shell
    assert given(entrypoint="tini -g --")["entrypoint"] == ["tini", "-g", "--"]


def test_further_arguments_are_passed_through() -> None:
    more = {"cap_add": ["SYS_PTRACE"], "init": True}

    assert given(create=more).items() >= more.items()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"gpus": "two"}, "gpus: 'two'"),
        ({"gpus": "1", "gpus_per_node": 1}, "mean the same"),
        ({"memory": "lots"}, "memory: 'lots'"),
        ({"shm_size": "-1"}, "shm_size: '-1'"),
        ({"mounts": ("data",)}, "mounts: 'data'"),
        ({"mounts": ("a:b:c:d",)}, "mounts: 'a:b:c:d'"),
        ({"ulimits": ("nofile",)}, "ulimits: 'nofile'"),
        ({"labels": ("team",)}, "labels: 'team'"),
        ({"labels": ("nemorun.key=x",)}, "set by nemorun"),
        ({"extra_hosts": ("db",)}, "extra_hosts: 'db'"),
        ({"workdir": "src"}, "workdir: 'src'"),
        ({"entrypoint": "'"}, "entrypoint"),
        ({"nodes": 0}, "one node or more"),
        ({"nodes": 2, "network": "host"}, "network: 2 nodes"),
        ({"nodes": 2, "create": {"pid_mode": "host"}}, "pid_mode"),
        ({"nodes": 2, "gpus": "all"}, "all GPUs"),
        ({"nodes": 2, "gpus": "device=0,1,2"}, "evenly"),
        ({"create": {"restart_policy": {"Name": "always"}}}, "restart_policy"),
        ({"create": {"auto_remove": True}}, "auto_remove"),
        ({"create": {"mem_limit": "1g"}}, "mem_limit"),
    ],
)
def test_what_cannot_be_meant_is_named(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        given(**settings)


def test_a_restart_policy_points_to_retries() -> None:
    with pytest.raises(SpecError) as refused:
        given(create={"restart_policy": {"Name": "always"}})

    assert "retries" in refused.value.hint


@pytest.mark.parametrize("address", ["ssh://box", "tcp://10.0.0.5:2375"])
def test_an_engine_elsewhere_is_refused(tmp_path: Path, address: str) -> None:
    executor = DockerExecutor.here(tmp_path, docker_host=address)

    with pytest.raises(SpecError, match="not on this machine"):
        executor.plan(new_spec("true", resources=DockerResources(image="img")))


def test_a_plan_holds_no_secret_and_torchrun_as_many_ranks_as_gpus(tmp_path: Path) -> None:
    executor = DockerExecutor.here(tmp_path, docker_host="unix:///x")
    ask = DockerResources(image="img", gpus="device=0,1,3", launcher="torchrun")
    spec = new_spec("true", resources=ask, secrets={"TOKEN": "canary"})

    plan = executor.plan(spec)

    assert "canary" not in repr(plan)
    assert "--nproc-per-node=3" in plan.files["job.sh"]
    assert "NEMORUN_GPUS_PER_NODE=3" in plan.files["job.sh"]


def test_a_missing_sdk_is_named_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nemorun_cli.containers.hosts.find_spec", lambda _: None)
    executor = DockerExecutor.here(tmp_path, docker_host="unix:///x")

    with pytest.raises(MissingExtraError) as missing:
        executor.plan(new_spec("true", resources=DockerResources(image="img")))

    assert missing.value.hint == "pip install 'nemorun-cli[docker]'"
