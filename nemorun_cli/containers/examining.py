"""Whether an engine has what a launch needs, as it tells itself."""

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from nemorun_cli.containers.engine import Engine
from nemorun_cli.containers.hosts import refuse_remote
from nemorun_cli.core.errors import NemorunError


def examine(engine: Engine, folder: Path) -> Iterator[tuple[str, bool, str]]:
    """One (what, whether it is in order, what was seen) for each thing. Changes nothing."""
    there = find_spec("docker") is not None
    yield "SDK", there, "docker-py" if there else "missing: pip install 'nemorun-cli[docker]'"
    try:
        refuse_remote(engine.address)
        info = engine.info()
    except NemorunError as error:
        yield "engine", False, f"{error.message}{f' ({error.hint})' if error.hint else ''}"
        return
    version = (
        f"{info.get('ServerVersion')}, {info.get('Driver')}, cgroup v{info.get('CgroupVersion')}"
    )
    yield "engine", True, f"{version}, at {engine.address}"
    rootless = any("rootless" in each for each in info.get("SecurityOptions") or [])
    if rootless:
        yield "user", True, "rootless: you are root inside; set user=0:0"
    limits = bool(info.get("MemoryLimit"))
    yield "memory limits", limits, "enforced" if limits else "this kernel does not enforce them"
    runtimes = sorted(info.get("Runtimes") or {})
    yield "runtimes", True, ", ".join(runtimes)
    keeps = bool(info.get("LiveRestoreEnabled"))
    seen = "go on" if keeps else "end with it; `live-restore` in its daemon.json lets them go on"
    yield "jobs when the engine restarts", True, seen
    parent = folder
    while not parent.exists() and parent != parent.parent:
        parent = parent.parent
    yield "job folder", os.access(parent, os.W_OK), str(folder)
