"""A snapshot after an earlier one: what that holds is neither read nor stored again."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from nemorun_cli.job.layingout import CHANGED, PENDING, discard, lay_out, whole
from nemorun_cli.packagers import glance, intact, latest, patches
from nemorun_cli.packagers.companions import Also, Gathered, gather
from nemorun_cli.packagers.copying import copy, copy_new
from nemorun_cli.packagers.digests import CACHE, Digests
from nemorun_cli.packagers.latest import MOST, Latest
from nemorun_cli.packagers.trees import Tree, scan

FEW = 1_000
"""Of so many files all are looked at and copied: that is as quick."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a snapshot is to be made of, and where it goes."""

    root: Path
    store: Path
    home: Path
    also: Also
    now: float

    @property
    def cache(self) -> Path:
        """Where it is kept what is known of projects."""
        return self.store / CACHE


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a project holds, and what is known of it from before."""

    gathered: Gathered
    tree: Tree
    digests: Digests
    mark: str | None = None
    """What git knew before the look, see `latest.mark_of`; None: nothing is built on this one."""
    base: str = ""
    """The hash of a snapshot in the store that holds all but what is new."""
    new: frozenset[str] | None = None
    """What to store beside the base; None: there is none, or it is too much."""


def full(task: Task, gathered: Gathered) -> Look:
    """A look at every file."""
    digests = Digests.of(task.root, task.cache)
    tree = scan(gathered.listings, digests, now=task.now, without=task.home, limit=task.also.limit)
    return Look(gathered=gathered, tree=tree, digests=digests)


def look(task: Task) -> Look:
    """A look at what may differ from the last snapshot where that tells all; else at every file."""
    also, before = task.also, latest.recall(task.root, task.cache)
    mark = "" if also.clean or also.repositories or also.editables else latest.mark_of(task.root)
    if before is not None and (len(before.rows) <= FEW or not (task.store / before.base).is_dir()):
        before = None
    if before is not None and mark and before.mark == mark:
        found = _glanced(task, before)
        if found is not None:
            return found
    found = replace(full(task, gather(task.root, also, home=task.home)), mark=mark)
    if before is None:
        return found
    return replace(found, base=before.base, new=_new(found.tree, before))


def store(task: Task, look: Look) -> tuple[Tree, Path]:
    """Have the tree in the store, whole or what is new of it.

    The tree as it is there, and where all of it lies that may differ from a commit.
    """
    tree, base, new = look.tree, look.base, look.new
    where = task.store / tree.hash
    if new is not None and not where.is_dir():
        tree, where = _store_new(task, look, new)
    else:
        if not where.is_dir():
            tree = copy(tree, task.store, now=task.now, digests=look.digests)
            discard(task.store / f"{PENDING}{tree.hash}")  # Its base has gone.
            intact.remember(task.store / tree.hash, task.cache)
        where, base, new = task.store / tree.hash, tree.hash, frozenset()
    look.digests.save()
    if look.mark is not None:
        latest.keep(tree, look.digests, task.cache, mark=look.mark, base=base, new=new)
    return tree, where


def _glanced(task: Task, before: Latest) -> Look | None:
    digests = Digests(path=None, known={path: each.row for path, each in before.doubtful.items()})
    tree = glance.look(
        task.root, before, digests, now=task.now, without=task.home, limit=task.also.limit
    )
    new = None if tree is None else _new(tree, before, among=tree.listings[0].paths)
    if tree is None or new is None:
        return None
    return Look(
        gathered=Gathered(listings=[*tree.listings]),
        tree=tree,
        digests=digests,
        mark=before.mark,
        base=before.base,
        new=new,
    )


def _new(
    tree: Tree, before: Latest, *, among: Iterable[str] | None = None
) -> frozenset[str] | None:
    """What to store beside the base, with all that a patch may be about; None for too much."""
    new, entries = latest.differing(tree, before, among=among), tree.entries
    suspects = {
        listing.place + path
        for listing in tree.listings
        for path in patches.suspects(listing, tree)
    }
    wanted = new | {path for path in suspects if path in entries}
    if _bytes(tree, wanted) > patches.MOST_BYTES:
        wanted = new  # There will be no patch.
    too_much = len(wanted) > MOST or _bytes(tree, wanted) > patches.MOST_BYTES
    return None if too_much else wanted


def _store_new(task: Task, look: Look, new: frozenset[str]) -> tuple[Tree, Path]:
    tree = look.tree
    pending = task.store / f"{PENDING}{tree.hash}"
    changed = pending / CHANGED
    if not whole(pending):
        discard(pending)
        tree = copy_new(tree, new, task.store, base=look.base, now=task.now, digests=look.digests)
        return tree, task.store / f"{PENDING}{tree.hash}" / CHANGED
    if all(os.path.lexists(changed / path) for path in new):
        return tree, changed
    lay_out(task.store, tree.hash)
    return tree, task.store / tree.hash


def _bytes(tree: Tree, paths: Iterable[str]) -> int:
    return sum(tree.entries[path].size for path in paths)
