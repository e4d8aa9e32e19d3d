"""The record of runs, as plain files: the truth, which everything else is derived from."""

import errno
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from nemorun_cli.core.errors import NotFoundError, RefusedError, StoreError
from nemorun_cli.core.ids import is_id
from nemorun_cli.core.jobs import JobHandle, JobState, JobStatus
from nemorun_cli.core.runs import Run, RunRecord
from nemorun_cli.store import documents, going, layout, reading, writing
from nemorun_cli.store.journal import Journal

_Value = TypeVar("_Value")
_LOCK = ".lock"
_YOUNG = 2.0
"""Seconds within which a second change may leave the time stamp of the first (coarse clocks)."""
_FULL = "free some space there, or set NEMORUN_HOME to a folder with room"
_HINT = "set NEMORUN_HOME to a folder that you may read and write"
_HINTS = {errno.ENOSPC: _FULL, errno.EDQUOT: _FULL}


@dataclass(frozen=True, kw_only=True)
class Store:
    """The runs of one user. Creating one touches nothing; what is written, only the user can read.

    Safe with any number of processes and after a kill at any point: a file is there whole or not
    at all, and of several verdicts on a run the first one stands.
    """

    home: Path
    host: str

    @property
    def journal(self) -> Journal:
        """Which runs were written to."""
        return Journal(folder=self.home / "journal", host=self.host)

    @property
    def code(self) -> Path:
        """The folder of the snapshots."""
        return self.home / "code"

    def create(self, record: RunRecord, files: Mapping[str, str]) -> None:
        """Publish a new run with these files, by one rename.

        RefusedError for an id that is taken; StoreError, and no run, when it cannot be written.
        """
        texts = {_plain(name): text for name, text in files.items()}
        texts[reading.RECORD] = json.dumps(documents.record_to_json(record))

        def fill(stage: Path) -> None:
            for name, text in texts.items():
                writing.write_new(stage / name, text)

        self.adopt(record.id, fill)

    def adopt(self, run_id: str, fill: Callable[[Path], None]) -> None:
        """Publish a run, which `fill` puts into the folder it is given; errors as `create`."""
        folder = self._folder(run_id)
        stage = self.home / "runs" / going.STAGES / f"{run_id}.{os.urandom(4).hex()}"
        with self._changing(run_id, folder):
            writing.make_folder(stage.parent)
            writing.make_folder(folder.parent)
            going.sweep(self.home / "runs")
            try:
                writing.publish(folder, fill, stage=stage)
            except FileExistsError:
                raise RefusedError(f"there is a run {run_id} already") from None

    def submitted(self, run_id: str, number: int, handle: JobHandle, *, now: float) -> JobHandle:
        """Record where the n-th submission of a run is; the handle that stands: the first one."""
        value = {"handle": str(handle), "at": now}
        name = reading.submitted_name(number)
        return self._first(run_id, name, value, documents.handle_from_json)

    def conclude(self, run_id: str, status: JobStatus, *, now: float, evidence: str) -> JobStatus:
        """Record how a run ended; the verdict that stands, which is the first one ever recorded."""
        if not status.state.terminal:
            raise ValueError(f"not a verdict: {status.state}")
        value = {"status": documents.status_to_json(status), "at": now, "evidence": evidence}
        return self._first(
            run_id,
            reading.VERDICT,
            value,
            lambda found: documents.verdict_from_json(found)[0],
        )

    def observed(
        self,
        run_id: str,
        status: JobStatus,
        *,
        now: float,
        stale_since: float | None,
    ) -> None:
        """Record the last known state of a live run; the last writer wins."""
        if status.state.terminal or status.state is JobState.UNKNOWN:
            raise ValueError(f"not the state of a live run: {status.state}")
        state = documents.status_to_json(status)
        text = json.dumps({"status": state, "at": now, "stale_since": stale_since})
        path = self._existing(run_id) / reading.OBSERVED
        with self._changing(run_id, path):
            writing.replace_file(path, text)

    def label(
        self,
        run_id: str,
        *,
        add: Sequence[str] = (),
        remove: Sequence[str] = (),
        notes: str | None = None,
    ) -> None:
        """Change a run's tags, and its notes unless None; of two at once, neither loses a tag."""
        path = self._existing(run_id) / reading.LABELS
        with self._changing(run_id, path), writing.locked(path.with_name(_LOCK)):
            run = self.read(run_id)
            tags = [tag for tag in dict.fromkeys([*run.tags, *add]) if tag not in remove]
            value = {"tags": tags, "notes": run.notes if notes is None else notes}
            writing.replace_file(path, json.dumps(value))

    def event(self, run_id: str, kind: str, *, now: float, **data: Any) -> None:  # noqa: ANN401
        """Add to the history of a run, from which no state is derived."""
        path = self._existing(run_id) / "events.jsonl"
        with self._telling(path):
            writing.append_line(path, json.dumps({"at": now, "event": kind, **data}))

    def events(self, run_id: str) -> Iterator[dict[str, Any]]:
        """The history of a run; torn lines are passed over."""
        try:
            data = reading.read_bytes(self._folder(run_id) / "events.jsonl")
        except OSError:
            return
        for line in data.split(b"\n"):
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(entry, dict):
                yield entry

    def read(self, run_id: str) -> Run:
        """The run as it was last known, from its files alone.

        NotFoundError if there is none, CorruptError if its record is damaged. Damage to anything
        else is told in `problems`, and the rest is given.
        """
        return reading.run_in(self._folder(run_id))

    def document(self, run_id: str, name: str) -> str:
        """The text of a file that was published with the run."""
        path = self._existing(run_id) / _plain(name)
        try:
            return reading.read_bytes(path).decode("utf-8", "surrogateescape")
        except OSError as error:
            reason = error.strerror or error
            raise NotFoundError(f"{run_id} has no {name}: {reason}") from None

    def keep(self, run_id: str, name: str, text: str) -> None:
        """Add a file to a run that came later; one of this name that is there already stands."""
        path = self._existing(run_id) / _plain(name)
        with self._telling(path):
            writing.write_first(path, text)

    def fingerprint(self, run_id: str, *, now: float) -> str | None:
        """Text that changes whenever the run does; None if there is no such run.

        Empty while its files are so young that a further change might not show.
        """
        folder = str(self._folder(run_id))
        try:
            outer = os.stat(folder).st_mtime_ns  # noqa: PTH116
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError:
            return ""
        try:
            record = os.stat(f"{folder}/{reading.RECORD}")  # noqa: PTH116
        except OSError:
            return ""
        if max(outer, record.st_mtime_ns) > (now - _YOUNG) * 1e9:
            return ""
        return f"{outer} {record.st_mtime_ns} {record.st_size}"

    def any(self) -> bool:
        """Whether anything was ever written here, and can be read."""
        return os.access(self.home / "runs", os.R_OK | os.X_OK)

    def ids(self) -> Iterator[str]:
        """All runs, newest first by id. An absent store is empty; an unreadable one is an error."""
        return layout.ids(self.home, _names)

    def remove(self, run_id: str) -> None:
        """Delete a run. A kill halfway leaves a hidden folder that a later command deletes."""
        with self.removing(run_id):
            pass

    @contextmanager
    def removing(self, run_id: str) -> Iterator[None]:
        """Delete a run at the end of this; it is hidden from the beginning, and back on an error.

        A kill leaves it to `going.unfinished`.
        """
        folder = self._existing(run_id)
        with self._changing(run_id, folder):
            hidden = going.hide(folder)
        try:
            yield
        except Exception:
            with self._changing(run_id, folder):
                going.show(hidden, folder)
            raise
        with self._telling(folder):
            going.delete(hidden)
            going.sweep(self.home / "runs")

    def _folder(self, run_id: str) -> Path:
        if not is_id(run_id):
            raise NotFoundError(f"not a run id: {run_id!r}", hint="`nemorun list` shows them")
        return layout.folder_of(self.home, run_id)

    def _existing(self, run_id: str) -> Path:
        folder = self._folder(run_id)
        with self._telling(folder):
            try:
                folder.stat()
            except (FileNotFoundError, NotADirectoryError):
                raise NotFoundError(
                    f"no run {run_id!r} in {self.home}",
                    hint="`nemorun list` shows them",
                ) from None
        return folder

    def _first(
        self,
        run_id: str,
        name: str,
        value: Mapping[str, Any],
        parse: Callable[[Any], _Value],
    ) -> _Value:
        """Write a file that is never replaced; what stands in it."""
        path = self._existing(run_id) / name
        text = json.dumps(value)
        with self._changing(run_id, path):
            if writing.write_first(path, text):
                return parse(value)
            with suppress(ValueError):
                return parse(reading.load(path))
            # A power cut may leave a file without its content: then nothing stands there.
            with writing.locked(path.with_name(_LOCK)):
                with suppress(ValueError):
                    return parse(reading.load(path))
                writing.replace_file(path, text)
                return parse(value)

    @contextmanager
    def _changing(self, run_id: str, path: Path) -> Iterator[None]:
        with self._telling(path):
            try:
                with self.journal.noting(run_id):
                    yield
            except FileNotFoundError:
                self._existing(run_id)  # NotFoundError if somebody has deleted it meanwhile.
                raise

    @contextmanager
    def _telling(self, path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            hint = _HINTS.get(error.errno or 0, _HINT)
            raise StoreError(f"cannot write {path}: {reason}", hint=hint) from None


def _plain(name: str) -> str:
    if "/" in name or name in {"", ".", ".."}:
        raise NotFoundError(f"not the name of a file: {name!r}")
    return name


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208
    except FileNotFoundError:
        return []
    except OSError as error:
        if isinstance(error, NotADirectoryError) and layout.is_month(folder.name):
            return []
        reason = (error.strerror or str(error)).lower()
        raise StoreError(f"cannot read {folder}: {reason}", hint=_HINT) from None
