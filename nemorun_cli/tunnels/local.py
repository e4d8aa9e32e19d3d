"""Scripts on this machine, run the same way as on any other host."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from nemorun_cli.core.errors import UnreachableError
from nemorun_cli.core.ports import Finished
from nemorun_cli.tunnels.framing import Framing
from nemorun_cli.tunnels.piping import Program, exchange


@dataclass(frozen=True, kw_only=True)
class LocalTunnel:
    """This machine, in the user's home; a script whose time is up is killed with its children."""

    login: str = "auto"
    """Whether a login shell is asked for its environment: auto, always or never."""
    needs: tuple[str, ...] = ()
    """With "auto" one is asked if one of these programs is not on the PATH without."""

    @property
    def host(self) -> str:
        """Empty: this machine."""
        return ""

    def run(self, script: str, *, data: bytes | BinaryIO = b"", timeout: float = 60) -> Finished:
        """As `Tunnel.run` says."""
        framing = Framing(script=script, login=self.login, needs=self.needs)
        home = Path(os.environ.get("HOME") or "/")
        done = exchange(
            Program(argv=("sh", "-c", framing.line), cwd=home if home.is_dir() else Path("/")),
            data,
            timeout=timeout,
            complete=framing.complete,
        )
        finished = framing.finished(done.out, done.err)
        if finished:
            return finished
        if done.code is None:
            raise UnreachableError(f"a script on this machine took more than {timeout:g} s")
        raise UnreachableError(
            "a script on this machine ended without a word on how",
            hint=done.err.decode(errors="replace").strip(),
        )
