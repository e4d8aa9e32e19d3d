"""The script of a job: its text, its quoting, and the shells it is made for."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemorun_cli.core.errors import SpecError
from nemorun_cli.core.jobs import Code, Resources
from nemorun_cli.launchers import job_script
from nemorun_cli.testing import new_spec
from tests.conftest import require

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
SHELLS = ("dash", "bash", "busybox")


def script_of(*argv: str, **fields: object) -> str:
    return job_script(new_spec(*argv, **fields), "/jobs/key-1", python="python3")


@settings(max_examples=60, deadline=None)
@given(argv=st.lists(TEXT, min_size=1, max_size=4), value=TEXT)
def test_the_shell_reads_the_arguments_as_they_are(argv: list[str], value: str) -> None:
    script = script_of(*argv, env={"VALUE": value})
    start = script.index("run_payload() {")
    body = script[start : script.index("\n}\n", start) + 3]
    setsid = 'setsid() { for each in "$VALUE" "$@"; do printf "%s\\0" "$each"; done; exit 0; }\n'
    setsid += "record() { :; }\n"
    harmless = body.replace("exec setsid", "setsid").replace("cd /", "true /")

    done = subprocess.run(
        ["sh", "-c", setsid + harmless + "\nrun_payload"],
        capture_output=True,
        check=True,
    )

    assert done.stdout.decode().split("\0")[:-1] == [value, *argv]


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_can_read_it(shell: str, tmp_path: Path) -> None:
    require(shell, there=shutil.which(shell) is not None, why="it is not installed")
    path = tmp_path / "job.sh"
    path.write_text(script_of("echo", "it's"))
    words = [shell, "sh", "-n"] if shell == "busybox" else [shell, "-n"]

    done = subprocess.run([*words, str(path)], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


def test_it_never_traces_what_it_does() -> None:
    script = script_of("true", secrets={"TOKEN": "canary"})

    assert "set -x" not in script
    assert "canary" not in script


def test_a_name_cannot_leave_its_comment() -> None:
    script = script_of("true", name="name\ntouch canary\r\nmore")

    assert "\ntouch canary" not in script


@pytest.mark.parametrize("launcher", ["plain", "torchrun"])
def test_each_launcher_has_its_log(launcher: str) -> None:
    script = script_of("train", resources=Resources(launcher=launcher))

    assert ("log_name=launcher" in script) == (launcher == "torchrun")
    assert ("torch.distributed.run" in script) == (launcher == "torchrun")


def test_two_processes_need_a_launcher() -> None:
    with pytest.raises(SpecError, match="nproc=2") as found:
        script_of("train", resources=Resources(nproc=2))

    assert "launcher=torchrun" in found.value.hint


def test_what_is_too_long_for_any_system_is_named() -> None:
    with pytest.raises(SpecError, match="over 128 KiB"):
        script_of("echo", "x" * 131_072)
    with pytest.raises(SpecError, match="over 128 KiB"):
        script_of("echo", env={"LONG": "x" * 131_068})
    assert "x" * 131_000 in script_of("echo", "x" * 131_000)


def test_a_path_from_which_no_python_can_import_is_refused_only_where_one_is_to() -> None:
    code = Code(hash="c0de", path="/a:b/code/c0de", root="/p", entries=())
    script_of("train", code=code)

    with pytest.raises(SpecError, match="colon") as found:
        script_of("train", code=replace(code, imports=("src",)))

    assert "NEMORUN_HOME" in found.value.hint
