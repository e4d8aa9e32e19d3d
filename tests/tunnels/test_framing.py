"""One line carries any script through any shell, and its answer is told from any noise."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nemorun_cli.core.errors import SpecError
from nemorun_cli.tunnels.framing import Framing
from tests.conftest import require

SHELLS = ("sh", "bash", "dash", "zsh", "tcsh", "csh", "fish", "busybox sh")
NONCE = "0123456789abcdef0123456789abcdef"
BEGIN, END = f"<{NONCE}|".encode(), f"|{NONCE}".encode()
answers = st.binary(max_size=200)
noises = st.binary(max_size=50).filter(
    lambda noise: b"<0123" not in noise and b"|0123" not in noise
)
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=80)


def framed(out: bytes, err: bytes, code: int) -> tuple[bytes, bytes]:
    return BEGIN + out + END + b" %d>" % code, BEGIN + err + END + b">"


@given(texts)
def test_the_line_holds_nothing_that_some_shell_takes_for_its_own(script: str) -> None:
    line = Framing(script=script, needs=("sbatch", "a'b")).line

    assert re.fullmatch(r"exec sh -c '[^'\\!\n]*'", line)
    assert line.isascii()
    assert line.isprintable()


@pytest.mark.parametrize("shell", SHELLS)
@settings(
    deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=texts)
def test_every_shell_hands_the_script_on_as_it_is(shell: str, text: str) -> None:
    words = shell.split()
    require(shell, there=shutil.which(words[0]) is not None, why="it is not installed")
    framing = Framing(script=f"printf %s {shlex.quote(text)}; exit 3", login="never")

    done = subprocess.run([*words, "-c", framing.line], capture_output=True, check=False)

    finished = framing.finished(done.stdout, done.stderr)
    assert finished
    assert (finished.code, finished.out, finished.err) == (3, text.encode(), b"")


@given(answers, answers, st.integers(0, 255), noises, noises)
def test_the_answer_is_found_in_any_noise(
    out: bytes, err: bytes, code: int, before: bytes, after: bytes
) -> None:
    framing = Framing(script="", nonce=NONCE)
    stdout, stderr = framed(out, err, code)

    finished = framing.finished(before + stdout + after, before + stderr + after)

    assert finished
    assert (finished.code, finished.out, finished.err) == (code, out, err)


@given(answers, answers, st.data())
def test_a_stream_that_is_cut_anywhere_is_no_answer(
    out: bytes, err: bytes, data: st.DataObject
) -> None:
    framing = Framing(script="", nonce=NONCE)
    stdout, stderr = framed(out, err, 0)
    cut = data.draw(st.integers(0, len(stdout) - 1))

    assert framing.finished(stdout[:cut], stderr) is None


@given(answers, answers, st.integers(1, 40), st.booleans())
def test_all_is_said_with_the_last_mark_and_not_before(
    out: bytes,
    err: bytes,
    step: int,
    errors_first: bool,  # noqa: FBT001
) -> None:
    framing = Framing(script="", nonce=NONCE)
    streams = dict(enumerate(framed(out, err, 17)))
    seen = (bytearray(), bytearray())
    said = []

    for which in (1, 0) if errors_first else (0, 1):
        for start in range(0, len(streams[which]), step):
            chunk = streams[which][start : start + step]
            seen[which].extend(chunk)
            said.append(framing.complete(*seen, len(chunk)))

    assert said[-1]
    assert not any(said[:-1])


def test_a_mark_can_be_printed_by_nobody_who_has_not_read_it() -> None:
    first, second = Framing(script=""), Framing(script="")

    assert first.nonce != second.nonce
    assert first.nonce not in first.line


def test_a_script_that_is_too_long_is_told_and_not_cut() -> None:
    with pytest.raises(SpecError, match="too long"):
        _ = Framing(script="x" * 100_000).line
    with pytest.raises(SpecError, match="NUL"):
        _ = Framing(script="a\0b").line


def test_a_path_that_is_no_text_can_be_named(tmp_path: Path) -> None:
    name = tmp_path / b"caf\xe9".decode(errors="surrogateescape")
    name.touch()
    framing = Framing(script=f"ls {shlex.quote(str(tmp_path))}/{name.name}", login="never")

    done = subprocess.run(["sh", "-c", framing.line], capture_output=True, check=False)

    finished = framing.finished(done.stdout, done.stderr)
    assert finished
    assert finished.out.endswith(b"/caf\xe9\n")
