"""One asks for all: many processes share what was last found out, and nobody asks too often."""

import json
import multiprocessing
import os
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from nemorun_cli.core.errors import RefusedError, UnreachableError
from nemorun_cli.core.jobs import JobHandle, JobState, Reason
from nemorun_cli.slurm.enquiries import REMEMBERED, Enquiries, enquiries_about
from nemorun_cli.slurm.nodes import Memory
from nemorun_cli.slurm.report import PATIENCE

NOW = 1_800_000_000.0  # 20270115-080000
FLOOR = 30.0


def handle(number: int, *, stamp: str = "20270115-075900") -> JobHandle:
    key = f"{stamp}-{'abcdefgh'[: 8 - len(str(number))]}{str(number).translate(LETTERS)}-1"
    return JobHandle(executor="slurm", target="here:/jobs", key=key, native_id=str(number))


def at(now: float) -> Callable[[], float]:
    return lambda: now


LETTERS = str.maketrans("0123456789", "abcdefghij")


@dataclass
class Cluster:
    """Answers enquiries; the jobs that it holds run."""

    jobs: list[JobHandle] = field(default_factory=list)
    asked: list[list[str]] = field(default_factory=list)
    """The ids of each enquiry."""
    silent: str = ""
    cut: bool = False
    accounting: str = ""

    def __call__(self, jobs: str, token: str) -> str:
        self.asked.append([line.split()[1] for line in jobs.splitlines()])
        if self.silent:
            raise UnreachableError(self.silent)
        rows = [
            f"{each.native_id}|RUNNING|None|1|1|n1|nemorun-{each.key[:-2]}|nemorun:{each.key}\n"
            for each in self.jobs
        ]
        parts = {"cluster": "fake\n", "queue -": "".join(rows), "queue-code - 0": ""}
        if self.accounting:
            parts |= {"accounting -": self.accounting, "accounting-code - 1": ""}
        parts |= {"files": "", **({} if self.cut else {"end": ""})}
        return "".join(f"\n{token} {what}\n{text}" for what, text in parts.items())


@pytest.fixture
def enquiries(tmp_path: Path) -> Enquiries:
    return enquiries_about("x", tmp_path / "queries")


def test_an_answer_is_shared_while_it_is_fresh(enquiries: Enquiries) -> None:
    cluster = Cluster(jobs=[handle(1), handle(2)])

    for passed in (0.0, 1.0, FLOOR - 0.1):
        found = enquiries.statuses(cluster.jobs, cluster, floor=FLOOR, clock=at(NOW + passed))
        assert [each.state for each in found.values()] == [JobState.RUNNING] * 2
    enquiries.statuses(cluster.jobs, cluster, floor=FLOOR, clock=at(NOW + FLOOR))

    assert cluster.asked == [["1", "2"], ["1", "2"]]


def test_who_asks_asks_for_all_that_anybody_wants_to_know(enquiries: Enquiries) -> None:
    cluster = Cluster(jobs=[handle(1), handle(2)])
    enquiries.statuses([handle(1)], cluster, floor=FLOOR, clock=at(NOW))
    enquiries.statuses([handle(2)], cluster, floor=FLOOR, clock=at(NOW + 1))

    enquiries.statuses([handle(1)], cluster, floor=FLOOR, clock=at(NOW + FLOOR))
    found = enquiries.statuses([handle(2)], cluster, floor=FLOOR, clock=at(NOW + FLOOR + 1))

    assert cluster.asked == [["1"], ["1", "2"]]
    assert found[handle(2)].state is JobState.RUNNING


def test_a_smaller_floor_asks_again(enquiries: Enquiries) -> None:
    cluster = Cluster(jobs=[handle(1)])
    enquiries.statuses([handle(1)], cluster, floor=FLOOR, clock=at(NOW))

    enquiries.statuses([handle(1)], cluster, floor=2, clock=at(NOW + 2))

    assert len(cluster.asked) == 2


def test_a_job_that_was_handed_over_since_then_is_pending(enquiries: Enquiries) -> None:
    cluster = Cluster(jobs=[handle(1)])
    enquiries.statuses([handle(1)], cluster, floor=FLOOR, clock=at(NOW))

    found = enquiries.statuses([handle(2)], cluster, floor=FLOOR, clock=at(NOW + 1))

    assert found[handle(2)].state is JobState.PENDING
    assert len(cluster.asked) == 1


def test_an_old_job_that_nobody_has_asked_about_lately_is_not_pending(
    enquiries: Enquiries,
) -> None:
    cluster = Cluster(jobs=[handle(1)])
    enquiries.statuses([handle(1)], cluster, floor=FLOOR, clock=at(NOW))
    old = handle(2, stamp="20270114-080000")

    found = enquiries.statuses([old], cluster, floor=FLOOR, clock=at(NOW + 1))

    assert found[old].state is JobState.UNKNOWN
    assert found[old].reason_detail


def test_a_job_that_nobody_asks_about_any_more_is_dropped(enquiries: Enquiries) -> None:
    cluster = Cluster(jobs=[handle(1), handle(2)])
    enquiries.statuses([handle(1), handle(2)], cluster, floor=FLOOR, clock=at(NOW))

    enquiries.statuses([handle(1)], cluster, floor=FLOOR, clock=at(NOW + REMEMBERED - 1))
    enquiries.statuses([handle(1)], cluster, floor=0, clock=at(NOW + REMEMBERED))

    assert cluster.asked == [["1", "2"], ["1", "2"], ["1"]]


def test_silence_is_remembered_for_a_few_seconds(enquiries: Enquiries) -> None:
    cluster = Cluster(jobs=[handle(1)], silent="the host is down")

    for passed in (0.0, 1.0, 9.0):
        with pytest.raises(UnreachableError, match="the host is down"):
            enquiries.statuses([handle(1)], cluster, floor=FLOOR, clock=at(NOW + passed))
    cluster.silent = ""
    found = enquiries.statuses([handle(1)], cluster, floor=FLOOR, clock=at(NOW + 11))

    assert found[handle(1)].state is JobState.RUNNING
    assert len(cluster.asked) == 2


def test_an_answer_that_was_cut_short_is_none(enquiries: Enquiries) -> None:
    cluster = Cluster(cut=True)

    for passed in range(0, 1000, 50):
        with pytest.raises(UnreachableError, match="cut short"):
            enquiries.statuses([handle(1)], cluster, floor=FLOOR, clock=at(NOW + passed))

    cluster.cut = False
    found = enquiries.statuses([handle(1)], cluster, floor=FLOOR, clock=at(NOW + 1000))
    assert found[handle(1)].state is JobState.UNKNOWN


def test_patience_begins_when_all_have_answered(enquiries: Enquiries) -> None:
    cluster = Cluster(accounting="sacct: error: slurmdbd: connection refused")
    for passed in (0.0, 500.0):
        enquiries.statuses([handle(1)], cluster, floor=FLOOR, clock=at(NOW + passed))
    cluster.accounting = ""

    states = [
        enquiries.statuses([handle(1)], cluster, floor=0, clock=at(NOW + 550 + passed))[handle(1)]
        for passed in (0.0, PATIENCE - 1, PATIENCE)
    ]

    assert [each.state for each in states] == [JobState.UNKNOWN, JobState.UNKNOWN, JobState.LOST]


def test_a_job_that_comes_back_was_not_missing(enquiries: Enquiries) -> None:
    cluster = Cluster()
    enquiries.statuses([handle(1)], cluster, floor=0, clock=at(NOW))
    cluster.jobs = [handle(1)]
    enquiries.statuses([handle(1)], cluster, floor=0, clock=at(NOW + PATIENCE))
    cluster.jobs = []

    found = enquiries.statuses([handle(1)], cluster, floor=0, clock=at(NOW + PATIENCE + 1))

    assert found[handle(1)].state is JobState.UNKNOWN


def test_a_number_that_another_run_has_now_is_asked_about_anew(enquiries: Enquiries) -> None:
    cluster = Cluster()
    enquiries.statuses([handle(1)], cluster, floor=0, clock=at(NOW))
    other = JobHandle(executor="slurm", target="here:/jobs", key=f"{handle(2).key}", native_id="1")

    found = enquiries.statuses([other], cluster, floor=0, clock=at(NOW + PATIENCE))

    assert found[other].state is JobState.UNKNOWN


def test_a_clock_that_went_backwards_asks_again(enquiries: Enquiries) -> None:
    cluster = Cluster(jobs=[handle(1)])
    enquiries.statuses([handle(1)], cluster, floor=FLOOR, clock=at(NOW + 86400))

    enquiries.statuses([handle(1)], cluster, floor=FLOOR, clock=at(NOW))
    enquiries.statuses([handle(1)], cluster, floor=FLOOR, clock=at(NOW + 1))

    assert len(cluster.asked) == 2


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b"null", b"[]", b"{}", b'"text"', b"\xff\x00", b"[" * 100_000),
        *(b'{"watched": null}', b'{"watched": {"1": {}}}', b'{"asked_at": "x", "watched": {}}'),
        json.dumps(
            {"tried_at": [], "asked_at": {}, "asked": 1, "token": 2, "out": 3, "watched": {}}
        ).encode(),
    ],
)
def test_a_cache_that_cannot_be_read_was_never_there(enquiries: Enquiries, content: bytes) -> None:
    cluster = Cluster(jobs=[handle(1)])
    enquiries.path.parent.mkdir()
    enquiries.path.write_bytes(content)

    found = enquiries.statuses([handle(1)], cluster, floor=FLOOR, clock=at(NOW))

    assert found[handle(1)].state is JobState.RUNNING
    enquiries.statuses([handle(1)], cluster, floor=FLOOR, clock=at(NOW + 1))
    assert len(cluster.asked) == 1


def test_a_cache_that_cannot_be_written_is_only_slow(tmp_path: Path) -> None:
    cluster = Cluster(jobs=[handle(1)])
    (tmp_path / "file").touch()
    (tmp_path / "folder" / "slurm-x.json").mkdir(parents=True)

    for path in (tmp_path / "file" / "slurm-x.json", tmp_path / "folder" / "slurm-x.json"):
        found = Enquiries(path=path, nodes=Memory(path=path.with_name("nodes"))).statuses(
            [handle(1)], cluster, floor=FLOOR, clock=at(NOW)
        )
        assert found[handle(1)].state is JobState.RUNNING


def test_only_the_user_can_read_it(enquiries: Enquiries) -> None:
    os.umask(old := os.umask(0))
    enquiries.statuses([handle(1)], Cluster(), floor=FLOOR, clock=at(NOW))

    assert old >= 0
    for path in (enquiries.path, *enquiries.path.parent.iterdir(), enquiries.path.parent):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_a_controller_that_does_not_answer_is_told_of_as_such(enquiries: Enquiries) -> None:
    def ask(jobs: str, token: str) -> str:
        assert jobs
        parts = ("queue -\nUnable to contact slurm controller", "queue-code - 1", "files", "end")
        return "".join(f"\n{token} {part}\n" for part in parts)

    with pytest.raises(UnreachableError, match="Unable to contact"):
        enquiries.statuses([handle(1)], ask, floor=FLOOR, clock=at(NOW))


def test_a_host_that_refuses_is_not_knocked_at_by_everybody(enquiries: Enquiries) -> None:
    calls = 0

    def ask(jobs: str, token: str) -> str:
        nonlocal calls
        calls += bool(jobs and token)
        raise RefusedError("the host's key has changed")

    for passed in (0.0, 1.0, 2.0):
        with pytest.raises(UnreachableError, match="key has changed"):
            enquiries.statuses([handle(1)], ask, floor=FLOOR, clock=at(NOW + passed))

    assert calls == 1


def enquire(path: Path, number: int, until: float, results: "multiprocessing.Queue[Any]") -> None:
    """Ask again and again, as one of many shells does; each real enquiry adds a line to a file."""

    def ask(jobs: str, token: str) -> str:
        with path.with_suffix(".calls").open("a") as calls:
            calls.write(".")
        return Cluster(jobs=[handle(number) for number in range(20)])(jobs, token)

    rounds, states = 0, set()
    while time.time() < until or not rounds:
        found = Enquiries(path=path, nodes=Memory(path=path.with_name("nodes"))).statuses(
            [handle(number)], ask, floor=0.5, clock=time.time
        )
        states |= {each.state.value for each in found.values()}
        rounds += 1
    results.put((rounds, states))


def test_of_twenty_processes_one_asks_in_a_while(enquiries: Enquiries) -> None:
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    begun = time.time()
    crowd = [
        context.Process(target=enquire, args=(enquiries.path, number, begun + 1.5, results))
        for number in range(20)
    ]

    for each in crowd:
        each.start()
    told = [results.get(timeout=60) for _ in crowd]
    for each in crowd:
        each.join(timeout=60)
    took = time.time() - begun

    calls = len(enquiries.path.with_suffix(".calls").read_text())
    assert 1 <= calls <= took / 0.5 + 1
    assert sum(rounds for rounds, _ in told) > 20
    assert set().union(*(states for _, states in told)) <= {"RUNNING", "PENDING", "UNKNOWN"}


def test_reasons_survive_being_shared(enquiries: Enquiries) -> None:
    def ask(jobs: str, token: str) -> str:
        held = handle(1)
        row = f"1|PENDING|JobHeldUser|N/A|1||nemorun-{held.key[:-2]}|(null)\n"
        parts = (f"queue -\n{row}", "queue-code - 0", "files", "end")
        return "".join(f"\n{token} {part}\n" for part in parts if jobs)

    for passed in (0.0, 1.0):
        found = enquiries.statuses([handle(1)], ask, floor=FLOOR, clock=at(NOW + passed))
        assert found[handle(1)].reason is Reason.WAITING
        assert "scontrol release 1" in found[handle(1)].reason_detail
