"""What a host sees of us: how many logins, over whose connection, and never a question."""

import shlex
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pexpect
import pytest

from nemorun_cli.core.errors import NotSentError, RefusedError, UnreachableError, UsageError
from nemorun_cli.core.ports import Tunnel
from nemorun_cli.tunnels import tunnel_for
from tests.testbed.sshd import Sshd, new_key
from tests.tunnels.conftest import Start

Until = Callable[[Callable[[], bool]], None]
SCRIPT = "import sys\nfrom nemorun_cli.tunnels import tunnel_for\n"


def to(server: Sshd, **how: str) -> Tunnel:
    return tunnel_for("box", kind="openssh", config=str(server.config), login="never", **how)  # type: ignore[arg-type]


def three_times(tunnel: Tunnel) -> None:
    for number in range(3):
        assert tunnel.run(f"echo {number}").out == b"%d\n" % number


def ended(server: Sshd, sockets: Path, until: Until) -> Path:
    """Where the socket was of a shared connection that has ended."""
    before = set(sockets.iterdir())
    to(server).run("true")
    (path,) = (path for path in set(sockets.iterdir()) - before if path.is_socket())
    server.cut()
    until(lambda: not path.exists())
    return path


class TestSharing:
    def test_our_own_connection_serves_all_calls(self, server: Sshd) -> None:
        three_times(to(server))

        assert server.logins == 1

    def test_of_many_at_once_one_logs_in(self, server: Sshd) -> None:
        with ThreadPoolExecutor(20) as pool:
            list(pool.map(lambda _: three_times(to(server)), range(20)))

        assert server.logins == 1

    def test_processes_share_it_and_no_process_waits_for_it(self, server: Sshd) -> None:
        code = f"{SCRIPT}print(tunnel_for('box', config=sys.argv[1]).run('echo hello').out)"
        command = [sys.executable, "-c", code, str(server.config)]

        processes = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(4)]
        # The connection outlives them, and would keep these pipes open if it had inherited them.
        outs = [process.communicate(timeout=40)[0] for process in processes]

        assert outs == [b"b'hello\\n'\n"] * 4
        assert server.logins == 1

    def test_the_user_s_open_connection_is_used(self, server: Sshd, sockets: Path) -> None:
        server.configure(f"ControlPath {sockets.parent}/user-%C")
        subprocess.run(["ssh", "-F", str(server.config), "-fNM", "box"], check=True)
        ours = set(sockets.iterdir())

        three_times(to(server))
        three_times(to(server, master="require"))

        assert server.logins == 1
        assert set(sockets.iterdir()) == ours

    def test_the_user_s_configuration_opens_its_own(self, server: Sshd, sockets: Path) -> None:
        server.configure(
            "ControlMaster auto", f"ControlPath {sockets.parent}/%C", "ControlPersist 5"
        )
        ours = set(sockets.iterdir())

        three_times(to(server))

        assert server.logins == 1
        assert set(sockets.iterdir()) == ours

    def test_none_is_none(self, server: Sshd) -> None:
        three_times(to(server, master="none"))

        assert server.logins == 3

    def test_a_server_that_shares_no_connection_is_logged_in_to_each_time(
        self, start: Start
    ) -> None:
        server = start("MaxSessions 1")

        with ThreadPoolExecutor(4) as pool:
            codes = list(pool.map(lambda n: to(server).run(f"sleep 0.3; exit {n}").code, range(4)))

        assert codes == [0, 1, 2, 3]

    def test_another_configuration_is_another_connection(self, server: Sshd) -> None:
        other = server.config.with_name("other")
        other.write_text(
            server.config.read_text().replace("Host box", "Host box\n    Compression yes")
        )
        to(server).run("true")

        tunnel_for("box", config=str(other)).run("true")

        assert server.logins == 2


class TestRequired:
    def test_without_one_it_is_refused_at_once_with_what_to_type(self, server: Sshd) -> None:
        tunnel = to(server, master="require")
        start = time.monotonic()

        with pytest.raises(RefusedError, match="no SSH master for 'box'") as refused:
            tunnel.run("true")

        assert time.monotonic() - start < 2
        assert server.logins == 0
        subprocess.run(shlex.split(refused.value.hint.removeprefix("run: ")), check=True)
        three_times(tunnel)
        assert server.logins == 1

    @pytest.mark.parametrize(("setting", "flag"), [("auto", "-fN"), ("no", "-fNM")])
    def test_the_hint_suits_the_user_s_configuration(
        self, server: Sshd, setting: str, flag: str
    ) -> None:
        server.configure(f"ControlMaster {setting}", f"ControlPath {server.folder}/%C")

        with pytest.raises(RefusedError) as refused:
            to(server, master="require").run("true")

        assert refused.value.hint == f"run: ssh -F {server.config} {flag} box"

    def test_it_never_logs_in(self, server: Sshd, sockets: Path, until: Until) -> None:
        server.configure(f"ControlPath {sockets.parent}/user")
        subprocess.run(["ssh", "-F", str(server.config), "-fNM", "box"], check=True)
        tunnel = to(server, master="require")
        tunnel.run("true")

        server.cut()
        until(lambda: not (sockets.parent / "user").exists())

        with pytest.raises(RefusedError, match="no SSH master"):
            tunnel.run("true")
        assert server.logins == 1


class TestBroken:
    def test_a_cut_in_the_middle_may_have_run(self, server: Sshd) -> None:
        tunnel = to(server)
        tunnel.run("true")
        threading.Timer(0.5, server.cut).start()

        with pytest.raises(UnreachableError) as raised:
            tunnel.run("sleep 30")

        assert not isinstance(raised.value, NotSentError)
        three_times(tunnel)
        assert server.logins == 2

    def test_a_dead_socket_is_replaced(self, server: Sshd, sockets: Path, until: Until) -> None:
        path = ended(server, sockets, until)
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(path))

        three_times(to(server))

        assert server.logins == 2

    def test_a_socket_that_never_answers_is_given_up(
        self, server: Sshd, sockets: Path, until: Until
    ) -> None:
        path = ended(server, sockets, until)
        with socket.socket(socket.AF_UNIX) as deaf:
            deaf.bind(str(path))
            deaf.listen()

            with pytest.raises(UnreachableError):
                to(server).run("true", timeout=1.5)

            three_times(to(server))

    def test_a_folder_that_others_may_write_to_is_not_used(
        self, server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("runtime", "temporary"):
            (tmp_path / name).mkdir()
        (tmp_path / "runtime" / "nemorun").mkdir()
        (tmp_path / "runtime" / "nemorun").chmod(0o777)
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))

        three_times(to(server))

        assert list((tmp_path / "runtime" / "nemorun").iterdir()) == []

    def test_a_path_too_long_for_a_socket_is_not_used(
        self, server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        long = tmp_path / ("x" * 90)
        long.mkdir()
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))

        three_times(to(server))

        assert server.logins == 1


class TestConfiguration:
    def test_a_jump_an_include_and_a_port_work_as_they_do_for_ssh(self, start: Start) -> None:
        jump, target = start(), start()
        jump.configure()
        (jump.folder / "more").write_text(
            target.config.read_text() + f"    ProxyJump {jump.folder.name}\n"
        )
        jump.config.write_text(
            f"Include {jump.folder}/more\n"
            + jump.config.read_text().replace("Host box", f"Host {jump.folder.name}")
        )
        # The jump is a process of its own, which has the configuration and none of our options.
        three_times(to(jump))

        assert (jump.logins, target.logins) == (1, 1)

    def test_what_is_meant_for_people_does_not_disturb(self, server: Sshd) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            server.configure(
                "RemoteCommand echo not this",
                "RequestTTY force",
                f"LocalForward {taken.getsockname()[1]} 127.0.0.1:1",
                "ExitOnForwardFailure yes",
                "PermitLocalCommand yes",
                f"LocalCommand touch {server.folder}/canary",
                "LogLevel QUIET",
            )

            three_times(to(server))
            three_times(to(server, master="none"))

        assert not (server.folder / "canary").exists()

    @pytest.mark.parametrize(
        "host", ["-oProxyCommand=touch canary", "-v", "", "a b", "a\nb", "a\0b"]
    )
    @pytest.mark.parametrize("kind", ["openssh", "paramiko"])
    def test_what_is_no_host_is_not_given_to_anything(
        self, host: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)

        with pytest.raises(UsageError):
            tunnel_for(host, kind=kind).run("true")

        assert list(tmp_path.iterdir()) == []

    def test_a_configuration_that_is_wrong_is_told_with_its_line(self, server: Sshd) -> None:
        server.configure("Nonsense yes")

        with pytest.raises(RefusedError, match="line 2: Bad configuration option: nonsense"):
            to(server).run("true")

    def test_no_host_key_is_ever_accepted_unseen(self) -> None:
        package = Path(__file__).parents[2] / "nemorun_cli"

        texts = {path.name: path.read_text() for path in package.rglob("*.py")}

        words = ("StrictHostKeyChecking", "AutoAdd", "WarningPolicy", "CheckHostIP")
        assert {
            name for name, text in texts.items() if any(word in text for word in words)
        } == set()


class TestKeys:
    def test_the_hint_for_a_changed_key_leads_to_a_key_that_is_not_known(
        self, server: Sshd
    ) -> None:
        server.trust(new_key(server.folder / "another"))
        tunnel = to(server)

        with pytest.raises(RefusedError, match=r"Host key for \S+ has changed") as changed:
            tunnel.run("true")
        command = changed.value.hint.partition("forget the old one: ")[2]
        subprocess.run(shlex.split(command), check=True, capture_output=True)

        with pytest.raises(RefusedError, match="No ED25519 host key is known"):
            tunnel.run("true")
        assert server.logins == 0

    def test_nobody_is_asked_on_the_terminal(self, start: Start) -> None:
        jump, server = start("PasswordAuthentication yes"), start()
        (jump.folder / "authorized_keys").unlink()
        server.config.write_text(
            f"{server.config.read_text()}    ProxyJump jump\n"
            + jump.config.read_text().replace("Host box", "Host jump")
        )
        code = f"{SCRIPT}try: tunnel_for('box', config=sys.argv[1]).run('true', timeout=20)\n"
        code += "except Exception as error: print(type(error).__name__, error)"

        told = pexpect.spawn(
            sys.executable, ["-c", code, str(server.config)], timeout=30, encoding="utf-8"
        )
        told.expect(pexpect.EOF)

        assert told.before
        assert told.before.startswith("RefusedError")
        assert told.before.count("\n") == 1

    def test_where_a_person_must_log_in_the_hint_does_and_then_we_can(self, start: Start) -> None:
        server = start("PasswordAuthentication yes")
        keys = (server.folder / "authorized_keys").rename(server.folder / "later")
        tunnel = to(server)
        with pytest.raises(
            RefusedError, match=r"Permission denied \(publickey,password\)"
        ) as refused:
            tunnel.run("true")

        keys.rename(server.folder / "authorized_keys")  # A person would type a password.
        by_hand = refused.value.hint.partition("while it lasts: ")[2]
        subprocess.run(shlex.split(by_hand), check=True)
        (server.folder / "authorized_keys").unlink()

        three_times(tunnel)
        assert server.logins == 1
