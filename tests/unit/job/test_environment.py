"""What a job records of its interpreter, its packages and its machine."""

import json
import os
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemorun_cli.job import environment

FILES = (
    b"pkg/__init__.py,sha256=aaa,1\n"
    b"pkg/core.py,sha256=bbb,2\n"
    b"pkg-1.0.dist-info/METADATA,sha256=ccc,3\n"
    b"pkg-1.0.dist-info/RECORD,,\n"
)
OF_AN_INSTALLER = (
    b"../../../bin/pkg,sha256=ddd,4\r\n"
    b"pkg/__pycache__/core.cpython-311.pyc,,\r\n"
    b"pkg-1.0.dist-info/INSTALLER,sha256=eee,4\r\n"
    b"pkg-1.0.dist-info/REQUESTED,sha256=eee,0\r\n"
    b"pkg-1.0.dist-info/direct_url.json,sha256=fff,9\r\n"
)
INFO = "pkg-1.0.dist-info"


def install(folder: Path, info: str, **files: str) -> None:
    path = folder / info
    path.mkdir(parents=True)
    for name, text in files.items():
        (path / name.replace("__json", ".json")).write_text(text)


def found_in(*folders: Path) -> dict[str, dict[str, Any]]:
    return {str(each["name"]): each for each in environment.packages(map(str, folders))}


def recorded(python: str, folder: Path, **env: str) -> dict[str, Any]:
    script = Path(environment.__file__)
    told = {"PATH": os.environ["PATH"], "NEMORUN_RUN_DIR": str(folder), **env}
    subprocess.run([python, str(script)], cwd=folder, env=told, check=True)
    document: dict[str, Any] = json.loads((folder / "environment.json").read_text())
    return document


def test_it_agrees_with_the_interpreter_on_what_is_installed() -> None:
    known = {each.metadata["Name"]: each.version for each in distributions()}
    normal = {name.replace("_", "-").replace(".", "-").lower(): v for name, v in known.items()}

    found = found_in(*map(Path, filter(None, sys.path)))

    assert {name: each["version"] for name, each in found.items()} == normal


def test_any_python_of_a_job_tells_what_it_is(python: str, tmp_path: Path) -> None:
    document = recorded(python, tmp_path, LOADEDMODULES="gcc/12:cuda/12.4", MINE="canary")

    told = subprocess.run(
        [python, "-c", "import platform as p; print(p.python_version(), p.machine())"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert [document["python"]["version"], document["platform"]["machine"]] == told.stdout.split()
    assert document["modules"] == ["gcc/12", "cuda/12.4"]
    assert "MINE" in document["variables"]
    assert "canary" not in json.dumps(document)
    assert [each.name for each in tmp_path.iterdir()] == ["environment.json"]


def test_of_two_packages_of_one_name_the_one_that_is_imported_is_told(tmp_path: Path) -> None:
    install(tmp_path / "first", "My_Pkg-2.0.dist-info")
    install(tmp_path / "second", "my.pkg-1.0.dist-info")

    found = found_in(tmp_path / "first", tmp_path / "second", tmp_path / "absent")

    assert {name: each["version"] for name, each in found.items()} == {"my-pkg": "2.0"}


def test_packages_of_other_times_and_makers_are_told_too(tmp_path: Path) -> None:
    install(tmp_path, "old-1.2.egg-info")
    install(tmp_path, "older-3.4-py3.9.egg-info")
    (tmp_path / "file-5.6.egg-info").write_text("Name: file\n")
    (tmp_path / "nothing.dist-info").mkdir()

    found = found_in(tmp_path)

    versions = {name: each["version"] for name, each in found.items()}
    assert versions == {"old": "1.2", "older": "3.4", "file": "5.6", "nothing": None}


def test_where_a_package_came_from_is_told_without_passwords(tmp_path: Path) -> None:
    editable = {"url": "file:///home/me/mine", "dir_info": {"editable": True}}
    version = {
        "url": "https://me:canary@host/repo.git",
        "vcs_info": {"vcs": "git", "commit_id": "c0ffee"},
    }
    install(tmp_path, "mine-0.1.dist-info", RECORD="a", direct_url__json=json.dumps(editable))
    install(tmp_path, "theirs-1.dist-info", RECORD="a", direct_url__json=json.dumps(version))
    install(tmp_path, "torn-1.dist-info", RECORD="a", direct_url__json="{")

    found = found_in(tmp_path)

    mine, theirs, torn = (found[name] for name in ("mine", "theirs", "torn"))
    assert (mine["editable"], mine["url"], mine["hash"]) == ("file:///home/me/mine", None, None)
    assert (theirs["editable"], theirs["url"]) == (None, "git+https://host/repo.git@c0ffee")
    assert theirs["hash"] is not None
    assert (torn["editable"], torn["url"]) == (None, None)


@given(order=st.permutations(range(4)), extra=st.permutations(range(5)))
def test_a_package_has_one_hash_whoever_installed_it(order: list[int], extra: list[int]) -> None:
    lines, others = FILES.splitlines(keepends=True), OF_AN_INSTALLER.splitlines(keepends=True)
    mixed = b"".join([*(lines[each] for each in order), *(others[each] for each in extra)])

    assert environment.digest(mixed, INFO) == environment.digest(FILES, INFO)


def test_a_file_that_was_changed_changes_the_hash() -> None:
    changed = FILES.replace(b"sha256=bbb", b"sha256=bbc")

    assert environment.digest(changed, INFO) != environment.digest(FILES, INFO)


def test_files_that_pin_packages_are_found_at_the_top(tmp_path: Path) -> None:
    names = ["uv.lock", "requirements-dev.txt", "environment.yml", "Pipfile.lock"]
    for name in [*names, "README.txt", "my-requirements.txt"]:
        (tmp_path / name).write_text("x")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "poetry.lock").write_text("x")

    found = list(environment.lock_files(str(tmp_path)))

    assert [each["path"] for each in found] == sorted(names)
    assert len({each["sha256"] for each in found}) == 1


@pytest.mark.parametrize(
    "version",
    [
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024",
        "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  550.54.15  Release Build",
    ],
)
def test_the_driver_tells_of_its_gpus(version: str, tmp_path: Path) -> None:
    (tmp_path / "version").write_text(f"{version}\nGCC version:  gcc version 12.3.0\n")
    assert environment.gpus(str(tmp_path)) == [{"name": None, "driver": "550.54.15"}]

    gpu = tmp_path / "gpus" / "0000:07:00.0"
    gpu.mkdir(parents=True)
    (gpu / "information").write_text("Model: \t\t NVIDIA A100-SXM4-80GB\nIRQ:   \t 18\n")

    gpus = environment.gpus(str(tmp_path))
    assert gpus == [{"name": "NVIDIA A100-SXM4-80GB", "driver": "550.54.15"}]
    assert environment.gpus(str(tmp_path / "absent")) == []
