"""Which runs share a mark: one small file a mark, so that a launch need not look at all runs."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from nemorun_cli.core.errors import StoreError
from nemorun_cli.core.ids import is_id
from nemorun_cli.core.runs import RunRecord
from nemorun_cli.core.sameness import mark_of
from nemorun_cli.store import writing

_SPENT = "spent"


@dataclass(frozen=True, kw_only=True)
class Twins:
    """The runs of one mark. Nothing else depends on these files: deleted, they are forgotten."""

    home: Path
    mark: str

    @property
    def path(self) -> Path:
        """The file of this mark: a line for each id, and one more for each that has no result."""
        return self.home / "twins" / self.mark[:2] / self.mark[2:]

    def add(self, run_id: str) -> None:
        """Note one more run; where that cannot be written, it is not noted."""
        self._append(run_id)

    def spent(self, run_id: str) -> None:
        """Note that a run has ended without success; where that cannot be written, it is not."""
        self._append(f"{run_id} {_SPENT}")

    def known(self) -> dict[str, bool]:
        """These runs, newest first, and whether each is noted to have ended without success.

        Some of them may have been deleted since.
        """
        try:
            text = self.path.read_text(encoding="ascii", errors="replace")
        except OSError:
            return {}
        lines = {line.partition(" ")[::2] for line in text.split("\n")}
        ids = sorted({run_id for run_id, _ in lines if is_id(run_id)}, reverse=True)
        return {run_id: (run_id, _SPENT) in lines for run_id in ids}

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

    def _append(self, line: str) -> None:
        with suppress(OSError):
            writing.make_folder(self.path.parent)
            writing.append_line(self.path, line)


def twins_of(record: RunRecord, *, home: Path) -> Twins | None:
    """The runs that are the same as this one; None where nobody can know."""
    mark = mark_of(record)
    return None if mark is None else Twins(home=home, mark=mark)
