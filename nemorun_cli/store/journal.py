"""Which runs were written to, in order: one file a host, appended to, never rewritten."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nemorun_cli.core.ids import is_id


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
        self._append(run_id)
        yield
        self._append(run_id)

    def sizes(self) -> dict[str, int]:
        """The length of each journal in bytes, by host."""
        try:
            with os.scandir(self.folder) as entries:
                return {entry.name: entry.stat().st_size for entry in entries}
        except FileNotFoundError:
            return {}

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

    def _append(self, run_id: str) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(self.folder / self.host, flags, 0o600)
        try:
            os.write(fd, f"{run_id}\n".encode())
        finally:
            os.close(fd)
