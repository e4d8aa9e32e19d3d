"""A private sshd on 127.0.0.1 that logs in the current user, with a home and a shell of choice."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from nemorun_cli.watching import nap

_START = 10


def program() -> str | None:
    """Where sshd is; it is often on nobody's PATH but root's."""
    return shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/local/sbin:/usr/sbin:/sbin")


def new_key(path: Path) -> Path:
    """A new key pair; the public one lies beside it, with the suffix .pub."""
    path.unlink(missing_ok=True)
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(path)]
    subprocess.run(command, check=True)
    return path


@dataclass(frozen=True, kw_only=True)
class Sshd:
    """A running server; its folder holds its keys, its log and the home of who logs in."""

    folder: Path
    port: int
    pid: int

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def config(self) -> Path:
        """A configuration for `ssh -F` in which the server is called `box`."""
        return self.folder / "ssh_config"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    @property
    def logins(self) -> int:
        """How many times somebody was authenticated."""
        return self.log.count("Accepted publickey")

    def cut(self) -> None:
        """End every connection, as a network that fails would; what runs goes on."""
        for pid in list(_servants(self.pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def trust(self, key: Path | None = None) -> None:
        """Have the client expect this host key, by default the right one."""
        public = (key or self.folder / "host_key").with_suffix(".pub").read_text().split()[:2]
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {' '.join(public)}\n")

    def configure(self, *lines: str) -> None:
        """Write the client's configuration, with these lines for `box`, which come first."""
        text = [
            "Host box",
            *lines,
            "HostName 127.0.0.1",
            f"Port {self.port}",
            f"IdentityFile {self.folder / 'key'}",
            "IdentitiesOnly yes",
            f"UserKnownHostsFile {self.known_hosts}",
            "GlobalKnownHostsFile /dev/null",
            "StrictHostKeyChecking yes",
        ]
        self.config.write_text("\n    ".join(text) + "\n")


def _servants(pid: int) -> Iterator[int]:
    """The processes of sshd below this one, which serve connections."""
    with suppress(OSError):
        for child in map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
            if Path(f"/proc/{child}/comm").read_text().startswith("sshd"):
                yield child
                yield from _servants(child)


@contextmanager
def running(folder: Path, *settings: str, login_shell: str = "", path: str = "") -> Iterator[Sshd]:
    """A server that is up and trusted; `settings` come first in its configuration.

    With `login_shell` that program is given the commands instead of the user's own shell, and with
    `path` that is the PATH of those who log in.
    """
    (folder / "home").mkdir(parents=True)
    new_key(folder / "host_key")
    new_key(folder / "key")
    shutil.copy(folder / "key.pub", folder / "authorized_keys")
    port = _free_port()
    (folder / "sshd_config").write_text(_configuration(folder, port, settings, login_shell, path))
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    command = [program() or "sshd", "-D", "-e", "-f", str(folder / "sshd_config")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    server = Sshd(folder=folder, port=port, pid=process.pid)
    try:
        _wait_for(server, process)
        server.trust()
        server.configure()
        yield server
    finally:
        server.cut()
        process.terminate()
        process.wait()


def _configuration(
    folder: Path, port: int, settings: tuple[str, ...], shell: str, path: str
) -> str:
    env = [f"HOME={folder / 'home'}"]
    env += [f"SHELL={shell}"] if shell else []
    env += [f"PATH={path}"] if path else []
    lines = [
        *settings,
        f"Port {port}",
        "ListenAddress 127.0.0.1",
        f"HostKey {folder / 'host_key'}",
        "PidFile none",
        f"AuthorizedKeysFile {folder / 'authorized_keys'}",
        "StrictModes no",
        "UsePAM no",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "PermitRootLogin prohibit-password",
        "MaxStartups 100",
        f"SetEnv {' '.join(env)}",
    ]
    if shell:
        lines.append(f'ForceCommand exec {shell} -c "$SSH_ORIGINAL_COMMAND"')
    return "\n".join(lines) + "\n"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(server: Sshd, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + _START
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", server.port), timeout=1):
            return
        assert process.poll() is None, server.log
        assert time.monotonic() < end, f"sshd did not start: {server.log}"
        nap(0.02)
