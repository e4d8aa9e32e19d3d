"""Points of metrics: how lines are read, and what many points come to."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemorun_cli.core.errors import UsageError
from nemorun_cli.core.jobs import JobFile, LogLine
from nemorun_cli.core.metrics import (
    LONGEST,
    Point,
    logged,
    number,
    pattern_of,
    summaries,
    tracked,
)
from nemorun_cli.eventfiles import prefixes

POINTS = st.lists(
    st.builds(
        Point,
        name=st.sampled_from(["loss", "acc"]),
        value=st.floats(),
        step=st.none() | st.integers(0, 20) | st.floats(0, 20),
        rank=st.integers(0, 1),
    ),
)


@given(POINTS)
def test_a_summary_is_that_of_the_last_value_of_each_step(points: list[Point]) -> None:
    found = {(each.name, each.rank): each for each in summaries(points)}

    assert list(found) == list(dict.fromkeys((each.name, each.rank) for each in points))
    for key, summary in found.items():
        mine = [each for each in points if (each.name, each.rank) == key]
        kept = [each.value for each in mine if each.step is None]
        kept += {each.step: each.value for each in mine if each.step is not None}.values()
        real = [value for value in kept if not math.isnan(value)]
        assert summary.count == len(kept)
        assert repr((summary.last, summary.last_step)) == repr((mine[-1].value, mine[-1].step))
        assert summary.least == min(real) if real else math.isnan(summary.least)
        assert summary.most == max(real) if real else math.isnan(summary.most)
        if summary.most_step is not None:
            last = [each.value for each in mine if each.step == summary.most_step][-1]
            assert last == summary.most or (math.isnan(last) and not real)


def test_a_value_that_a_requeue_has_replaced_is_no_extreme() -> None:
    values = [(1, 9.0), (2, 99.0), (2, 5.0), (3, 4.0)]

    (summary,) = summaries(Point(name="loss", value=value, step=step) for step, value in values)

    assert (summary.count, summary.last, summary.last_step) == (3, 4.0, 3)
    assert (summary.most, summary.most_step, summary.least, summary.least_step) == (9.0, 1, 4.0, 3)


def test_a_line_that_was_tracked_gives_its_points_and_rubbish_none() -> None:
    line = {"time": 5.5, "step": 3, "rank": 1, "metrics": {"loss": 0.5, "bad": "nan", "x": [1]}}

    loss, bad = tracked(line)

    assert loss == Point(name="loss", value=0.5, step=3, time=5.5, rank=1)
    assert math.isnan(bad.value)
    assert list(tracked({"metrics": [1]})) == list(tracked({})) == []
    assert next(tracked({"metrics": {"a": 1}, "step": "nan", "rank": None})).step is None


@pytest.mark.parametrize(
    ("told", "value"),
    [(3, 3), ("0.5", 0.5), ("-inf", -math.inf), (10**400, math.inf), (-(10**400), -math.inf)],
)
def test_a_number_is_what_spells_one(told: object, value: float) -> None:
    assert number(told) == value


@pytest.mark.parametrize("told", [True, None, "", "five", [], {}])
def test_what_spells_no_number_is_none(told: object) -> None:
    assert number(told) is None


def test_a_pattern_finds_all_that_a_line_tells() -> None:
    pattern = pattern_of(r"step=(?P<step>\d+)|loss[ =](?P<loss>\S+)|acc (?P<acc>\S+)")
    both = pattern_of(r"(?P<step>\d+): loss (?P<loss>\S+)( acc (?P<acc>\S+))?")

    assert [each.name for each in logged(LogLine(text="loss=1 acc .5 loss 2"), pattern)] == [
        *("loss", "acc", "loss")
    ]
    line = LogLine(text="7: loss nan acc 0.5", rank=2, time=9.0)
    loss, acc = logged(line, both)
    assert (loss.step, acc) == (7, Point(name="acc", value=0.5, step=7, time=9.0, rank=2))
    assert math.isnan(loss.value)
    assert [each.name for each in logged(LogLine(text="7: loss high"), both)] == []
    assert list(logged(LogLine(text=" " * LONGEST + "loss=1"), pattern)) == []


@pytest.mark.parametrize("text", ["loss (?P<loss", "loss", r"(?P<step>\d+)"])
def test_a_pattern_that_names_no_metric_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        pattern_of(text)


def test_tags_of_several_folders_are_told_apart() -> None:
    def told(*paths: str) -> list[str]:
        files = [JobFile(path=path, size=1, modified_ns=0) for path in paths]
        return list(prefixes(files).values())

    assert told("tb/a.tfevents", "tb/b.tfevents") == ["", ""]
    assert told("tb/train/a", "tb/val/a") == ["train/", "val/"]
    assert told("tb/a", "tb/val/a") == ["", "val/"]
    assert told("a") == [""]
