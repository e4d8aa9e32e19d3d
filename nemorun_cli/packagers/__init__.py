"""How code gets to a job: a snapshot of the working tree, stored under the hash of its content."""

import posixpath
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from nemorun_cli.core.errors import CorruptError, RefusedError, StoreError
from nemorun_cli.core.jobs import Code, Repository
from nemorun_cli.job import layingout
from nemorun_cli.packagers import again, git, intact, patches
from nemorun_cli.packagers.companions import PLACE, Also, Gathered, gather
from nemorun_cli.packagers.copying import patch, unwritable
from nemorun_cli.packagers.digests import CACHE, Digests
from nemorun_cli.packagers.projectfiles import Listing
from nemorun_cli.packagers.rows import Rows
from nemorun_cli.packagers.trees import Tree, scan, stored

_NOT_LINKED = frozenset({".git", "__pycache__"})
_NAMED = 100
_NOTHING_ELSE = Also()


def measure(  # noqa: PLR0913 # As `take`.
    root: Path,
    store: Path,
    *,
    home: Path,
    workdir: str,
    now: float,
    only: Sequence[str] | None = None,
    also: Also = _NOTHING_ELSE,
) -> Code:
    """The snapshot that `take` would make now. Nothing is written, and no patch is told of."""
    digests = Digests.of(root, store / CACHE)
    gathered = _gathered(root, also, only=only, home=home)
    tree = scan(gathered.listings, digests, now=now, without=home, limit=also.limit)
    code = _code(tree, gathered, store, workdir)
    if also.clean:
        refuse_unless_clean(code)
    return code


def look(  # noqa: PLR0913 # As `take`.
    root: Path,
    store: Path,
    *,
    home: Path,
    now: float,
    only: Sequence[str] | None = None,
    also: Also = _NOTHING_ELSE,
) -> Tree:
    """The files that such a snapshot would hold, however large. Nothing is written."""
    listings = _gathered(root, also, only=only, home=home).listings
    return scan(listings, Digests.of(root, store / CACHE), now=now, without=home, limit=None)


def take(  # noqa: PLR0913 # All of them say what the snapshot is of, or where it goes.
    root: Path,
    store: Path,
    *,
    home: Path,
    workdir: str,
    now: float,
    only: Sequence[str] | None = None,
    also: Also = _NOTHING_ELSE,
) -> Code:
    """Store a snapshot of the tracked and the untracked, not ignored files below `root`.

    `only`: of these paths and no others, whoever tracks them. `also`: what else goes along.

    Stored once: the same content is the same folder, read-only, in `store`. What is stored is what
    was copied, also when a file changes meanwhile; so is the patch that makes it of the commit.
    `home`, the store itself, is never taken. RefusedError for a tree that is too large or, where
    that is asked for, not as committed, and for a file that cannot be read; CorruptError for one
    that is stored and was changed since; StoreError, and no snapshot, when it cannot be written.
    """
    task = again.Task(root=root, store=store, home=home, also=also, now=now)
    if also.later and only is None:
        look = again.look(task)
    else:
        look = again.full(task, _gathered(root, also, only=only, home=home))
    if also.clean:
        refuse_unless_clean(_code(look.tree, look.gathered, store, workdir))
    intact.refuse_damaged(look.tree, store, task.cache)
    tree, where = again.store(task, look)
    made = _patched(tree, store, where)
    return _code(tree, look.gathered, store, workdir, made)


def lay_out(folder: Path) -> None:
    """Have this snapshot, of which only what is new may be in the store, as a folder.

    Nothing happens where it is one, or where there is none of this name. CorruptError where the
    store does not hold all of it any more; StoreError when it cannot be written.
    """
    try:
        layingout.lay_out(folder.parent, folder.name)
    except FileNotFoundError:
        return
    except layingout.DamagedError as error:
        raise CorruptError(
            f"the snapshot {folder.name} cannot be laid out: {error}",
            hint="launch again from the project",
        ) from None
    except OSError as error:
        raise unwritable(folder.parent, error) from None


def refuse_unless_clean(code: Code) -> None:
    """RefusedError for code of which anything is not as committed; it names what."""
    if not code.repositories:
        why, mend = f"{code.root} is in no repository", "`git init` and commit"
        if git.missing(Path(code.root)):
            why, mend = "git is not installed", "install it"
        raise RefusedError(
            f"{why}: nothing tells whether the code is as committed",
            hint=f"leave out --require-clean, or {mend}",
        )
    lines = [
        f"{what:9}  {posixpath.join(each.place, path)}"
        for each in code.repositories
        for what, paths in (("changed", each.changed), ("untracked", each.untracked))
        for path in paths
    ]
    if lines:
        raise RefusedError(
            "\n  ".join(["the code is not as committed:", *lines]),
            hint="commit, or list what does not matter in .nemorunignore",
        )


def verify(folder: Path, expected: str) -> bool:
    """Whether a stored snapshot still is what its name says."""
    try:
        return stored(folder).hash == expected
    except OSError:
        return False


def ignored_entries(root: Path, code: Code) -> tuple[str, ...]:
    """The top-level names of the project that are not in the snapshot.

    Except for `.git`, caches of byte code, and the folder in which the store lies.
    """
    taken = {entry.partition("/")[0] for entry in code.entries}
    snapshot, top = Path(code.path).resolve(), root.resolve()
    own = {snapshot.relative_to(top).parts[0]} if snapshot.is_relative_to(top) else set()
    return tuple(sorted({each.name for each in root.iterdir()} - taken - own - _NOT_LINKED))


def _gathered(root: Path, also: Also, *, only: Sequence[str] | None, home: Path) -> Gathered:
    if only is not None:
        return Gathered(listings=[Listing(folder=root, paths=(*only,))])
    return gather(root, also, home=home)


def _code(
    tree: Tree,
    gathered: Gathered,
    store: Path,
    workdir: str,
    made: Mapping[str, str] = MappingProxyType({}),
) -> Code:
    head = tree.listings[0].state
    return Code(
        hash=tree.hash,
        path=str(store / tree.hash),
        root=str(tree.root),
        entries=_layout(tree.rows, workdir),
        files=len(tree.entries),
        bytes=tree.rows.bytes,
        commit=head.head.commit if head else None,
        repositories=tuple(
            _repository(each, tree, made.get(each.place))
            for each in tree.listings
            if each.state or each.place
        ),
        imports=tuple(gathered.imports),
        live=tuple(gathered.live),
    )


def _repository(listing: Listing, tree: Tree, made: str | None) -> Repository:
    place, root, state = listing.place.rstrip("/"), str(listing.folder), listing.state
    if state is None:
        return Repository(place=place, root=root)
    untracked = [path for path in state.untracked if listing.place + path in tree.entries]
    return Repository(
        place=place,
        root=root,
        commit=state.head.commit,
        branch=state.head.branch,
        remote=state.remote,
        dirty=bool(state.changed or untracked),
        changed=tuple(sorted(state.changed)[:_NAMED]),
        untracked=tuple(sorted(untracked)[:_NAMED]),
        patch=made,
    )


def _patched(tree: Tree, store: Path, where: Path) -> dict[str, str]:
    """Store the patch of each repository that needs one; place to name.

    `where`: the folder with the files that a patch may be about.
    """
    found = {}
    for listing in tree.listings:
        paths = patches.suspects(listing, tree)
        name = patches.name_of(listing, tree) if paths else None
        if name is None or patches.weight(listing, tree, paths) > patches.MOST_BYTES:
            continue
        target = store / patches.FOLDER / name
        if target.exists() or _made(listing, tree, paths, where, target):
            found[listing.place] = name
    return found


def _made(listing: Listing, tree: Tree, paths: Collection[str], where: Path, target: Path) -> bool:
    """As `patch`, of files that may become part of a whole snapshot meanwhile."""
    whole = target.parent.parent / tree.hash
    try:
        return patch(listing, tree, paths, files=where, target=target)
    except StoreError:
        if where == whole or not whole.is_dir():
            raise
        return patch(listing, tree, paths, files=whole, target=target)


def _layout(rows: Rows, workdir: str) -> tuple[str, ...]:
    """The paths of a snapshot to which a working folder links.

    The top-level ones; but folders on the way to `workdir` are made, and what is in them is
    linked, so that a job that starts there writes into a folder of its own.
    """
    parts = workdir.split("/")
    made = {"/".join(parts[: number + 1]) for number in range(len(parts))}
    linked, waiting = set(), [""]
    for folder in waiting:
        for path in (f"{folder}{name}" for name in rows.names(folder)):
            if path.rstrip("/") not in made:
                linked.add(path.rstrip("/"))
            elif path.endswith("/"):
                waiting.append(path)
    return tuple(sorted(linked - {PLACE.rstrip("/")}))
