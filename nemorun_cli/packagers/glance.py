"""A look at a project of which the last snapshot is known: only what may differ is read."""

import os
from collections.abc import Collection
from pathlib import Path

from nemorun_cli.packagers import git, ignorefile
from nemorun_cli.packagers.digests import Digests
from nemorun_cli.packagers.latest import MOST, Latest
from nemorun_cli.packagers.projectfiles import Listing, State, beyond_links, kept
from nemorun_cli.packagers.trees import MOST_FILES, Tree, scan

_KNOWN = frozenset("AMTD")
_ARGUMENTS = 100_000
"""Characters of paths that are passed to git at once."""


def look(  # noqa: PLR0913 # As `packagers.take`.
    root: Path, latest: Latest, digests: Digests, *, now: float, without: Path, limit: int | None
) -> Tree | None:
    """The files of a project whose mark is that of its last snapshot; None where that cannot tell.

    A file is as it was unless git finds it untracked, or stat(2) says of it anything else than
    when git last looked: then, and where the last snapshot had its doubts, it is looked at. The
    listing of the tree names those alone.
    """
    dirty, others = _dirty(root), _untracked(root)
    if dirty is None or others is None or len(dirty) + len(others) > MOST:
        return None
    if sum(map(len, dirty)) > _ARGUMENTS:
        return None
    before = latest.doubtful
    gone = {path for path, each in before.items() if not each.tracked} - others
    paths = _ruled(root, {*before, *dirty, *others} - gone)
    dirty = {path: dirty[path] for path in dirty.keys() & set(paths)}
    found = scan([Listing(folder=root, paths=paths)], digests, now=now, without=without, limit=None)
    nothing = dict.fromkeys((*paths, *gone))
    rows = latest.rows.changed({**nothing, **found.entries})
    if limit is not None and (len(rows) > MOST_FILES or rows.bytes > limit):
        return None
    staged = frozenset(path for path, each in before.items() if each.staged)
    head = git.head(repository := git.repository(root) or root)
    commits = {**dirty, **{path: each.commit for path, each in before.items()}}
    state = State(
        repository=repository,
        head=head,
        base={path: commits[path] for path in paths if commits.get(path)},
        changed=staged | beyond_links(root, dirty) | _modified(root, dirty.keys() - staged),
        untracked=others.intersection(paths),
        staged=staged,
        remote=git.remote(git.config(repository), head.branch),
    )
    listing = Listing(folder=root, paths=paths, state=state)
    return Tree(root=root, entries=rows, listings=(listing,), young=found.young)


def _dirty(root: Path) -> dict[str, str] | None:
    """Tracked files that may not be as in the index: path to mode and object there.

    None where git tells more than that, or is not installed any more.
    """
    told = git.ask(root, "diff-files", "-z", "--relative", to="look for changes in")
    if told is None:
        return None
    words = os.fsdecode(told).split("\0")
    found = {}
    for entry, path in zip(words[::2], words[1::2], strict=False):
        mode, _, known, _, status = entry.lstrip(":").split(" ")
        if status not in _KNOWN:
            return None
        found[path] = f"{mode} {known}"
    return {path: found[path] for path in kept(found)}


def _untracked(root: Path) -> frozenset[str] | None:
    """None where there is a repository among them."""
    argv = ("ls-files", "-z", "--others", "--exclude-standard")
    told = git.ask(root, *argv, to="list the files of")
    paths = os.fsdecode(told or b"").split("\0")[:-1]
    return None if any(path.endswith("/") for path in paths) else frozenset(kept(paths))


def _modified(root: Path, paths: Collection[str]) -> frozenset[str]:
    """Those of these tracked files whose content is another than in the index."""
    if not paths:
        return frozenset()
    argv = ("ls-files", "-z", "--modified", "--deleted", "--", *paths)
    told = git.ask(root, *argv, to="list the files of", more={"GIT_LITERAL_PATHSPECS": "1"})
    return frozenset(os.fsdecode(told or b"").split("\0")[:-1])


def _ruled(root: Path, paths: Collection[str]) -> tuple[str, ...]:
    rules = ignorefile.rules(root)
    return tuple(sorted(path for path in paths if rules is None or not rules.leave_out(path)))
