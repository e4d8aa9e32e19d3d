"""Whether an interpreter still has what a run has recorded, seen without starting it."""

import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from nemorun_cli.interpreters import still_finds
from nemorun_cli.job import environment

VERSION = ".".join(map(str, sys.version_info[:3]))
ROOT = "/home/me/mine"
LATER = time.time() + 1000
"""A run recorded after everything that a test does."""


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    folder = tmp_path / "venv"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(Path(sys.executable).resolve())
    told = {"include-system-site-packages": "false", "version": VERSION}
    (folder / "pyvenv.cfg").write_text("".join(f"{name} = {each}\n" for name, each in told.items()))
    install(folder, "numpy-2.1")
    return folder


def packages_of(venv: Path) -> Path:
    return venv / "lib" / f"python{VERSION.rpartition('.')[0]}" / "site-packages"


def install(
    venv: Path, package: str, *, files: str = "a.py,sha256=x,1\n", origin: str = ""
) -> None:
    info = packages_of(venv) / f"{package}.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "RECORD").write_text(files)
    if origin:
        (info / "direct_url.json").write_text(origin)


def recorded(venv: Path, **other: Any) -> dict[str, Any]:
    system = os.uname()
    return {
        "python": {"version": VERSION, "implementation": "cpython"},
        "platform": {"system": system.sysname, "machine": system.machine},
        "packages": list(environment.packages([str(packages_of(venv))])),
        "image": None,
        **other,
    }


def found(venv: Path, document: dict[str, Any], *, since: float = LATER) -> bool | None:
    return still_finds(str(venv / "bin" / "python"), document, since=since, root=ROOT)


def test_nothing_has_changed(venv: Path) -> None:
    assert found(venv, recorded(venv)) is True


def test_a_package_more_or_of_another_version_is_another_environment(venv: Path) -> None:
    before = recorded(venv)
    install(venv, "torch-2.6")

    assert found(venv, before) is False
    assert found(venv, recorded(venv)) is True


def test_the_same_version_of_other_files_is_another_environment(venv: Path) -> None:
    before = recorded(venv)
    since = time.time() - 1000  # What is written now counts as written after the record.

    install(venv, "numpy-2.1", files="a.py,sha256=x,1\n../../bin/f,sha256=q,1\n")
    assert found(venv, before, since=since) is not False
    install(venv, "numpy-2.1", files="a.py,sha256=y,1\n")
    assert found(venv, before, since=since) is False


@pytest.mark.parametrize(
    "other",
    [
        {"python": {"version": "3.0.1", "implementation": "cpython"}},
        {"python": {"version": VERSION, "implementation": "pypy"}},
        {"python": {}},
        {"platform": None},
        {"image": "python@sha256:aa"},
    ],
    ids=str,
)
def test_another_interpreter_or_machine_is_another_environment(
    other: dict[str, Any], venv: Path
) -> None:
    assert found(venv, recorded(venv, **other)) is False


def test_code_in_a_folder_elsewhere_may_have_changed(venv: Path) -> None:
    install(venv, "mine-1", origin=f'{{"url": "file://{ROOT}", "dir_info": {{"editable": true}}}}')
    assert found(venv, recorded(venv)) is True

    install(venv, "other-1", origin='{"url": "file:///o", "dir_info": {"editable": true}}')
    assert found(venv, recorded(venv)) is None


def test_an_interpreter_that_was_replaced_is_not_vouched_for(venv: Path, tmp_path: Path) -> None:
    before, since = recorded(venv), time.time() - 1000
    replaced = tmp_path / "python"
    replaced.write_text("#!/bin/sh\n")
    replaced.chmod(0o755)
    (venv / "bin" / "python").unlink()
    (venv / "bin" / "python").symlink_to(replaced)

    assert found(venv, before) is True
    assert found(venv, before, since=since) is None


def test_of_an_open_environment_nothing_is_known(venv: Path, tmp_path: Path) -> None:
    document = recorded(venv)
    (venv / "pyvenv.cfg").write_text(f"version = {VERSION}\n")

    assert found(venv, document) is None
    assert still_finds("/usr/bin/env", document, since=LATER, root=ROOT) is None
    assert still_finds(str(tmp_path / "absent"), document, since=LATER, root=ROOT) is None
