"""How a snapshot gets to a host: once by its hash, and of a changed one only what has changed."""

import secrets
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from nemorun_cli.core.errors import RefusedError
from nemorun_cli.core.jobs import Code
from nemorun_cli.core.ports import Finished, Tunnel
from nemorun_cli.packagers.rows import Entry
from nemorun_cli.packagers.trees import stored

_ASK = r"""
umask 077
mkdir -p "$folder" && cd "$folder" || exit 1
[ ! -d "$hash" ] || { touch -c "$hash" && [ -d "$hash" ] && echo there && exit 0; }
find . -maxdepth 1 -name '.new-*' -mtime +1 -exec chmod -R u+w {} + -exec rm -rf {} + 2>/dev/null
ls -t
"""
_STORE = r"""
umask 077
cd "$folder" || exit 1
discard() { chmod -R u+w "$stage" 2>/dev/null; rm -rf "$stage" "$stage.list"; }
if [ -z "$base" ] || ! cp -al "$base" "$stage" 2>/dev/null; then
    discard
    if [ -n "$base" ]; then cp -a "$base" "$stage"; else mkdir "$stage"; fi || exit 1
fi
find "$stage" -type d -exec chmod u+w {} +
read -r length
head -c "$length" >"$stage.list"
(cd "$stage" && xargs -0 rm -f -- <"../$stage.list") || { discard && exit 1; }
find "$stage" -mindepth 1 -depth -type d -exec rmdir {} + 2>/dev/null
# The last of what was sent: a tar that is cut between two files looks like a whole one.
tar -xof - -C "$stage" && rm "$stage/$last" || { discard && exit 1; }
find "$stage" -type d -exec chmod 500 {} +
chmod 700 "$stage"
mv -T "$stage" "$hash" 2>/dev/null || discard
rm -f "$stage.list"
[ -d "$hash" ] && chmod 500 "$hash"
"""
_HOUR = 3600.0


def send(code: Code, folder: str, tunnel: Tunnel) -> None:
    """Have this snapshot in `folder` on the tunnel's host, read-only, under its hash there.

    One trip when it is there already; else two, and of what an earlier snapshot there holds
    nothing travels again. RefusedError when it cannot be written there; on any error it is not
    there, and a second call is safe.
    """
    answer = _done(tunnel.run(_named(_ASK, folder=folder, hash=code.hash)), folder)
    names = answer.out.decode(errors="replace").split()
    if names[:1] == ["there"]:
        return
    base, nonce = _base(code, names), secrets.token_hex(16)
    words = {"hash": code.hash, "base": base or "", "stage": f".new-{nonce}", "last": nonce}
    with tempfile.TemporaryFile() as data:
        _pack(code, base, data, last=nonce)
        data.seek(0)
        script = _named(_STORE, folder=folder, **words)
        _done(tunnel.run(script, data=data, timeout=_HOUR), folder)


def _base(code: Code, names: Iterable[str]) -> str | None:
    """The newest snapshot on the host that is known here too."""
    here = Path(code.path).parent
    return next((name for name in names if name.isalnum() and (here / name).is_dir()), None)


def _pack(code: Code, base: str | None, data: BinaryIO, *, last: str) -> None:
    """What to remove from the base, and then, as a tar, what the snapshot has instead.

    An empty file of the name `last` is the end of it.
    """
    new = stored(Path(code.path)).entries
    old: dict[str, Entry] = dict(stored(Path(code.path).parent / base).entries) if base else {}
    changed = [path for path, entry in new.items() if old.get(path) != entry]
    gone = [path for path in old if path not in new or old[path] != new[path]]
    listed = b"".join(f"./{path}\0".encode(errors="surrogateescape") for path in gone)
    data.write(f"{len(listed)}\n".encode() + listed)
    with tarfile.open(
        fileobj=data, mode="w|", format=tarfile.GNU_FORMAT, errors="surrogateescape"
    ) as tar:
        for path in changed:
            tar.add(Path(code.path, path), arcname=path, recursive=False)
        tar.addfile(tarfile.TarInfo(last))


def _named(script: str, **names: str) -> str:
    import shlex

    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in names.items()) + script


def _done(finished: Finished, folder: str) -> Finished:
    if finished.code == 0:
        return finished
    words = finished.err.decode(errors="replace").strip().splitlines() or ["it did not say why"]
    raise RefusedError(f"cannot store the code in {folder} there: {words[-1]}")
