"""What makes a snapshot of a commit: a patch, as git writes and applies it."""

import hashlib
import os
from collections.abc import Collection, Mapping
from pathlib import Path

from nemorun_cli.packagers import git
from nemorun_cli.packagers.projectfiles import Listing, State
from nemorun_cli.packagers.rows import Entry
from nemorun_cli.packagers.trees import Tree

FOLDER = ".patches"
"""Where patches lie, in the folder of the snapshots."""
MOST_BYTES = 100 * 2**20
"""Of what a patch is about: git takes a second for each ten megabytes."""
_DIFF = (
    *("-c", "core.fileMode=true", "-c", "core.symlinks=true"),
    *("diff", "--binary", "--full-index", "--no-color", "--no-ext-diff", "--no-textconv"),
    *("--no-renames", "--ignore-submodules=all", "--diff-algorithm=myers", "-U3", "-O/dev/null"),
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
    words = f"{state.head.commit}\0{_prefix(listing, state)}\0{own.hash}"
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


def write(
    listing: Listing, snapshot: Path, paths: Collection[str], *, to: Path, scratch: Path
) -> bool:
    """Write the patch from the commit of a listing to the snapshot; they differ here alone.

    False, and no patch, where they do not differ, or git cannot tell how. `scratch` is a folder for
    what git writes on the way: nothing is written to the repository.
    """
    state = listing.state
    if state is None:
        return False
    try:
        objects = git.objects(state.repository)
    except (OSError, ValueError):
        return False
    more = {
        "GIT_DIR": str(state.repository / ".git"),
        "GIT_WORK_TREE": str(snapshot / listing.place),
        "GIT_INDEX_FILE": str(scratch / "index"),
        "GIT_OBJECT_DIRECTORY": str(scratch / "objects"),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": _quoted(objects),
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_NO_LAZY_FETCH": "1",
    }
    (scratch / "objects").mkdir(mode=0o700)
    part = scratch / "patch"
    try:
        with part.open("wb") as file:
            made = _made(state, snapshot / listing.place, paths, more) and git.done(
                snapshot / listing.place,
                *_DIFF,
                f"--src-prefix=a/{_prefix(listing, state)}",
                f"--dst-prefix=b/{_prefix(listing, state)}",
                more=more,
                out=file,
            )
        if not made or part.stat().st_size == 0:
            return False
        part.chmod(0o400)
        to.parent.mkdir(mode=0o700, exist_ok=True)
        part.replace(to)
    finally:
        part.unlink(missing_ok=True)
    return True


def _made(state: State, folder: Path, paths: Collection[str], more: Mapping[str, str]) -> bool:
    """Whether git has an index of what the commit holds at these paths, and what is new."""
    known = [f"{state.base[path]} 0\t{path}" for path in paths if path in state.base]
    new = [path for path in paths if path not in state.base and os.path.lexists(folder / path)]
    argv = ("add", "--intent-to-add", "--force", "--pathspec-from-file=-", "--pathspec-file-nul")
    return git.done(
        folder, "update-index", "-z", "--index-info", data=_listed(known), more=more
    ) and (not new or git.done(folder, *argv, data=_listed(new), more=more))


def _listed(texts: Collection[str]) -> bytes:
    return b"".join(os.fsencode(text) + b"\0" for text in texts)


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
