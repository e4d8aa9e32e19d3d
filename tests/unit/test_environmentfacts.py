"""What differs between two recorded environments, by name."""

from typing import Any

from nemorun_cli.actions.difference import changes
from nemorun_cli.actions.environmentfacts import paired

RECORDED: dict[str, Any] = {
    "python": {"version": "3.11.4", "implementation": "cpython", "executable": "/a/python"},
    "platform": {"system": "Linux", "machine": "x86_64", "release": "6.1", "libc": "glibc 2.36"},
    "host": "one",
    "packages": [
        {"name": "torch", "version": "2.6.0", "hash": "a" * 64, "editable": None, "url": None},
        {"name": "mine", "version": "0.1", "hash": None, "editable": "file:///m", "url": None},
    ],
    "variables": ["HOME"],
    "modules": ["cuda/12"],
    "gpus": [{"name": "H100", "driver": "550"}],
    "lock_files": [{"path": "uv.lock", "sha256": "c" * 64}],
    "image": None,
}


def told(after: dict[str, Any]) -> dict[str, tuple[str | None, str | None]]:
    found = changes(*paired(RECORDED, {**RECORDED, **after}))
    return {each.name: (each.before, each.after) for each in found or ()}


def package(name: str, version: str, digest: str) -> dict[str, Any]:
    return {"name": name, "version": version, "hash": digest, "editable": None, "url": None}


def test_another_host_and_place_of_the_interpreter_are_no_difference() -> None:
    python = {**RECORDED["python"], "executable": "/elsewhere/python"}

    assert told({"host": "two", "python": python}) == {}


def test_each_kind_of_difference_has_its_name() -> None:
    after = {
        "python": {"version": "3.12.1", "implementation": "cpython"},
        "packages": [package("torch", "2.7.1", "b" * 64), package("new", "1", "d" * 64)],
        "variables": [],
        "modules": ["cuda/13"],
        "gpus": [{"name": "H100", "driver": "560"}],
        "lock_files": [{"path": "uv.lock", "sha256": "e" * 64}],
        "image": "sha256:1",
    }

    assert told(after) == {
        "python": ("cpython 3.11.4", "cpython 3.12.1"),
        "package torch": ("2.6.0", "2.7.1"),
        "package mine": ("0.1 from file:///m", None),
        "package new": (None, "1"),
        "variable HOME": ("set", None),
        "module cuda/12": ("loaded", None),
        "module cuda/13": (None, "loaded"),
        "gpu 0": ("H100, driver 550", "H100, driver 560"),
        "lock file uv.lock": ("c" * 12, "e" * 12),
        "image": (None, "sha256:1"),
    }


def test_the_same_version_with_other_files_is_told() -> None:
    packages = [package("torch", "2.6.0", "b" * 64), RECORDED["packages"][1]]

    assert told({"packages": packages}) == {
        "package torch": (f"2.6.0 (files {'a' * 12})", f"2.6.0 (files {'b' * 12})")
    }


def test_what_is_not_recorded_is_no_environment() -> None:
    assert told({"python": None, "platform": None, "packages": []})["python"][1] is None
    assert changes(None, {}) is None
