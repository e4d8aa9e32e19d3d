"""Scripts over paramiko, for where there is no `ssh`: keys and the agent, known hosts alone."""

import io
import select
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO

from nemorun_cli.core.ports import Finished
from nemorun_cli.tunnels import verdicts
from nemorun_cli.tunnels.framing import Framing
from nemorun_cli.tunnels.hosts import Target, check_host, turn
from nemorun_cli.tunnels.paramikoclients import FAILED, Channel, session

_CHUNK = 1 << 15


@dataclass(frozen=True, kw_only=True)
class ParamikoTunnel:
    """A host by its name in `~/.ssh/config`, as far as paramiko reads that: it knows no Include.

    A process keeps one connection to each host. Never asks a question, never accepts a key.
    """

    host: str
    config: str = ""
    """A file to read instead of `~/.ssh/config`."""
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
        out, err = bytearray(), bytearray()
        with turn(target, end):
            channel = session(target, end)
            # paramiko has waits without a limit; a channel that is closed ends them.
            guard = threading.Timer(max(end - time.monotonic(), 0), channel.close)
            guard.daemon = True
            guard.start()
            try:
                channel.exec_command(line)
                _feed(channel, data)
                _read(channel, out, err, framing)
            except FAILED:
                pass  # What has been read says how far it came.
            finally:
                guard.cancel()
                channel.close()
        if finished := framing.finished(out, err):
            return finished
        code = None if time.monotonic() >= end else _exit_code(channel)
        if framing.begun(out, err):
            raise verdicts.midway(self.host, "", code=code)
        raise verdicts.before(target, "", code=code, by_hand="")


def _feed(channel: Channel, data: bytes | BinaryIO) -> None:
    """Send the data from a thread: while it is sent, answers must be read."""

    def send() -> None:
        source = io.BytesIO(data) if isinstance(data, bytes) else data
        with suppress(*FAILED):
            while chunk := source.read(_CHUNK):
                channel.sendall(chunk)
            channel.shutdown_write()

    if data:
        threading.Thread(target=send, daemon=True).start()
    else:
        channel.shutdown_write()


def _read(channel: Channel, out: bytearray, err: bytearray, framing: Framing) -> None:
    """Read until both outputs have ended, all is said, or the channel is closed."""
    ready = select.poll()
    ready.register(channel, select.POLLIN)
    over = False
    while not over:
        ready.poll()
        over = bool(channel.eof_received or channel.closed)
        fresh = 0
        while channel.recv_ready():
            fresh += _extend(out, channel.recv(_CHUNK))
        while channel.recv_stderr_ready():
            fresh += _extend(err, channel.recv_stderr(_CHUNK))
        over = over or framing.complete(out, err, fresh)


def _extend(stream: bytearray, chunk: bytes) -> int:
    stream.extend(chunk)
    return len(chunk)


def _exit_code(channel: Channel) -> int:
    """That of the login shell; 255, as with ssh, if nobody says."""
    code = channel.recv_exit_status()
    return code if code >= 0 else 255
