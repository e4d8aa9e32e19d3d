"""Whatever shell a host starts, and however it starts, a script runs the same way."""

import os
import shutil
from pathlib import Path

import pytest

from nemorun_cli.tunnelcontract import NOISY_LOGIN, ONLY_LOGIN
from nemorun_cli.tunnels import tunnel_for
from tests.conftest import require
from tests.testbed.sshd import Sshd
from tests.tunnels.conftest import Start, noisy

QUIET_PATH = "/usr/local/bin:/usr/bin:/bin"
CSH_LOGIN = """\
echo noise
sh -c 'echo noise >&2'
setenv PATH "$HOME/only-login:$PATH"
cd /
"""
FISH_LOGIN = """\
echo noise
echo noise >&2
if status is-login
    cat >/dev/null
    set -x PATH $HOME/only-login $PATH
    cd /
end
"""
# What each shell reads whenever it starts, then what it reads when it is a login shell.
FILES = {
    "bash": {".bashrc": "echo noise; echo noise >&2; cd /\n", ".bash_profile": NOISY_LOGIN},
    "dash": {".profile": NOISY_LOGIN},
    "zsh": {".zshenv": "echo noise; echo noise >&2; setopt noclobber\n", ".zprofile": NOISY_LOGIN},
    "tcsh": {".cshrc": "echo noise\nset noclobber\nset histchars='!^'\n", ".login": CSH_LOGIN},
    "bsd-csh": {".cshrc": "echo noise\nset noclobber\n", ".login": CSH_LOGIN},
    "fish": {".config/fish/config.fish": FISH_LOGIN},
}


def begin(start: Start, shell: str, path: str = QUIET_PATH) -> Sshd:
    where = shutil.which(shell)
    require(shell, there=where is not None, why="it is not installed")
    server = start(login_shell=where, path=path)
    noisy(server.home)
    for name, text in FILES[shell].items():
        (server.home / name).parent.mkdir(parents=True, exist_ok=True)
        (server.home / name).write_text(text)
    return server


@pytest.mark.parametrize("kind", ["openssh", "paramiko"])
@pytest.mark.parametrize("shell", FILES)
def test_every_shell_is_noisy_and_none_is_heard(start: Start, shell: str, kind: str) -> None:
    server = begin(start, shell)
    for needs in ("sh", ONLY_LOGIN):
        tunnel = tunnel_for("box", kind=kind, config=str(server.config), needs=(needs,))

        done = tunnel.run('cat; pwd; echo "it\'s !" >&2; exit 255', data=b"\0\xff\n")

        assert (done.code, done.err) == (255, b"it's !\n")
        assert done.out == b"\0\xff\n" + os.fsencode(server.home.resolve()) + b"\n"


@pytest.mark.parametrize("shell", FILES)
def test_a_login_shell_is_asked_only_where_a_program_is_missing(start: Start, shell: str) -> None:
    server = begin(start, shell)

    def path(**how: object) -> str:
        tunnel = tunnel_for("box", config=str(server.config), **how)  # type: ignore[arg-type]
        return tunnel.run('printf %s "$PATH"').out.decode()

    only = str(server.home / "only-login")
    assert only not in path(needs=("sh",))
    assert only not in path(login="never")
    assert path(needs=("sh", ONLY_LOGIN)).startswith(f"{only}:")
    assert path(login="always", needs=()).startswith(f"{only}:")


def test_what_is_found_without_a_login_shell_is_still_found_with_one(
    start: Start, tmp_path: Path
) -> None:
    (tmp_path / "sbatch").write_text("#!/bin/sh\n")
    (tmp_path / "sbatch").chmod(0o755)
    server = begin(start, "dash", path=f"{tmp_path}:{QUIET_PATH}")
    (server.home / ".profile").write_text(f"PATH=$HOME/only-login:{QUIET_PATH}\nexport PATH\n")
    tunnel = tunnel_for("box", config=str(server.config), login="always")

    done = tunnel.run(f'command -v {ONLY_LOGIN} sbatch >/dev/null && printf %s "$PATH"')

    assert done.out.decode() == f"{server.home}/only-login:{QUIET_PATH}:{tmp_path}:{QUIET_PATH}"


def test_a_login_shell_that_is_none_is_replaced(start: Start) -> None:
    server = begin(start, "bash")
    noisy(server.home, ".profile")
    tunnel = tunnel_for("box", config=str(server.config), login="always")
    (server.home / ".bashrc").write_text("SHELL=/usr/sbin/no-such-shell\nexport SHELL\n")

    assert tunnel.run(f"command -v {ONLY_LOGIN}").code == 0
