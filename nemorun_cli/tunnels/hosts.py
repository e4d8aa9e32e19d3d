"""A host by the name that its user has for it, and how `ssh` is called with that."""

import functools
import os
import shlex
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from nemorun_cli.core.errors import NotSentError, UsageError

# sshd lets ten sessions share a connection (MaxSessions); a person may need one of them.
_AT_ONCE = 8

# What a configuration holds for people and what would be in a script's way. Whose host key is
# accepted is not among it: that is the user's to say.
_PLAIN = (
    "BatchMode=yes",
    "ClearAllForwardings=yes",
    "LogLevel=ERROR",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
    "RequestTTY=no",
    "ServerAliveCountMax=3",
    "ServerAliveInterval=5",
)
CONNECT = 15
"""Seconds to wait for a connection, at most."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A host, and the file that says how to reach it, if it is not `~/.ssh/config`."""

    host: str
    config: str = ""

    def argv(self, *options: str, connect: int = CONNECT) -> list[str]:
        """A command line of `ssh` up to the host, which never asks anything.

        It gives up after `connect` seconds without a connection.
        """
        settings = (*_PLAIN, f"ConnectTimeout={connect}")
        plain = [word for setting in settings for word in ("-o", setting)]
        return ["ssh", *self._file, *plain, *options, "--", self.host]

    def by_hand(self, *options: str) -> str:
        """What a person would type to log in."""
        return shlex.join(["ssh", *self._file, *options, self.host])

    @property
    def _file(self) -> list[str]:
        return ["-F", self.config] if self.config else []


def check_host(host: str) -> None:
    """UsageError for what `ssh` would take for an option, or for several words."""
    if not host or host.startswith("-") or " " in host or not host.isprintable():
        raise UsageError(f"{host!r} is no host", hint="give what you would type after `ssh`")


@contextmanager
def turn(target: Target, end: float) -> Iterator[None]:
    """One of the few scripts that this process runs on a host at once.

    NotSentError if the others are not done before the monotonic clock shows `end`.
    """
    slots = _slots(target)
    if not slots.acquire(timeout=max(end - time.monotonic(), 0)):
        raise NotSentError(f"{_AT_ONCE} scripts of this process still run on {target.host!r}")
    try:
        yield
    finally:
        slots.release()


@functools.cache
def _slots(_target: Target) -> threading.BoundedSemaphore:
    return threading.BoundedSemaphore(_AT_ONCE)


def patience(end: float) -> int:
    """Whole seconds to wait for a connection: ssh gives up before we do, and says why."""
    return max(1, min(CONNECT, int(end - time.monotonic()) - 1))


def environment() -> dict[str, str]:
    """That of `ssh`: like ours, but no window pops up to ask something.

    Its messages are English in any locale, since it sets LC_CTYPE and nothing else; LC_ALL=C would
    not help, and would be sent on to the host.
    """
    return {**os.environ, "SSH_ASKPASS": "/bin/false", "SSH_ASKPASS_REQUIRE": "never"}
