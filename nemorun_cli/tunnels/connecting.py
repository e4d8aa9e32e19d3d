"""Over whose connection `ssh` reaches a host: the user's own, one of ours, or a new one."""

import functools
import hashlib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from nemorun_cli.core.errors import NemorunError, NotSentError, RefusedError
from nemorun_cli.tunnels import masters, verdicts
from nemorun_cli.tunnels.hosts import CONNECT, Target, environment, patience

_PERSIST = 60
_CHECK = 1.5


@dataclass(frozen=True, kw_only=True)
class Link:
    """Over which connection a script goes."""

    options: tuple[str, ...] = ()
    own: Path | None = None
    """The socket of our own master, if it is that."""
    by_hand: str
    """The command with which a person would make the connection that the next script uses."""


def configured(target: Target, _end: float) -> Link:
    """Whatever the configuration says, and nothing of ours."""
    _settings(target)
    return Link(by_hand=target.by_hand())


def shared(target: Target, end: float) -> Link:
    """The user's own shared connection where one is configured, otherwise a master of ours.

    RefusedError or NotSentError if there can be none.
    """
    plan = _plan(target)
    if plan.configured or not plan.socket:
        return Link(by_hand=plan.by_hand)
    settings = (f"ControlPersist={_PERSIST}", "ControlMaster=yes", f"ControlPath={plan.socket}")
    options = [word for setting in settings for word in ("-o", setting)]
    argv = target.argv(*options, "-fN", connect=patience(end))
    if failed := masters.ensure(plan.socket, argv, environment(), end=end):
        error = _nothing_sent(target, failed, plan.by_hand)
        if isinstance(error, RefusedError) or failed.code is None or not plan.proxied:
            raise error
        # ssh hides what a proxy says from a master (sshconnect.c); now it will say it, or work.
        return Link(by_hand=plan.by_hand)
    ours = ("-o", "ControlMaster=no", "-S", str(plan.socket))
    return Link(options=ours, own=plan.socket, by_hand=plan.by_hand)


def required(target: Target, _end: float) -> Link:
    """A shared connection that is there already; nobody logs in.

    RefusedError if there is none.
    """
    plan = _plan(target)
    if not plan.socket or not _answers(target, plan.socket):
        raise RefusedError(f"no SSH master for {target.host!r}", hint=f"run: {plan.by_hand}")
    # Should the master end just now, ssh would log in anew: with these it fails instead.
    alone = ("-o", "ControlMaster=no", "-o", "ProxyCommand=false", "-o", "ProxyJump=none")
    return Link(options=(*alone, "-S", str(plan.socket)), by_hand=plan.by_hand)


LINKS = {"auto": shared, "require": required, "none": configured}


@dataclass(frozen=True, kw_only=True)
class _Plan:
    socket: Path | None
    configured: bool
    """Whether it is the user's configuration that names the socket."""
    proxied: bool
    by_hand: str


@functools.cache
def _settings(target: Target) -> str:
    """What this host's settings come to; a process asks once."""
    if shutil.which("ssh") is None:
        raise RefusedError("there is no `ssh` here", hint="install OpenSSH's client, or paramiko")
    done = subprocess.run(
        target.argv("-G"),
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        start_new_session=True,
        timeout=CONNECT,
        check=False,
    )
    if done.returncode != 0:
        first = done.stderr.decode(errors="replace").strip().partition("\n")[0]
        raise RefusedError(f"ssh cannot be used for {target.host!r}: {first}")
    return done.stdout.decode(errors="surrogateescape")


def _plan(target: Target) -> _Plan:
    text = _settings(target)
    settings = dict(line.split(" ", 1) for line in text.splitlines() if " " in line)
    proxied = not {"proxycommand", "proxyjump"}.isdisjoint(settings)
    if theirs := settings.get("controlpath", "").removeprefix("none"):
        flags = "-fNM" if settings.get("controlmaster", "no") in ("false", "no") else "-fN"
        path: Path | None = Path(theirs)
        by_hand = target.by_hand(flags)
    else:
        # Any change of the configuration changes the name: no other connection is taken for it.
        digest = hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:16]
        path = masters.socket_for(digest)
        by_hand = target.by_hand(*(["-fNM", "-S", str(path)] if path else []))
    return _Plan(socket=path, configured=bool(theirs), proxied=proxied, by_hand=by_hand)


def _answers(target: Target, socket: Path) -> bool:
    try:
        done = subprocess.run(
            target.argv("-S", str(socket), "-O", "check"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_CHECK,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def _nothing_sent(target: Target, failed: masters.Failed, by_hand: str) -> NemorunError:
    error = verdicts.before(target, failed.messages, code=failed.code, by_hand=by_hand)
    if isinstance(error, RefusedError):
        return error
    return NotSentError(error.message)
