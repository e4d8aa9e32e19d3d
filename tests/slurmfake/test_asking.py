"""Asking Slurm how jobs are: all in one trip, by any shell, whatever Slurm does not know."""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nemorun_cli.core.errors import UnreachableError
from nemorun_cli.core.jobs import JobHandle, JobState, JobStatus, Reason
from nemorun_cli.slurm import scripts
from nemorun_cli.slurm.report import PATIENCE, SETTLING, Report, read_report, status_in
from nemorun_cli.testing import new_spec
from tests.slurmfake.tunnels import SHELLS, Shell, Through
from tests.slurmfake.world import SILENT, World

VERDICT = (
    '{"state":"FAILED","reason":"exit","exit_code":3,"signal":null,"attempt":1,'
    '"started_at":100,"ended_at":200}'
)
DISABLED = "Slurm accounting storage is disabled"
DOWN = "sacct: error: Problem talking to the database: Connection refused"


@pytest.fixture(params=SHELLS)
def way(request: pytest.FixtureRequest) -> Shell:
    return Shell(shell=SHELLS[request.param])


class Asker:
    """Asks about jobs, and says how they are when nothing more is waited for."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world, self.folder = world, folder
        folder.mkdir()
        self.handles: list[JobHandle] = []

    def job(self, number: str, cluster: str = "", **fields: Any) -> JobHandle:
        """A job in Slurm, with its folder; running, unless `states` say otherwise."""
        key = new_spec("true").key
        (self.folder / key / "logs" / "1").mkdir(parents=True)
        known = {
            "name": f"nemorun-{key[:-2]}",
            "comment": f"nemorun:{key}",
            "states": [(0.0, "RUNNING", "")],
        }
        self.world.add(id=number, cluster=cluster, **{**known, **fields})
        native = f"{number};{cluster}" if cluster else number
        self.handles.append(JobHandle(executor="slurm", target="x", key=key, native_id=native))
        return self.handles[-1]

    def write(self, handle: JobHandle, name: str, text: str) -> None:
        (self.folder / handle.key / name).write_text(text)

    def report(self, way: Shell) -> Report:
        pairs = [(each.key, *each.native_id.partition(";")[::2]) for each in self.handles]
        names = [f"{key} {number} {cluster or '-'}\n" for key, number, cluster in pairs]
        script = scripts.enquiry(str(self.folder), token="@t")  # noqa: S106
        finished = way.run(script, data="".join(names).encode())
        return read_report(finished.out.decode("utf-8", "surrogateescape"), token="@t")  # noqa: S106

    def told(self, way: Shell, since: float = PATIENCE) -> list[JobStatus]:
        report = self.report(way)
        assert report.whole
        return [
            status_in(report, each.key, each.native_id, missing=-since, now=0)
            for each in self.handles
        ]


@pytest.fixture
def asker(world: World, tmp_path: Path) -> Asker:
    return Asker(world, tmp_path / "jobs")


def states(statuses: list[JobStatus]) -> list[str]:
    return [each.state.value for each in statuses]


def test_one_question_to_each_answers_for_all(asker: Asker, world: World, way: Shell) -> None:
    asker.job("1", states=[(0.0, "PENDING", "Resources")])
    asker.job("2")
    asker.job("3", states=[(0.0, "TIMEOUT", "")], gone=True)
    asker.job("4", states=[(0.0, "FAILED", "")], exit="2:0", gone=True)
    ended = asker.job("5", gone=True, states=[(0.0, "COMPLETED", "")])
    asker.write(ended, "exit.json", VERDICT)

    found = asker.told(way)

    assert states(found) == ["PENDING", "RUNNING", "FAILED", "FAILED", "FAILED"]
    assert [each.reason for each in found[2:]] == [Reason.TIME_LIMIT, Reason.EXIT, Reason.EXIT]
    assert [each.exit_code for each in found[3:]] == [2, 3]
    assert len(world.calls("squeue")) == 1
    (accounting,) = world.calls("sacct")
    assert "--jobs=3,4" in accounting


def test_accounting_is_not_asked_about_what_the_queue_has(
    asker: Asker, world: World, way: Shell
) -> None:
    asker.job("1")
    asker.job("2", states=[(0.0, "PENDING", "Priority")])

    asker.told(way)

    assert world.calls("sacct") == []


def test_states_are_followed_as_they_change(asker: Asker, world: World, way: Shell) -> None:
    now = time.time()
    script = [(now, "PENDING", "Priority"), (now + 50, "RUNNING", ""), (now + 90, "COMPLETED", "")]
    asker.job("1", states=script, submitted=now)

    seen = []
    for _ in range(3):
        seen += states(asker.told(way))
        world.pass_time(60)
    world.pass_time(600)
    seen += states(asker.told(way))

    assert seen == ["PENDING", "RUNNING", "SUCCEEDED", "SUCCEEDED"]


def test_a_job_without_accounting_is_judged_by_its_own_word(
    asker: Asker, world: World, way: Shell
) -> None:
    world.set(accounting=DISABLED)
    ended, vanished = asker.job("1", gone=True), asker.job("2", gone=True)
    asker.write(ended, "exit.json", VERDICT)
    asker.write(vanished, "attempts.jsonl", '{"attempt":1,"started_at":100}\n')

    early, late = asker.told(way, PATIENCE - 1), asker.told(way, PATIENCE)

    assert states(early) == ["FAILED", "UNKNOWN"]
    assert states(late) == ["FAILED", "LOST"]
    assert late[1].started_at == 100


def test_while_accounting_is_down_nothing_is_lost(asker: Asker, world: World, way: Shell) -> None:
    world.set(accounting=DOWN)
    asker.job("1", gone=True)
    asker.job("2")

    found = asker.told(way, 10 * PATIENCE)

    assert states(found) == ["UNKNOWN", "RUNNING"]
    assert "Connection refused" in found[0].reason_detail


def test_accounting_that_lags_is_waited_for(asker: Asker, world: World, way: Shell) -> None:
    now = time.time()
    world.set(lag=1000.0)
    asker.job("1", gone=True, submitted=now, states=[(now, "FAILED", "")])

    early = asker.told(way, PATIENCE - 1)
    world.set(lag=0.0)

    assert states(early) == ["UNKNOWN"]
    assert states(asker.told(way)) == ["FAILED"]


def test_an_older_job_of_the_same_number_tells_nothing(
    asker: Asker, world: World, way: Shell
) -> None:
    old = {
        "name": "nemorun-20200101-000000-aaaaaaaa",
        "comment": "nemorun:20200101-000000-aaaaaaaa-1",
    }
    asker.job("1", states=[(0.0, "FAILED", "")], exit="4:0", gone=True, submitted=500.0)
    world.add(id="1", gone=True, states=[(0.0, "COMPLETED", "")], submitted=100.0, **old)
    world.add(id="2", gone=True, states=[(0.0, "COMPLETED", "")], submitted=100.0, **old)
    missing = asker.job("3")
    asker.handles[-1] = replace(missing, native_id="2")

    found = asker.told(way)

    assert (found[0].state, found[0].exit_code) == (JobState.FAILED, 4)
    assert found[1].state is JobState.LOST


def test_each_cluster_is_asked_once(asker: Asker, world: World, way: Shell) -> None:
    asker.job("1", cluster="alpha")
    asker.job("2", cluster="beta", states=[(0.0, "PENDING", "")])
    asker.job("3", cluster="beta", states=[(0.0, "NODE_FAIL", "")], gone=True)
    asker.job("1")

    found = asker.told(way)

    assert states(found) == ["RUNNING", "PENDING", "FAILED", "RUNNING"]
    assert sorted(words[-1] for words in world.calls("squeue")) == [
        "--format=%i|%T|%r|%S|%V|%N|%j|%k",
        "-Malpha",
        "-Mbeta",
    ]


def test_a_cluster_that_is_silent_hides_no_other(asker: Asker, world: World, way: Shell) -> None:
    asker.job("1", cluster="alpha")
    asker.job("2", cluster="beta")
    world.next_calls("squeue", {"err": SILENT, "code": 1})

    found = asker.told(way)

    assert states(found) == ["UNKNOWN", "RUNNING"]
    assert found[0].reason is Reason.UNREACHABLE


def test_jobs_of_another_cluster_that_shares_the_folder_are_not_lost(
    asker: Asker, world: World, way: Shell
) -> None:
    away = asker.job("1", gone=True, states=[(0.0, "RUNNING", "")])
    asker.handles[-1] = replace(away, native_id="999")
    asker.write(away, "cluster", "elsewhere\n")

    (found,) = asker.told(way, 10 * PATIENCE)

    assert found.state is JobState.UNKNOWN
    assert "elsewhere" in found.reason_detail
    assert world.read()["cluster"] in found.reason_detail


def test_what_squeue_prints_besides_is_passed_over(asker: Asker, world: World, way: Shell) -> None:
    world.set(noise=("*** Maintenance on Monday ***\nJOBID|STATE\n", "bye\n"))
    asker.job("1")

    assert states(asker.told(way)) == ["RUNNING"]


def test_a_folder_that_is_not_there_hides_verdicts_but_makes_none(asker: Asker, way: Shell) -> None:
    ended = asker.job("1", gone=True)
    asker.handles[-1] = replace(ended, native_id="999")
    asker.write(ended, "exit.json", VERDICT)
    asker.folder.rename(away := asker.folder.with_name("away"))

    hidden = asker.told(way, 10 * PATIENCE)
    away.rename(asker.folder)

    assert states(hidden) == ["UNKNOWN"]
    assert states(asker.told(way)) == ["FAILED"]


@pytest.mark.parametrize("program", ["xargs", "awk", "sort", "cat"])
def test_a_host_that_can_start_no_more_processes_gives_no_answer(
    asker: Asker, world: World, way: Shell, program: str
) -> None:
    ended = asker.job("1", gone=True)
    asker.handles[-1] = replace(ended, native_id="999")
    asker.write(ended, "exit.json", VERDICT)
    broken = world.folder / "bin" / program
    broken.write_text("#!/bin/sh\nexit 2\n")
    broken.chmod(0o755)

    report = asker.report(way)

    assert not report.whole or status_in(
        report, ended.key, "999", missing=-10 * PATIENCE, now=0
    ).state in (JobState.UNKNOWN, JobState.FAILED)


def test_all_that_a_job_left_is_told(asker: Asker, way: Shell) -> None:
    job = asker.job("1", gone=True, states=[(0.0, "FAILED", "")], exit="7:0")
    asker.write(job, "attempts.jsonl", '{"attempt":1,"started_at":100}\n{torn\n')
    asker.write(job, "logs/1/first_failure.json", '{"rank": 2, "message": "naïve: x"}')
    asker.write(job, "logs/1/0.log", "a: b\n")
    asker.write(job, "logs/1/1.log", "")
    asker.write(job, "cancel", "")

    early, (late,) = asker.told(way, SETTLING - 1), asker.told(way, SETTLING)

    assert states(early) == ["UNKNOWN"]
    assert (late.failing_rank, late.started_at, late.exit_code) == (2, 100, 7)
    assert "naïve: x" in late.reason_detail


@pytest.mark.parametrize("content", [b"", b"\0" * 511, b"{torn", b"\xff\xfe{}"])
def test_a_verdict_that_was_torn_is_none(asker: Asker, way: Shell, content: bytes) -> None:
    job = asker.job("1")
    (asker.folder / job.key / "exit.json").write_bytes(content)

    assert states(asker.told(way)) == ["RUNNING"]


def test_three_hundred_jobs_are_one_question(asker: Asker, world: World) -> None:
    with world.changing() as known:
        for number in range(1, 301):
            key = new_spec("true").key
            (asker.folder / key).mkdir()
            states_ = [(0.0, ("RUNNING", "PENDING", "FAILED")[number % 3], "")]
            known["jobs"].append(
                {"id": str(number), "name": f"nemorun-{key[:-2]}", "comment": "", "cluster": ""}
                | {"states": states_, "submitted": 1.0, "exit": "1:0", "earlier": []}
                | ({"gone": True} if number % 3 == 2 else {})
            )
            asker.handles.append(
                JobHandle(executor="slurm", target="x", key=key, native_id=str(number))
            )

    found = states(asker.told(Shell()))

    assert sorted(found) == ["FAILED"] * 100 + ["PENDING"] * 100 + ["RUNNING"] * 100
    assert len(world.calls("squeue")) == len(world.calls("sacct")) == 1


@pytest.fixture
def executor(world: World, tmp_path: Path) -> Through:
    world.set(faults={})
    return Through(job_dir=str(tmp_path / "jobs"), queries=str(tmp_path / "queries"), way=Shell())


def test_a_controller_that_is_silent_is_an_error_and_no_state(
    executor: Through, world: World
) -> None:
    handle = executor.submit(new_spec("true"))
    world.set(controller=SILENT)

    with pytest.raises(UnreachableError, match="Unable to contact"):
        executor.poll([handle])

    world.set(controller="")
    again = replace(executor, poll_interval=0)
    assert again.poll([handle])[handle].state is JobState.PENDING


def test_many_are_asked_to_end_in_few_calls(executor: Through, world: World, way: Shell) -> None:
    handles = []
    with world.changing() as known:
        for number in range(1, 301):
            key = new_spec("true").key
            Path(executor.job_dir, key).mkdir(parents=True)
            handles.append(JobHandle(executor="slurm", target="x", key=key, native_id=str(number)))
            known["jobs"].append(
                {"id": str(number), "name": "", "comment": "", "cluster": "", "submitted": 1.0}
                | {"states": [(0.0, ("RUNNING", "PENDING")[number % 2], "")], "exit": "0:0"}
                | {"earlier": []}
            )

    replace(executor, way=way).cancel_all(handles)

    words = {job["states"][-1][1] for job in world.read()["jobs"]}
    assert words == {"CANCELLED by 0"}
    assert len(world.calls("scancel")) == 4
    assert all(Path(executor.job_dir, each.key, "cancel").exists() for each in handles)


def test_who_cannot_be_asked_to_end_is_told_of(executor: Through, world: World, way: Shell) -> None:
    handle = executor.submit(new_spec("true"))
    world.set(controller="Unable to contact slurm controller (connect failure)")

    with pytest.raises(UnreachableError, match=r"cannot cancel.*Unable to contact"):
        replace(executor, way=way).cancel(handle)


def test_what_has_ended_is_not_asked_to_end(
    executor: Through, world: World, until: Callable[[Callable[[], bool]], None]
) -> None:
    world.set(runs=True)
    handle = executor.submit(new_spec("true"))
    folder = Path(executor.job_dir, handle.key)
    until((folder / "exit.json").exists)

    executor.cancel(handle)

    assert world.calls("scancel") == []
    assert not (folder / "cancel").exists()


def test_asked_again_after_its_grace_a_job_is_ended_the_hard_way(
    executor: Through, world: World
) -> None:
    handle = executor.submit(new_spec("true"))
    executor.cancel(handle)
    first = len(world.calls("scancel"))
    mark = Path(executor.job_dir, handle.key, "cancel")
    os.utime(mark, (mark.stat().st_atime, mark.stat().st_mtime - 3600))

    executor.cancel(handle)

    assert ["scancel", handle.native_id] not in world.calls("scancel")[:first]
    assert ["scancel", handle.native_id] in world.calls("scancel")[first:]
