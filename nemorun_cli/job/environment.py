"""Leaves environment.json in the job's folder: with what the job runs, and on what machine.

`job.sh` starts it beside the payload, by the same interpreter, once a run. It starts no process
and asks no network; what cannot be read is left out.
Standard library only, Python 3.8: inside a job this file stands alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, Iterable, Iterator

HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
NAME = "environment.json"
LOCK_FILE = re.compile(
    r"(uv|poetry|pdm|Pipfile|conda-lock|pixi)\.(lock|yml)|requirements.*\.txt|environment\.ya?ml"
)
_INFO = re.compile(r"(?P<name>[^-]+)(-(?P<version>[^-]+))?.*\.(dist-info|egg-info)$")
_OF_THE_INSTALLER = (
    "INSTALLER",
    "REQUESTED",
    "direct_url.json",
    "provenance_url.json",
    "uv_cache.json",
)
_CREDENTIALS = re.compile(r"(?<=://)[^/@]*@|\?[^#]*")
_DRIVER = re.compile(r"\b\d{3,}\.\d+(\.\d+)?\b")
_VERSION = re.compile(r"^Version:\s*(\S+)", re.MULTILINE)
_MODEL = re.compile(r"^Model:\s*(.+?)\s*$", re.MULTILINE)


def main() -> None:
    """Write the record, whole or not at all."""
    folder = os.environ.get("NEMORUN_RUN_DIR", HERE)
    code = os.environ.get("NEMORUN_CODE_DIR") or os.getcwd()  # noqa: PTH109
    part = "{}/.{}.{}".format(folder, NAME, os.getpid())
    try:
        text = json.dumps(record(code, [each for each in sys.path if each not in ("", HERE)]))
        with open(part, "w") as file:  # noqa: PTH123
            file.write(text + "\n")
        os.rename(part, "{}/{}".format(folder, NAME))  # noqa: PTH104
    finally:
        if os.path.exists(part):  # noqa: PTH110
            os.unlink(part)  # noqa: PTH108


def record(code: str, path: Iterable[str]) -> dict[str, Any]:
    """All that is recorded; `code` is the project's folder, `path` where packages are."""
    system = os.uname()
    return {
        "schema_version": 1,
        "python": {
            "version": sys.version.split()[0],
            "implementation": sys.implementation.name,
            "executable": sys.executable,
            "prefix": sys.prefix,
        },
        "platform": {
            "system": system.sysname,
            "release": system.release,
            "machine": system.machine,
            "libc": libc(),
        },
        "host": system.nodename,
        "packages": sorted(packages(path), key=lambda each: str(each["name"])),
        "variables": sorted(os.environ),
        "modules": [each for each in os.environ.get("LOADEDMODULES", "").split(":") if each],
        "gpus": gpus("/proc/driver/nvidia"),
        "lock_files": list(lock_files(code)),
        "image": None,
    }


def packages(path: Iterable[str]) -> Iterator[dict[str, str | None]]:
    """The packages that can be imported from these folders."""
    return (package(name, version, info) for name, version, info in listed(path))


def listed(path: Iterable[str]) -> Iterator[tuple[str, str | None, str]]:
    """Name, version and metadata folder of each of them; of two of one name the first."""
    seen = set()
    for folder in dict.fromkeys(path):
        for entry in sorted(_names(folder)):
            found = _INFO.match(entry)
            if found is None:
                continue
            name = re.sub(r"[-_.]+", "-", found["name"]).lower()
            if name not in seen:
                seen.add(name)
                yield name, found["version"], os.path.join(folder, entry)  # noqa: PTH118


def package(name: str, version: str | None, info: str) -> dict[str, str | None]:
    """What is recorded of a package, whose metadata is in the folder `info`."""
    origin = _origin(info + "/direct_url.json")
    editable = bool((origin.get("dir_info") or {}).get("editable"))
    url = _url(origin)
    files = None if editable else _read(info + "/RECORD")
    return {
        "name": name,
        "version": version or _told_version(info),
        "hash": None if files is None else digest(files, os.path.basename(info)),  # noqa: PTH119
        "editable": url if editable else None,
        "url": None if editable else url,
    }


def digest(files: bytes, info: str) -> str:
    """A hash of a RECORD that is the same wherever the same wheel was installed, by whatever.

    It leaves out scripts, which name their interpreter, byte code, and notes of the installer in
    the folder `info`.
    """
    own = ("{}/{},".format(info, name).encode() for name in _OF_THE_INSTALLER)
    others = (b"../", b"/", *own)
    lines = files.replace(b"\r\n", b"\n").split(b"\n")
    # What has no hash, byte code and the RECORD itself, ends in an empty field.
    kept = [each for each in lines if each[-1:] not in (b",", b"") and not each.startswith(others)]
    kept.sort()
    return hashlib.sha256(b"\n".join(kept)).hexdigest()


def lock_files(folder: str) -> Iterator[dict[str, str]]:
    """The files in this folder that pin packages."""
    for name in sorted(filter(LOCK_FILE.fullmatch, _names(folder))):
        data = _read(os.path.join(folder, name))  # noqa: PTH118
        if data is not None:
            yield {"path": name, "sha256": hashlib.sha256(data).hexdigest()}


def gpus(driver: str) -> list[dict[str, str | None]]:
    """The GPUs of this machine, as far as NVIDIA's driver tells of them in this folder."""
    told = _DRIVER.search((_read(driver + "/version") or b"").decode(errors="replace"))
    if told is None:
        return []
    texts = [
        _read("{}/gpus/{}/information".format(driver, each)) for each in _names(driver + "/gpus")
    ]
    models = [_MODEL.search((text or b"").decode(errors="replace")) for text in texts]
    names = [model[1] if model else None for model in models]
    return [{"name": name, "driver": told[0]} for name in names or [None]]


def libc() -> str | None:
    """The C library, where it says what it is."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION")
    except (ValueError, OSError):
        return None


def _told_version(info: str) -> str | None:
    """The version that a folder tells inside: that of a source tree has none in its name."""
    found = _VERSION.search((_read(info + "/PKG-INFO") or b"").decode(errors="replace"))
    return found[1] if found else None


def _origin(path: str) -> dict[str, Any]:
    """Where a package came from, if not from an index (PEP 610)."""
    try:
        found = json.loads(_read(path) or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _url(origin: dict[str, Any]) -> str | None:
    url = origin.get("url")
    if not isinstance(url, str):
        return None
    url = _CREDENTIALS.sub("", url)
    version = origin.get("vcs_info") or {}
    if version.get("vcs") and version.get("commit_id"):
        return "{}+{}@{}".format(version["vcs"], url, version["commit_id"])
    return url


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208
    except OSError:
        return []


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return file.read()
    except OSError:
        return None


if __name__ == "__main__":
    main()
