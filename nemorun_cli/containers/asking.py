"""What a job may ask a Docker engine for: its settings, and whether they go together."""

import math
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any, ClassVar

from nemorun_cli.core.errors import SpecError
from nemorun_cli.core.jobs import Reason, Resources, setting

PULLS = ("missing", "always", "never")
_UNITS = {"": 1, "b": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([bkmgt]?)(?:i?b)?", re.IGNORECASE)
_MODES = ("ro", "rw")
_OURS: Mapping[str, str] = MappingProxyType(
    {
        "image": "-x image=",
        "command": "it starts job.sh",
        "name": "it is how a job is found again",
        "detach": "a job is always detached",
        "entrypoint": "-x entrypoint=",
        "user": "-x user=",
        "working_dir": "-x workdir=",
        "environment": "--env NAME=VALUE",
        "labels": "-x labels=",
        "mounts": "-x mounts=",
        "device_requests": "-x gpus=",
        "nano_cpus": "-x cpus=",
        "mem_limit": "-x memory=",
        "shm_size": "-x shm_size=",
        "ulimits": "-x ulimits=",
        "network": "-x network=",
        "network_mode": "-x network=",
        "ipc_mode": "-x ipc=",
        "extra_hosts": "-x extra_hosts=",
        "restart_policy": "-x retries= starts a failed attempt again, and tells of it",
        "auto_remove": "nemorun removes the container once its end is written down",
        "remove": "nemorun removes the container once its end is written down",
        "stop_signal": "job.sh answers to TERM",
        "version": "the engine's own is used",
    },
)
"""Arguments of `create` that nemorun relies on, or that are settings: what to do instead."""


@dataclass(frozen=True, kw_only=True)
class DockerResources(Resources):
    """What a job asks a Docker engine for."""

    causes: ClassVar[tuple[str, ...]] = (*Resources.causes, Reason.OOM)
    nodes: int = setting(1, "how many containers, as nodes on a network of their own")
    nproc: int = setting(1, "processes; with torchrun as many as GPUs unless set")
    image: str | None = setting(None, "image that the job runs in; needed")
    pull: str = setting("missing", "when to get the image from its registry", choices=PULLS)
    mounts: tuple[str, ...] = setting(
        (), "folders for the job: `/data`, `/data:/in:ro`, `volume:/v`"
    )
    gpus: str | None = setting(None, "GPUs: `all`, how many, or which: `device=0,2`")
    cpus: float | None = setting(None, "how many CPUs' time it may use: `1.5`")
    memory: str | None = setting(None, "most memory: `64g`")
    shm_size: str = setting("16g", "most shared memory, which data loaders use; no reservation")
    ulimits: tuple[str, ...] = setting((), "limits: `nofile=1024:2048`; with GPUs memlock=-1")
    network: str = setting("", "network, or `host` or `none`")
    ipc: str = setting("", "whose shared memory: `private`, `shareable`, `host`")
    user: str | None = setting(None, "uid:gid that the job runs as; unset: yours")
    workdir: str | None = setting(None, "folder in the container that the payload starts in")
    entrypoint: str = setting("", "what starts the job's shell: `image` is the image's own")
    extra_hosts: tuple[str, ...] = setting((), "names for addresses: `db:10.0.0.5`")
    labels: tuple[str, ...] = setting((), "labels of the container: `team=vision`")
    create: Mapping[str, Any] = setting({}, "further arguments of docker-py's create, as a table")


def checked(ask: DockerResources) -> DockerResources:
    """The same settings, if they go together; SpecError naming the setting that does not."""
    if not ask.image:
        raise SpecError("the docker executor needs an image", hint="-x image=NAME[:TAG]")
    if ask.nodes < 1:
        raise SpecError(f"a job has one node or more, not {ask.nodes}", hint="-x nodes=2")
    if ask.gpus is not None and ask.gpus_per_node is not None:
        raise SpecError("gpus and gpus_per_node mean the same here", hint="set one of them")
    if ask.workdir is not None and not ask.workdir.startswith("/"):
        raise SpecError(f"workdir: {ask.workdir!r} is no absolute path in the container")
    for name in ask.create:
        if name in _OURS:
            raise SpecError(
                f"create: {name!r} is set by nemorun itself",
                hint=f"{_OURS[name]}",
            )
    return ask if ask.nodes == 1 else _together(ask)


def _together(ask: DockerResources) -> DockerResources:
    """The same settings, if several nodes can have them."""
    if ask.network or "pid_mode" in ask.create:
        name = "network" if ask.network else "create: 'pid_mode'"
        raise SpecError(
            f"{name}: {ask.nodes} nodes have a network and process ids of their own",
            hint="`docker network connect` adds a network to a container that runs",
        )
    if gpu_count(ask) is None:
        raise SpecError(
            f"gpus: two of {ask.nodes} nodes cannot have all GPUs",
            hint="say how many each gets: -x gpus_per_node=4",
        )
    if len(device_ids(ask.gpus or "")) % ask.nodes:
        raise SpecError(f"gpus: {ask.gpus!r} cannot be dealt out evenly to {ask.nodes} nodes")
    return ask


def gpu_count(ask: DockerResources) -> int | None:
    """How many GPUs a node asks for; None for all that there are."""
    if ask.gpus is None:
        return ask.gpus_per_node or 0
    if ask.gpus == "all":
        return None
    ids = device_ids(ask.gpus)
    return len(ids) // ask.nodes if ids else int(ask.gpus)


def device_request(ask: DockerResources, node: int) -> dict[str, Any] | None:
    """The GPUs of a node in the words of the engine's API; None without any."""
    count = gpu_count(ask)
    if count == 0:
        return None
    request: dict[str, Any] = {"Driver": "", "Capabilities": [["gpu"]], "Options": {}}
    ids = device_ids(ask.gpus or "")
    if ask.nodes > 1 and count is not None:
        # An engine that is asked for a number gives the same ones to every container.
        first = node * count
        ids = ids[first : first + count] or tuple(map(str, range(first, first + count)))
    if ids:
        return {**request, "Count": 0, "DeviceIDs": list(ids)}
    return {**request, "Count": -1 if count is None else count, "DeviceIDs": []}


def device_ids(text: str) -> tuple[str, ...]:
    """The GPUs that `device=0,2` names; none for another text.

    SpecError for what is neither that, nor `all`, nor a number.
    """
    word, named, ids = text.partition("=")
    found = tuple(each.strip() for each in ids.split(",") if each.strip())
    if named and word == "device" and found:
        return found
    if named or not (text in ("", "all") or text.isdecimal()):
        raise SpecError(
            f"gpus: {text!r} is neither `all`, nor a number, nor `device=` and ids",
            hint="-x gpus=2, or -x gpus=device=0,2",
        )
    return ()


def size(text: str, name: str) -> int:
    """Bytes, of a text such as `64g` or `1.5GiB`; SpecError naming the setting."""
    found = _SIZE.fullmatch(text.strip())
    if not found:
        raise SpecError(f"{name}: {text!r} is no size", hint=f"for example -x {name}=64g")
    return math.floor(float(found[1]) * _UNITS[found[2].lower()])


def mount(text: str) -> dict[str, Any]:
    """A bind mount or a volume in the words of the engine's API.

    SpecError for what is no `SOURCE[:TARGET][:ro|rw]`. A folder that is not there is refused by
    the engine, and not made, as `docker run -v` would.
    """
    parts = text.split(":")
    mode = parts.pop() if len(parts) > 1 and parts[-1] in _MODES else "rw"
    source, target = parts[0], parts[-1]
    if len(parts) not in (1, 2) or not target.startswith("/") or not source:
        raise SpecError(
            f"mounts: {text!r} is no SOURCE[:TARGET][:ro]",
            hint="absolute paths, or the name of a volume: -x mounts=/data:/in:ro",
        )
    kind = "bind" if source.startswith("/") else "volume"
    return _mount(source, target, kind=kind, read_only=mode == "ro")


def bind(path: str, *, read_only: bool) -> dict[str, Any]:
    """A folder under the path that it has outside."""
    return _mount(path, path, kind="bind", read_only=read_only)


def ulimits(ask: DockerResources) -> list[dict[str, Any]]:
    """Limits in the words of the engine's API; SpecError for what is no `NAME=SOFT[:HARD]`."""
    texts = ask.ulimits or (("memlock=-1", "stack=67108864") if gpu_count(ask) != 0 else ())
    return [_ulimit(text) for text in texts]


def pairs(texts: tuple[str, ...], name: str, mark: str) -> dict[str, str]:
    """Texts such as `key=value` as a mapping; SpecError naming the setting."""
    for text in texts:
        if mark not in text.strip(mark):
            raise SpecError(f"{name}: {text!r} is no NAME{mark}VALUE")
    return {text.partition(mark)[0]: text.partition(mark)[2] for text in texts}


def entry(ask: DockerResources) -> list[str] | None:
    """The words before the job's own command; None for the image's own entry point."""
    if ask.entrypoint == "image":
        return None
    try:
        return shlex.split(ask.entrypoint)
    except ValueError as error:
        raise SpecError(f"entrypoint expects words as typed in a shell: {error}") from None


def _ulimit(text: str) -> dict[str, Any]:
    name, _, value = text.partition("=")
    soft, _, hard = value.partition(":")
    try:
        return {"Name": name, "Soft": int(soft), "Hard": int(hard or soft)}
    except ValueError:
        raise SpecError(
            f"ulimits: {text!r} is no NAME=SOFT[:HARD]", hint="-x ulimits=nofile=1024:2048"
        ) from None


def _mount(source: str, target: str, *, kind: str, read_only: bool) -> dict[str, Any]:
    target = str(PurePosixPath(target))
    return {"Type": kind, "Source": source, "Target": target, "ReadOnly": read_only}
