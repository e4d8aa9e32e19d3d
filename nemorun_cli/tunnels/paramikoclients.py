"""The connections that paramiko keeps for this process, one for each host."""

import atexit
import logging
import os
import re
import shlex
import socket
import threading
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Any

import paramiko
from paramiko import Channel

from nemorun_cli import processes
from nemorun_cli.core.errors import NemorunError, NotSentError, RefusedError
from nemorun_cli.tunnels.hosts import CONNECT, Target

__all__ = ["FAILED", "Channel", "session"]

FAILED = (paramiko.SSHException, EOFError, OSError)
_KEEPALIVE = 5
# tcp(7), in milliseconds: a connection ends when nothing was acknowledged for so long.
_UNACKNOWLEDGED = 15_000
_PORT = 22
_NOWHERE = ("", 0)
# [USER@]NAME[:PORT], where a name with two colons is an address of version 6.
_HOST = re.compile(r"^(?:(.+)@)?([^@:]*|[^@]*:[^@]*:[^@]*?)(?::(\d+))?$")
_NOT_ACCEPTED = (paramiko.AuthenticationException, paramiko.ssh_exception.IncompatiblePeer)
# What paramiko logs it raises as well; Python would print what no handler takes.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class _Kept:
    def __init__(self) -> None:
        self._clients: dict[Target, paramiko.SSHClient] = {}
        self._locks: defaultdict[Target, threading.Lock] = defaultdict(threading.Lock)

    def channel(self, target: Target, end: float, kind: str, to: tuple[str, int]) -> Channel:
        with self._locks[target]:
            # A connection may have died without a word: then a new one is made.
            with suppress(KeyError, *FAILED):
                return _channel(self._clients[target], end, kind, to)
            try:
                client = self._clients[target] = _connected(target, end)
                return _channel(client, end, kind, to)
            except FAILED as error:
                raise _explained(target, error) from None

    def close(self) -> None:
        for client in self._clients.values():
            client.close()


_kept = _Kept()
_of_the_parent: list[_Kept] = []


def session(target: Target, end: float) -> Channel:
    """A new session with the host, before the monotonic clock shows `end`.

    RefusedError or NotSentError if there can be none.
    """
    return _kept.channel(target, end, "session", _NOWHERE)


@atexit.register
def _close() -> None:
    _kept.close()


def _forget() -> None:
    """In a new process: its parent's connections are not to be used, nor to be closed."""
    global _kept  # noqa: PLW0603
    _of_the_parent.append(_kept)
    _kept = _Kept()


os.register_at_fork(after_in_child=_forget)


def _channel(client: paramiko.SSHClient, end: float, kind: str, to: tuple[str, int]) -> Channel:
    transport = client.get_transport()
    if transport is None or not transport.is_active():
        raise EOFError
    return transport.open_channel(kind, to, _NOWHERE, timeout=_left(end))


def _left(end: float) -> float:
    return max(0.1, min(CONNECT, end - time.monotonic()))


def _connected(target: Target, end: float) -> paramiko.SSHClient:
    settings = _settings(target)
    keys = [key for key in settings.get("identityfile", ()) if Path(key).is_file()]
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    for file in _known_hosts(settings):
        with suppress(OSError):
            client.load_system_host_keys(file)
    try:
        client.connect(
            settings["hostname"],
            settings["port"],
            username=settings["user"],
            key_filename=keys,  # type: ignore[arg-type] # a list, says its documentation
            look_for_keys=not keys,
            allow_agent=settings.get("identitiesonly") != "yes",
            sock=_socket(target, settings, end),
            banner_timeout=_left(end),
            auth_timeout=_left(end),
        )
    except BaseException:
        client.close()
        raise
    if transport := client.get_transport():
        transport.set_keepalive(_KEEPALIVE)
    return client


def _settings(target: Target) -> dict[str, Any]:
    user, name, port = _HOST.findall(target.host)[0]
    path = Path(target.config or "~/.ssh/config").expanduser()
    try:
        there = target.config or path.exists()
        read = paramiko.SSHConfig.from_path(str(path)) if there else paramiko.SSHConfig()
        found: dict[str, Any] = {"port": _PORT, "user": processes.user(), **read.lookup(name)}
        found |= {"user": user} if user else {}
        found["port"] = int(port or found["port"])
    except (OSError, ValueError, paramiko.ssh_exception.ConfigParseError) as error:
        raise RefusedError(f"{path} cannot be used for {name!r}: {error}") from None
    return found


def _known_hosts(settings: dict[str, Any]) -> list[str]:
    user = settings.get("userknownhostsfile", "~/.ssh/known_hosts ~/.ssh/known_hosts2")
    everybody = settings.get("globalknownhostsfile", "/etc/ssh/ssh_known_hosts")
    return [os.path.expanduser(file) for file in shlex.split(f"{user} {everybody}")]  # noqa: PTH111


def _socket(target: Target, settings: dict[str, Any], end: float) -> Any:  # noqa: ANN401
    address = settings["hostname"], settings["port"]
    command = settings.get("proxycommand", "none")
    if command != "none":
        return paramiko.ProxyCommand(command)
    jump = settings.get("proxyjump", "none")
    if "," in jump:
        raise RefusedError(
            f"paramiko goes through one host to {target.host!r}, not through {jump}",
            hint="give each of them its own ProxyJump",
        )
    if jump not in ("none", target.host):
        through = Target(host=jump, config=target.config)
        return _kept.channel(through, end, "direct-tcpip", address)
    direct = socket.create_connection(address, timeout=_left(end))
    direct.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # 5 ms a script, and not 45.
    with suppress(AttributeError, OSError):
        direct.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNACKNOWLEDGED)
    return direct


def _explained(target: Target, error: BaseException) -> NemorunError:
    host = target.host
    said = getattr(error, "strerror", "") or str(error) or type(error).__name__
    if isinstance(error, paramiko.BadHostKeyException):
        settings = _settings(target)
        name, port = settings["hostname"], settings["port"]
        known = name if port == _PORT else f"[{name}]:{port}"
        forget = shlex.join(["ssh-keygen", "-f", _known_hosts(settings)[0], "-R", known])
        return RefusedError(
            f"{host!r} has another key than known_hosts says: {said}",
            hint=f"if you know why it has changed, forget the old one: {forget}",
        )
    if "not found in known_hosts" in said:
        return RefusedError(
            f"the key of {host!r} is not known: {said}",
            hint="add it to ~/.ssh/known_hosts, once you have checked that it is the host's",
        )
    if isinstance(error, _NOT_ACCEPTED) or "No authentication methods" in said:
        return RefusedError(
            f"{host!r} does not let us in: {said}",
            hint="paramiko tries the keys in ~/.ssh, those of IdentityFile and the agent's",
        )
    return NotSentError(f"cannot reach {host!r}: {said}")
