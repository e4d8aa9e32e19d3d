"""The files that a job has left in its working folder on another host."""

import shlex
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from nemorun_cli import jobfiles
from nemorun_cli.core.errors import NotFoundError, UnreachableError
from nemorun_cli.core.globs import matcher
from nemorun_cli.core.jobs import JobFile
from nemorun_cli.core.ports import Tunnel
from nemorun_cli.logfiles import Lines
from nemorun_cli.workfiles import inside, missing

CHUNK = 8 * 2**20
"""Bytes that one trip brings at most."""
_PATIENCE = 600
_LIST = r"""
cd "$folder" 2>/dev/null || exit 0
find . -type f -printf '%s %T@ %P\0'
find . -type l -xtype f -exec sh -c '
    here=$(pwd -P)
    for each; do
        case $(readlink -f -- "$each") in
        "$here"/*) printf "%s %s\0" "$(stat -Lc "%s %.9Y" -- "$each")" "${each#./}" ;;
        esac
    done' sh {} +
exit 0
"""
_READ = r"""
cd "$folder" 2>/dev/null && [ -f "$path" ] || exit 44
case $(readlink -f -- "$path") in "$(pwd -P)"/*) ;; *) exit 44 ;; esac
dd if="$path" iflag=skip_bytes,count_bytes skip="$offset" count="$chunk" bs=1M status=none
"""
_TAIL = r"""
tail -n "$tail" -- "$path" 2>/dev/null
exit 0
"""
_SIZES = r"""
cd "$folder" 2>/dev/null || exit 0
tr '\n' '\0' | du -s -B1 --files0-from=- 2>/dev/null
exit 0
"""
_MISSING = 44


def listed(tunnel: Tunnel, work: str, pattern: str) -> Iterator[JobFile]:
    """As `workfiles.listed`, in one trip."""
    finished = tunnel.run(_named(_LIST, folder=work), timeout=_PATIENCE)
    meant = matcher(pattern)
    found = [file for entry in finished.out.split(b"\0") if (file := _file(entry))]
    return iter(sorted((each for each in found if meant(each.path)), key=lambda each: each.path))


def content(tunnel: Tunnel, work: str, path: str, *, offset: int = 0) -> Iterator[bytes]:
    """As `workfiles.content`, one trip for each eight megabytes.

    UnreachableError for a file that is there and cannot be read, be it in the midst of it.
    """
    if not inside(path):
        raise missing(work, path)
    while True:
        names = {"folder": work, "path": f"./{path}", "offset": str(offset), "chunk": str(CHUNK)}
        finished = tunnel.run(_named(_READ, **names), timeout=_PATIENCE)
        if finished.code == _MISSING:
            raise missing(work, path)
        if finished.code:
            words = finished.err.decode(errors="replace").strip()
            raise UnreachableError(f"cannot read {path} there: {words or finished.code}")
        if finished.out:
            yield finished.out
        offset += len(finished.out)
        if len(finished.out) < CHUNK:
            return


def objects(
    tunnel: Tunnel, folder: str, path: str, *, tail: int | None = None
) -> Iterator[dict[str, Any]]:
    """The JSON objects of a file that holds one a line; with `tail`, of the last lines alone."""
    reader = Lines()
    if tail is not None:
        names = {"path": f"{folder}/{path}", "tail": str(tail)}
        pieces = iter([tunnel.run(_named(_TAIL, **names), timeout=_PATIENCE).out])
    else:
        pieces = content(tunnel, folder, path)
    with suppress(NotFoundError):
        for piece in pieces:
            yield from jobfiles.objects(reader.lines(piece))


def sizes(tunnel: Tunnel, folder: str, keys: Iterable[str]) -> dict[str, int]:
    """Bytes on the disk of each of these folders below `folder` that is there, in one trip.

    What has names in several of them counts once.
    """
    data = "".join(f"{key}\n" for key in keys).encode()
    finished = tunnel.run(_named(_SIZES, folder=folder), data=data, timeout=_PATIENCE)
    rows = (line.split("\t") for line in finished.out.decode(errors="replace").splitlines())
    return {row[1]: int(row[0]) for row in rows if len(row) == 2 and row[0].isdecimal()}  # noqa: PLR2004


def _file(entry: bytes) -> JobFile | None:
    size, _, rest = entry.decode("utf-8", "surrogateescape").partition(" ")
    time, _, path = rest.partition(" ")
    seconds, _, fraction = time.partition(".")
    if not size.isdecimal() or not seconds.lstrip("-").isdecimal() or not inside(path):
        return None
    return JobFile(path=path, size=int(size), modified_ns=int(seconds + f"{fraction:0<9.9}"))


def _named(script: str, **names: str) -> str:
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in names.items()) + script
