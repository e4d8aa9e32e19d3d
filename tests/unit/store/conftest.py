"""A store in an empty folder, and the short way to fill it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from nemorun_cli.core.jobs import JobHandle, JobState, JobStatus
from nemorun_cli.core.runs import Filter, Process, Run, RunRecord
from nemorun_cli.store.files import Store
from nemorun_cli.store.index import Index, Page

SUBMITTER = Process(pid=7, start=8, boot="boot", namespace="pid:[1]", machine="here")
ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"


@dataclass(frozen=True, kw_only=True)
class Runs:
    """A store whose n-th run was created in the n-th minute of 2026."""

    store: Store

    def id_of(self, number: int) -> str:
        hours, minutes = divmod(number, 60)
        tail = "".join(ALPHABET[(number >> 5 * place) % 32] for place in range(8))
        return f"20260101-{hours:02}{minutes:02}00-{tail}"

    def record(self, number: int, **fields: Any) -> RunRecord:
        known = {
            "id": self.id_of(number),
            "recipe": "hello",
            "executor": "local",
            "target": {},
            "resources": {},
            "directory": "/nowhere",
            "created_at": 1_767_225_600.0 + 60 * number,
            "submitter": SUBMITTER,
            "host": "here",
            "user": "me",
        }
        return RunRecord(**{**known, **fields})

    def create(self, number: int, **fields: Any) -> str:
        record = self.record(number, **fields)
        self.store.create(record, {"config.json": "{}"})
        return record.id

    def folder(self, run_id: str) -> Path:
        return self.store.home / "runs" / f"{run_id[:4]}-{run_id[4:6]}" / run_id

    def handle(self, run_id: str, native_id: str = "1") -> JobHandle:
        return JobHandle(executor="local", target="here", key=f"{run_id}-1", native_id=native_id)


@dataclass(frozen=True, kw_only=True)
class CountingStore(Store):
    """A store that tells which runs were read."""

    reads: list[str] = field(default_factory=list)

    def read(self, run_id: str) -> Run:
        self.reads.append(run_id)
        return super().read(run_id)


@dataclass(frozen=True, kw_only=True)
class StrictIndex(Index):
    """An index that may not fall back on the files."""

    def _readable(self) -> Iterator[Run]:
        raise AssertionError("the index was not used")

    def _select_from_files(self, wanted: Filter, limit: int | None) -> Page:
        raise AssertionError(f"the index was not used for {wanted} {limit}")


DONE = JobStatus(state=JobState.SUCCEEDED, exit_code=0)
FAILED = JobStatus(state=JobState.FAILED, exit_code=1)
RUNNING = JobStatus(state=JobState.RUNNING)


@pytest.fixture
def store(tmp_path: Path) -> CountingStore:
    return CountingStore(home=tmp_path / "home", host="here")


@pytest.fixture
def runs(store: CountingStore) -> Runs:
    return Runs(store=store)


@pytest.fixture
def later() -> Callable[[], float]:
    """A clock by which all that was written is old enough to be believed unchanged."""
    import time

    return lambda: time.time() + 10


@pytest.fixture
def index(store: CountingStore, later: Callable[[], float]) -> StrictIndex:
    return StrictIndex(store=store, clock=later)


@pytest.fixture
def runs_in() -> Callable[[Path], Runs]:
    return lambda home: Runs(store=Store(home=home, host="here"))
