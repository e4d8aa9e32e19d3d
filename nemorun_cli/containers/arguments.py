"""What a container is created with: arguments of docker-py's `create`, as plain values."""

import getpass
import json
import os
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from nemorun_cli.containers import asking
from nemorun_cli.containers.asking import DockerResources
from nemorun_cli.core.errors import SpecError
from nemorun_cli.core.jobs import JobSpec

# The shell takes the token only if nobody has given the job up, and whoever takes it first decides.
GATE = "mv ready accepted && exec sh job.sh"
_OTHERS = (
    "for node in {nodes}; do until [ -e nodes/$node ]; do"
    " [ -e ready ] || exit 70; sleep 0.1; done; done; "
)
_SERVE = "exec sh job.sh serve {node}"
KEY = "nemorun.key"
JOBS = "nemorun.jobs"
NODE = "nemorun.node"
"""The label of the containers beside the first one, where a job has several."""


def container_name(key: str, node: int = 0) -> str:
    """The name of a job's container, by which it is found again.

    That of the first is also the name of the network of a job on several nodes.
    """
    return f"nemorun-{key}-node{node}" if node else f"nemorun-{key}"


def arguments(spec: JobSpec, ask: DockerResources, directory: str, node: int = 0) -> dict[str, Any]:
    """All that `create` is given for this node of the job. Pure; holds no secret.

    SpecError for a setting that cannot be understood.
    """
    words = asking.entry(ask)
    script = _script(ask.nodes, node)
    given: dict[str, Any] = {
        "image": ask.image,
        "name": container_name(spec.key, node),
        # With an empty entry point docker-py would leave the image's own.
        "entrypoint": ["sh"] if words == [] else words,
        "command": ["-c", script] if words == [] else ["sh", "-c", script],
        "working_dir": directory,
        "user": ask.user or f"{os.getuid()}:{os.getgid()}",
        "environment": _environment(directory),
        "labels": _labels(spec, ask, directory),
        "mounts": list(_mounts(spec, ask, directory)),
        "shm_size": asking.size(ask.shm_size, "shm_size"),
        "ulimits": asking.ulimits(ask),
        "extra_hosts": asking.pairs(ask.extra_hosts, "extra_hosts", ":"),
        "network": ask.network if ask.nodes == 1 else container_name(spec.key),
        "ipc_mode": ask.ipc,
    }
    if ask.cpus is not None:
        given["nano_cpus"] = int(ask.cpus * 1e9)
    if ask.memory is not None:
        given["mem_limit"] = asking.size(ask.memory, "memory")
    if request := asking.device_request(ask, node):
        given["device_requests"] = [request]
    if node:
        given["labels"][NODE] = str(node)
        given["pid_mode"] = f"container:{container_name(spec.key)}"
    kept = {name: value for name, value in given.items() if value not in (None, "", [], {})}
    return {**kept, **ask.create}


def as_text(given: dict[str, Any]) -> str:
    """The arguments as a plan shows them and a submission reads them."""
    return json.dumps(given, indent=1, sort_keys=True) + "\n"


def home_of(directory: str) -> str:
    """The home of a job: a user of the outside has none in most images."""
    return str(PurePosixPath(directory, "home"))


def _script(nodes: int, node: int) -> str:
    """What a node's first process runs: the first of several begins when all are there."""
    if node:
        return _SERVE.format(node=node)
    others = " ".join(str(each) for each in range(1, nodes))
    return _OTHERS.format(nodes=others) + GATE if others else GATE


def _environment(directory: str) -> dict[str, str]:
    found = {"HOME": home_of(directory)}
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        return found
    # Who asks for the name of a user that the image does not know is told by these.
    return {**found, "USER": name, "LOGNAME": name}


def _labels(spec: JobSpec, ask: DockerResources, directory: str) -> dict[str, str]:
    labels = asking.pairs(ask.labels, "labels", "=")
    if taken := [name for name in labels if name.startswith("nemorun.")]:
        raise SpecError(f"labels: {taken[0]!r} is set by nemorun itself")
    return {
        **labels,
        KEY: spec.key,
        JOBS: str(PurePosixPath(directory).parent),
        "nemorun.run": spec.run_id,
        "nemorun.name": spec.name,
        "nemorun.image": ask.image or "",
    }


def _mounts(spec: JobSpec, ask: DockerResources, directory: str) -> Iterator[dict[str, Any]]:
    """The job's folder, what it reads of the outside under the same paths, and what was asked for.

    A target that was asked for wins over one of ours.
    """
    asked = [asking.mount(text) for text in ask.mounts]
    taken = {each["Target"] for each in asked}
    yield asking.bind(directory, read_only=False)
    code = spec.code.path if spec.code else ""
    readable = [code] if code else []
    readable += [path for path in spec.links.values() if not _within(path, code)]
    readable += [parent.directory for parent in spec.after]
    for path in dict.fromkeys(readable):
        if path not in taken:
            yield asking.bind(path, read_only=True)
    # A command line without a project runs in the folder in which it was typed.
    if spec.code is None and ask.workdir is None and spec.workdir not in taken | {"", "/"}:
        yield asking.bind(spec.workdir, read_only=False)
    yield from asked


def _within(path: str, folder: str) -> bool:
    return bool(folder) and PurePosixPath(path).is_relative_to(folder)
