"""A container in the words of the engine's API, of the arguments that docker-py would take."""

from collections.abc import Callable, Mapping
from typing import Any

_CONFIG: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "image": ("Image", str),
    "entrypoint": ("Entrypoint", list),
    "command": ("Cmd", list),
    "working_dir": ("WorkingDir", str),
    "user": ("User", str),
    "environment": ("Env", lambda given: _pairs(given, "=")),
    "labels": ("Labels", dict),
}
_HOST: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "mounts": ("Mounts", list),
    "shm_size": ("ShmSize", int),
    "ulimits": ("Ulimits", list),
    "extra_hosts": ("ExtraHosts", lambda given: _pairs(given, ":")),
    "network": ("NetworkMode", str),
    "ipc_mode": ("IpcMode", str),
    "pid_mode": ("PidMode", str),
    "nano_cpus": ("NanoCpus", int),
    "mem_limit": ("Memory", int),
    "device_requests": ("DeviceRequests", list),
}


def only_sdk_knows(given: Mapping[str, Any]) -> bool:
    """Whether there is an argument among these that no setting has."""
    return not given.keys() <= {"name", *_CONFIG, *_HOST}


def body_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """The body of the request that creates the container. Pure."""
    return {**_told(_CONFIG, given), "HostConfig": _told(_HOST, given)}


def _told(
    words: Mapping[str, tuple[str, Callable[[Any], Any]]], given: Mapping[str, Any]
) -> dict[str, Any]:
    return {word: convert(given[name]) for name, (word, convert) in words.items() if name in given}


def _pairs(given: Mapping[str, str], mark: str) -> list[str]:
    return [f"{name}{mark}{value}" for name, value in given.items()]
