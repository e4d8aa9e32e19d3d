"""Processes of this machine, told apart by more than their pid."""

import functools
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from nemorun_cli.core.runs import Process

if TYPE_CHECKING:
    from subprocess import Popen

_PROC = Path("/proc")


@functools.cache
def machine() -> str:
    """A name for this machine that no other has, host name first."""
    try:
        identity = Path("/etc/machine-id").read_text().strip()[:12]
    except OSError:
        identity = ""
    return "-".join(part for part in (os.uname().nodename, identity) if part)


@functools.cache
def boot() -> str:
    """The kernel's boot id, empty where there is none (random(4))."""
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


@functools.cache
def namespace() -> str:
    """The pid namespace of this process, empty where there is none (namespaces(7))."""
    try:
        return str((_PROC / "self/ns/pid").readlink())
    except OSError:
        return ""


def describe(pid: int) -> Process:
    """This pid as it is now; a process that is gone has the start 0."""
    fields = _stat(pid)
    return Process(
        pid=pid,
        start=int(fields[19]) if fields else 0,
        boot=boot(),
        namespace=namespace(),
        machine=machine(),
    )


def user() -> str:
    """Who runs this: the name, or the number of a user without one."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.geteuid())


def alive(process: Process) -> bool | None:
    """Whether this very process still runs; None where that cannot be seen from here.

    A zombie has ended. After a restart of the machine everything before it has.
    """
    if process.machine != machine():
        return None
    if process.boot != boot():
        return False
    if process.namespace != namespace():
        return None
    fields = _stat(process.pid)
    return bool(fields) and fields[0] not in "ZX" and int(fields[19]) == process.start


@contextmanager
def detached(
    argv: Sequence[str],
    folder: Path,
    env: Mapping[str, str] | None = None,
) -> Iterator["Popen[bytes]"]:
    """A process in a session of its own; until the block ends, pipes lead to and from it.

    It outlives the block. Its errors go to `wrapper.log` in its folder.
    """
    import subprocess

    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    with open(os.open(folder / "wrapper.log", flags, 0o600), "wb") as log:  # noqa: PTH123
        process = subprocess.Popen(
            argv,
            cwd=folder,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        process.returncode = 0  # Nobody here waits for it: it is meant to outlive us.


def with_key(key: str) -> Iterator[int]:
    """The living processes that were started with this job key in their environment."""
    mark = f"NEMORUN_KEY={key}".encode()
    for pid in _pids():
        try:
            variables = (_PROC / pid / "environ").read_bytes()
        except OSError:
            continue
        if mark in variables.split(b"\0"):
            yield int(pid)


def in_session(leader: Process) -> Iterator[int]:
    """The living processes of the session that this process leads or led."""
    now = _stat(leader.pid)
    if now and int(now[19]) != leader.start:
        return  # The pid was given to somebody else, so the session is over.
    for pid in _pids():
        fields = _stat(int(pid))
        if fields and fields[0] not in "ZX" and int(fields[3]) == leader.pid:
            yield int(pid)


def _pids() -> list[str]:
    try:
        return [name for name in os.listdir(_PROC) if name.isdigit()]  # noqa: PTH208
    except OSError:
        return []


def _stat(pid: int) -> list[str]:
    # proc(5): the name, in parentheses, may hold anything; the fields after it may not.
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()
