"""What makes a snapshot of a commit: a patch, as git writes and applies it."""

import hashlib
import os
import stat
from collections.abc import Collection
from pathlib import Path

from nemorun_cli.packagers import git
from nemorun_cli.packagers.gitobjects import Objects, blob_name
from nemorun_cli.packagers.projectfiles import Listing, State
from nemorun_cli.packagers.rows import LINK, Entry
from nemorun_cli.packagers.trees import Tree

FOLDER = ".patches"
"""Where patches lie, in the folder of the snapshots."""
MOST_BYTES = 100 * 2**20
"""Of what a patch is about: git takes a second for each ten megabytes."""
LARGEST = 2**28
"""Of a patch itself, which also holds what was deleted."""
_DIFF = (
    *("-c", "core.fileMode=true", "-c", "core.symlinks=true"),
    *("diff", "--binary", "--full-index", "--no-color", "--no-ext-diff", "--no-textconv"),
    *("--no-renames", "--diff-algorithm=myers", "-U3", "-O/dev/null"),
    "--inter-hunk-context=0",
)


def name_of(listing: Listing, tree: Tree) -> str | None:
    """The name of the patch from the commit of a listing to what the tree holds of it.

    The same for the same commit and the same files. None where there is no commit.
    """
    state = listing.state
    if state is None or state.head.commit is None:
        return None
    own = tree
    if len(tree.listings) > 1:
        own = Tree(root=listing.folder, entries=dict(_held(listing, tree)))
    return name(state.head.commit, _prefix(listing, state), own)


def name(commit: str, prefix: str, tree: Tree) -> str:
    """The name of the patch from a commit to these files, in the folder `prefix` of a repository.

    `prefix` is empty, or has `/` at its end.
    """
    words = f"{commit}\0{prefix}\0{tree.hash}"
    return f"{hashlib.sha256(os.fsencode(words)).hexdigest()}.diff"


def suspects(listing: Listing, tree: Tree) -> frozenset[str]:
    """All paths of a listing that may differ from its commit, and some that do not."""
    state = listing.state
    if state is None:
        return frozenset()
    length = len(listing.place)
    held = {path for path, _ in _held(listing, tree)} if state.unwatched else frozenset()
    young = {path[length:] for path in tree.young if path.startswith(listing.place)}
    own = young & set(listing.paths) if young else set()
    found = state.changed | state.untracked | (state.unwatched & held) | own
    return found - set(listing.inside)  # A repository inside has a patch of its own.


def weight(listing: Listing, tree: Tree, paths: Collection[str]) -> int:
    """How many bytes these paths hold in the snapshot: what a patch may have to."""
    names = (listing.place + path for path in paths)
    return sum(tree.entries[name].size for name in names if name in tree.entries)


def write(  # noqa: PLR0913
    listing: Listing,
    tree: Tree,
    paths: Collection[str],
    *,
    files: Path,
    to: Path,
    scratch: Path,
) -> bool:
    """Write the patch from the commit of a listing to the tree; they differ at these paths alone.

    `files` is the folder in which these are stored; no filter sees their bytes.
    False, and no patch, where they do not differ, git cannot tell how, or it would be too large.
    `scratch` is a folder for what is written on the way: nothing is written to the repository.
    """
    state = listing.state
    if state is None or state.head.commit is None:
        return False
    try:
        known = git.objects(state.repository)
    except (OSError, ValueError):
        return False
    objects = Objects(folder=scratch / "objects", commit=state.head.commit)
    sides = _sides(listing, tree, paths, files, objects)
    if sides is None:
        return False
    prefix = _prefix(listing, state)
    more = {
        "GIT_DIR": str(state.repository / ".git"),
        "GIT_WORK_TREE": str(files),
        "GIT_OBJECT_DIRECTORY": str(objects.folder),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": _quoted(known),
        "GIT_NO_LAZY_FETCH": "1",
    }
    argv = (*_DIFF, f"--src-prefix=a/{prefix}", f"--dst-prefix=b/{prefix}", *sides, "--")
    part = scratch / "patch"
    try:
        with part.open("wb") as file:
            made = git.done(files, *argv, more=more, out=file)
        if not made or not 0 < part.stat().st_size <= LARGEST:
            return False
        part.chmod(0o400)
        to.parent.mkdir(mode=0o700, exist_ok=True)
        part.replace(to)
    finally:
        part.unlink(missing_ok=True)
    return True


def _sides(
    listing: Listing, tree: Tree, paths: Collection[str], files: Path, objects: Objects
) -> tuple[str, str] | None:
    """The two trees, as objects, of what differs between the commit and the snapshot."""
    base = listing.state.base if listing.state else {}
    before = {path: base[path] for path in paths if path in base}
    after = {}
    for path in paths:
        entry = tree.entries.get(listing.place + path)
        if entry is None:
            continue
        data = content(files / listing.place / path, entry)
        found = f"{mode(entry)} {blob_name(data, like=objects.commit)}"
        if before.get(path) == found:
            del before[path]
            continue
        after[path] = found
        objects.write_blob(data)
    return (objects.write_tree(before), objects.write_tree(after)) if before or after else None


def content(path: Path, entry: Entry) -> bytes:
    """What git stores of a file, or of a symbolic link: where that leads."""
    return os.fsencode(os.readlink(path)) if entry.mode == LINK else path.read_bytes()  # noqa: PTH115


def mode(entry: Entry) -> str:
    """The mode that git gives such a file."""
    return f"{entry.mode if entry.mode == LINK else entry.mode | stat.S_IFREG:o}"


def _held(listing: Listing, tree: Tree) -> list[tuple[str, Entry]]:
    names = ((path, listing.place + path) for path in listing.paths)
    return [(path, tree.entries[name]) for path, name in names if name in tree.entries]


def _prefix(listing: Listing, state: State) -> str:
    """The path of the listing's folder in its repository, empty or with `/` at its end."""
    inside = os.path.relpath(listing.folder, state.repository)
    return "" if inside == "." else f"{inside}/"


def _quoted(path: Path) -> str:
    """A path in a list that git splits at colons."""
    text = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
