"""Scripts over the user's own `ssh`: all of its configuration, its agent, its connections."""

import time
from dataclasses import dataclass
from typing import BinaryIO

from nemorun_cli.core.ports import Finished
from nemorun_cli.tunnels import verdicts
from nemorun_cli.tunnels.connecting import LINKS
from nemorun_cli.tunnels.framing import Framing
from nemorun_cli.tunnels.hosts import Target, check_host, environment, patience, turn
from nemorun_cli.tunnels.piping import Program, exchange


@dataclass(frozen=True, kw_only=True)
class OpenSSHTunnel:
    """A host as `ssh` knows it. Never asks a question, never accepts a key."""

    host: str
    config: str = ""
    """A file to read instead of `~/.ssh/config` and the system's."""
    master: str = "auto"
    """Which connection is shared. "auto": the user's if the configuration has a ControlPath for
    the host, otherwise one of our own, which ends a minute after its last use. "require": one that
    is there, and no other. "none": what the configuration says, and no other."""
    login: str = "auto"
    """Whether a login shell is asked for its environment: auto, always or never."""
    needs: tuple[str, ...] = ()
    """With "auto" one is asked if one of these programs is not on the PATH without."""

    def run(self, script: str, *, data: bytes | BinaryIO = b"", timeout: float = 60) -> Finished:
        """As `Tunnel.run` says."""
        end = time.monotonic() + timeout
        check_host(self.host)
        framing = Framing(script=script, login=self.login, needs=self.needs)
        line = framing.line
        target = Target(host=self.host, config=self.config)
        with turn(target, end):
            link = LINKS[self.master](target, end)
            argv = [*target.argv(*link.options, connect=patience(end)), line]
            done = exchange(
                Program(argv=argv, env=environment()),
                data,
                timeout=end - time.monotonic(),
                complete=framing.complete,
            )
        if finished := framing.finished(done.out, done.err):
            return finished
        messages = done.err.decode(errors="replace")
        if framing.begun(done.out, done.err):
            raise verdicts.midway(self.host, messages, code=done.code)
        if link.own and done.code is None:
            link.own.unlink(missing_ok=True)  # A master that no longer answers is forgotten.
        raise verdicts.before(target, messages, code=done.code, by_hand=link.by_hand)
