"""What a machine has for a job's own Ray: ports, amounts, a folder, and processes that end.

It is copied into the job, beside raynode.py: standard library only, Python 3.8.
"""

from __future__ import annotations

import ctypes
import os
import select
import shutil
import signal
import socket
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FIRST_PORT, BLOCKS, BLOCK = 20000, 1000, 10
"""Below the ports that Linux gives away by itself, where Ray's workers have theirs."""
HEAD_PORTS = ("port", "ray-client-server-port")
NODE_PORTS = (
    *("node-manager-port", "object-manager-port", "runtime-env-agent-port"),
    *("dashboard-agent-listen-port", "dashboard-agent-grpc-port", "metrics-export-port"),
)
FOLDERS = "/tmp"  # noqa: S108 # On each node, and short.
LEAST_STORE = 80_000_000
PATIENCE = 10
_SUBREAPER, _DEATH_SIGNAL = 36, 1  # prctl(2)
_LIBC = ctypes.CDLL(None)


def free_ports(job: int, attempt: int) -> Iterator[dict[str, int]]:
    """Ports that nobody here listens at, by Ray's names; those first that no job near it has."""
    names = (*HEAD_PORTS, *NODE_PORTS)
    for turn in range(BLOCKS):
        first = first_port(job, attempt + turn * 501)
        block = range(first, first + len(names))
        if all(map(is_free, block)):
            yield dict(zip(names, block))  # noqa: B905


def first_port(job: int, attempt: int) -> int:
    """Where the ports of an attempt begin, of seven of each job before others' follow."""
    return FIRST_PORT + (job * 7 + attempt) % BLOCKS * BLOCK


def is_free(port: int) -> bool:
    """Whether this port could be listened at."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
        return True


def amounts(environ: Mapping[str, str]) -> Iterator[str]:
    """What of this node is the job's, in Ray's words. Slurm counts memory in megabytes."""
    cpus = int(environ.get("SLURM_CPUS_ON_NODE") or len(os.sched_getaffinity(0)))
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    gpus = environ.get("SLURM_GPUS_ON_NODE") or str(len(visible.split(",")) if visible else 0)
    memory = int(environ.get("SLURM_MEM_PER_NODE") or 0)
    memory = memory or int(environ.get("SLURM_MEM_PER_CPU") or 0) * cpus
    yield f"--num-cpus={cpus}"
    yield f"--num-gpus={gpus}"
    if memory:  # Else Ray would take shares of all that the node has.
        store = max(LEAST_STORE, memory * 2**20 * 3 // 10)
        yield f"--object-store-memory={store}"
        yield f"--memory={max(LEAST_STORE, memory * 2**20 - store)}"


def own_address(name: str) -> str:
    """The address by which other nodes know this one."""
    found = socket.gethostbyname(name)
    if not found.startswith("127."):
        return found
    probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with probe, suppress(OSError):  # There may be no network.
        probe.connect(("192.0.2.1", 9))  # Nothing is sent.
        found = probe.getsockname()[0]
    return found


def new_folder(job: int) -> str:
    """A folder that only this user can look into, with a short path."""
    sweep(job)
    return tempfile.mkdtemp(prefix=f"nemorun-{job}-", dir=FOLDERS)


def sweep(job: int, folder: str = "") -> None:
    """Remove what attempts of this job that were killed have left here; this folder stays."""
    for old in Path(FOLDERS).glob(f"nemorun-{job}-*"):
        if str(old) != folder:
            shutil.rmtree(str(old), ignore_errors=True)


def made_private(folder: str) -> str:
    """The folder, if it was made here; empty where it is the first node's, on a disk they share.

    FileExistsError: it is somebody else's.
    """
    try:
        os.mkdir(folder, 0o700)  # noqa: PTH102
    except FileExistsError:
        found = os.lstat(folder)
        private = stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o077
        if found.st_uid != os.geteuid() or not private:
            raise
        return ""
    return folder


def adopt_orphans() -> None:
    """Become the parent of all that descends from this process and loses its own."""
    _LIBC.prctl(_SUBREAPER, 1, 0, 0, 0)


def of_this_process() -> None:
    """Of a child that is to begin: it ends with its parent, and is not who a job is warned for."""
    _LIBC.prctl(_DEATH_SIGNAL, int(signal.SIGTERM), 0, 0, 0)
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)


def kill_descendants() -> None:
    """End all that descends from this process, however it hides."""
    end = time.monotonic() + PATIENCE
    while (found := descendants()) and time.monotonic() < end:
        for pid in found:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        select.select([], [], [], 0.01)


def descendants() -> list[int]:
    """The processes that descend from this one, zombies too."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, IndexError):
            fields = path.read_text(errors="replace").rpartition(")")[2].split()
            parents[int(path.parent.name)] = int(fields[1])
    found = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return sorted(found - {os.getpid()})
