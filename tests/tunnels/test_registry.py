"""Which tunnel one gets, and what it costs to have one."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nemorun_cli.core.errors import MissingExtraError, UsageError
from nemorun_cli.tunnels import tunnel_for
from nemorun_cli.tunnels.local import LocalTunnel
from nemorun_cli.tunnels.openssh import OpenSSHTunnel


def test_no_host_is_this_machine() -> None:
    assert isinstance(tunnel_for(""), LocalTunnel)
    assert tunnel_for("").host == ""


def test_a_host_is_reached_by_the_ssh_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: "/usr/bin/ssh")

    tunnel = tunnel_for("cw", config="file", master="require", login="never", needs=("sinfo",))

    expected = OpenSSHTunnel(
        host="cw", config="file", master="require", login="never", needs=("sinfo",)
    )
    assert tunnel == expected


def test_without_ssh_paramiko_is_used_or_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    for name in ("paramiko", "paramikoclients"):
        monkeypatch.delitem(sys.modules, f"nemorun_cli.tunnels.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "paramiko", None)

    with pytest.raises(MissingExtraError) as missing:
        tunnel_for("cw")

    assert missing.value.hint == "pip install 'nemorun-cli[ssh]'"


@pytest.mark.parametrize("wrong", [{"kind": "smoke"}, {"master": "slave"}, {"login": "maybe"}])
def test_a_word_that_means_nothing_is_told_with_those_that_do(wrong: dict[str, str]) -> None:
    (word,) = wrong.values()

    with pytest.raises(UsageError, match=word) as raised:
        tunnel_for("cw", **wrong)  # type: ignore[arg-type]

    assert raised.value.hint.startswith("there are: ")


def test_having_one_touches_nothing_and_imports_no_other(tmp_path: Path) -> None:
    code = "import sys\nfrom nemorun_cli.tunnels import tunnel_for\n"
    code += "tunnel_for('nowhere.invalid', kind='openssh')\nprint(*sys.modules)"
    env = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path), "PATH": "/nowhere"}

    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=True)

    modules = set(done.stdout.decode().split())
    assert not {"paramiko", "asyncio", "logging"} & modules
    assert "nemorun_cli.tunnels.local" not in modules
    assert list(tmp_path.iterdir()) == []
