"""Blobs and trees as git stores them: the content as it is, which no filter has changed."""

import hashlib
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_SHA1 = 40
"""Digits of a name of git's, where it is not SHA-256."""
_FOLDER = "40000"


def blob_name(data: bytes, *, like: str) -> str:
    """What git calls a file of this content, where it gives names like this one."""
    digest = hasher(len(data), like=like)
    digest.update(data)
    return digest.hexdigest()


def hasher(size: int, *, like: str) -> "hashlib._Hash":
    """Makes of the content of a file of this size what git calls it."""
    return _hasher(b"blob", size, like)


@dataclass(frozen=True, kw_only=True)
class Objects:
    """A folder of objects; they are named like those of the repository whose commit this is."""

    folder: Path
    commit: str

    def write_blob(self, data: bytes) -> str:
        """Store the content of a file; its name."""
        return self._write(b"blob", data)

    def write_tree(self, entries: Mapping[str, str]) -> str:
        """Store a tree of files, which is each a path with `MODE NAME`; the tree's name."""
        rows: dict[str, dict[str, str]] = {"": {}}
        for path, entry in entries.items():
            folder, _, name = path.rpartition("/")
            rows.setdefault(folder, {})[name] = entry
            while folder := folder.rpartition("/")[0]:
                rows.setdefault(folder, {})
        for folder in sorted(rows.keys() - {""}, key=lambda each: -each.count("/")):
            above, _, name = folder.rpartition("/")
            rows[above][f"{name}/"] = f"{_FOLDER} {self._write(b'tree', _tree(rows[folder]))}"
        return self._write(b"tree", _tree(rows[""]))

    def _write(self, kind: bytes, data: bytes) -> str:
        digest = _hasher(kind, len(data), self.commit)
        digest.update(data)
        name = digest.hexdigest()
        path = self.folder / name[:2] / name[2:]
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_bytes(zlib.compress(b"%s %d\0" % (kind, len(data)) + data, 1))
        return name


def _tree(rows: Mapping[str, str]) -> bytes:
    pieces = []
    for name, entry in sorted((os.fsencode(name), entry) for name, entry in rows.items()):
        mode, _, other = entry.partition(" ")
        pieces.append(b"%s %s\0" % (mode.encode(), name.rstrip(b"/")) + bytes.fromhex(other))
    return b"".join(pieces)


def _hasher(kind: bytes, size: int, like: str) -> "hashlib._Hash":
    digest = hashlib.sha1 if len(like) == _SHA1 else hashlib.sha256
    return digest(b"%s %d\0" % (kind, size))
