"""Which files of a project belong to it: what git says, or all but what was made from others."""

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nemorun_cli.core.errors import RefusedError
from nemorun_cli.roots import trusted

_COMMIT = re.compile(r"[0-9a-f]{40,64}")
_NEVER = "__pycache__"
_MADE = frozenset({_NEVER, "node_modules"})
_MADE_AT_THE_TOP = frozenset({"build", "dist"})
# A repository may name a program as its fsmonitor, which git would start.
_GIT = ("git", "-c", "core.fsmonitor=false", "ls-files", "-z")


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The paths that belong to a project, relative to it, and the commit that is checked out.

    A path may be gone from the disk, and may be a folder: a repository inside this one.
    """

    paths: tuple[str, ...]
    commit: str | None = None


def listing(root: Path) -> Listing:
    """The tracked and the untracked, not ignored files below `root`.

    Without git, all files but hidden folders, caches, environments and what builds leave behind.
    RefusedError for a repository that git cannot read.
    """
    repository = _repository(root)
    if repository is not None:
        paths = _git(root)
        # A project that the repository around it ignores is not empty for that.
        if paths is not None and (paths or repository == root):
            return Listing(paths=paths, commit=_head(repository))
    return Listing(paths=tuple(_walk(root)))


def inside(root: Path, folder: str) -> tuple[str, ...]:
    """The paths, relative to `root`, that belong to the repository in this folder of it.

    Empty for a submodule that is not checked out.
    """
    if not (root / folder / ".git").exists():
        return ()
    start = folder.rstrip("/")
    return tuple(f"{start}/{path}" for path in listing(root / folder).paths)


def _repository(root: Path) -> Path | None:
    """The nearest folder with `.git`, from `root` upwards, as far as folders can be trusted."""
    for folder in (root, *root.parents):
        if (folder / ".git").exists():
            return folder
        if not trusted(folder):
            return None
    return None


def _git(root: Path) -> tuple[str, ...] | None:
    """What git lists; None where it is not installed."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    argv = [*_GIT, "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(argv, cwd=root, env=env, check=True, capture_output=True)
    except FileNotFoundError:
        return None
    except subprocess.CalledProcessError as error:
        told = os.fsdecode(error.stderr).strip().splitlines()
        raise RefusedError(
            f"git cannot list the files of {root}: {(told or ['no reason given'])[-1].strip()}",
            hint="`git status` there tells more",
        ) from None
    paths = os.fsdecode(done.stdout).split("\0")
    # An unmerged path is listed once for each side.
    return tuple(dict.fromkeys(path for path in paths if path and _NEVER not in path.split("/")))


def _head(repository: Path) -> str | None:
    """The commit that is checked out, as far as that can be read without starting git."""
    try:
        folder = _git_folder(repository / ".git")
        head = (folder / "HEAD").read_text().strip()
        if head.startswith("ref: "):
            head = _commit_of(head.removeprefix("ref: "), folder)
    except (OSError, ValueError):
        return None
    return head if _COMMIT.fullmatch(head) else None


def _git_folder(marker: Path) -> Path:
    if marker.is_dir():
        return marker
    # In a worktree or a submodule it is a file that tells where.
    return marker.parent / marker.read_text().strip().removeprefix("gitdir: ")


def _commit_of(reference: str, folder: Path) -> str:
    common = folder / "commondir"
    shared = folder / common.read_text().strip() if common.exists() else folder
    for place in (folder, shared):
        if (place / reference).is_file():
            return (place / reference).read_text().strip()
    for line in (shared / "packed-refs").read_text().splitlines():
        commit, _, name = line.partition(" ")
        if name == reference:
            return commit
    return ""


def _walk(root: Path) -> Iterator[str]:
    start = len(os.path.join(root, ""))  # noqa: PTH118
    for at, folders, files in os.walk(root, onerror=_refuse):
        links = [name for name in folders if os.path.islink(f"{at}/{name}")]  # noqa: PTH114
        folders[:] = [name for name in folders if not _is_made(at, name, top=len(at) < start)]
        for name in (*files, *(each for each in links if each in folders)):
            if not name.endswith((".pyc", ".pyo")):
                yield f"{at}/{name}"[start:]


def _is_made(at: str, name: str, *, top: bool) -> bool:
    if name.startswith(".") or name in _MADE or name.endswith(".egg-info"):
        return True
    return (top and name in _MADE_AT_THE_TOP) or os.path.exists(f"{at}/{name}/pyvenv.cfg")  # noqa: PTH110


def _refuse(error: OSError) -> None:
    raise RefusedError(
        f"cannot read {error.filename} for the snapshot: {error.strerror}",
        hint="make it readable, or move it out of the project",
    )
