"""A host by the name that its user has for it, and how `ssh` is called with that."""

import os
import shlex
import time
from dataclasses import dataclass

from nemorun_cli.core.errors import UsageError

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


def patience(end: float) -> int:
    """Whole seconds to wait for a connection: ssh gives up before we do, and says why."""
    return max(1, min(CONNECT, int(end - time.monotonic()) - 1))


def environment() -> dict[str, str]:
    """That of `ssh`: like ours, but no window pops up to ask something.

    Its messages are English in any locale, since it sets LC_CTYPE and nothing else; LC_ALL=C would
    not help, and would be sent on to the host.
    """
    return {**os.environ, "SSH_ASKPASS": "/bin/false", "SSH_ASKPASS_REQUIRE": "never"}
