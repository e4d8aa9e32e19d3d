"""Paramiko keeps one connection for each host, and what it does not know it says."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nemorun_cli.core.errors import NotSentError, RefusedError, UnreachableError
from nemorun_cli.core.ports import Tunnel
from nemorun_cli.tunnels import tunnel_for
from tests.testbed.sshd import Sshd
from tests.tunnels.conftest import Start

IN_A_CHILD = """
import os, sys
from nemorun_cli.tunnels import tunnel_for
tunnel = tunnel_for("box", kind="paramiko", config=sys.argv[1])
tunnel.run("true")
child = os.fork()
if child == 0:
    done = tunnel.run("echo child")
    os._exit(0 if done.out == b"child\\n" else 1)
assert os.waitpid(child, 0)[1] == 0
assert tunnel.run("echo parent").out == b"parent\\n"
"""


def to(server: Sshd, host: str = "box") -> Tunnel:
    return tunnel_for(host, kind="paramiko", config=str(server.config), login="never")


def test_one_connection_serves_a_process(server: Sshd) -> None:
    with ThreadPoolExecutor(20) as pool:
        codes = list(pool.map(lambda n: to(server).run(f"exit {n}").code, range(20)))

    assert codes == list(range(20))
    assert server.logins == 1


def test_a_connection_that_was_cut_is_replaced(server: Sshd) -> None:
    to(server).run("true")

    server.cut()

    assert to(server).run("echo again").out == b"again\n"
    assert server.logins == 2


def test_a_cut_in_the_middle_may_have_run(server: Sshd) -> None:
    tunnel = to(server)
    tunnel.run("true")
    threading.Timer(0.5, server.cut).start()

    with pytest.raises(UnreachableError) as raised:
        tunnel.run("sleep 30")

    assert not isinstance(raised.value, NotSentError)


def test_a_child_makes_its_own_and_leaves_its_parent_s_alone(server: Sshd) -> None:
    command = [sys.executable, "-W", "ignore", "-c", IN_A_CHILD, str(server.config)]

    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert server.logins == 2


def test_what_goes_wrong_is_raised_and_not_printed(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as babbler:
        config = tmp_path / "config"
        config.write_text(f"Host box\n  HostName 127.0.0.1\n  Port {babbler.getsockname()[1]}\n")
        code = "import sys\nfrom nemorun_cli.tunnels import tunnel_for\n"
        code += "tunnel = tunnel_for('box', kind='paramiko', config=sys.argv[1])\n"
        code += "try: tunnel.run('true')\nexcept Exception as error: print(type(error).__name__)"
        command = [sys.executable, "-c", code, str(config)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            with babbler.accept()[0] as client:
                client.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")
            out, err = process.communicate(timeout=60)

    assert (out, err) == (b"NotSentError\n", b"")


def test_it_goes_through_a_host_or_a_program(start: Start) -> None:
    jump, server = start(), start()
    plain = server.config.read_text()
    hop = jump.config.read_text().replace("Host box", "Host jump")
    by_program = f"ProxyCommand ssh -F {jump.config} -W %h:%p box"
    for way in ("ProxyJump jump", by_program):
        server.config.write_text(f"{plain}    {way}\n{hop}")
        server.cut()

        assert to(server).run("echo through").out == b"through\n"

    assert (jump.logins, server.logins) == (2, 2)


def test_a_user_and_a_port_can_be_named(start: Start) -> None:
    jump, server = start(), start()
    me = to(server).run("id -un").out.decode().strip()
    hop = jump.config.read_text().replace("Host box", "Host jump").replace("Port", "#")
    plain = server.config.read_text()
    server.config.write_text(f"{plain}    ProxyJump {me}@jump:{jump.port}\n    User nobody\n{hop}")

    assert to(server, f"{me}@box").run("echo through").out == b"through\n"
    assert jump.logins == 1


def test_a_chain_of_jumps_in_one_line_is_refused_with_another_way(server: Sshd) -> None:
    server.configure("ProxyJump one,two")

    with pytest.raises(RefusedError, match="not through one,two"):
        to(server).run("true")


def test_a_configuration_that_is_wrong_is_told(server: Sshd) -> None:
    server.configure("Port many")

    with pytest.raises(RefusedError, match="many"):
        to(server).run("true")


@pytest.fixture
def agent(server: Sshd) -> Iterator[Path]:
    """An agent that has the key, which lies in no file any more."""
    path = server.folder / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        env = {**os.environ, "SSH_AUTH_SOCK": str(path)}
        key = server.folder / "key"
        subprocess.run(["ssh-add", "-q", str(key)], env=env, check=True)
        key.unlink()
        server.config.write_text(server.config.read_text().replace("IdentitiesOnly yes", ""))
        yield path
        process.terminate()


@pytest.mark.parametrize("kind", ["openssh", "paramiko"])
def test_the_agent_is_asked(
    server: Sshd, agent: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", str(agent))

    done = tunnel_for("box", kind=kind, config=str(server.config)).run("echo in")

    assert done.out == b"in\n"
