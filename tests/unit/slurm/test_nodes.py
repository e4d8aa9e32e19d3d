"""Nodes that have failed: what counts against them, and what a job is kept off for it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemorun_cli.core.jobs import Blame
from nemorun_cli.slurm.asking import SlurmResources
from nemorun_cli.slurm.nodes import (
    MOST,
    REMEMBERED,
    bad,
    blames_in,
    keeping_off,
    memory_of,
    told_by,
    unwell,
)
from nemorun_cli.slurm.report import read_report

RUN = "20261125-101112-abcdefgh"
NOW = 1_800_000_000.0
TOKEN = "@0123456789abcdef"  # noqa: S105


def blame(node: str, cause: str = "node_failure", **fields: Any) -> Blame:
    known = {"run_id": RUN, "attempt": 1, "time": NOW - 60, **fields}
    return Blame(node=node, cause=cause, **known)


def rank(node: str, attempt: int, **fields: Any) -> Blame:
    return blame(node, "rank_failure", attempt=attempt, **fields)


def names(found: tuple[Blame, ...]) -> list[str]:
    return [each.node for each in found]


def test_a_node_that_has_failed_is_bad_for_a_day() -> None:
    found = [blame("n1"), blame("n2", time=NOW - REMEMBERED - 1)]

    assert names(bad(found, NOW)) == ["n1"]
    assert bad(found, NOW + REMEMBERED) == ()


def test_the_newest_comes_first_and_once() -> None:
    found = [blame("n1", time=NOW - 9), blame("n2", time=NOW - 5), blame("n1", time=NOW - 1)]

    assert [(each.node, each.time) for each in bad(found, NOW)] == [
        ("n1", NOW - 1),
        ("n2", NOW - 5),
    ]


def test_a_node_on_which_ranks_fail_is_bad_the_second_time() -> None:
    assert bad([rank("n1", 1)], NOW) == ()
    assert names(bad([rank("n1", 1), rank("n1", 2)], NOW)) == ["n1"]
    assert names(bad([rank("n1", 1), rank("n2", 2), rank("n1", 3)], NOW)) == ["n1"]


def test_ranks_that_fail_everywhere_speak_against_no_node() -> None:
    found = [rank("n1", 1), rank("n2", 2), rank("n1", 3), rank("n2", 4)]

    assert bad(found, NOW) == ()


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 9)), max_size=12))
def test_failing_ranks_alone_speak_against_one_node_at_most(found: list[tuple[str, int]]) -> None:
    assert len(bad([rank(node, attempt) for node, attempt in found], NOW)) <= 1


def test_a_job_is_kept_off_in_addition_to_what_its_user_excludes() -> None:
    ask, (notice,) = keeping_off(SlurmResources(exclude="n[7-8]"), (blame("n1"),))

    assert ask.exclude == "n[7-8],n1"
    assert notice.startswith("n1: node failure in abcdefgh at 2027-01-15T07:59:00Z; it is excluded")
    assert "-x exclude_bad=false" in notice


@pytest.mark.parametrize(
    "asked",
    [
        {"exclude_bad": False},
        {"nodelist": "n1"},
        {"clusters": "other"},
        {"sbatch": "--exclude=n4"},
        {"sbatch": "-w n1"},
    ],
)
def test_who_chooses_nodes_himself_is_left_alone(asked: dict[str, Any]) -> None:
    ask = SlurmResources(**asked)

    assert keeping_off(ask, (blame("n1"),)) == (ask, ())


def test_no_more_are_excluded_than_may_be_spared() -> None:
    many = tuple(blame(f"n{number}", nodes=number % 2 and 100) for number in range(12))
    few = tuple(blame(f"n{number}", nodes=4) for number in (1, 2, 3))

    ask, notices = keeping_off(SlurmResources(), many)
    assert ask.exclude == ",".join(f"n{number}" for number in range(MOST))
    assert len([each for each in notices if "not excluded" in each]) == 12 - MOST
    assert keeping_off(SlurmResources(nodes=2), few)[0].exclude == "n1,n2"
    ask, notices = keeping_off(SlurmResources(nodes=4), few)
    assert (ask.exclude, len(notices)) == (None, 3)


def test_what_a_job_tells_is_read_and_nothing_else() -> None:
    text = (
        "node_failure 2 1800000000 n3 4\nnode_failure 2 1800\nodd 1 1 n1 4\nrank_failure 1 1 n2 4\n"
    )

    assert list(told_by(text, RUN)) == [
        blame("n3", attempt=2, time=NOW, nodes=4),
        rank("n2", 1, time=1.0, nodes=4),
    ]


@given(st.text())
def test_no_text_of_a_job_is_an_error(text: str) -> None:
    list(told_by(text, RUN))


@pytest.mark.parametrize(
    ("conditions", "found"),
    [
        ({"n1": "idle"}, ["n1"]),
        ({"n1": "idle", "n2": "down*"}, ["n2"]),
        ({"n1": "MIXED", "n2": "DRAINED", "n3": "idle*"}, ["n2", "n3"]),
        ({"n1": "idle", "n2": "allocated"}, []),
        ({}, []),
    ],
)
def test_of_several_nodes_those_that_are_not_well_have_failed(
    conditions: dict[str, str], found: list[str]
) -> None:
    assert unwell(conditions) == found


def enquiry(state: str) -> str:
    row = f"12|{state}|0:0|1|2|1800000000|n[1-2]|nemorun-{RUN}|\n"
    parts = (
        ("accounting -", row),
        ("accounting-code - 0", ""),
        ("lost - 12", "n1|idle\nn2|down*\n"),
    )
    text = "".join(f"\n{TOKEN} {head}\n{body}" for head, body in (*parts, ("size - 12", "4\n")))
    return f"{text}\n{TOKEN} files\n{RUN}-1/blamed:rank_failure 1 5 n9 4\n"


def test_an_enquiry_tells_which_nodes_a_job_has_lost() -> None:
    report = read_report(enquiry("NODE_FAIL"), token=TOKEN)

    assert list(blames_in(report, {"12": f"{RUN}-1"}, NOW)) == [
        rank("n9", 1, time=5.0, nodes=4),
        blame("n2", time=NOW, nodes=4),
    ]


def test_a_job_of_another_end_has_lost_no_node() -> None:
    report = read_report(enquiry("FAILED"), token=TOKEN)

    assert [each.node for each in blames_in(report, {"12": f"{RUN}-1"}, NOW)] == ["n9"]


def test_what_was_told_is_remembered_once_and_for_a_day(tmp_path: Path) -> None:
    memory = memory_of("here", tmp_path / "queries")

    memory.remember([blame("n1"), blame("n2", time=NOW - 2 * REMEMBERED)], NOW)
    memory.remember([replace(blame("n1"), time=NOW), rank("n1", 2)], NOW)

    assert memory.recall() == (blame("n1"), rank("n1", 2))
    assert memory_of("there", tmp_path / "queries").recall() == ()
    memory.remember([blame("n3", time=NOW + REMEMBERED)], NOW + REMEMBERED)
    assert names(memory.recall()) == ["n3"]


@pytest.mark.parametrize("text", ["", "{", "[1]", '[{"node": 1}]', "{}", '[{"time": "x"}]'])
def test_a_memory_that_cannot_be_read_is_empty(tmp_path: Path, text: str) -> None:
    memory = memory_of("here", tmp_path)
    memory.path.write_text(text)

    assert memory.recall() == ()
    memory.remember([blame("n1")], NOW)
    assert names(memory.recall()) == ["n1"]
