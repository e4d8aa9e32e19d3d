"""What a job may ask a Ray cluster for: its settings, and whether they go together."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nemorun_cli.core.errors import SpecError
from nemorun_cli.core.jobs import Resources, setting

_STOPPING = 10
"""Seconds beyond the grace period after which Ray kills a job that it was asked to stop."""
_OURS: Mapping[str, str] = {
    "working_dir": "the snapshot of the project is the working_dir",
    "py_modules": "what is in the project can be imported",
    "worker_process_setup_hook": "nemorun has one of its own",
    "env_vars": "--env NAME=VALUE",
    "pip": "-x pip=",
}


@dataclass(frozen=True, kw_only=True)
class RayResources(Resources):
    """What a job asks a Ray cluster for. Amounts are for the driver; tasks ask for their own."""

    cpus: float | None = setting(None, "CPUs kept for the driver; unset: none, on the head node")
    gpus: float | None = setting(None, "GPUs kept for the driver; the same as gpus_per_node")
    memory: int | None = setting(None, "bytes of memory kept for the driver")
    resources: tuple[str, ...] = setting((), "the cluster's own resources: `accelerator=1`")
    pip: tuple[str, ...] = setting((), "packages that Ray installs for the job: `numpy==2.0`")
    runtime_env: Mapping[str, Any] = setting({}, "further fields of Ray's runtime_env, as a table")
    metadata: tuple[str, ...] = setting((), "shown with the job by Ray: `team=vision`")


def checked(ask: RayResources) -> RayResources:
    """The same settings, if they go together; SpecError naming the setting that does not."""
    if ask.nodes != 1:
        raise SpecError(
            f"a job's driver runs on one node of a Ray cluster, not on {ask.nodes}",
            hint="leave out nodes: tasks and actors of the recipe use the other nodes",
        )
    if ask.gpus is not None and ask.gpus_per_node is not None:
        raise SpecError("gpus and gpus_per_node mean the same here", hint="set one of them")
    if ask.split_streams:
        raise SpecError("Ray keeps one log of a job: split_streams is not possible here")
    for name in ask.runtime_env:
        if name in _OURS:
            raise SpecError(f"runtime_env: {name!r} is set by nemorun itself", hint=_OURS[name])
    amounts(ask)
    labels(ask)
    return ask


def amounts(ask: RayResources) -> dict[str, Any]:
    """What is kept for the driver, in the words of Ray's API."""
    gpus = ask.gpus if ask.gpus is not None else ask.gpus_per_node
    found: dict[str, Any] = {
        "entrypoint_num_cpus": ask.cpus,
        "entrypoint_num_gpus": gpus,
        "entrypoint_memory": ask.memory,
        "entrypoint_resources": dict(_amount(text) for text in ask.resources) or None,
    }
    return {name: value for name, value in found.items() if value is not None}


def gpu_count(ask: RayResources) -> int | None:
    """How many GPUs the driver sees; a share of one is one."""
    return ask.gpus_per_node if ask.gpus is None else math.ceil(ask.gpus)


def labels(ask: RayResources) -> dict[str, str]:
    """What Ray shows with the job."""
    found = {}
    for text in ask.metadata:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise SpecError(f"metadata: {text!r} is no NAME=VALUE")
        found[name] = value
    return found


def environment(ask: RayResources, env: Mapping[str, str]) -> dict[str, Any]:
    """Ray's runtime_env, except for the packages."""
    variables = {**env, "RAY_JOB_STOP_WAIT_TIME_S": str(ask.grace + _STOPPING)}
    found: dict[str, Any] = {**ask.runtime_env, "env_vars": variables}
    return {**found, "pip": list(ask.pip)} if ask.pip else found


def _amount(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise SpecError(
            f"resources: {text!r} is no NAME=AMOUNT", hint="-x resources=accelerator=1"
        ) from None
