"""Asking git, led nowhere by its variables; of a repository's own programs, filters alone start."""

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import IO
from urllib.parse import urlsplit, urlunsplit

from nemorun_cli.core.errors import RefusedError
from nemorun_cli.roots import trusted

_COMMIT = re.compile(r"[0-9a-f]{40,64}")
# A repository may name programs, as its fsmonitor or hooks, which git would start; its index is
# left be; and of what replaces a commit in it, no clone knows. Whatever it sets, a file of which
# stat(2) says anything else than the index is read.
_GIT = (
    *("git", "--no-optional-locks", "--no-replace-objects"),
    *("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"),
    *("-c", "core.trustctime=true", "-c", "core.checkStat=default"),
)
_BRANCH = "refs/heads/"
_TOLD = 3
"""Lines that git needs at most to say what is wrong, and what to do."""
_ASKED = r"^(remote\..*\.url|branch\..*\.remote)$"


@dataclass(frozen=True, kw_only=True)
class Head:
    """What is checked out; None for what is not known or not there."""

    commit: str | None = None
    branch: str | None = None


def ask(
    folder: Path,
    *arguments: str,
    to: str,
    data: bytes | None = None,
    more: Mapping[str, str] | None = None,
) -> bytes | None:
    """What git answers in this folder; None where it is not installed.

    RefusedError, which says that git cannot do what `to` says, when it fails.
    """
    done = _run(folder, arguments, data=data, more=more or {}, out=subprocess.PIPE)
    if done is None or done.returncode == 0:
        return None if done is None else done.stdout
    told = [line.strip() for line in os.fsdecode(done.stderr).splitlines() if line.strip()]
    raise RefusedError(
        f"git cannot {to} {folder}: {'; '.join(told[-_TOLD:]) or 'no reason given'}",
        hint="`git status` there tells more",
    )


def done(
    folder: Path,
    *arguments: str,
    data: bytes | None = None,
    more: Mapping[str, str],
    out: IO[bytes] | None = None,
) -> bool:
    """Whether git did this, and has written its answer to `out`."""
    found = _run(folder, arguments, data=data, more=more, out=out or subprocess.DEVNULL)
    return found is not None and found.returncode == 0


def repository(root: Path) -> Path | None:
    """The nearest folder with `.git`, from `root` upwards, as far as folders can be trusted."""
    for folder in (root, *root.parents):
        if (folder / ".git").exists():
            return folder
        if not trusted(folder):
            return None
    return None


def missing(root: Path) -> bool:
    """Whether this folder is in a repository, and there is no git to ask about it."""
    return which("git") is None and repository(root) is not None


def head(repository: Path) -> Head:
    """What is checked out; git itself is asked only where its files do not tell."""
    try:
        folder = _folder(repository / ".git")
        text = (folder / "HEAD").read_text().strip()
        name = text.removeprefix("ref: ")
        commit = text if name == text else _commit_of(name, folder)
    except (OSError, ValueError):
        return Head()
    if not _COMMIT.fullmatch(commit):
        commit = _told(repository, "rev-parse", "--verify", "--quiet", "HEAD")
        name = _told(repository, "symbolic-ref", "--quiet", "HEAD")
    return Head(
        commit=commit if _COMMIT.fullmatch(commit) else None,
        branch=name.removeprefix(_BRANCH) if name.startswith(_BRANCH) else None,
    )


def index(repository: Path) -> Path:
    """Where git keeps what it knows of the files; OSError when that cannot be read."""
    return _folder(repository / ".git") / "index"


def objects(repository: Path) -> Path:
    """Where a repository keeps its objects; OSError when that cannot be read."""
    return _shared(_folder(repository / ".git")) / "objects"


def config(repository: Path) -> dict[str, str]:
    """What is set of what matters here; of a name that is set several times, the last."""
    try:
        told = ask(repository, "config", "-z", "--get-regexp", _ASKED, to="read the config of")
    except RefusedError:  # It has none of it.
        return {}
    pairs = (each.partition("\n") for each in os.fsdecode(told or b"").split("\0") if each)
    return {name: value for name, _, value in pairs}


def remote(known: Mapping[str, str], branch: str | None) -> str | None:
    """The address that the branch follows, else `origin`, else any; without credentials."""
    followed = known.get(f"branch.{branch}.remote", "origin")
    urls = [value for name, value in known.items() if name.endswith(".url")]
    url = known.get(f"remote.{followed}.url") or next(iter(urls), None)
    return None if url is None else without_credentials(url)


def without_credentials(url: str) -> str:
    """The address of a remote without passwords and tokens."""
    helper, mark, rest = url.partition("::")
    if mark and helper.replace("-", "").isalnum():  # A program of git's that knows the rest.
        return f"{helper}::{without_credentials(rest)}"
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    if not parts.netloc:
        return url  # A path, or `git@host:path`, which can hold none.
    user, at, host = parts.netloc.rpartition("@")
    user = user.partition(":")[0] if parts.scheme == "ssh" else ""
    return urlunsplit((parts.scheme, f"{user}{at}{host}" if user else host, parts.path, "", ""))


def _told(folder: Path, *arguments: str) -> str:
    done = _run(folder, arguments, data=None, more={}, out=subprocess.PIPE)
    return "" if done is None or done.returncode else os.fsdecode(done.stdout).strip()


def _run(
    folder: Path,
    arguments: tuple[str, ...],
    *,
    data: bytes | None,
    more: Mapping[str, str],
    out: IO[bytes] | int,
) -> "subprocess.CompletedProcess[bytes] | None":
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        return subprocess.run(
            [*_GIT, *arguments],
            cwd=folder,
            env={**env, **more},
            input=data or b"",
            stdout=out,
            stderr=subprocess.PIPE,
            check=False,
        )
    except (FileNotFoundError, PermissionError):
        return None


def _folder(marker: Path) -> Path:
    if marker.is_dir():
        return marker
    # In a worktree or a submodule it is a file that tells where.
    return marker.parent / marker.read_text().strip().removeprefix("gitdir: ")


def _shared(folder: Path) -> Path:
    common = folder / "commondir"
    return folder / common.read_text().strip() if common.exists() else folder


def _commit_of(reference: str, folder: Path) -> str:
    shared = _shared(folder)
    for place in (folder, shared):
        if (place / reference).is_file():
            return (place / reference).read_text().strip()
    packed = shared / "packed-refs"
    for line in packed.read_text().splitlines() if packed.exists() else ():
        commit, _, name = line.partition(" ")
        if name == reference:
            return commit
    return ""
