"""Logs on another host: no line lost or doubled, little read, whatever the way there does."""

import json
import os
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemorun_cli import joblogs
from nemorun_cli.core.errors import UnreachableError
from nemorun_cli.core.jobs import REMARK, LogLine
from nemorun_cli.core.ports import Finished
from nemorun_cli.farlogs import FarLogs
from nemorun_cli.tunnels.local import LocalTunnel
from nemorun_cli.watching import nap


@dataclass
class Way:
    """A way to this machine that counts what comes over it, and breaks when it is told to."""

    breaks: Callable[[], str] = lambda: ""
    trips: int = 0
    received: int = 0
    host: str = "far"

    def run(self, script: str, *, data: bytes | BinaryIO = b"", timeout: float = 60) -> Finished:
        """As `Tunnel.run` says."""
        self.trips += 1
        how = self.breaks()
        if how == "before":
            raise UnreachableError("the connection broke")
        finished = LocalTunnel().run(script, data=data, timeout=timeout)
        self.received += len(finished.out)
        if how == "after":
            raise UnreachableError("the connection broke")
        return finished


class Job:
    """A job's folder, with the logs that a test puts there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log("1/0.log", "")

    def log(self, name: str, text: str | bytes) -> None:
        """Add to a log file."""
        path = self.folder / "logs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text)

    def ends(self) -> None:
        (self.folder / "exit.json").write_text("{}")

    def far(self, way: Way | None = None, **fields: Any) -> FarLogs:
        plain: dict[str, Any] = {"rank": None, "tail": None, "tick": 0.01}
        return FarLogs(tunnel=way or Way(), folder=str(self.folder), **{**plain, **fields})


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path / "it's a $folder")


def never() -> bool:
    return False


def texts(lines: Iterator[LogLine]) -> list[str]:
    return [line.text for line in lines if line.stream != REMARK]


def test_what_stands_there_is_read(job: Job) -> None:
    job.log("1/0.log", "one\ntwo\n\nlast, without an end")

    assert texts(job.far().read()) == ["one", "two", "", "last, without an end"]


def test_a_job_without_logs_has_none(job: Job, tmp_path: Path) -> None:
    assert texts(job.far().read()) == []
    assert texts(Job(tmp_path / "other").far(rank=7).read()) == []
    assert texts(FarLogs(tunnel=Way(), folder="/nowhere", rank=None, tail=None).read()) == []


def test_a_long_log_comes_in_parts(job: Job) -> None:
    lines = [f"line {number} {'x' * (number % 97)}" for number in range(2000)]
    job.log("1/0.log", "\n".join(lines) + "\n")
    way = Way()

    found = texts(job.far(way, chunk=10_000).read())

    size = (job.folder / "logs/1/0.log").stat().st_size
    assert found == lines
    assert way.trips == 2 + size // 10_000


@given(st.binary(max_size=300), st.integers(1, 40))
@settings(max_examples=15, deadline=None)
def test_any_bytes_come_as_they_do_on_the_host(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, chunk: int
) -> None:
    job = Job(tmp_path_factory.mktemp("job"))
    job.log("1/0.log", content)

    found = list(job.far(chunk=max(chunk, len(content) // 5 + 1)).read())

    assert found == list(joblogs.read_logs(job.folder, tail=None, rank=None))


def test_of_a_long_log_the_tail_alone_travels(job: Job) -> None:
    job.log("1/0.log", "".join(f"line {number:050}\n" for number in range(200_000)))
    way = Way()

    found = texts(job.far(way, tail=50).read())

    assert found == [f"line {number:050}" for number in range(199_950, 200_000)]
    assert way.received < 10_000
    assert way.trips == 2


@pytest.mark.parametrize("tail", [0, 1, 3, 4, 5, 100])
def test_the_tail_is_of_all_files_together_as_on_the_host(job: Job, tail: int) -> None:
    job.log("1/0.log", "a\nb\nc\n")
    job.log("2/0.log", "d\ne\nf")

    found = list(job.far(tail=tail).read())

    assert found == list(joblogs.read_logs(job.folder, tail=tail, rank=None))
    assert [line.text for line in found] == ["a", "b", "c", "d", "e", "f"][max(0, 6 - tail) :]


def test_rank_0_and_the_first_that_failed_are_shown(job: Job) -> None:
    for rank in range(4):
        job.log(f"1/{rank}.log", f"rank {rank}\n")
    job.log("1/launcher.log", "launched\n")
    job.log("1/first_failure.json", json.dumps({"rank": 2}))

    assert [(line.rank, line.text) for line in job.far().read()] == [(0, "rank 0"), (2, "rank 2")]
    assert texts(job.far(rank=3).read()) == ["rank 3"]


def test_where_no_rank_has_started_the_launcher_speaks(job: Job) -> None:
    (job.folder / "logs/1/0.log").unlink()
    job.log("1/launcher.log", "srun: error\n")

    assert [(line.rank, line.text) for line in job.far().read()] == [(None, "srun: error")]


def test_streams_in_files_of_their_own_keep_their_names(job: Job) -> None:
    job.log("1/0.log", "out\n")
    job.log("1/0.err", "err\n")

    found = [(line.stream, line.text) for line in job.far().read()]

    assert found == [("stdout", "out"), ("stderr", "err")]


def test_files_of_others_do_no_harm(job: Job) -> None:
    job.log("1/0.log", "a\n")
    job.log("1/0 copy.log", "b\n")
    job.log("1/new\nline.log", "c\n")
    job.log("1x/0.log", "d\n")
    job.log("x/first_failure.json", "{}")
    job.log("1/first_failure.json", "{torn")

    assert texts(job.far().read())[:1] == ["a"]


def test_following_gives_lines_as_they_come_and_ends_with_the_job(job: Job) -> None:
    lines = iter(job.far().follow(never))

    for text in ("one", "two"):
        job.log("1/0.log", f"{text}\n")
        assert next(lines).text == text
    job.log("1/0.log", "last")
    job.ends()

    assert texts(lines) == ["last"]


def test_following_ends_when_slurm_says_so(job: Job) -> None:
    job.log("1/0.log", "one\n")

    assert texts(job.far().follow(lambda: True)) == ["one"]


def test_following_from_the_tail_goes_on_with_all_that_is_new(job: Job) -> None:
    job.log("1/0.log", "".join(f"{number}\n" for number in range(100)))
    lines = iter(job.far(tail=2).follow(never))

    first = [next(lines).text, next(lines).text]
    job.log("1/0.log", "".join(f"{number}\n" for number in range(100, 110)))
    job.log("2/0.log", "".join(f"{number}\n" for number in range(110, 120)))
    job.ends()

    assert first == ["98", "99"]
    assert texts(lines) == [str(number) for number in range(100, 120)]


def test_the_log_of_a_rank_that_fails_later_is_followed_from_its_beginning(job: Job) -> None:
    job.log("1/0.log", "zero\n")
    job.log("1/1.log", "one\nmore\n")
    lines = iter(job.far().follow(never))
    first = next(lines).text

    job.log("1/first_failure.json", json.dumps({"rank": 1}))
    job.ends()

    assert [first, *texts(lines)] == ["zero", "one", "more"]


@pytest.mark.parametrize("seed", range(6))
def test_wherever_the_way_breaks_no_line_is_lost_or_doubled(job: Job, seed: int) -> None:
    chaos = random.Random(seed)  # noqa: S311
    expected = [f"line {number} {'x' * chaos.randrange(60)}" for number in range(150)]

    def write() -> None:
        data = "".join(f"{line}\n" for line in expected).encode()
        while data:
            length = chaos.randrange(1, 600)
            job.log("1/0.log", data[:length])
            data = data[length:]
            nap(0.01)
        job.ends()

    writer = threading.Thread(target=write)
    way = Way(breaks=lambda: random.choice(["", "", "", "before", "after"]))  # noqa: S311

    writer.start()
    found = texts(job.far(way, chunk=700, tick=0.002).follow(never))
    writer.join()

    assert found == expected


def test_a_silence_that_lasts_is_an_error(job: Job) -> None:
    way = Way(breaks=lambda: "before")

    with pytest.raises(UnreachableError, match="broke"):
        texts(job.far(way, patience=0.1).follow(never))

    assert 2 <= way.trips < 20


def test_who_follows_is_told_once_that_the_host_is_gone_and_once_that_it_is_back(
    job: Job,
) -> None:
    job.log("1/0.log", "one\n")
    hows = iter(["", "", "before", "before", "after", "", "before", *[""] * 100])
    job.ends()

    lines = list(job.far(Way(breaks=lambda: next(hows)), chunk=1).follow(never))

    told = [line.text for line in lines if line.stream == REMARK]
    gone = "far does not answer, and is asked again: the connection broke"
    assert told == [gone, "far answers again"] * 2
    assert [line.text for line in lines if line.stream != REMARK] == ["one"]


def test_while_the_way_is_broken_it_is_tried_more_and_more_rarely(job: Job) -> None:
    job.log("1/0.log", "x" * 5000)
    hows = iter(["", "", *["before"] * 100])
    way = Way(breaks=lambda: next(hows))

    with pytest.raises(UnreachableError):
        texts(job.far(way, chunk=100, patience=0.3).follow(never))

    assert way.trips < 12


def test_nothing_of_a_host_that_was_silent_in_between_is_read_twice(job: Job) -> None:
    job.log("1/0.log", "".join(f"{number}\n" for number in range(5000)))
    hows = iter(["", "", "after", "after", *[""] * 1000])
    way = Way(breaks=lambda: next(hows))
    job.ends()

    found = texts(job.far(way, chunk=4000).follow(never))

    assert found == [str(number) for number in range(5000)]
    assert way.received < 4 * os.path.getsize(job.folder / "logs/1/0.log")  # noqa: PTH202
