"""Snapshots on a host that no job there needs any more."""

import shlex
from collections.abc import Iterable

from nemorun_cli.core.ports import Tunnel

_PATIENCE = 600
_COMMON = r"""
cd "$folder" 2>/dev/null && cd code 2>/dev/null || exit 0
# Several stores may send code here, so what counts is which jobs are there. A day is for those
# whose folder is still on its way.
named=$(find .. -mindepth 2 -maxdepth 2 -name job.sh -exec grep -hoE 'code/[0-9a-f]{64}' {} +)
old() { [ -n "$(find "$1" -maxdepth 0 -type d -mmin +1440 2>/dev/null)" ]; }
unused() { case $named in *"code/$1"*) false ;; *) old "$1" ;; esac; }
"""
# A snapshot shares files with the one it was made of, by links: these come free with the last.
_LIST = r"""
set -- *
for each; do
    shift
    [ "${#each}" -ne 64 ] || ! unused "$each" || set -- "$@" "$each"
done
[ $# -gt 0 ] || exit 0
find "$@" -printf '%y %n %D:%i %b %H\n' 2>/dev/null | awk '
    { room[$5] += 0 }
    $1 == "d" || ++seen[$3] == $2 { room[$5] += $4 * 512 }
    END { for (each in room) printf "%.0f\t%s\n", room[each], each }'
exit 0
"""
_DISCARD = r"""
while read -r each; do
    unused "$each" && gone=.new-gone-$each && mv -T "$each" "$gone" || continue
    # A launch may have found it in just that moment.
    old "$gone" || { mv -T "$gone" "$each" 2>/dev/null && continue; }
    chmod -R u+w "$gone"
    rm -rf "$gone"
    echo "$each"
done
exit 0
"""


def unused(tunnel: Tunnel, folder: str) -> dict[str, int]:
    """Bytes that come free with each snapshot in `folder/code` that no job in `folder` names.

    By hash; those that somebody has used within a day are left out. One trip.
    """
    finished = tunnel.run(_named(_COMMON + _LIST, folder), timeout=_PATIENCE)
    rows = (line.split("\t") for line in finished.out.decode(errors="replace").splitlines())
    return {row[1]: int(row[0]) for row in rows if len(row) == 2 and row[0].isdecimal()}  # noqa: PLR2004


def discard(tunnel: Tunnel, folder: str, hashes: Iterable[str]) -> set[str]:
    """Delete these, unless they are used again; those that are gone. One trip, safe to repeat."""
    data = "".join(f"{each}\n" for each in hashes).encode()
    finished = tunnel.run(_named(_COMMON + _DISCARD, folder), data=data, timeout=_PATIENCE)
    return set(finished.out.decode(errors="replace").split())


def _named(script: str, folder: str) -> str:
    return f"folder={shlex.quote(folder)}\n{script}"
