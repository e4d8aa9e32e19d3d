"""What the messages of `ssh` mean for a script that was to be sent."""

import re
import shlex

from nemorun_cli.core.errors import NemorunError, NotSentError, RefusedError, UnreachableError
from nemorun_cli.tunnels.hosts import Target

# Each of these ends the attempt before there is a session (ssh.c, sshconnect.c, kex.c of OpenSSH).
_NOT_SENT = re.compile(
    r"^ssh: Could not resolve hostname "
    r"|^ssh: connect to (host|address) .* port \d+: "
    r"|^(kex|ssh)_exchange_identification: |^Connection timed out during banner exchange"
    r"|^Connection (closed|reset) by .* port \d+|^Connection to .* port \d+ timed out"
    r"|^stdio forwarding failed"
)
_REFUSED = re.compile(
    r"^Host key verification failed|Too many authentication failures|^Unable to negotiate with "
    r"|: Permission denied \((publickey|password|keyboard|gssapi|hostbased)"
    r"|^Bad owner or permissions|^Can't open user config file|terminating, \d+ bad configuration"
)
_BROKEN = re.compile(
    r"^(client_loop: |Connection to .* closed|Timeout, server |Read from remote host "
    r"|mux_client_|Connection (closed|reset) |packet_write|ssh_dispatch_run|Control master )"
)
_CHANGED = re.compile(r"host key for (\S+) has changed", re.IGNORECASE)
_OFFENDING = re.compile(r"Offending \S+ key in (.+):\d+")
_SSH = 255


def before(target: Target, messages: str, *, code: int | None, by_hand: str) -> NemorunError:
    """Why a script did not begin, `by_hand` being the command that logs in with a person's help.

    A code other than 255 is that of the login shell; None means that the time was up.
    """
    host = target.host
    lines = [line.strip() for line in messages.splitlines() if line.strip()]
    if code is not None and 0 <= code != _SSH:
        return RefusedError(
            f"the login shell of {host!r} ended with {code} before the script began{_last(lines)}",
            hint="a login file that exits or executes another program may be why",
        )
    if any(map(_REFUSED.search, lines)):
        why = [line for line in lines if line.endswith("requested strict checking.")] or lines
        remedy = _remedy(messages, target, by_hand)
        return RefusedError(f"ssh to {host!r}{_last(why)}", hint=remedy)
    if any(map(_NOT_SENT.search, lines)):
        return NotSentError(f"cannot reach {host!r}{_last(lines)}")
    if code is None:
        return UnreachableError(f"{host!r} did not answer in time{_last(lines)}")
    return UnreachableError(f"{host!r} does not answer{_last(lines)}")


def midway(host: str, messages: str, *, code: int | None) -> NemorunError:
    """Why a script that had begun was not seen to end."""
    hint = "it may still be running"
    if code is None:
        return UnreachableError(f"a script on {host!r} did not end in time", hint=hint)
    told = [line.strip() for line in messages.splitlines() if _BROKEN.search(line)]
    return UnreachableError(f"a script on {host!r} was cut off{_last(told)}", hint=hint)


def _last(lines: list[str]) -> str:
    return f": {lines[-1]}" if lines else ""


def _remedy(messages: str, target: Target, by_hand: str) -> str:
    if changed := _CHANGED.search(messages):
        file = _OFFENDING.search(messages)
        where = ["-f", file[1]] if file else []
        command = shlex.join(["ssh-keygen", *where, "-R", changed[1]])
        return f"if you know why the host's key has changed, forget the old one: {command}"
    if "Host key verification failed" in messages:
        return f"log in once by hand to see and accept its key: {target.by_hand()}"
    if re.search(r"Permission denied \(.*(keyboard-interactive|password)", messages):
        return f"log in once by hand, and it will be used while it lasts: {by_hand}"
    if "Permission denied" in messages:
        return "does the host know your key? `ssh-add -l` lists those that the agent has"
    return ""
