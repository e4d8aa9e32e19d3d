"""`.nemorunignore`: what a project leaves out of snapshots, or takes, whatever git says of it."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nemorun_cli.core.errors import UsageError

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

NAME = ".nemorunignore"
_NEVER = frozenset({".git", "__pycache__"})


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The lines of the file in a folder, in the syntax of .gitignore."""

    folder: Path
    spec: "GitIgnoreSpec"
    taken: tuple[str, ...]
    """The patterns of lines that begin with `!`."""

    @property
    def searching(self) -> bool:
        """Whether any file may be taken that is ignored, wherever it lies."""
        return any(not _anchored(pattern) for pattern in self.taken)

    def leave_out(self, path: str) -> bool:
        """Whether this path is left out."""
        return self.spec.check_file(path).include is True

    def take(self, ignored: Iterable[str]) -> Iterator[str]:
        """The files to take that would be ignored.

        Of those in ignored folders, only what a pattern with a slash leads to, as `!data/` does.
        """
        found = [path for path in ignored if not path.endswith("/")]
        for pattern in filter(_anchored, self.taken):
            found += self._led_to(pattern.strip("/"))
        for path in dict.fromkeys(found):
            if not _NEVER & set(path.split("/")) and self.spec.check_file(path).include is False:
                yield path

    def _led_to(self, pattern: str) -> Iterator[str]:
        start = len(os.path.join(self.folder, ""))  # noqa: PTH118
        for match in sorted(self.folder.glob(pattern)):
            if match.is_symlink() or not match.is_dir():
                yield str(match)[start:]
                continue
            for at, folders, files in os.walk(match):
                folders[:] = sorted(set(folders) - _NEVER)
                yield from (f"{at}/{name}"[start:] for name in sorted(files))


def rules(folder: Path) -> Rules | None:
    """Those of this folder, if it has any; UsageError for what cannot be read or understood."""
    path = folder / NAME
    try:
        lines = os.fsdecode(path.read_bytes()).splitlines()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    from pathspec import GitIgnoreSpec

    try:
        spec = GitIgnoreSpec.from_lines(lines)
    except ValueError as error:
        raise UsageError(f"{path}: {error}", hint="its syntax is that of .gitignore") from None
    taken = tuple(line[1:].strip() for line in lines if line.startswith("!"))
    return Rules(folder=folder, spec=spec, taken=taken)


def _anchored(pattern: str) -> bool:
    parts = pattern.split("/")
    return len(parts) > 1 and parts[0] != "**" and ".." not in parts
