"""Which runs are the same, and how they are found again."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nemorun_cli.core.runs import Process, RunRecord
from nemorun_cli.core.sameness import mark_of
from nemorun_cli.store.twins import Twins

NOBODY = Process(pid=1, start=1, boot="b", namespace="n", machine="m")
RECORD = RunRecord(
    id="20261125-101112-abcdefgh",
    recipe="gpt",
    executor="local",
    target={"job_dir": "/home/me/jobs"},
    resources={"nodes": 1, "time": None, "grace": 30, "retries": 0, "link": ("*",)},
    directory="/home/me/jobs/20261125-101112-abcdefgh-1",
    created_at=1.0,
    submitter=NOBODY,
    host="here",
    user="me",
    config_hash="c0ffee",
    code={"hash": "c0de", "path": "/store/code/c0de"},
    environment={"values": {"SEED": "1"}, "secrets": ["TOKEN"]},
)


@pytest.mark.parametrize(
    "other",
    [
        {"id": "20261125-101113-abcdefgh", "created_at": 2.0, "host": "there", "user": "you"},
        {"name": "mine", "tags": ("a",), "experiment": "e", "parent": "p"},
        {"resources": {**RECORD.resources, "time": 60, "grace": 5, "retries": 3}},
        {"resources": {**RECORD.resources, "link": ["*"]}},
        {"code": {"hash": "c0de", "path": "/elsewhere"}},
    ],
    ids=str,
)
def test_what_has_no_part_in_a_result_makes_no_difference(other: dict[str, Any]) -> None:
    assert mark_of(replace(RECORD, **other)) == mark_of(RECORD)


@pytest.mark.parametrize(
    "other",
    [
        {"config_hash": "c0ffef"},
        {"config_hash": None, "argv": ("true",)},
        {"code": {"hash": "c0df"}},
        {"workdir": "sub"},
        {"executor": "docker"},
        {"resources": {**RECORD.resources, "nodes": 2}},
        {"environment": {"values": {"SEED": "2"}, "secrets": ["TOKEN"]}},
        {"environment": {"values": {"SEED": "1"}, "secrets": []}},
    ],
    ids=str,
)
def test_what_may_change_a_result_is_told_apart(other: dict[str, Any]) -> None:
    assert mark_of(replace(RECORD, **other)) not in (None, mark_of(RECORD))


def test_without_a_snapshot_nothing_is_claimed() -> None:
    assert mark_of(replace(RECORD, code=None)) is None


def test_the_runs_of_a_mark_are_found_whatever_is_in_its_file(tmp_path: Path) -> None:
    twins = Twins(home=tmp_path, mark="ab" * 32)
    assert twins.known() == {}
    ids = [f"20261125-1011{second:02d}-abcdefgh" for second in range(5)]

    for run_id in ids:
        twins.add(run_id)
    twins.spent(ids[1])
    with twins.path.open("ab") as file:
        file.write(b"\xff\n../../etc/passwd spent\n20261125-101103-abcdefgh spe\n20261125-10")

    assert list(twins.known()) == ids[::-1]
    assert [run_id for run_id, spent in twins.known().items() if spent] == [ids[1]]
    assert Twins(home=tmp_path, mark="ac" * 32).known() == {}


def test_a_run_that_cannot_be_noted_is_launched_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "twins").write_text("in the way")
    twins = Twins(home=tmp_path, mark="ab" * 32)

    twins.add(RECORD.id)
    twins.spent(RECORD.id)

    assert twins.known() == {}
