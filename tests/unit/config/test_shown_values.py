"""Values as they are shown can be typed again, and mean the same."""

from pathlib import Path, PurePosixPath
from typing import Any

import fiddle as fdl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nemorun_cli.config.coerce import coerce
from nemorun_cli.config.document import to_document
from nemorun_cli.config.render import text_of
from nemorun_cli.config.values import as_text
from tests.unit.config.parts import Color, train

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.sampled_from(["a, b", "(a", "f(x, y)", "'", '"', "1e-4", "none", "a: b", "#", "-", "&a"]),
)


def containers(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lists = st.lists(values, max_size=3)
    return lists | lists.map(tuple) | st.dictionaries(st.text(max_size=5), values, max_size=3)


@given(value=containers(st.recursive(LEAVES, containers, max_leaves=10)))
@example(value=[("adamw(lr=1, eps=2)", (1, 2)), {"(1, 2)": ((1,), ())}])
def test_a_list_tuple_or_mapping_is_read_as_it_was(value: Any) -> None:
    stored = to_document(fdl.Config(train, callback=value))["callback"]

    for shown in (as_text(value), text_of(stored)):
        assert coerce(shown, Any) == value
        assert coerce(shown, type(value)) == value


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Path("data/train set/a.txt"), "data/train set/a.txt"),
        (PurePosixPath("/x/y"), "/x/y"),
        ([Path("a/b"), Color.RED], "[a/b, RED]"),
        ({"a": (1, [2.5, None])}, "{a: (1, [2.5, none])}"),
    ],
)
def test_a_value_is_shown_whole(value: Any, shown: str) -> None:
    assert as_text(value) == shown


def test_what_is_nested_without_end_is_shown_by_dots() -> None:
    value: list[Any] = []
    for _ in range(5000):
        value = [value]

    assert "..." in as_text(value)
