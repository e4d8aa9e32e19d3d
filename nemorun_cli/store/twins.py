"""Which runs share a mark: one small file a mark, so that a launch need not look at all runs."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from nemorun_cli.core.errors import StoreError
from nemorun_cli.core.ids import is_id
from nemorun_cli.store import writing

MOST = 10
"""The newest runs of a mark that are looked at."""


@dataclass(frozen=True, kw_only=True)
class Twins:
    """The runs of one mark. Nothing else depends on these files: deleted, they are forgotten."""

    home: Path
    mark: str

    @property
    def path(self) -> Path:
        """The file of this mark: an id a line."""
        return self.home / "twins" / self.mark[:2] / self.mark[2:]

    def add(self, run_id: str) -> None:
        """Note one more run; where that cannot be written, it is not noted."""
        with suppress(OSError):
            writing.make_folder(self.path.parent)
            writing.append_line(self.path, run_id)

    def ids(self) -> list[str]:
        """The newest of these runs, newest first; some of them may have been deleted since."""
        try:
            text = self.path.read_text(encoding="ascii", errors="replace")
        except OSError:
            return []
        return sorted(filter(is_id, set(text.split("\n"))), reverse=True)[:MOST]

    @contextmanager
    def alone(self) -> Iterator[None]:
        """No other process is in here for the same mark. StoreError where that cannot be had."""
        try:
            writing.make_folder(self.path.parent)
            with writing.locked(self._lock):
                yield
        except OSError as error:
            raise StoreError(f"cannot write {self.path}: {error.strerror}") from None

    def forget(self) -> None:
        """Delete the files of this mark, when nobody is in `alone` for it."""
        with self.alone():
            self.path.unlink(missing_ok=True)
            self._lock.unlink(missing_ok=True)

    @property
    def _lock(self) -> Path:
        return self.path.with_name(f"{self.path.name}.lock")
