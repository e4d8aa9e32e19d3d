"""The files of a working tree that belong to its snapshot, and the hash of what is in them."""

import hashlib
import json
import os
import stat
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nemorun_cli.core.errors import RefusedError

MOST_FILES = 100_000
MOST_BYTES = 2**30
EXECUTABLE = 0o755
_SETTLED_NS = 2_000_000_000
"""A file younger than this may change again within the same tick of its clock."""
_SKIPPED = frozenset({"__pycache__", "node_modules", "build", "dist"})
_GIT = ("git", "-c", "core.fsmonitor=false", "-c", "core.untrackedCache=false")


@dataclass(frozen=True, kw_only=True)
class Tree:
    """The files of a working tree that belong to a snapshot: relative path to what it is."""

    root: Path
    entries: Mapping[str, "Entry"]
    commit: str | None = None

    @property
    def hash(self) -> str:
        """The same for the same paths, modes and contents, wherever they lie."""
        digest = hashlib.sha256()
        for path in sorted(self.entries):
            entry = self.entries[path]
            digest.update(f"{entry.mode:o} {entry.digest} ".encode())
            digest.update(os.fsencode(path) + b"\0")
        return digest.hexdigest()


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One file or symbolic link."""

    mode: int
    """0o644, 0o755, or 0o120000 for a link."""
    digest: str
    """SHA-256 of the content, or of the link's target."""
    size: int = 0


@dataclass
class _Hashes:
    """Digests remembered by what stat(2) says of a file, so that an unchanged one is not read."""

    path: Path
    known: dict[str, list[Any]] = field(default_factory=dict)
    fresh: dict[str, list[Any]] = field(default_factory=dict)

    def load(self) -> None:
        try:
            known = json.loads(self.path.read_bytes())
            self.known = known if isinstance(known, dict) else {}
        except (OSError, ValueError):
            self.known = {}

    def save(self) -> None:
        if self.fresh == self.known:
            return
        part = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            part.write_text(json.dumps(self.fresh))
            part.replace(self.path)
        except OSError:  # A cache that cannot be written is only slow.
            part.unlink(missing_ok=True)

    def of(self, root: Path, path: str, status: os.stat_result, now_ns: int) -> str:
        mark = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
        name = os.fsencode(path).hex() if not path.isprintable() else path
        before = self.known.get(name)
        if isinstance(before, list) and before[:4] == mark and len(before) > len(mark):
            self.fresh[name] = before
            return str(before[4])
        digest = digest_of(root / path)
        if now_ns - max(status.st_mtime_ns, status.st_ctime_ns) > _SETTLED_NS:
            self.fresh[name] = [*mark, digest]
        return digest


def scan(root: Path, *, cache: Path, now: float, without: Path) -> Tree:
    """The tracked and the untracked, not ignored files below `root`, but for those in `without`.

    `cache` is a folder in which digests are remembered from one scan to the next. RefusedError for
    a tree that is too large, or a file that cannot be read.
    """
    kept = cache / (hashlib.sha256(os.fsencode(root)).hexdigest()[:16] + ".json")
    hashes = _Hashes(path=kept)
    hashes.load()
    entries: dict[str, Entry] = {}
    sizes: dict[str, int] = {}
    total = 0
    commit, paths = _listed(root, without)
    for path in paths:
        try:
            status = (root / path).lstat()
        except (FileNotFoundError, NotADirectoryError):
            continue  # Tracked, and deleted.
        if stat.S_ISDIR(status.st_mode) or not _is_plain(status):
            continue
        sizes[path] = status.st_size
        total += status.st_size
        if len(sizes) > MOST_FILES or total > MOST_BYTES:
            raise _too_large(root, sizes)
        entries[path] = _entry_of(root, path, status, hashes, int(now * 1e9))
    hashes.save()
    return Tree(root=root, entries=entries, commit=commit)


def _is_plain(status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)


def _entry_of(
    root: Path,
    path: str,
    status: os.stat_result,
    hashes: _Hashes,
    now_ns: int,
) -> Entry:
    try:
        return entry(root / path, hashes.of(root, path, status, now_ns))
    except OSError as error:
        raise RefusedError(
            f"cannot read {root / path} for the snapshot: {error.strerror}",
            hint="make it readable, or add it to .gitignore",
        ) from None


def entry(path: Path, digest: str) -> Entry:
    """What stands at this path, given the digest of its content."""
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        return Entry(mode=0o120000, digest=digest)
    mode = 0o755 if status.st_mode & stat.S_IXUSR else 0o644
    return Entry(mode=mode, digest=digest, size=status.st_size)


def digest_of(path: Path) -> str:
    """SHA-256 of a file's content, or of a link's target."""
    if path.is_symlink():
        return hashlib.sha256(os.fsencode(path.readlink())).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _listed(root: Path, home: Path) -> tuple[str | None, list[str]]:
    """The commit, if there is one, and the paths that belong to a snapshot."""
    found = _git(root) if (root / ".git").exists() else None
    commit, paths = found or (None, sorted(_walk(root)))
    if not home.is_relative_to(root):
        return commit, paths
    own = f"{home.relative_to(root)}/"
    return commit, [path for path in paths if not path.startswith(own)]


def _git(root: Path) -> tuple[str | None, list[str]] | None:
    """What git knows of the tree; None without git."""
    listing = [*_GIT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    kinds = [listing]
    if (root / ".gitmodules").exists():
        kinds = [
            [*_GIT, "ls-files", "-z", "--cached", "--recurse-submodules"],
            [*_GIT, "ls-files", "-z", "--others", "--exclude-standard"],
        ]
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    paths: list[str] = []
    try:
        for argv in kinds:
            done = subprocess.run(argv, cwd=root, env=env, check=True, capture_output=True)
            paths += [os.fsdecode(each) for each in done.stdout.split(b"\0") if each]
    except FileNotFoundError:
        return None
    except subprocess.CalledProcessError as error:
        told = os.fsdecode(error.stderr).strip().splitlines()
        raise RefusedError(
            f"git cannot list the files of {root}: {(told or ['no reason given'])[-1]}",
        ) from None
    return _head(root), sorted(set(paths))


def _head(root: Path) -> str | None:
    """The commit that is checked out, as far as that can be read without starting git."""
    folder = root / ".git"
    try:
        head = (folder / "HEAD").read_text().strip()
        if not head.startswith("ref: "):
            return head
        reference = head.removeprefix("ref: ")
        if (folder / reference).exists():
            return (folder / reference).read_text().strip()
        packed = (folder / "packed-refs").read_text().splitlines()
    except (OSError, ValueError):
        return None
    return next((line.split()[0] for line in packed if line.endswith(f" {reference}")), None)


def _walk(root: Path) -> Iterator[str]:
    """All files below a project without git, but for caches, environments and hidden folders."""
    for at, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not _skipped(Path(at, name))]
        for name in (*files, *(each for each in folders if Path(at, each).is_symlink())):
            if not name.endswith((".pyc", ".pyo")):
                yield os.path.relpath(os.path.join(at, name), root)  # noqa: PTH118


def _skipped(folder: Path) -> bool:
    name = folder.name
    hidden = name.startswith(".") or name in _SKIPPED or name.endswith(".egg-info")
    return hidden or (folder / "pyvenv.cfg").exists()


def _too_large(root: Path, sizes: Mapping[str, int]) -> RefusedError:
    folders: dict[str, int] = {}
    for path, size in sizes.items():
        top = path.split("/")[0]
        folders[top] = folders.get(top, 0) + size
    largest = sorted(folders, key=folders.__getitem__, reverse=True)[:5]
    listed = ", ".join(f"{name} ({folders[name] >> 20} MiB)" for name in largest)
    return RefusedError(
        f"the snapshot of {root} would hold more than {MOST_FILES} files or "
        f"{MOST_BYTES >> 30} GiB; the largest: {listed}",
        hint="add what is no code to .gitignore; local jobs can read it all the same",
    )
