"""What a job ran with, as it was recorded: which values there are, and when two are the same."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

_KEYS: Mapping[str, type] = {
    "python": dict,
    "platform": dict,
    "host": str,
    "packages": list,
    "variables": list,
    "modules": list,
    "gpus": list,
    "lock_files": list,
    "image": str,
}


def checked(document: Mapping[str, Any]) -> dict[str, Any]:
    """The same record with all of its keys; what is not of its type is None, or an empty list.

    `python` and `platform` are None where the job had no interpreter that could tell of them.
    """
    found: dict[str, Any] = {"schema_version": 1}
    for name, kind in _KEYS.items():
        value = document.get(name)
        found[name] = value if isinstance(value, kind) else [] if kind is list else None
    for name in ("packages", "gpus", "lock_files"):
        found[name] = [each for each in found[name] if isinstance(each, dict)]
    found["packages"] = [each for each in found["packages"] if isinstance(each.get("name"), str)]
    return found


def fingerprint(document: Mapping[str, Any]) -> str:
    """A hash that is the same on any machine for the same interpreter, packages and image.

    It covers the version and implementation of Python, the system and its architecture, the name,
    version and hash of each package, and the image. The folder of a package that is installed
    from one (editable) is no part of it, nor are host, kernel, GPUs, variables and lock files.
    """
    python, platform = document.get("python") or {}, document.get("platform") or {}
    covered = {
        "python": [python.get("version"), python.get("implementation")],
        "platform": [platform.get("system"), platform.get("machine")],
        "packages": sorted(map(_package, document.get("packages") or ())),
        "image": document.get("image"),
    }
    text = json.dumps(covered, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _package(each: Mapping[str, Any]) -> list[str]:
    editable = each.get("editable") is not None
    return [
        str(each.get("name")),
        str(each.get("version") or ""),
        "editable" if editable else str(each.get("hash") or ""),
    ]
