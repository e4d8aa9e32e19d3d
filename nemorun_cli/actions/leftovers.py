"""What lies in the store and no run needs any more, beside the runs themselves."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from nemorun_cli import disk, virtualenvs
from nemorun_cli.core.errors import StoreError
from nemorun_cli.core.runs import Run
from nemorun_cli.core.sameness import mark_of
from nemorun_cli.job.layingout import discard as discard_folder
from nemorun_cli.packagers import patches
from nemorun_cli.packagers.digests import CACHE, Digests
from nemorun_cli.store import going, snapshots
from nemorun_cli.store.files import Store
from nemorun_cli.store.twins import Twins

MONTH = 30 * snapshots.DAY
"""An environment or a cache that nobody has used for so long may go."""
_TWINS = "twins"
_SPLIT = re.compile("[/:]")


class Kind(StrEnum):
    """What something is."""

    CODE = "code"
    PATCH = "patch"
    ENVIRONMENT = "environment"
    CACHE = "cache"
    """What is made anew where it is wanted."""
    REMNANT = "remnant"
    """Of commands that were killed."""


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """Something in the store that may go."""

    kind: Kind
    path: Path
    name: str
    """The snapshot's hash, the patch's or environment's name; else its path in the store."""
    bytes: int = 0
    """That come free with it."""


def find(runs: Sequence[Run], *, store: Store, now: float, whole: bool) -> list[Leftover]:
    """What none of these runs needs, and nobody has used for a while; not yet measured.

    `whole`: these are all runs there are. If not, neither code nor patches are among it.
    """
    found = [
        *(_code(runs, store, now) if whole else ()),
        *_of(Kind.ENVIRONMENT, _environments(runs, store.home / virtualenvs.FOLDER, now)),
        *_of(Kind.CACHE, _caches(runs, store, now), within=store.home),
        *_of(Kind.REMNANT, _remnants(store.home, now), within=store.home),
    ]
    return list({each.path: each for each in found}.values())


def measured(found: Sequence[Leftover]) -> tuple[Leftover, ...]:
    """The same with the room that each takes."""
    sizes = disk.freed(each.path for each in found)
    return tuple(replace(each, bytes=size) for each, size in zip(found, sizes, strict=True))


def unneeded(found: Iterable[Leftover], runs: Sequence[Run]) -> Iterator[Leftover]:
    """These, but for the code and the patches that one of these runs names after all."""
    named = set().union(*_names(runs))
    return (each for each in found if each.name not in named)


def discard(each: Leftover, *, store: Store, now: float) -> bool:
    """Delete this, unless it is used again; whether it is gone. A second call is safe.

    StoreError where nothing can be deleted.
    """
    try:
        gone = _retired(each, store, now)
        if gone is not None:
            _delete(gone)
    except FileNotFoundError:
        return False  # Somebody else was quicker.
    except OSError as error:
        raise StoreError(
            f"cannot delete {each.path}: {error.strerror or error}",
            hint="what was deleted before is gone; the next gc does the rest",
        ) from None
    return gone is not None


def _retired(each: Leftover, store: Store, now: float) -> Path | None:
    """Where it is to be deleted, and nobody can use it any more; None if it is used."""
    if each.kind is Kind.CODE:
        return snapshots.retire(each.path, now=now)
    if each.kind is Kind.PATCH:
        return snapshots.retire(each.path, now=now, held=store.code)
    if each.kind is Kind.ENVIRONMENT:
        return snapshots.retire(each.path, now=now, age=MONTH)
    if each.path.is_relative_to(store.home / _TWINS):
        _twins(each.path, store).forget()
    return each.path


def _of(kind: Kind, paths: Iterable[Path], *, within: Path | None = None) -> Iterator[Leftover]:
    for path in paths:
        name = str(path.relative_to(within)) if within else snapshots.name_of(path)
        yield Leftover(kind=kind, path=path, name=name)


def _code(runs: Sequence[Run], store: Store, now: float) -> Iterator[Leftover]:
    hashes, named = _names(runs)
    yield from _of(Kind.CODE, snapshots.unused(store.code, hashes, now=now))
    patched = store.code / patches.FOLDER
    yield from _of(Kind.PATCH, snapshots.unused(patched, named, now=now))


def _names(runs: Sequence[Run]) -> tuple[set[str], set[str]]:
    """The snapshots and the patches that these runs name."""
    codes = [run.record.code for run in runs if run.record.code is not None]
    parts = [each for code in codes for each in code.get("repositories") or ()]
    return {str(code.get("hash")) for code in codes}, {str(each.get("patch")) for each in parts}


def _environments(runs: Sequence[Run], folder: Path, now: float) -> list[Path]:
    """By their names: the way to the store may have been another one, through a link."""
    texts = [
        str(text)
        for run in runs
        if run.live
        for text in (
            run.record.resources.get("python"),
            *(run.record.environment.get("values") or {}).values(),
        )
    ]
    named = {part for text in texts for part in _SPLIT.split(text)}
    return snapshots.unused(folder, named, now=now, age=MONTH)


def _caches(runs: Sequence[Run], store: Store, now: float) -> Iterator[Path]:
    cache = store.code / CACHE
    codes = [run.record.code for run in runs if now - run.record.created_at < MONTH]
    roots = {Path(str(code.get("root"))) for code in codes if code is not None}
    used = {str(Digests.of(root, cache).path) for root in roots if root.is_dir()}
    used |= {str(cache / code_hash) for code_hash in _names(runs)[0]}
    # Beside the digests of a project lies its `.latest`, and of a snapshot there is an `.intact`.
    yield from (path for path in _old(cache, "*", now) if str(path.with_suffix("")) not in used)
    marks = {mark_of(run.record) for run in runs}
    twins = store.home / _TWINS
    yield from (path for path in _old(twins, "*/*", now) if _twins(path, store).mark not in marks)
    for path in _old(store.home / "index", "*", now, age=MONTH):
        if not path.name.startswith(f"{store.host}."):
            yield path


def _twins(path: Path, store: Store) -> Twins:
    return Twins(home=store.home, mark=f"{path.parent.name}{path.name.removesuffix('.lock')}")


def _remnants(home: Path, now: float) -> Iterator[Path]:
    for folder in (home / "code", home / virtualenvs.FOLDER):
        yield from disk.matching(folder, f"{snapshots.RETIRED}*")
        yield from _old(folder, ".new-*", now)
    yield from disk.matching(home / "runs" / going.GONE, "*")
    yield from _old(home / "runs" / going.STAGES, "*", now)
    yield from _old(home / "code" / patches.FOLDER, ".*", now)
    yield from _old(home / "jobs", ".*", now)


def _old(folder: Path, pattern: str, now: float, *, age: float = snapshots.DAY) -> Iterator[Path]:
    for path in disk.matching(folder, pattern):
        with suppress(OSError):
            if now - path.lstat().st_mtime > age:
                yield path


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        discard_folder(path)
    else:
        path.unlink(missing_ok=True)
