"""A recorded environment as plain facts, each with a name, to be compared."""

from collections.abc import Mapping
from typing import Any

_PRESENT = "set"


def facts(environment: Mapping[str, Any]) -> dict[str, str]:
    """Python, platform, packages, names of variables, modules, GPUs, lock files, image.

    Where it ran, and where its interpreter lies, is none of it.
    """
    python = environment.get("python") or {}
    platform = environment.get("platform") or {}
    found: dict[str, Any] = {
        "python": " ".join(filter(None, (python.get("implementation"), python.get("version")))),
        "platform": " ".join(str(value) for value in platform.values() if value),
        "image": environment.get("image"),
    }
    for each in environment.get("packages") or ():
        source = f" ({each['editable']})" if each.get("editable") else ""
        found[f"package {each['name']}"] = f"{each['version']}{source}"
    found |= dict.fromkeys(
        (f"variable {name}" for name in environment.get("variables") or ()), _PRESENT
    )
    found |= dict.fromkeys(
        (f"module {name}" for name in environment.get("modules") or ()), "loaded"
    )
    for number, each in enumerate(environment.get("gpus") or ()):
        found[f"gpu {number}"] = f"{each['name']}, driver {each['driver']}"
    for each in environment.get("lock_files") or ():
        found[f"lock file {each['path']}"] = each["sha256"]
    return {name: str(value) for name, value in found.items() if value}
