"""Two recorded environments as facts with names, to be compared."""

from collections.abc import Mapping
from typing import Any

Recorded = Mapping[str, Any]
Facts = dict[str, str]
_SHORT = 12


def paired(before: Recorded, after: Recorded) -> tuple[Facts, Facts]:
    """Python, platform, packages, names of variables, modules, GPUs, lock files, image of both.

    A package of the same version but with other files has a part of their hash beside it. Where it
    ran, and where its interpreter lies, is none of it.
    """
    old, new = _facts(before), _facts(after)
    hashes = _hashes(before), _hashes(after)
    for name in hashes[0].keys() & hashes[1].keys():
        if old[name] == new[name] and hashes[0][name] != hashes[1][name]:
            old[name] += f" (files {hashes[0][name][:_SHORT]})"
            new[name] += f" (files {hashes[1][name][:_SHORT]})"
    return old, new


def _facts(recorded: Recorded) -> Facts:
    python, platform = recorded.get("python") or {}, recorded.get("platform") or {}
    found: dict[str, Any] = {
        "python": " ".join(filter(None, (python.get("implementation"), python.get("version")))),
        "platform": " ".join(filter(None, (platform.get("system"), platform.get("machine")))),
        "kernel": platform.get("release"),
        "libc": platform.get("libc"),
        "image": recorded.get("image"),
        **{_name(each): _version(each) for each in recorded.get("packages") or ()},
        **{f"variable {name}": "set" for name in recorded.get("variables") or ()},
        **{f"module {name}": "loaded" for name in recorded.get("modules") or ()},
    }
    for number, each in enumerate(recorded.get("gpus") or ()):
        found[f"gpu {number}"] = f"{each.get('name')}, driver {each.get('driver')}"
    for each in recorded.get("lock_files") or ():
        found[f"lock file {each.get('path')}"] = str(each.get("sha256"))[:_SHORT]
    return {name: str(value) for name, value in found.items() if value}


def _hashes(recorded: Recorded) -> Facts:
    packages = recorded.get("packages") or ()
    return {_name(each): each["hash"] for each in packages if each.get("hash") and _version(each)}


def _name(package: Mapping[str, Any]) -> str:
    return f"package {package['name']}"


def _version(package: Mapping[str, Any]) -> str:
    source = package.get("editable") or package.get("url")
    return f"{package.get('version') or ''}{f' from {source}' if source else ''}"
