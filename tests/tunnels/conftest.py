"""A real sshd for the tests of tunnels, and a place of its own for shared connections."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from nemorun_cli.tunnelcontract import NOISY_LOGIN, ONLY_LOGIN
from tests.conftest import require
from tests.testbed.sshd import Sshd, program, running

Start = Callable[..., Sshd]


def noisy(home: Path, *files: str) -> Path:
    """The home that the tunnels' contract asks for, with these as login files."""
    home.mkdir(exist_ok=True)
    for name in files:
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(NOISY_LOGIN)
    only = home / "only-login"
    only.mkdir(exist_ok=True)
    (only / ONLY_LOGIN).write_text("#!/bin/sh\n")
    (only / ONLY_LOGIN).chmod(0o755)
    return home


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts servers, each in a folder of its own, which end with the module."""
    require("sshd", there=program() is not None, why="apt-get install openssh-server")
    require("ssh", there=shutil.which("ssh") is not None, why="apt-get install openssh-client")
    with ExitStack() as servers:

        def begin(*settings: str, **more: str) -> Sshd:
            folder = tmp_path_factory.mktemp("sshd")
            return servers.enter_context(running(folder, *settings, **more))

        yield begin


@pytest.fixture(scope="module", autouse=True)
def sockets() -> Iterator[Path]:
    """Where shared connections of ours are; a short path, as sockets need."""
    with tempfile.TemporaryDirectory(prefix="nr-") as name, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", name)
        yield Path(name) / "nemorun"


@pytest.fixture
def server(start: Start) -> Sshd:
    return start()
