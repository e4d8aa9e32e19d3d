"""Conditions on runs: how they are read, and of what they hold."""

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemorun_cli.core.conditions import (
    UNREAD,
    Comparison,
    Expression,
    Joined,
    Negation,
    comparisons,
    holds,
)
from nemorun_cli.core.errors import UsageError
from nemorun_cli.core.fieldnames import NUMBERS, PLACES, TIMES
from nemorun_cli.core.fields import EXAMPLES, Kind, Name, name_of
from nemorun_cli.core.jobs import JobState
from nemorun_cli.core.sorting import key_of, ordered
from nemorun_cli.core.where import parse

NOW = 1_800_000_000.0
DAY = 86400


def told(text: str, **values: Any) -> bool | None:
    """Whether it holds of these values; `optim__lr` is `optim.lr`, `metric__loss` a metric."""
    known = {name_of(name.replace("__", ".")): value for name, value in values.items()}
    return holds(parse(text, now=NOW), known.get)


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("state", Kind.FIELD, "state"),
        ("created", Kind.FIELD, "created_at"),
        ("created_at", Kind.FIELD, "created_at"),
        ("optim.lr", Kind.CONFIG, "optim.lr"),
        ("layers.0.size", Kind.CONFIG, "layers[0].size"),
        ('table["a.b"]["c"]', Kind.CONFIG, 'table["a.b"].c'),
        ("config.state", Kind.CONFIG, "state"),
        ("config.config.x", Kind.CONFIG, "config.x"),
        ("state.x", Kind.CONFIG, "state.x"),
        ("metric.val/loss:min", Kind.METRIC, "val/loss:min"),
        ('metric["loss (avg)"]', Kind.METRIC, "loss (avg)"),
        ("metric", Kind.CONFIG, "metric"),
    ],
)
def test_a_name_is_a_field_or_a_metric_or_else_of_the_config(
    text: str, kind: Kind, name: str
) -> None:
    (found,) = comparisons(parse(f"{text}!=null", now=NOW))

    assert found.name == Name(kind=kind, text=name)


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("lr>1e-3", {"lr": 0.01}, True),
        ("lr>1e-3", {"lr": 1e-3}, False),
        ("lr == 0.5", {"lr": 0.5}, True),
        ("seed=9007199254740993", {"seed": 9007199254740992}, False),
        ("state=Failed", {"state": "FAILED"}, True),
        ("state!=failed", {"state": "FAILED"}, False),
        ("name=42", {"name": "42"}, True),
        ("config.name=42", {"config__name": 42}, True),
        ("seed='42'", {"seed": 42}, None),
        ("exit_code>128 or exit_code=null", {"exit_code": 137}, True),
        ("name~BASE", {"name": "a baseline"}, True),
        ("seed~4", {"seed": 42}, None),
        ("amsgrad=true", {"amsgrad": True}, True),
        ("amsgrad=1", {"amsgrad": True}, None),
        ("lr=true", {"lr": 1}, None),
        ("lr<big", {"lr": 1}, None),
        ("lr!=big", {"lr": 1}, None),
        ("tags=a", {"tags": ("b", "a")}, True),
        ("tags!=a", {"tags": ("b", "a")}, False),
        ("tags~A", {"tags": ("ablation",)}, True),
        ("tags<a", {"tags": ("b",)}, None),
        ("created>2d", {"created_at": NOW - DAY}, True),
        ("created>2d", {"created_at": NOW - 3 * DAY}, False),
        ("ended_at<2027-01-15T08:00:00Z", {"ended_at": NOW}, False),
        ("ended_at<2027-01-15T08:00:01Z", {"ended_at": NOW}, True),
        ("metric.loss=nan", {"metric__loss": math.nan}, True),
        ("metric.loss!=nan", {"metric__loss": 1.0}, True),
        ("metric.loss<1", {"metric__loss": math.nan}, False),
        ("a=1 or b=2 and c=3", {"a": 1}, True),
        ("(a=1 or b=2) and c=3", {"a": 1, "b": 0, "c": 0}, False),
        ("not a=1 and b=2", {"a": 2, "b": 2}, True),
        ("NOT (a=1 AND b=2)", {"a": 1, "b": 2}, False),
    ],
)
def test_values_are_compared_as_what_they_are(
    text: str, values: Mapping[str, Any], expected: object
) -> None:
    assert told(text, **values) is expected


@pytest.mark.parametrize("sign", ["=", "!=", "<", "<=", ">", ">=", "~"])
def test_what_is_not_there_matches_nothing_and_neither_does_its_opposite(sign: str) -> None:
    assert told(f"lr{sign}1") is told(f"not lr{sign}1") is None
    assert told(f"lr{sign}1 or seed=1", seed=1) is True
    assert told(f"lr{sign}1 and seed=1", seed=2) is False


def test_null_asks_whether_it_is_there() -> None:
    assert told("lr=null") is told("not lr!=None") is True
    assert told("lr=null", lr=0) is told("lr!=null") is False
    assert told("name='null'", name="null") is True


@pytest.mark.parametrize(
    ("text", "marked", "hint"),
    [
        ("", "", EXAMPLES),
        ("state", "", ""),
        ("state=", "", "put text with spaces or signs in quotes"),
        ("state=faild and lr>1", "faild", "did you mean 'failed'?"),
        ("lr>1 lr<2", "lr", ""),
        ("(lr>1", "", ""),
        ("lr>1)", ")", ""),
        ("lr>null", "null", ""),
        ("lr ! 1", "!", ""),
        ("lr='1", "'", ""),
        ("created>yesterday", "yesterday", ""),
        ("exit_code!=one", "one", ""),
        ("signal=SIGKILL", "SIGKILL", ""),
        ("a..b=1", "a..b", EXAMPLES),
        ("Adam:lr=1", "Adam:lr", EXAMPLES),
        ("lr+=1", "lr+", EXAMPLES),
        ("'lr'=1", "'lr'", EXAMPLES),
    ],
)
def test_a_mistake_is_pointed_at(text: str, marked: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text, now=NOW)

    (problem,) = caught.value.problems
    assert problem.text == text
    assert problem.text[problem.start : problem.end] == marked
    assert problem.hint == hint
    assert caught.value.exit_code == 2


def test_brackets_without_end_are_refused_and_a_long_row_is_not() -> None:
    for deep in ("(" * 5000 + "a=1" + ")" * 5000, "not " * 5000 + "a=1"):
        with pytest.raises(UsageError, match="nested too deeply"):
            parse(deep, now=NOW)

    assert holds(parse(" or ".join(["a=1"] * 5000), now=NOW), lambda _: 1) is True


@given(st.text(max_size=40) | st.text("ab.=<>!~()[]\"'\\ ormetricnd0", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = parse(text, now=NOW)
    except UsageError as error:
        (problem,) = error.problems
        assert 0 <= problem.start <= len(text)
    else:
        assert holds(found, lambda _: None) in (True, False, None)


FIELDS = sorted(set(PLACES) - TIMES - NUMBERS - {"state"})
NAMES = st.one_of(
    st.builds(Name, kind=st.just(Kind.FIELD), text=st.sampled_from(FIELDS)),
    st.builds(
        Name, kind=st.just(Kind.CONFIG), text=st.sampled_from(["lr", "a.b", "n[0]", 't["x y"]'])
    ),
    st.builds(Name, kind=st.just(Kind.METRIC), text=st.text(min_size=1, max_size=5)),
)
WORDS = st.sampled_from(["1", "1.5", "nan", "-inf", "true", "a", "b", "1e-3", "00"])
COMPARISONS = st.one_of(
    st.builds(
        Comparison,
        name=NAMES,
        sign=st.sampled_from(["=", "!=", "<", "<=", ">", ">=", "~"]),
        text=st.text(max_size=6),
        quoted=st.just(True),  # noqa: FBT003
    ),
    st.builds(
        Comparison,
        name=NAMES,
        sign=st.sampled_from(["=", "!=", "<", "<=", ">", ">=", "~"]),
        text=WORDS,
    ),
    st.builds(Comparison, name=NAMES, sign=st.sampled_from(["=", "!="]), text=st.just("null")),
)
EXPRESSIONS: st.SearchStrategy[Expression] = st.recursive(
    COMPARISONS,
    lambda inner: st.one_of(
        st.builds(Negation, inner=inner),
        st.builds(
            Joined,
            word=st.sampled_from(["and", "or"]),
            parts=st.lists(inner, min_size=2, max_size=3).map(tuple),
        ),
    ),
    max_leaves=6,
)


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def written(expression: Expression, space: str) -> str:
    """The expression as somebody might type it, with brackets round all that is joined."""
    if isinstance(expression, Negation):
        return f"not {written(expression.inner, space)}"
    if isinstance(expression, Joined):
        inner = f" {expression.word} ".join(written(each, space) for each in expression.parts)
        return f"({space}{inner}{space})"
    name = str(expression.name)
    if expression.name.kind is Kind.METRIC:
        name = f"metric[{quoted(expression.name.text)}]"
    text = quoted(expression.text) if expression.quoted else expression.text
    return f"{name}{space}{expression.sign}{space}{text}"


@given(EXPRESSIONS, st.sampled_from(["", " ", "\t\n "]))
def test_what_is_written_is_read_as_it_was_meant(expression: Expression, space: str) -> None:
    assert parse(written(expression, space), now=NOW) == expression


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)


def naive(expression: Expression, value: Any) -> bool | None:
    """What the page says, told in another way: of one value, whatever the name is."""
    order = [False, None, True]  # `and` is the least of them, `or` the greatest.
    if isinstance(expression, Negation):
        return order[::-1][order.index(naive(expression.inner, value))]
    if isinstance(expression, Joined):
        found = [order.index(naive(part, value)) for part in expression.parts]
        return order[min(found) if expression.word == "and" else max(found)]
    if expression.text == "null" and not expression.quoted:
        return (value is None) is (expression.sign == "=")
    return compared(value, expression.sign, typed_as(value, expression))


def typed_as(value: Any, expression: Comparison) -> Any:
    if value is None or isinstance(value, str):
        return None if value is None else expression.text
    if expression.quoted:
        return None
    try:
        known = {"true": True, "false": False}
        return known.get(expression.text) if isinstance(value, bool) else float(expression.text)
    except ValueError:
        return None


def compared(value: Any, sign: str, typed: Any) -> bool | None:
    same = value == typed or str(value) == str(typed) == "nan"
    if typed is None:
        return None
    if sign in ("=", "!="):
        return same is (sign == "=")
    if sign == "~":
        return bool(typed.casefold() in value.casefold()) if isinstance(value, str) else None
    if isinstance(value, bool):
        return None
    found = {"<": value < typed, "<=": value <= typed, ">": value > typed, ">=": value >= typed}
    return bool(found[sign])


@given(EXPRESSIONS, VALUES)
def test_it_holds_of_what_the_page_says_it_does(expression: Expression, value: Any) -> None:
    assert holds(expression, lambda _: value) is naive(expression, value)


@given(EXPRESSIONS, st.dictionaries(NAMES, VALUES), st.sets(NAMES))
def test_what_was_told_before_all_was_read_stays_true(
    expression: Expression, values: dict[Name, Any], unread: set[Name]
) -> None:
    early = holds(expression, lambda name: UNREAD if name in unread else values.get(name))

    assert early in (None, holds(expression, values.get))


def test_all_states_can_be_asked_for() -> None:
    for state in JobState:
        if state is not JobState.UNKNOWN:
            assert told(f"state={state.lower()}", state=str(state)) is True


ROWS = st.lists(st.tuples(VALUES, st.integers(0, 3)), max_size=12)


@given(ROWS, st.sets(st.sampled_from("ab")))
def test_sorting_keeps_the_order_of_equals_and_puts_what_is_missing_last(
    rows: list[tuple[Any, int]], down: set[str]
) -> None:
    keys = [key_of(f"-{name}" if name in down else name) for name in "ab"]
    numbered = list(enumerate(rows))

    found = ordered(numbered, keys, lambda row, name: row[1]["ab".index(name.text)])

    def kind(row: tuple[int, tuple[Any, int]]) -> int:
        value = row[1][0]
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return 2
        return int(isinstance(value, str)) ^ ("a" in down)

    assert sorted(number for number, _ in found) == list(range(len(rows)))
    assert [kind(row) for row in found] == sorted(kind(row) for row in found)
    for one, two in pairwise(found):
        (left, left_second), (right, right_second) = one[1], two[1]
        if kind(one) == kind(two) != 2 and left != right:
            assert (left > right) == ("a" in down)
        elif kind(one) == kind(two) and left_second != right_second:
            assert (left_second > right_second) == ("b" in down)
        elif kind(one) == kind(two):
            assert one[0] < two[0]
