"""Export and import are killed before each thing that they do: nothing half is left."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from nemorun_cli.actions import verify
from nemorun_cli.actions.wiring import Ports
from nemorun_cli.store.files import Store
from nemorun_cli.store.index import Index
from tests.conftest import Nemorun
from tests.e2e import killed_nemorun

OLD = 1e9


def run(nemorun: Nemorun, *arguments: str, kill_at: int = -1) -> int:
    """Run the command in a copy of this process, where all of it is imported already; its end."""
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            nothing = os.open(os.devnull, os.O_RDWR)
            for each in range(3):
                os.dup2(nothing, each)
            environment = nemorun.environment()
            os.environ.clear()
            os.environ.update(environment)
            os.chdir(nemorun.cwd)
            sys.argv = ["nemorun", str(kill_at), *arguments]
            killed_nemorun.main()
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.fixture(scope="module", autouse=True)
def _imported() -> None:
    """Import here what a copy of this process would have to import each time."""
    for name in ("cli.boundary", "cli.documents", "cli.export", "cli.importing", "actions.export"):
        import_module(f"nemorun_cli.{name}")
    import_module("nemorun_cli.actions.importing")


def kills(nemorun: Nemorun, *arguments: str) -> Iterator[int]:
    """Kill the command at its first step, its second, and so on until it ends before that."""
    number = 1
    while (code := run(nemorun, *arguments, kill_at=number)) == -signal.SIGKILL:
        yield number
        number += 1
    assert code == 0
    assert number > 5


def make_old(paths: list[Path]) -> None:
    for path in paths:
        os.utime(path, (OLD, OLD))


@pytest.fixture
def ended(nemorun: Nemorun, project: Path) -> str:
    """A run with code and a patch."""
    (project / "train.py").write_text("print('committed')\n")
    who = ("-c", "user.name=n", "-c", "user.email=n@example.org")
    for argv in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "first"]):
        subprocess.run(["git", *argv], cwd=project, env=nemorun.environment(), check=True)
    (project / "train.py").write_text("print('changed')\n")
    return nemorun.ok("launch", "--wait", "command", "--", "python3", "train.py")


def test_an_export_that_is_killed_leaves_no_half_file(
    nemorun: Nemorun, ended: str, tmp_path: Path
) -> None:
    folder, path = tmp_path / "out", tmp_path / "out/x.nrz"
    folder.mkdir()
    assert run(nemorun, "export", ended, "-o", str(path)) == 0
    whole = path.read_bytes()
    path.unlink()
    argv = ("export", ended, "-o", str(path))

    for number in kills(nemorun, *argv):
        assert not path.exists() or path.read_bytes() == whole, number
        path.unlink(missing_ok=True)
        if number % 3 == 0:
            assert run(nemorun, *argv) == 0, number
            assert path.read_bytes() == whole
            path.unlink()
    path.unlink()

    spools = [tmp_path / f"spools/nemorun-export-{name}" for name in ("old", "young")]
    for each in spools:
        (each / "logs").mkdir(parents=True)
    make_old([*folder.iterdir(), spools[0]])
    nemorun.ok(*argv, TMPDIR=str(tmp_path / "spools"))
    assert [*folder.iterdir()] == [path]
    assert [*(tmp_path / "spools").iterdir()] == [spools[1]]


def test_an_import_that_is_killed_leaves_no_half_run(
    nemorun: Nemorun, ended: str, tmp_path: Path
) -> None:
    nemorun.ok("export", ended, "-o", str(tmp_path / "x.nrz"))
    there = Nemorun(home=tmp_path / "there", cwd=tmp_path)
    there.home.mkdir()
    store = Store(home=there.store, host="here")
    ports = Ports(store=store, index=Index(store=store), clock=lambda: OLD)
    argv = ("import", str(tmp_path / "x.nrz"))

    def forget() -> None:
        away = there.home / f"away-{len([*there.home.iterdir()])}"
        away.mkdir()
        for each in (*store.home.glob("runs/2*/*"), *store.code.glob("[0-9a-f]*")):
            each.rename(away / each.name)
        for each in store.code.glob(".patches/[0-9a-f]*"):
            each.unlink()

    def left() -> list[Path]:
        found = (store.code.glob(".new-*"), store.home.glob("runs/.new/*"))
        return [*found[0], *found[1], *store.code.glob(".patches/.*")]

    for number in kills(there, *argv):
        if list(store.ids()):
            assert all(each.fine for each in verify.run(ended, ports=ports)), number
        if number % 3 == 0:
            assert run(there, *argv) == 0, number
            assert all(each.fine for each in verify.run(ended, ports=ports)), number
        forget()

    forget()
    make_old(left())
    assert run(there, *argv) == 0
    assert left() == []
    assert there("verify", ended).code == 0
