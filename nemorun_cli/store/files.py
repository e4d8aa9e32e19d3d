"""The record of runs, as plain files: the truth, which everything else is derived from."""

import errno
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nemorun_cli.core.errors import CorruptError, NotFoundError, RefusedError, StoreError
from nemorun_cli.core.ids import is_id
from nemorun_cli.core.jobs import JobHandle, JobState, JobStatus
from nemorun_cli.core.runs import Run, RunRecord
from nemorun_cli.store import documents
from nemorun_cli.store.journal import Journal

_STAGE = ".new-"
_GONE = ".gone-"
_DAY = 86400.0
_HINTS = {
    errno.ENOSPC: "free some space there, or set NEMORUN_HOME to a folder with room",
    errno.EDQUOT: "free some space there, or set NEMORUN_HOME to a folder with room",
}
_HINT = "set NEMORUN_HOME to a folder that you may write to"
_UNREADABLE = (OSError, ValueError, TypeError, KeyError)


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

        RefusedError for an id that is taken; StoreError, and no trace, when it cannot be written.
        """
        folder = self._folder(record.id)
        stage = folder.with_name(_STAGE + folder.name)
        texts = {"run.json": json.dumps(documents.record_to_json(record)), **files}
        with self._telling(folder), self.journal.noting(record.id):
            try:
                self._fill(stage, texts)
                stage.rename(folder)
            except BaseException:
                shutil.rmtree(stage, ignore_errors=True)
                if folder.exists():
                    raise RefusedError(f"there is a run {record.id} already") from None
                raise

    def submitted(self, run_id: str, number: int, handle: JobHandle, *, now: float) -> JobHandle:
        """Record where the n-th submission of a run is; the handle that stands: the first one."""
        value = {"handle": str(handle), "at": now}
        standing = self._first(run_id, f"submitted-{number}.json", value)
        return JobHandle.parse(standing["handle"])

    def conclude(self, run_id: str, status: JobStatus, *, now: float, evidence: str) -> JobStatus:
        """Record how a run ended; the verdict that stands, which is the first one ever recorded."""
        if not status.state.terminal:
            raise ValueError(f"not a verdict: {status.state}")
        value = {"status": documents.status_to_json(status), "at": now, "evidence": evidence}
        standing = self._first(run_id, "verdict.json", value)
        return documents.status_from_json(standing["status"])

    def observed(
        self,
        run_id: str,
        status: JobStatus,
        *,
        now: float,
        stale_since: float | None,
    ) -> None:
        """Record the last known state of a live run; the last writer wins."""
        value = {
            "status": documents.status_to_json(status),
            "at": now,
            "stale_since": stale_since,
        }
        folder = self._existing(run_id)
        with self._telling(folder), self.journal.noting(run_id):
            self._replace(folder / "observed.json", value)

    def label(
        self,
        run_id: str,
        *,
        add: Sequence[str] = (),
        remove: Sequence[str] = (),
        notes: str | None = None,
    ) -> None:
        """Change a run's tags, and its notes unless None; of two at once, neither loses a tag."""
        folder = self._existing(run_id)
        with self._telling(folder), self.journal.noting(run_id), _locked(folder / "labels.lock"):
            run = self.read(run_id)
            tags = [tag for tag in dict.fromkeys([*run.tags, *add]) if tag not in remove]
            value = {"tags": tags, "notes": run.notes if notes is None else notes}
            self._replace(folder / "labels.json", value)

    def event(self, run_id: str, kind: str, *, now: float, **data: Any) -> None:  # noqa: ANN401
        """Add to the history of a run, from which no state is derived."""
        path = self._existing(run_id) / "events.jsonl"
        line = json.dumps({"at": now, "event": kind, **data}) + "\n"
        with self._telling(path):
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(fd, line.encode())
            finally:
                os.close(fd)

    def events(self, run_id: str) -> Iterator[dict[str, Any]]:
        """The history of a run; torn lines are passed over."""
        try:
            text = (self._folder(run_id) / "events.jsonl").read_text(errors="replace")
        except OSError:
            return
        for line in text.splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict):
                yield entry

    def read(self, run_id: str) -> Run:
        """The run as it was last known, from its files alone.

        NotFoundError if there is none, CorruptError if its record is damaged. Damage to anything
        else is told in `problems`, and the rest is given.
        """
        folder = self._folder(run_id)
        try:
            record = documents.record_from_json(_load(folder / "run.json"))
        except FileNotFoundError:
            if folder.is_dir():
                raise CorruptError(f"{run_id}: its run.json is missing") from None
            raise NotFoundError(
                f"no run {run_id!r} in {self.home}",
                hint="`nemorun list` shows them",
            ) from None
        except _UNREADABLE as error:
            raise CorruptError(
                f"{run_id}: cannot read {folder / 'run.json'}: {error}",
                hint=f"`nemorun rm` cannot help; move {folder} away",
            ) from None
        if record.id != run_id:
            raise CorruptError(f"{run_id}: its run.json is that of {record.id}")
        return _folded(record, folder)

    def document(self, run_id: str, name: str) -> str:
        """The text of a file that was published with the run."""
        path = self._existing(run_id) / name
        try:
            return path.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError as error:
            raise NotFoundError(f"{run_id} has no {name}: {error.strerror}") from None

    def folder_changed(self, run_id: str) -> int | None:
        """A number that changes whenever a file of the run comes or is replaced; None if gone."""
        try:
            return self._folder(run_id).stat().st_mtime_ns
        except OSError:
            return None

    def ids(self) -> Iterator[str]:
        """All runs, newest first by id. An absent store is empty; an unreadable one is an error."""
        root = self.home / "runs"
        for month in sorted(self._names(root), reverse=True):
            yield from sorted(filter(is_id, self._names(root / month)), reverse=True)

    def remove(self, run_id: str) -> None:
        """Delete a run. A kill halfway leaves a hidden folder that the next removal deletes."""
        folder = self._existing(run_id)
        gone = folder.with_name(_GONE + folder.name)
        with self._telling(folder), self.journal.noting(run_id):
            folder.rename(gone)
            self._sweep(folder.parent)

    def _names(self, folder: Path) -> list[str]:
        try:
            return os.listdir(folder)  # noqa: PTH208
        except (FileNotFoundError, NotADirectoryError) as error:
            if isinstance(error, NotADirectoryError) and folder.name == "runs":
                raise StoreError(f"cannot read {folder}: it is no folder", hint=_HINT) from None
            return []
        except OSError as error:
            raise StoreError(f"cannot read {folder}: {error.strerror}", hint=_HINT) from None

    def _folder(self, run_id: str) -> Path:
        if not is_id(run_id):
            raise NotFoundError(f"not a run id: {run_id!r}", hint="`nemorun list` shows them")
        return self.home / "runs" / f"{run_id[:4]}-{run_id[4:6]}" / run_id

    def _existing(self, run_id: str) -> Path:
        folder = self._folder(run_id)
        if not folder.is_dir():
            raise NotFoundError(f"no run {run_id!r} in {self.home}")
        return folder

    def _fill(self, stage: Path, texts: Mapping[str, str]) -> None:
        stage.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._sweep(stage.parent, older_than=_DAY)
        stage.mkdir(mode=0o700)
        for name, text in texts.items():
            _write(stage / name, text)
        _sync_folder(stage)

    def _sweep(self, month: Path, *, older_than: float = 0) -> None:
        """Delete what killed commands left behind in this month."""
        for name in self._names(month):
            old = name.startswith(_GONE) and not older_than
            if name.startswith(_STAGE) and older_than:
                with _ignoring_absence():
                    old = time.time() - (month / name).stat().st_mtime > older_than
            if old:
                shutil.rmtree(month / name, ignore_errors=True)

    def _first(self, run_id: str, name: str, value: Mapping[str, Any]) -> dict[str, Any]:
        """Write a file that is never replaced; what stands in it."""
        folder = self._existing(run_id)
        path = folder / name
        with self._telling(folder), self.journal.noting(run_id):
            part = folder / f".{name}.{os.getpid()}.{time.monotonic_ns()}"
            try:
                _write(part, json.dumps(value))
                # link(2) fails where a file is already: the first writer wins, on NFS too.
                os.link(part, path)
            except FileExistsError:
                try:
                    return dict(_load(path))
                except _UNREADABLE:  # A power cut may leave it empty: then nothing stands there.
                    part.replace(path)
            finally:
                part.unlink(missing_ok=True)
        return dict(value)

    def _replace(self, path: Path, value: Mapping[str, Any]) -> None:
        part = path.with_name(f".{path.name}.{os.getpid()}.{time.monotonic_ns()}")
        try:
            _write(part, json.dumps(value))
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    @contextmanager
    def _telling(self, path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            hint = _HINTS.get(error.errno or 0, _HINT)
            raise StoreError(f"cannot write {path}: {reason}", hint=hint) from None


def _folded(record: RunRecord, folder: Path) -> Run:
    """The record and all that was learnt later."""
    problems: list[str] = []

    def load(name: str) -> dict[str, Any] | None:
        try:
            value = _load(folder / name)
        except FileNotFoundError:
            return None
        except _UNREADABLE as error:
            problems.append(f"{record.id}: cannot read {name}: {error}")
            return None
        return value if isinstance(value, dict) else None

    run = Run(record=record, tags=record.tags)
    for name, fold in _FOLDS.items():
        try:
            if (value := load(name)) is not None:
                run = fold(run, value)
        except _UNREADABLE as error:
            problems.append(f"{record.id}: cannot read {name}: {error}")
    return replace(run, problems=tuple(problems))


def _fold_submitted(run: Run, value: dict[str, Any]) -> Run:
    handle = JobHandle.parse(value["handle"])
    return replace(run, handle=handle, status=JobStatus(state=JobState.PENDING))


def _fold_observed(run: Run, value: dict[str, Any]) -> Run:
    status = documents.status_from_json(value["status"])
    return replace(run, status=status, stale_since=value.get("stale_since"))


def _fold_verdict(run: Run, value: dict[str, Any]) -> Run:
    status = documents.status_from_json(value["status"])
    return replace(run, status=status, observed_at=value["at"], stale_since=None)


def _fold_labels(run: Run, value: dict[str, Any]) -> Run:
    return replace(run, tags=tuple(map(str, value["tags"])), notes=str(value.get("notes") or ""))


_FOLDS = {
    "submitted-1.json": _fold_submitted,
    "observed.json": _fold_observed,
    "verdict.json": _fold_verdict,
    "labels.json": _fold_labels,
}


def _load(path: Path) -> Any:  # noqa: ANN401
    return json.loads(path.read_bytes())


def _write(path: Path, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(fd, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:  # noqa: PTH123
        file.write(text)
        file.flush()
        os.fsync(fd)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Alone with this file; a holder that was killed holds nothing."""
    import fcntl

    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


@contextmanager
def _ignoring_absence() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        return
