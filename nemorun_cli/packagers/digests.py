"""What is remembered of the files of a project, so that an unchanged one is not read again."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

CACHE = ".cache"
"""Where what is remembered lies, in the folder of the snapshots."""
_FORMAT = "nemorun digests 2"
Row = tuple[str, str, str]
"""A mark, the size, the digest."""


@dataclass
class Digests:
    """Digests, sizes and marks of the files of a project, as of its last snapshot.

    A mark says what a file was known by: one that has the same mark has the same content. An empty
    one says nothing.
    """

    path: Path | None
    """Where they are kept; None: nowhere."""
    known: Mapping[str, Row] = field(default_factory=dict)
    fresh: dict[str, Row] = field(default_factory=dict)

    @classmethod
    def of(cls, root: Path, cache: Path) -> "Digests":
        """Those of this folder; none if there are none or they are damaged."""
        path = cache / hashlib.sha256(os.fsencode(root)).hexdigest()[:16]
        try:
            words = os.fsdecode(path.read_bytes()).split("\0")
        except OSError:
            words = []
        if words[:1] != [_FORMAT] or len(words) % 4 != 1:
            return cls(path=path)
        rows = zip(words[2::4], words[3::4], words[4::4], strict=True)
        return cls(path=path, known=dict(zip(words[1::4], rows, strict=True)))

    def recall(self, path: str, mark: str) -> Row | None:
        """What is known of a file, if it still has this mark."""
        row = self.known.get(path)
        if row is None or not mark or row[0] != mark:
            return None
        self.fresh[path] = row
        return row

    def remember(self, path: str, mark: str, size: int, digest: str) -> None:
        """Keep what was found out about a file."""
        self.fresh[path] = (mark, str(size), digest)

    def forget(self, path: str) -> None:
        """Keep nothing of a file that is not any more what was found out."""
        self.fresh.pop(path, None)

    def save(self) -> None:
        """Keep it for the next snapshot. What cannot be written is only slow."""
        if self.path is None or self.fresh == self.known:
            return
        words = [_FORMAT]
        for path, row in self.fresh.items():
            words += (path, *row)
        part = self.path.with_name(f".{self.path.name}.{os.urandom(4).hex()}")
        try:
            self.path.parent.mkdir(mode=0o700, exist_ok=True)
            part.touch(mode=0o600)
            part.write_bytes(os.fsencode("\0".join(words)))
            part.replace(self.path)
        except OSError:
            part.unlink(missing_ok=True)
