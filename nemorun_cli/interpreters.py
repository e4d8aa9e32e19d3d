"""What an interpreter of this machine has, as the files of its virtual environment tell."""

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nemorun_cli.job import environment

_VERSION = re.compile(r"(\d+\.\d+)\.\d+")


def still_finds(
    python: str, recorded: Mapping[str, Any], *, since: float, root: str
) -> bool | None:
    """Whether a job that this interpreter runs would record the same, by its fingerprint, again.

    `since` is when it was recorded; what has not changed after that is not read again. None where
    it cannot be told: for any interpreter but that of a closed virtual environment of CPython, for
    one whose program has changed, for packages in editable mode from folders other than `root`.
    """
    found = shutil.which(python)
    prefix = Path(found or "/").parent.parent
    version = _version(prefix)
    if found is None or version is None:
        return None
    if not _is_machine_of(recorded) or recorded["python"].get("version") != version:
        return False
    minor = version.rpartition(".")[0]
    folder = prefix / "lib" / f"python{minor}" / "site-packages"
    known = {each["name"]: each for each in recorded["packages"]}
    now = {name: (each, info) for name, each, info in environment.listed([str(folder)])}
    if {name: each.get("version") for name, each in known.items()} != {
        name: each for name, (each, _) in now.items()
    }:
        return False
    for name, (each, info) in now.items():
        if _changed(info) > since and _differ(known[name], environment.package(name, each, info)):
            return False
    editable = {each.get("editable") for each in known.values()}
    if _changed(str(Path(found).resolve())) > since or editable - {None, f"file://{root}"}:
        return None
    return True


def _version(prefix: Path) -> str | None:
    """That of a virtual environment which has all its packages in its own folder."""
    try:
        lines = (prefix / "pyvenv.cfg").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return None
    pairs = (line.partition("=") for line in lines)
    told = {name.strip().lower(): value.strip() for name, _, value in pairs}
    version = told.get("version", told.get("version_info", ""))
    closed = told.get("include-system-site-packages", "true").lower() == "false"
    return version if closed and _VERSION.fullmatch(version) else None


def _is_machine_of(recorded: Mapping[str, Any]) -> bool:
    system, platform = os.uname(), recorded["platform"] or {}
    here = (system.sysname, system.machine, "cpython", None)
    implementation = recorded["python"].get("implementation")
    there = (platform.get("system"), platform.get("machine"), implementation, recorded["image"])
    return here == there


def _changed(path: str) -> float:
    """When a file, or the list of files of a package, was last written or replaced."""
    for each in (f"{path}/RECORD", path):
        try:
            return os.stat(each).st_ctime  # noqa: PTH116
        except OSError:
            continue
    return float("inf")


def _differ(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return (one.get("editable") is None, one.get("hash")) != (
        other["editable"] is None,
        other["hash"],
    )
