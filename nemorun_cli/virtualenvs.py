"""Virtual environments built from what a run had installed, each kept under its fingerprint."""

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nemorun_cli.core.errors import RefusedError, StoreError

OWN = "nemorun-cli"
"""This distribution itself, which no index has."""
FOLDER = "environments"
"""Where they lie, in the store."""
_OWN_FOLDERS = ("nemorun_cli", "nemorun_recipes")
_CACHE = "__pycache__"
_STAGE = ".new-"
_DAY = 86400.0
_NOT_INHERITED = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")
_VERSION = "import platform; print(platform.python_version())"
_WANTING = re.compile(
    r"(?:requirement|found for|wheels? for|install|metadata for|build) ([\w.-]+(?:==[^\s(,]+)?)"
)
_HINT = "`--environment here` uses this machine's, and tells what differs"
_CURES = (
    (r"Retrying \(|Connection|timed out", "the index does not answer: try again, or see PIP_PROXY"),
    (
        "[Ff]ailed (?:building|to build)|subprocess-exited-with-error|Could not build",
        "there is no wheel of it for this Python: install what it takes to build it",
    ),
    (
        "No matching distribution",
        "`pip config list` shows the indexes that pip asks, PIP_EXTRA_INDEX_URL adds one",
    ),
)
"""What in pip's words tells what would help, the most telling first."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What an environment has to hold."""

    python: str
    """The version of the interpreter."""
    executable: str
    """Where it was."""
    packages: Mapping[str, str]
    """Name to what is asked of it, `==1.0` or ` @ URL`."""
    folders: tuple[str, ...] = ()
    """Further places to import from."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where an environment lies, or is to be built."""

    wanted: Wanted
    base: str
    """The interpreter it is made with."""
    version: str
    folder: Path

    @property
    def python(self) -> Path:
        """The environment's own interpreter."""
        return self.folder / "bin" / "python"


def place(wanted: Wanted, home: Path) -> Place:
    """Where the environment with exactly these packages belongs; whether it is there, or not yet.

    RefusedError when there is no such Python.
    """
    base, version = _interpreter(wanted)
    folder = home / FOLDER / fingerprint(wanted, version)
    return Place(wanted=wanted, base=base, version=version, folder=folder)


def build(at: Place, *, now: float) -> None:
    """Build an environment in its place, unless it is there.

    Built under another name, and complete once it is there; built twice at once it is the same.
    RefusedError, and no environment, when a package cannot be installed.
    """
    if not at.folder.is_dir():
        _build(at.wanted, at.base, at.folder, now)


def fingerprint(wanted: Wanted, version: str) -> str:
    """The same for environments that hold the same; nemorun itself counts by its files."""
    packages = {**wanted.packages, **({OWN: _own_digest()} if OWN in wanted.packages else {})}
    whole = [version, sorted(packages.items()), sorted(wanted.folders)]
    return hashlib.sha256(json.dumps(whole).encode()).hexdigest()


def _own_digest() -> str:
    """A hash of what is copied of ourselves: the version alone does not tell a changed one."""
    whole = hashlib.sha256()
    for name in _OWN_FOLDERS:
        for folder in _own(name):
            for path in sorted(folder.rglob("*")):
                if path.is_file() and _CACHE not in path.parts:
                    inner = hashlib.sha256(path.read_bytes()).hexdigest()
                    whole.update(os.fsencode(f"{name}/{path.relative_to(folder)}\0{inner}\0"))
    return whole.hexdigest()


def _own(name: str) -> list[Path]:
    """The folders of one of our own packages, as it is here."""
    spec = importlib.util.find_spec(name)
    return [Path(each) for each in (spec and spec.submodule_search_locations) or ()]


def _interpreter(wanted: Wanted) -> tuple[str, str]:
    """An interpreter of the very version, else of another patch of it; and its version."""
    minor = ".".join(wanted.python.split(".")[:2])
    found = dict(_versions((wanted.executable, shutil.which(f"python{minor}"), sys.executable)))
    for python, version in found.items():
        if version == wanted.python:
            return python, version
    for python, version in found.items():
        if version.startswith(f"{minor}."):
            return python, version
    raise RefusedError(
        f"there is no Python {minor} here, and the run had {wanted.python}",
        hint=f"install it, or: {_HINT}",
    )


def _versions(pythons: Sequence[str | None]) -> Iterator[tuple[str, str]]:
    for python in pythons:
        if python and shutil.which(python):
            told = _run((python, "-I", "-c", _VERSION))
            if told.returncode == 0:
                yield python, told.stdout.strip()


def _build(wanted: Wanted, python: str, folder: Path, now: float) -> None:
    # A longer name than the later one: what fits into the first line of a script fits there too.
    stage = folder.with_name(f"{_STAGE}{folder.name}-{os.urandom(6).hex()}")
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _sweep(folder.parent, now)
        made = _run((python, "-m", "venv", str(stage)))
        if made.returncode:
            why = (made.stdout + made.stderr).strip().splitlines() or ["it does not say why"]
            raise RefusedError(f"{python} cannot make a virtual environment: {why[0]}", hint=_HINT)
        _install(wanted, stage)
        _rename_within(stage, folder)
        try:
            stage.rename(folder)
        except OSError:
            if not folder.is_dir():  # Somebody else was quicker with the same one.
                raise
    except OSError as error:
        raise StoreError(f"cannot build {folder}: {error.strerror or error}") from None
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _install(wanted: Wanted, stage: Path) -> None:
    listed = [f"{name}{asked}" for name, asked in wanted.packages.items() if name != OWN]
    if listed:
        requirements = stage / "requirements.txt"
        requirements.write_text("".join(f"{each}\n" for each in listed))
        pip = (str(stage / "bin" / "python"), "-m", "pip", "--disable-pip-version-check")
        done = _run(
            (*pip, "install", "--no-deps", "--no-input", "--quiet", "-r", str(requirements))
        )
        if done.returncode:
            raise _refused(done.stderr)
    (site,) = stage.glob("lib/python*/site-packages")
    if OWN in wanted.packages:
        for name in _OWN_FOLDERS:
            for folder in _own(name):
                shutil.copytree(folder, site / name, ignore=shutil.ignore_patterns(_CACHE))
    if wanted.folders:
        (site / "nemorun-code.pth").write_text("".join(f"{each}\n" for each in wanted.folders))


def _refused(told: str) -> RefusedError:
    """What pip says of the package that it could not install, and what may help."""
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR:")]
    package = next((found.group(1) for each in errors if (found := _WANTING.search(each))), None)
    why = errors[0] if errors else (lines or ["pip does not say why"])[-1]
    help_ = next((hint for sign, hint in _CURES if re.search(sign, told)), "")
    return RefusedError(
        f"cannot install {package or 'the recorded packages'}: {why}",
        hint="; ".join(filter(None, (help_, _HINT))),
    )


def _rename_within(stage: Path, folder: Path) -> None:
    """Scripts name their interpreter by its whole path."""
    for path in (stage / "bin").iterdir():
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            if content.startswith(b"#!") and bytes(stage) in content:
                path.write_bytes(content.replace(bytes(stage), bytes(folder)))


def _run(argv: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    env = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=False)


def _sweep(folder: Path, now: float) -> None:
    """Delete what killed commands left behind."""
    for each in folder.glob(f"{_STAGE}*"):
        if now - each.stat().st_mtime > _DAY:
            shutil.rmtree(each, ignore_errors=True)
