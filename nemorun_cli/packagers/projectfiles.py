"""Which files of a project belong to it: what git says, or all but what was made from others."""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from nemorun_cli.core.errors import RefusedError
from nemorun_cli.packagers import git, ignorefile
from nemorun_cli.packagers.gitobjects import blob_name
from nemorun_cli.packagers.ignorefile import Rules

_NEVER = "__pycache__"
_MADE = frozenset({_NEVER, "node_modules"})
_MADE_AT_THE_TOP = frozenset({"build", "dist"})
_ENDINGS = (".pyc", ".pyo")
_SUBMODULE = "160000"
_ABSENT = "000000"
_Above = tuple[tuple[str, Rules], ...]
"""The rules of the folders around: the path from each to here, and its rules."""


@dataclass(frozen=True, kw_only=True)
class State:
    """What git knows of the files in a folder."""

    repository: Path
    head: git.Head
    base: Mapping[str, str] = field(default_factory=dict)
    """Those of the commit: path to mode and object."""
    changed: frozenset[str] = frozenset()
    """Tracked ones that are not as in the commit, deleted ones included."""
    untracked: frozenset[str] = frozenset()
    unwatched: frozenset[str] = frozenset()
    """Tracked ones at which git was told not to look."""
    staged: frozenset[str] = frozenset()
    """Those that the index has, or lacks, as the commit does not."""
    remote: str | None = None
    """The address of the repository, without credentials."""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The paths that belong to a project, or to a repository in it, relative to its folder.

    A path may be gone from the disk.
    """

    folder: Path
    place: str = ""
    """Where its files lie in the snapshot: empty, or a path that ends in `/`."""
    paths: tuple[str, ...]
    state: State | None = None
    left_out: tuple[str, ...] = ()
    """What `.nemorunignore` takes from it."""
    inside: tuple[str, ...] = ()
    """Folders of it that are repositories of their own."""


def listings(folder: Path, *, place: str = "", above: _Above = ()) -> tuple[Listing, ...]:
    """Of a project, and then of each repository inside, however deep.

    The tracked and the untracked, not ignored files; without git, all but hidden folders, caches,
    environments and what builds leave behind. `.nemorunignore` has the last word.
    RefusedError for a repository that git cannot read.
    """
    rules = ignorefile.rules(folder)
    around = (*above, *([("", rules)] if rules else []))
    own = _ruled(_listing(folder, place), rules, around)
    found = [own]
    for name in own.inside:
        inner = tuple((f"{start}{name}/", each) for start, each in around)
        if (folder / name / ".git").exists():
            found += listings(folder / name, place=f"{place}{name}/", above=inner)
    return tuple(found)


def ignored(folder: Path) -> tuple[str, ...]:
    """What git ignores in this folder; a folder that is ignored as a whole ends in `/`."""
    if git.repository(folder) is None:
        return ()
    argv = ("ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory")
    told = git.ask(folder, *argv, to="list what is ignored in")
    return tuple(path for path in os.fsdecode(told or b"").split("\0") if path)


def beyond_links(folder: Path, paths: Collection[str]) -> frozenset[str]:
    """Those of these paths that are none of the folder's own: a link is on their way."""
    folders = {path.rpartition("/")[0] for path in paths} - {""}
    for each in tuple(folders):
        at = each
        while (at := at.rpartition("/")[0]) and at not in folders:
            folders.add(at)
    links = tuple(f"{each}/" for each in folders if os.path.islink(f"{folder}/{each}"))  # noqa: PTH114
    return frozenset(path for path in paths if path.startswith(links)) if links else frozenset()


def _listing(folder: Path, place: str) -> Listing:
    repository = git.repository(folder)
    found = None if repository is None else _asked(folder, place, repository)
    # A project that the repository around it ignores is not empty for that.
    if found is not None and (found.paths or found.inside or repository == folder):
        return found
    paths = tuple(_walk(folder))
    inside = tuple(path.rstrip("/") for path in paths if path.endswith("/"))
    files = tuple(path for path in paths if not path.endswith("/"))
    return Listing(folder=folder, place=place, paths=files, inside=inside)


def _asked(folder: Path, place: str, repository: Path) -> Listing | None:
    """What git tells; None where it is not installed."""
    argv = ("ls-files", "-z", "-s", "-v", "--cached", "--others", "--modified", "--deleted")
    told = git.ask(folder, *argv, "--exclude-standard", to="list the files of")
    if told is None:
        return None
    base: dict[str, str] = {}
    inside: set[str] = set()
    untracked: set[str] = set()
    changed: set[str] = set()
    unwatched: set[str] = set()
    for line in os.fsdecode(told).split("\0"):
        tag, entry = line[:1], line[2:]
        if tag == "?":
            (inside if entry.endswith("/") else untracked).add(entry.rstrip("/"))
            continue
        known, _, path = entry.partition("\t")
        if known.startswith(_SUBMODULE):
            inside.add(path)
        elif known:
            base[path] = known[:-2]  # An unmerged path is listed once for each side.
        if tag in "CR":
            changed.add(path)
        elif tag != "H":
            unwatched.add(path)
    beyond = beyond_links(folder, base)
    paths = kept((*base, *untracked))
    config, head = git.config(repository), git.head(repository)
    state = State(
        repository=repository,
        head=head,
        remote=git.remote(config, head.branch),
        base=base,
        changed=frozenset(changed - {""}).union(beyond, _altered(folder, base, unwatched)),
        untracked=frozenset(kept(untracked)),
        unwatched=frozenset(kept(unwatched - {""})),
    )
    state = _against_the_commit(state, folder)
    return Listing(
        folder=folder, place=place, paths=paths, state=state, inside=tuple(sorted(inside))
    )


def _altered(folder: Path, base: Mapping[str, str], paths: Iterable[str]) -> Iterator[str]:
    """Those of these tracked files that are there, and are not as git has them."""
    for path in paths:
        known = base.get(path, "").partition(" ")[2]
        try:
            data = (folder / path).read_bytes()
        except OSError:
            continue  # A sparse checkout has left it out.
        if blob_name(data, like=known) != known:
            yield path


def _against_the_commit(state: State, folder: Path) -> State:
    """The same, told from the commit that is checked out instead of the index."""
    if state.head.commit is None:
        tracked = kept((*state.base, *state.changed))
        return replace(state, base={}, changed=frozenset(tracked))
    argv = ("diff-index", "--cached", "--raw", "-z", "--relative", state.head.commit)
    told = git.ask(folder, *argv, to="compare with its commit the files of") or b""
    words = os.fsdecode(told).split("\0")
    base, staged = dict(state.base), set[str]()
    for entry, path in zip(words[::2], words[1::2], strict=False):
        mode, _, known, *_ = entry.lstrip(":").split(" ")
        base.pop(path, None)
        if mode not in {_ABSENT, _SUBMODULE}:
            base[path] = f"{mode} {known}"
        staged.add(path)
    changed = frozenset(kept({*state.changed, *staged}))
    return replace(state, base=base, changed=changed, staged=frozenset(staged))


def _ruled(listing: Listing, rules: Rules | None, around: _Above) -> Listing:
    """The same, as the rules of this folder and of those around it want it."""
    if not around:
        return listing

    def is_out(path: str) -> bool:
        return any(each.leave_out(start + path) for start, each in around)

    more = _taken(listing, rules) if rules is not None and rules.taken else ()
    left_out = frozenset(path for path in listing.paths if is_out(path))
    state = listing.state
    if state is not None:
        state = replace(
            state,
            changed=frozenset(path for path in state.changed if not is_out(path)),
            untracked=(state.untracked - left_out) | set(more) - state.base.keys(),
        )
    return replace(
        listing,
        paths=(*(path for path in listing.paths if path not in left_out), *more),
        state=state,
        left_out=tuple(sorted(left_out)),
        inside=tuple(path for path in listing.inside if not is_out(f"{path}/")),
    )


def _taken(listing: Listing, rules: Rules) -> tuple[str, ...]:
    """The files that it would not hold but for the rules."""
    found = rules.take(ignored(listing.folder) if rules.searching else ())
    others = tuple(f"{name}/" for name in listing.inside)
    held = {*listing.paths}
    return tuple(path for path in found if path not in held and not path.startswith(others))


def kept(paths: Iterable[str]) -> tuple[str, ...]:
    """Those that are not byte code."""
    return tuple(path for path in paths if _NEVER not in path.split("/"))


def _walk(root: Path) -> Iterator[str]:
    """All files; a folder that is a repository of its own ends in `/`, and is not entered."""
    start = len(os.path.join(root, ""))  # noqa: PTH118
    for at, folders, files in os.walk(root, onerror=_refuse):
        links = [name for name in folders if os.path.islink(f"{at}/{name}")]  # noqa: PTH114
        folders[:] = [name for name in folders if not _is_made(at, name, top=len(at) < start)]
        inside = [name for name in folders if os.path.exists(f"{at}/{name}/.git")]  # noqa: PTH110
        yield from (f"{at}/{name}/"[start:] for name in inside if name not in links)
        folders[:] = [name for name in folders if name in links or name not in inside]
        for name in (*files, *(each for each in links if each in folders)):
            if not name.endswith(_ENDINGS):
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
