"""Every tunnel keeps the contract: the local one, and the others against a real sshd."""

from pathlib import Path

import pytest

from nemorun_cli.core.ports import Tunnel
from nemorun_cli.testing import RemoteTunnelContract, TunnelContract
from nemorun_cli.tunnelcontract import ONLY_LOGIN
from nemorun_cli.tunnels import tunnel_for
from tests.testbed.sshd import Sshd, new_key
from tests.tunnels.conftest import Start, noisy

LOGIN_FILES = (".bash_profile", ".profile")


class TestLocalTunnel(TunnelContract):
    @pytest.fixture
    def tunnel(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tunnel:
        monkeypatch.setenv("HOME", str(noisy(tmp_path / "home", *LOGIN_FILES)))
        monkeypatch.setenv("SHELL", "/bin/bash")
        return tunnel_for("", needs=(ONLY_LOGIN,))


@pytest.fixture(scope="module")
def box(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Sshd:
    """A server whose login files are as bad as they can be, with other names for it that fail."""
    folder = tmp_path_factory.mktemp("banner")
    (folder / "banner").write_text("Authorized users only!\nPermission denied (publickey).\n")
    server = start(f"Banner {folder / 'banner'}", "PrintMotd yes", login_shell="/bin/bash")
    noisy(server.home, *LOGIN_FILES)
    (server.home / ".bashrc").write_text("echo rc; echo rc >&2; set -x; cd /\n")
    known = server.known_hosts.read_text()
    key = known.split(" ", 1)[1]
    other = new_key(folder / "other").with_suffix(".pub").read_text()
    (folder / "wrong").write_text(f"{known.split()[0]} {other}")
    server.known_hosts.write_text(f"{known}[127.0.0.1]:1 {key}nowhere.invalid {key}")
    hosts = {
        "nowhere": ("HostName nowhere.invalid",),
        "closed": ("Port 1",),
        "impostor": (f"UserKnownHostsFile {folder / 'wrong'}",),
        "unknown": ("UserKnownHostsFile /dev/null",),
        "stranger": (f"IdentityFile {new_key(folder / 'key')}",),
    }
    plain = server.config.read_text()
    text = [plain]
    for name, lines in hosts.items():
        head, *rest = plain.splitlines(keepends=True)
        keep = [line for line in rest if line.split()[0] not in {each.split()[0] for each in lines}]
        text += [head.replace("box", name), *(f"    {line}\n" for line in lines), *keep]
    server.config.write_text("".join(text))
    return server


class OverSsh(RemoteTunnelContract):
    kind = ""

    def to(self, host: str, box: Sshd) -> Tunnel:
        return tunnel_for(host, kind=self.kind, config=str(box.config), needs=(ONLY_LOGIN,))

    @pytest.fixture
    def tunnel(self, box: Sshd) -> Tunnel:
        return self.to("box", box)

    @pytest.fixture
    def nowhere(self, box: Sshd) -> Tunnel:
        return self.to("nowhere", box)

    @pytest.fixture
    def closed(self, box: Sshd) -> Tunnel:
        return self.to("closed", box)

    @pytest.fixture
    def impostor(self, box: Sshd) -> Tunnel:
        return self.to("impostor", box)

    @pytest.fixture
    def unknown(self, box: Sshd) -> Tunnel:
        return self.to("unknown", box)

    @pytest.fixture
    def stranger(self, box: Sshd) -> Tunnel:
        return self.to("stranger", box)


class TestOpenSSHTunnel(OverSsh):
    kind = "openssh"


class TestParamikoTunnel(OverSsh):
    kind = "paramiko"
