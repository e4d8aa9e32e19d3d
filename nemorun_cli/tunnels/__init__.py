"""The ways to a host: this machine's own shell, the user's `ssh`, paramiko."""

import shutil
from collections.abc import Collection
from importlib import import_module

from nemorun_cli.core.errors import MissingExtraError, UsageError
from nemorun_cli.core.ports import Tunnel
from nemorun_cli.tunnels.hosts import check_host

KINDS = {
    "local": "nemorun_cli.tunnels.local:LocalTunnel",
    "openssh": "nemorun_cli.tunnels.openssh:OpenSSHTunnel",
    "paramiko": "nemorun_cli.tunnels.paramiko:ParamikoTunnel",
}
MASTERS = ("auto", "require", "none")
LOGINS = ("auto", "always", "never")


def tunnel_for(  # noqa: PLR0913
    host: str,
    *,
    kind: str = "auto",
    config: str = "",
    master: str = "auto",
    login: str = "auto",
    needs: tuple[str, ...] = ("sbatch",),
) -> Tunnel:
    """The way to this host; connects to nothing, and imports no other way.

    "auto" is this machine if `host` is empty, otherwise `ssh` where there is one, otherwise
    paramiko. `config` is read instead of `~/.ssh/config`. A login shell is asked for its
    environment if `login` is "always", or "auto" and a program of `needs` is not found without.

    UsageError for a word that means none of these, or for a host that is none. MissingExtraError
    if paramiko is to be used and is not installed.
    """
    kind = _kind(host) if kind == "auto" else kind
    _one_of(kind, ("auto", *KINDS), "kind of tunnel")
    _one_of(master, MASTERS, "master connection")
    _one_of(login, LOGINS, "use of a login shell")
    if host:
        check_host(host)
    module, _, name = KINDS[kind].partition(":")
    ways = {
        "local": {},
        "openssh": {"host": host, "config": config, "master": master},
        "paramiko": {"host": host, "config": config},
    }
    try:
        found = getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "paramiko":
            raise
        raise MissingExtraError(
            "paramiko, a package for SSH without OpenSSH's client, is not installed",
            hint="pip install 'nemorun-cli[ssh]'",
        ) from None
    tunnel: Tunnel = found(login=login, needs=needs, **ways[kind])
    return tunnel


def _kind(host: str) -> str:
    if not host:
        return "local"
    return "openssh" if shutil.which("ssh") else "paramiko"


def _one_of(word: str, words: Collection[str], what: str) -> None:
    if word not in words:
        raise UsageError(f"no {what} is called {word!r}", hint=f"there are: {', '.join(words)}")
