"""The contracts that every tunnel keeps, as tests to inherit."""

import os
import shlex
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar, TypeVar

from nemorun_cli.core.errors import (
    NemorunError,
    NotSentError,
    RefusedError,
    SpecError,
    UnreachableError,
)
from nemorun_cli.core.ports import Tunnel

E = TypeVar("E", bound=NemorunError)
NOISY_LOGIN = """\
echo 'noise of a login file, on standard output'
echo 'noise of a login file, on standard error' >&2
cat >/dev/null
PATH="$HOME/only-login:$PATH"
export PATH
cd /
"""
"""A login file, for sh, that does what login files should not do."""
ONLY_LOGIN = "nemorun-only-login"
"""The program that `only-login` in the home holds."""

_BYTES = bytes(range(256)) + b"\xff\xfe\n\r\n\0 end"
_MEGABYTES = 5


class TunnelContract:
    """What any tunnel guarantees; inherit it and provide the fixture `tunnel`.

    It leads to a home in which NOISY_LOGIN is the login file and `only-login/nemorun-only-login` a
    program, and it is told to ask the login shell, always or because it needs that program.
    """

    patience: ClassVar[float] = 60
    """Seconds that a script of a few commands may take."""

    def test_any_exit_code_is_an_answer(self, tunnel: Tunnel) -> None:
        for code in (0, 1, 126, 127, 128, 254, 255):
            assert tunnel.run(f"exit {code}").code == code

    def test_a_script_that_a_signal_ends_gives_128_and_the_signal(self, tunnel: Tunnel) -> None:
        for signal in (1, 9, 15):
            done = tunnel.run(f"echo before; kill -{signal} $$; sleep 10; echo after")

            assert (done.code, done.out, done.err) == (128 + signal, b"before\n", b"")

    def test_a_syntax_error_is_the_script_s_own(self, tunnel: Tunnel) -> None:
        done = tunnel.run("echo 'never closed")

        assert done.code != 0
        assert done.out == b""
        assert done.err != b""

    def test_every_byte_arrives_and_comes_back(self, tunnel: Tunnel) -> None:
        done = tunnel.run("tee /dev/stderr", data=_BYTES)

        assert (done.out, done.err) == (_BYTES, _BYTES)

    def test_megabytes_pass_both_ways_at_once(self, tunnel: Tunnel) -> None:
        data = os.urandom(1 << 20) * _MEGABYTES

        assert tunnel.run("cat", data=data).out == data

    def test_an_open_file_is_read_by_the_script(self, tunnel: Tunnel) -> None:
        with tempfile.TemporaryFile() as file:
            file.write(_BYTES * 1000)
            file.seek(0)

            assert tunnel.run("cat", data=file).out == _BYTES * 1000

    def test_data_that_is_not_read_does_no_harm(self, tunnel: Tunnel) -> None:
        assert tunnel.run("exit 7", data=bytes(1 << 20)).code == 7

    def test_without_data_there_is_nothing_to_read(self, tunnel: Tunnel) -> None:
        assert tunnel.run("cat; echo end").out == b"end\n"

    def test_output_and_errors_are_kept_apart(self, tunnel: Tunnel) -> None:
        done = tunnel.run("printf out; printf err >&2")

        assert (done.code, done.out, done.err) == (0, b"out", b"err")

    def test_no_output_is_no_output(self, tunnel: Tunnel) -> None:
        done = tunnel.run("")

        assert (done.code, done.out, done.err) == (0, b"", b"")

    def test_what_login_files_print_and_read_is_not_the_script_s(self, tunnel: Tunnel) -> None:
        done = tunnel.run("cat; echo word >&2", data=b"all of it")

        assert (done.out, done.err) == (b"all of it", b"word\n")

    def test_a_program_that_only_a_login_shell_finds_is_found(self, tunnel: Tunnel) -> None:
        done = tunnel.run(f"command -v {ONLY_LOGIN} >/dev/null && command -v sh >/dev/null")

        assert done.code == 0

    def test_the_home_is_where_a_script_runs(self, tunnel: Tunnel) -> None:
        done = tunnel.run('[ "$(pwd -P)" = "$(cd && pwd -P)" ]')

        assert done.code == 0

    def test_the_script_finds_nothing_of_ours_in_its_environment(self, tunnel: Tunnel) -> None:
        assert tunnel.run("env; set").out.lower().count(b"nr_") == 0

    def test_hostile_text_arrives_byte_for_byte(self, tunnel: Tunnel) -> None:
        from nemorun_cli.testing import HOSTILE

        for text in HOSTILE:
            assert tunnel.run(f"printf %s {shlex.quote(text)}").out == text.encode()
        assert tunnel.run("ls canary").code != 0

    def test_a_script_of_many_lines_is_one_script(self, tunnel: Tunnel) -> None:
        script = (
            "# a remark\nx=1 \\\n  y=2\ncat <<'END'\n$x `y` \\\nEND\nif :; then\n\techo $x$y\nfi"
        )

        assert tunnel.run(script).out == b"$x `y` \\\n12\n"

    def test_a_long_script_runs_and_a_longer_one_is_not_sent(self, tunnel: Tunnel) -> None:
        done = tunnel.run(":\n" * 30_000 + "echo end")

        assert done.out == b"end\n"
        assert_raises(SpecError, lambda: tunnel.run(":\n" * 100_000))
        assert_raises(SpecError, lambda: tunnel.run("echo \0"))

    def test_what_a_script_leaves_in_the_background_is_not_waited_for(self, tunnel: Tunnel) -> None:
        start = time.monotonic()

        done = tunnel.run("sleep 20 & echo $!", timeout=15)

        assert time.monotonic() - start < 10
        assert tunnel.run(f"kill {int(done.out)}").code == 0

    def test_twenty_at_once_give_twenty_answers(self, tunnel: Tunnel) -> None:
        with ThreadPoolExecutor(20) as pool:
            done = list(pool.map(lambda n: tunnel.run(f"cat; exit {n}", data=b"%d" % n), range(20)))

        assert [(each.code, each.out) for each in done] == [(n, b"%d" % n) for n in range(20)]

    def test_a_script_whose_time_is_up_may_have_run(self, tunnel: Tunnel) -> None:
        tunnel.run("true")
        start = time.monotonic()

        error = assert_raises(UnreachableError, lambda: tunnel.run("sleep 30", timeout=2))

        assert not isinstance(error, NotSentError)
        assert 1.5 < time.monotonic() - start < 12
        assert tunnel.run("echo again").out == b"again\n"


class RemoteTunnelContract(TunnelContract):
    """What a tunnel to another machine guarantees besides; each fixture is a tunnel that fails."""

    def test_a_host_without_an_address_is_not_reached(self, nowhere: Tunnel) -> None:
        """`nowhere` leads to a host name that does not exist."""
        error = assert_raises(NotSentError, lambda: nowhere.run("true"))

        assert nowhere.host in error.message

    def test_a_host_that_does_not_listen_is_not_reached(self, closed: Tunnel) -> None:
        """`closed` leads to a port where nobody listens."""
        assert_raises(NotSentError, lambda: closed.run("true"))

    def test_a_host_with_another_key_is_refused(self, impostor: Tunnel) -> None:
        """`impostor` leads to a host whose key is not the one that is known."""
        error = assert_raises(RefusedError, lambda: impostor.run("true"))

        assert "ssh-keygen" in error.hint

    def test_a_host_whose_key_is_not_known_is_refused(self, unknown: Tunnel) -> None:
        """`unknown` leads to a host of which no key is known."""
        assert_raises(RefusedError, lambda: unknown.run("true"))

    def test_a_host_that_does_not_let_us_in_refuses(self, stranger: Tunnel) -> None:
        """`stranger` logs in with a key that the host does not accept."""
        error = assert_raises(RefusedError, lambda: stranger.run("true"))

        assert error.hint


def assert_raises(kind: type[E], call: Callable[[], object]) -> E:
    """The error of this class that the call raises."""
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__} was raised")
