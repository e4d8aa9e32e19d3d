"""A snapshot after an earlier one: what that holds is neither read nor stored again."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from nemorun_cli.job import layingout
from nemorun_cli.packagers import glance, latest, patches
from nemorun_cli.packagers.companions import Also, Gathered, gather
from nemorun_cli.packagers.copying import copy, copy_new
from nemorun_cli.packagers.digests import Digests
from nemorun_cli.packagers.latest import MOST, Latest
from nemorun_cli.packagers.trees import Tree, scan


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a project holds, and what is known of it from before."""

    gathered: Gathered
    tree: Tree
    digests: Digests
    mark: str | None = None
    """What git knew before the look, see `latest.mark_of`; None: nothing is built on this one."""
    before: Latest | None = None


def full(gathered: Gathered, cache: Path, also: Also, *, home: Path, now: float) -> Look:
    """A look at every file."""
    digests = Digests.of(gathered.listings[0].folder, cache)
    tree = scan(gathered.listings, digests, now=now, without=home, limit=also.limit)
    return Look(gathered=gathered, tree=tree, digests=digests)


def look(root: Path, cache: Path, also: Also, *, home: Path, now: float) -> Look:
    """A look at what may differ from the last snapshot where that tells all; else at every file."""
    before = latest.recall(root, cache)
    mark = "" if also.clean or also.repositories or also.editables else latest.mark_of(root)
    if before is not None and mark and before.mark == mark:
        known = {path: each.row for path, each in before.doubtful.items()}
        digests = Digests(path=None, known=known)
        tree = glance.look(root, before, digests, now=now, without=home, limit=also.limit)
        if tree is not None:
            gathered = Gathered(listings=[*tree.listings])
            return Look(gathered=gathered, tree=tree, digests=digests, mark=mark, before=before)
    found = full(gather(root, also, home=home), cache, also, home=home, now=now)
    return replace(found, mark=mark, before=before)


def store(look: Look, folder: Path, *, cache: Path, now: float) -> tuple[Tree, Path]:
    """Have the tree in the store, whole or what is new of it.

    The tree as it is there, and where all of it lies that may differ from a commit.
    """
    tree, digests, before = look.tree, look.digests, look.before
    whole = folder / tree.hash
    new = None if before is None or whole.is_dir() else _new(look, before, folder)
    if before is not None and new is not None:
        tree, where = _store_new(look, new, folder, base=before.base, now=now)
        base = before.base
    else:
        if not whole.is_dir():
            tree = copy(tree, folder, now=now, digests=digests)
        where, base, new = folder / tree.hash, tree.hash, frozenset()
    digests.save()
    if look.mark is not None:
        latest.keep(tree, digests, cache, mark=look.mark, base=base, new=new)
    return tree, where


def _new(look: Look, before: Latest, folder: Path) -> frozenset[str] | None:
    """What to store beside the base; None where it is too much, or there is no base."""
    if not (folder / before.base).is_dir():
        return None
    new, entries = latest.differing(look.tree, before), look.tree.entries
    suspects = {
        listing.place + path
        for listing in look.tree.listings
        for path in patches.suspects(listing, look.tree)
    }
    wanted = new | entries.keys() & suspects
    if _bytes(look.tree, wanted) > patches.MOST_BYTES:
        wanted = new  # There will be no patch.
    too_much = len(wanted) > MOST or _bytes(look.tree, wanted) > patches.MOST_BYTES
    return None if too_much else wanted


def _store_new(
    look: Look, new: frozenset[str], folder: Path, *, base: str, now: float
) -> tuple[Tree, Path]:
    tree = look.tree
    changed = folder / f"{layingout.PENDING}{tree.hash}" / layingout.CHANGED
    if not changed.is_dir():
        tree = copy_new(tree, new, folder, base=base, now=now, digests=look.digests)
        return tree, folder / f"{layingout.PENDING}{tree.hash}" / layingout.CHANGED
    if all(os.path.lexists(changed / path) for path in new):
        return tree, changed
    layingout.lay_out(folder, tree.hash)
    return tree, folder / tree.hash


def _bytes(tree: Tree, paths: Iterable[str]) -> int:
    return sum(tree.entries[path].size for path in paths)
