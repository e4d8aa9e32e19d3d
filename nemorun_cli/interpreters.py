"""What an interpreter of this machine has, as the files of its virtual environment tell."""

import os
import re
import shutil
from pathlib import Path
from typing import Any

from nemorun_cli.job import environment

_VERSION = re.compile(r"(\d+\.\d+)\.\d+")


def foreseen(python: str) -> dict[str, Any] | None:
    """What a job that this interpreter runs would record, as far as a fingerprint covers it.

    `since` is when its program was last changed. None for any interpreter but that of a closed
    virtual environment of CPython.
    """
    found = shutil.which(python)
    if found is None:
        return None
    prefix = Path(found).parent.parent
    told = _told(prefix)
    version = told.get("version", told.get("version_info", ""))
    known = _VERSION.fullmatch(version)
    if known is None or told.get("include-system-site-packages", "true").lower() != "false":
        return None
    packages = prefix / "lib" / f"python{known[1]}" / "site-packages"
    if not packages.is_dir():
        return None
    system = os.uname()
    return {
        "python": {"version": version, "implementation": "cpython"},
        "platform": {"system": system.sysname, "machine": system.machine},
        "packages": list(environment.packages([str(packages)])),
        "image": None,
        "since": Path(found).resolve().stat().st_ctime,
    }


def _told(prefix: Path) -> dict[str, str]:
    """What pyvenv.cfg says; nothing where there is none."""
    try:
        lines = (prefix / "pyvenv.cfg").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return {}
    pairs = (line.partition("=") for line in lines)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}
