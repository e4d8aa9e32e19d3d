"""Which runs were written to, in order: one file a host, appended to, never rewritten."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from nemorun_cli.core.ids import is_id
from nemorun_cli.store import writing

_LINE = len("YYYYMMDD-HHMMSS-xxxxxxxx\n")


@dataclass(frozen=True, kw_only=True)
class Journal:
    """The journals of all hosts that write to one store."""

    folder: Path
    host: str

    @contextmanager
    def noting(self, run_id: str) -> Iterator[None]:
        """Note the run before and after it is written to.

        The first note finds a write that was killed, the second one that was held up.
        """
        self.note(run_id)
        try:
            yield
        finally:
            # What was written stands, even if the disk has no room for the second note.
            with suppress(OSError):
                self.note(run_id)

    def note(self, run_id: str) -> None:
        """Add one line to the journal of this host."""
        path = self.folder / self.host
        try:
            writing.append_line(path, run_id)
        except FileNotFoundError:
            writing.make_folder(self.folder)
            writing.append_line(path, run_id)

    def sizes(self) -> dict[str, int]:
        """The length of each journal in bytes, by host."""
        found: dict[str, int] = {}
        try:
            names = os.listdir(self.folder)  # noqa: PTH208
        except FileNotFoundError:
            return found
        for name in names:
            with suppress(FileNotFoundError):
                entry = (self.folder / name).lstat()
                if stat.S_ISREG(entry.st_mode):
                    found[name] = entry.st_size
        return found

    def last(self, host: str, end: int) -> str:
        """The line that ends at this offset; another one than before tells another journal."""
        try:
            with (self.folder / host).open("rb") as file:
                file.seek(max(0, end - _LINE))
                return file.read(min(end, _LINE)).decode("ascii", "replace")
        except FileNotFoundError:
            return ""

    def since(self, host: str, offset: int) -> tuple[list[str], int]:
        """The ids noted after this offset, each once, and the offset after them.

        A last line that is not whole yet is left for the next call.
        """
        try:
            with (self.folder / host).open("rb") as file:
                file.seek(offset)
                data = file.read()
        except FileNotFoundError:
            return [], 0
        whole = data[: data.rfind(b"\n") + 1]
        lines = whole.decode("ascii", "replace").split("\n")
        return [line for line in dict.fromkeys(lines) if is_id(line)], offset + len(whole)
