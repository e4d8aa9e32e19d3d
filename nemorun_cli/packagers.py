"""How code gets to a job: a snapshot of the working tree, stored under the hash of its content."""

import hashlib
import json
import os
import shutil
import stat
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from nemorun_cli.core.errors import RefusedError, StoreError
from nemorun_cli.core.jobs import Code

MARKERS = (".git", "nemorun.toml", "pyproject.toml")
MOST_FILES = 100_000
MOST_BYTES = 2**30
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
        digest = _digest_of(root / path)
        if now_ns - max(status.st_mtime_ns, status.st_ctime_ns) > _SETTLED_NS:
            self.fresh[name] = [*mark, digest]
        return digest


def find_root(start: Path, *, home: Path) -> Path | None:
    """The nearest folder, from `start` upwards, with `.git`, `nemorun.toml` or `pyproject.toml`.

    Never the home folder or `/`; the search ends at a folder that is not the user's own or that
    others may write to, since what lies there could be anybody's.
    """
    for folder in (start, *start.parents):
        if folder in (home, Path(folder.anchor)):
            return None
        status = folder.stat()
        if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return None
        if any((folder / name).exists() for name in MARKERS):
            return folder
    return None


def measure(root: Path, store: Path, *, home: Path, workdir: str, now: float) -> Code:
    """The snapshot that `take` would make now, without storing it."""
    return _code(_scan(root, store, now, home), store, workdir)


def take(root: Path, store: Path, *, home: Path, workdir: str, now: float) -> Code:
    """Store a snapshot of the tracked and the untracked, not ignored files below `root`.

    Stored once: the same content is the same folder, read-only, in `store`. What is stored is what
    was copied, also when a file changes meanwhile. `home`, the store itself, is never taken.
    RefusedError for a tree that is too large, or a file that cannot be read.
    """
    tree = _scan(root, store, now, home)
    if not (store / tree.hash).is_dir():
        tree = _copy(tree, store)
    return _code(tree, store, workdir)


def verify(folder: Path, expected: str) -> bool:
    """Whether a stored snapshot still is what its name says."""
    paths = [
        os.path.relpath(os.path.join(at, name), folder)  # noqa: PTH118
        for at, folders, files in os.walk(folder)
        for name in (*files, *(each for each in folders if Path(at, each).is_symlink()))
    ]
    entries = {path: _entry(folder / path, _digest_of(folder / path)) for path in paths}
    return Tree(root=folder, entries=entries).hash == expected


def ignored_entries(root: Path, code: Code) -> tuple[str, ...]:
    """The top-level names of the project that are not in the snapshot, except `.git`."""
    taken = {entry.split("/")[0] for entry in code.entries}
    return tuple(sorted({path.name for path in root.iterdir()} - taken - {".git"}))


def _code(tree: Tree, store: Path, workdir: str) -> Code:
    name = tree.hash
    return Code(
        hash=name,
        path=str(store / name),
        root=str(tree.root),
        entries=_layout(tree.entries, workdir),
        files=len(tree.entries),
        bytes=sum(entry.size for entry in tree.entries.values()),
        commit=tree.commit,
    )


def _layout(paths: Iterable[str], workdir: str) -> tuple[str, ...]:
    """The paths of a snapshot to which a working folder links.

    The top-level ones; but folders on the way to `workdir` are made, and what is in them is
    linked, so that a job that starts there writes into a folder of its own.
    """
    made = {".", workdir, *map(str, PurePosixPath(workdir).parents)}
    linked = set()
    for path in paths:
        at = PurePosixPath(path)
        while str(at.parent) not in made:
            at = at.parent
        linked.add(str(at))
    return tuple(sorted(linked - made))


def _scan(root: Path, store: Path, now: float, home: Path) -> Tree:
    kept = store / ".cache" / (hashlib.sha256(os.fsencode(root)).hexdigest()[:16] + ".json")
    hashes = _Hashes(path=kept)
    hashes.load()
    entries: dict[str, Entry] = {}
    sizes: dict[str, int] = {}
    total = 0
    commit, paths = _listed(root, home)
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
        return _entry(root / path, hashes.of(root, path, status, now_ns))
    except OSError as error:
        raise RefusedError(
            f"cannot read {root / path} for the snapshot: {error.strerror}",
            hint="make it readable, or add it to .gitignore",
        ) from None


def _entry(path: Path, digest: str) -> Entry:
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        return Entry(mode=0o120000, digest=digest)
    mode = 0o755 if status.st_mode & stat.S_IXUSR else 0o644
    return Entry(mode=mode, digest=digest, size=status.st_size)


def _digest_of(path: Path) -> str:
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


def _copy(tree: Tree, store: Path) -> Tree:
    """Copy the tree under the name that what was copied deserves."""
    stage = store / f".new-{os.getpid()}-{tree.hash[:12]}"
    try:
        stage.mkdir(mode=0o700, parents=True)
        copied = {path: _copied(tree, path, stage) for path in tree.entries}
        tree = Tree(root=tree.root, entries=copied, commit=tree.commit)
        for folder in (stage, *(path for path in stage.rglob("*") if path.is_dir())):
            if not folder.is_symlink() and folder != stage:
                folder.chmod(0o500)
        try:
            stage.rename(store / tree.hash)
        except OSError:
            if not (store / tree.hash).is_dir():  # Somebody else was quicker with the same tree.
                raise
    except OSError as error:
        raise StoreError(
            f"cannot store the snapshot in {store}: {error.strerror}",
            hint="free some space there, or set NEMORUN_HOME to a folder with room",
        ) from None
    finally:
        if stage.is_dir():
            discard(stage)
    return tree


def discard(folder: Path) -> None:
    """Delete a snapshot, read-only as it is."""
    for at, folders, _ in os.walk(folder):
        for name in folders:
            if not Path(at, name).is_symlink():
                Path(at, name).chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


def _copied(tree: Tree, path: str, stage: Path) -> Entry:
    source, target = tree.root / path, stage / path
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copyfile(source, target, follow_symlinks=False)
    if not target.is_symlink():
        target.chmod(0o500 if tree.entries[path].mode == 0o755 else 0o400)  # noqa: PLR2004
    return _entry(target, _digest_of(target))
