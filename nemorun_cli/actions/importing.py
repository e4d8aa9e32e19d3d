"""Runs from a file, into the store of this user. Nothing of what they hold is executed."""

import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from nemorun_cli.actions import verify
from nemorun_cli.actions.wiring import Ports
from nemorun_cli.archives import contents, reading, unpacking
from nemorun_cli.archives.manifest import Member
from nemorun_cli.archives.packing import Source, measure
from nemorun_cli.archives.reading import Archive
from nemorun_cli.core.errors import RefusedError
from nemorun_cli.core.runs import RunRecord
from nemorun_cli.core.sizes import closely
from nemorun_cli.packagers import copying
from nemorun_cli.store import layout, origins, snapshots

GIBIBYTE = 2**30
_CHANGED = "somebody has changed it: do not use it"
_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """What an archive may hold."""

    bytes: int = 16 * GIBIBYTE
    """Of all its files together."""
    outside_links: bool = False
    """Whether symbolic links of its code may lead out of it."""


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What became of the runs of an archive; ids."""

    runs: tuple[str, ...]
    """All of them."""
    present: tuple[str, ...]
    """Those that were there already, as they are in the archive."""
    left_out: tuple[str, ...]
    """What the archive does not have of them, in words."""


def import_(path: Path, allowed: Allowed, *, ports: Ports) -> Imported:
    """Record the runs of an archive, with their code, logs and metrics; a second call is safe.

    CorruptError for an archive that is damaged; RefusedError for one that holds more than is
    allowed, or another run under an id that is taken. On an error no run of it is recorded.
    """
    with reading.opened(path) as archive:
        manifest = archive.manifest
        _refuse_too_large(archive, allowed, ports.store.home)
        archive.check()
        _refuse_other_configs(archive)
        _refuse_changed(archive)
        _refuse_links(archive, allowed)
        _refuse_patches(archive, [contents.record_of(archive, each) for each in manifest.runs])
        present = {each for each in manifest.runs if _is_present(archive, each, ports)}
        with snapshots.safe(ports.store.code):
            for code_hash in manifest.code:
                fill = partial(unpacking.unpack_code, archive, code_hash)
                copying.receive(code_hash, ports.store.code, fill, now=ports.clock())
                snapshots.touch(ports.store.code / code_hash)
        for name in manifest.patches():
            write = partial(unpacking.unpack_patch, archive, name)
            copying.receive_patch(name, ports.store.code, write, now=ports.clock())
        for run_id in manifest.runs:
            if run_id not in present and not _adopted(archive, run_id, ports):
                present.add(run_id)
        return Imported(
            runs=manifest.runs,
            present=tuple(each for each in manifest.runs if each in present),
            left_out=tuple(
                f"{run_id}: {text}"
                for run_id in manifest.runs
                for text in _left_out(archive, run_id)
            ),
        )


def _adopted(archive: Archive, run_id: str, ports: Ports) -> bool:
    """Record a run; False if another import has just recorded it."""
    try:
        ports.store.adopt(run_id, partial(_fill, archive, run_id, ports.clock()))
    except RefusedError:
        if not _is_present(archive, run_id, ports):
            raise
        return False
    return True


def _fill(archive: Archive, run_id: str, now: float, stage: Path) -> None:
    unpacking.unpack_run(archive, run_id, stage)
    origin = {
        "at": now,
        "on": os.uname().nodename,
        "archive": archive.path.name,
        "digest": archive.digest,
        "left_out": _left_out(archive, run_id),
        "files": {path: each.sha256 for path, each in archive.manifest.of_run(run_id).items()},
    }
    path = stage / origins.ORIGIN
    path.touch(mode=0o600)
    path.write_text(json.dumps(origin))


def _left_out(archive: Archive, run_id: str) -> tuple[str, ...]:
    return archive.manifest.left_out.get(run_id, ())


def _refuse_too_large(archive: Archive, allowed: Allowed, home: Path) -> None:
    total = sum(each.size for each in archive.manifest.members)
    if total > allowed.bytes:
        raise RefusedError(
            f"{archive.path} unpacks to {closely(total)}, more than {closely(allowed.bytes)}",
            hint="--limit GIB allows more",
        )
    while not home.exists():
        home = home.parent
    if total > (free := shutil.disk_usage(home).free):
        raise RefusedError(
            f"{archive.path} unpacks to {closely(total)}; {home} has room for {closely(free)}",
            hint="free some space there, or set NEMORUN_HOME to a folder with room",
        )


def _refuse_changed(archive: Archive) -> None:
    if wrong := archive.manifest.wrong_code():
        raise RefusedError(
            f"{archive.path}: the code {wrong[0][:12]} is not what its hash says",
            hint=_CHANGED,
        )


def _refuse_patches(archive: Archive, records: Iterable[RunRecord]) -> None:
    for name, wrong in contents.patches(archive, records).items():
        if wrong is not None:
            raise RefusedError(
                f"{archive.path}: the patch {name[:12]} does not make the code: {wrong}",
                hint=_CHANGED,
            )


def _refuse_links(archive: Archive, allowed: Allowed) -> None:
    found = [] if allowed.outside_links else unpacking.outside_links(archive)
    if found:
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise RefusedError(
            f"{archive.path}: links lead out of the code: {', '.join(found[:_SHOWN])}{more}",
            hint="--outside-links takes them as they are, if you know who made the archive",
        )


def _refuse_other_configs(archive: Archive) -> None:
    for run_id in archive.manifest.runs:
        if not verify.is_as_launched(archive, run_id):
            raise RefusedError(
                f"{archive.path}: the config of {run_id} is not what was launched",
                hint="somebody has changed it: do not use it",
            )


def _is_present(archive: Archive, run_id: str, ports: Ports) -> bool:
    """Whether the store has this very run; RefusedError if it has another one of this id."""
    folder = layout.folder_of(ports.store.home, run_id)
    if not folder.exists():
        return False
    members = {n: each for n, each in archive.manifest.of_run(run_id).items() if "/" not in n}
    if other := [name for name, each in members.items() if _differs(folder / name, each)]:
        raise RefusedError(
            f"there is another run {run_id} already: its {other[0]} is not that of {archive.path}",
            hint=f"`nemorun rm {run_id}` deletes it",
        )
    return True


def _differs(path: Path, member: Member) -> bool:
    """Whether a file of a record, which never changes, is another one than the archive has."""
    if path.name in contents.CHANGING or not path.exists():
        return False
    try:
        return measure(Source(name=member.name, path=path)) != member
    except OSError:
        return True
