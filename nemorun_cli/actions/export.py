"""Runs as one file."""

import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from nemorun_cli.actions.gathering import Extent, code_of, part_of
from nemorun_cli.actions.observe import refresh
from nemorun_cli.actions.wiring import Ports
from nemorun_cli.archives import manifest as manifests
from nemorun_cli.archives import packing
from nemorun_cli.archives.manifest import Manifest
from nemorun_cli.archives.packing import Source
from nemorun_cli.core.errors import CorruptError, StoreError, UsageError
from nemorun_cli.core.ids import tail
from nemorun_cli.core.runs import Run

_SPOOL, _PART = "nemorun-export-", ".nemorun-export"
_DAY = 86400.0


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What was exported."""

    runs: tuple[Run, ...]
    digest: str
    """The same for the same content."""
    bytes: int
    left_out: tuple[str, ...]
    """In words."""


def export(
    runs: Sequence[Run], extent: Extent, *, ports: Ports, write: Callable[[bytes], object]
) -> Exported:
    """Write these runs to `write`, as an archive that needs nothing else.

    UsageError for a run that is still alive; NotFoundError for code or a config that is not in the
    store any more, CorruptError for one that is not what it was; UnreachableError when the back-end
    that has the logs does not answer. All of it has been read before the first byte is written.
    """
    seen = refresh(runs, ports=ports).runs
    if live := [tail(run.id) for run in seen if run.live]:
        raise UsageError(
            f"still alive: {', '.join(live)}",
            hint=f"`nemorun wait {' '.join(live)}` first",
        )
    _sweep(Path(tempfile.gettempdir()), f"{_SPOOL}*", ports.clock())
    with tempfile.TemporaryDirectory(prefix=_SPOOL) as spool:
        try:
            return _written(seen, extent, Path(spool), ports, write)
        except OSError as error:
            if error.filename is None:
                raise
            raise StoreError(f"cannot read {error.filename}: {error.strerror}") from None


def to_file(
    runs: Sequence[Run], extent: Extent, path: Path, *, ports: Ports, force: bool
) -> Exported:
    """The same, to a file that is there whole or not at all, and that you alone can read.

    UsageError for one that is there already, unless with `force`, or in a folder that is not.
    """
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}", hint="make it, or name another one")
    if os.path.exists(path) and not force:  # noqa: PTH110 # That of a path too long is no error.
        raise UsageError(f"{path} is there already", hint="--force writes it anew")
    _sweep(path.parent, f".*{_PART}", ports.clock())
    part = path.with_name(f".{os.urandom(6).hex()}{_PART}")
    try:
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(fd, "wb") as file:  # noqa: PTH123
            exported = export(runs, extent, ports=ports, write=file.write)
            file.flush()
            os.fsync(fd)
        part.replace(path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StoreError(f"cannot write {path}: {reason}", hint="choose another place") from None
    finally:
        with suppress(OSError):
            part.unlink()
    return exported


def _sweep(folder: Path, pattern: str, now: float) -> None:
    """Delete what killed exports of this user left behind."""
    for each in folder.glob(pattern):
        with suppress(OSError):
            status = each.lstat()
            if status.st_uid != os.getuid() or now - status.st_mtime < _DAY:
                continue
            if stat.S_ISDIR(status.st_mode):
                shutil.rmtree(each, ignore_errors=True)
            else:
                each.unlink()


def _written(
    runs: Sequence[Run],
    extent: Extent,
    spool: Path,
    ports: Ports,
    write: Callable[[bytes], object],
) -> Exported:
    parts = {run.id: part_of(run, extent, spool / run.id, ports=ports) for run in runs}
    code = {part.code for part in parts.values() if part.code is not None}
    sources = [each for part in parts.values() for each in part.sources]
    sources += [each for code_hash in code for each in code_of(code_hash, ports=ports)]
    patches = {name: path for part in parts.values() for name, path in part.patches.items()}
    sources += [Source(name=f"patches/{name}", path=path) for name, path in patches.items()]
    manifest = Manifest(
        runs=tuple(parts),
        code=tuple(code),
        members=tuple(map(packing.measure, sources)),
        left_out={run_id: part.left_out for run_id, part in parts.items() if part.left_out},
    )
    if wrong := manifest.wrong_code():
        raise CorruptError(
            f"the code {wrong[0][:12]} in {ports.store.code} is not what it was",
            hint="--no-code exports the rest",
        )
    size = 0

    def counted(data: bytes) -> None:
        nonlocal size
        size += len(data)
        write(data)

    packing.pack(manifest, sources, counted)
    return Exported(
        runs=tuple(runs),
        digest=hashlib.sha256(manifests.text_of(manifest).encode()).hexdigest(),
        bytes=size,
        left_out=tuple(
            f"{tail(run_id)}: {text}" for run_id in parts for text in parts[run_id].left_out
        ),
    )
