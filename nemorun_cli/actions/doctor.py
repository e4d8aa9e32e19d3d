"""Whether everything that a launch needs is there."""

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from nemorun_cli import executors, settings
from nemorun_cli.actions import settle
from nemorun_cli.actions.requests import surroundings
from nemorun_cli.actions.wiring import Ports
from nemorun_cli.core.errors import NemorunError
from nemorun_cli.core.ports import CanExamine, Executor


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    what: str
    fine: bool
    seen: str


def examine(name: str | None, *, ports: Ports) -> Iterator[Check]:
    """Look at the store and at the executors: the one or the profile named, or all there are.

    Writes one file to the store and removes it again.
    """
    yield Check(what="python", fine=sys.version_info >= (3, 11), seen=sys.version.split()[0])
    git = shutil.which("git")
    yield Check(
        what="git", fine=git is not None, seen=git or "not on PATH: snapshots walk the tree"
    )
    yield _store(ports)
    for each in [name] if name else executors.names():
        yield from _executor(each, ports)


def _store(ports: Ports) -> Check:
    home = ports.store.home
    probe = home / f".probe-{os.getpid()}"
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe.write_bytes(b"probe")
        probe.unlink()
    except OSError as error:
        return Check(what="store", fine=False, seen=f"{home}: {error.strerror}")
    free = shutil.disk_usage(home).free // 2**20
    return Check(what="store", fine=True, seen=f"{home}, {free} MiB free")


def _executor(name: str, ports: Ports) -> Iterator[Check]:
    try:
        executor = _configured(name, ports)
        if isinstance(executor, CanExamine):
            for what, fine, seen in executor.examine():
                yield Check(what=f"{name}: {what}", fine=fine, seen=seen)
        else:
            yield Check(what=name, fine=True, seen="installed")
    except NemorunError as error:
        yield Check(what=name, fine=False, seen=error.message)


def _configured(name: str, ports: Ports) -> Executor:
    """The executor as a launch with `-e NAME` would use it."""
    around = surroundings()
    chosen = settings.load(environ=around.environ, root=around.root)
    choice = settings.choose(chosen, name)
    kind = executors.load(choice.executor)
    found = settings.resolve(chosen, choice, (kind, kind.Resources), ())
    values = {each: setting.value for each, setting in found.items()}
    return settle.executor_from(kind, values, ports.store.home)
