"""A config as values by path, as conditions compare them."""

import math
from datetime import timedelta
from pathlib import Path
from typing import Any

import fiddle as fdl
from hypothesis import given
from hypothesis import strategies as st

from nemorun_cli.config.document import to_document
from nemorun_cli.config.flat import flat
from nemorun_cli.core.fields import name_of


def part(**values: Any) -> dict[str, Any]:
    return values


def whole(**values: Any) -> dict[str, Any]:
    return values


def of(**values: Any) -> dict[str, Any]:
    return flat(to_document(fdl.Partial(whole, **values)))


def test_each_path_has_the_value_that_stands_there() -> None:
    found = of(
        lr=1e-3,
        on=True,
        nothing=None,
        layers=[fdl.Config(part, size=3), fdl.Config(part, size=4)],
        sizes=(1, [2, 3]),
        table={"a": 1, "b.c": {"d": "x"}},
        optim=fdl.Config(part, beta=math.inf, name="adam"),
    )

    assert found == {
        "lr": 1e-3,
        "on": True,
        "nothing": None,
        "layers[0]": "part(...)",
        "layers[0].size": 3,
        "layers[1]": "part(...)",
        "layers[1].size": 4,
        "sizes": "(1, [2, 3])",
        "sizes[0]": 1,
        "sizes[1]": "[2, 3]",
        "sizes[1][0]": 2,
        "sizes[1][1]": 3,
        "table": "{a: 1, b.c: {d: x}}",
        "table.a": 1,
        'table["b.c"]': "{d: x}",
        'table["b.c"].d': "x",
        "optim": "part(...)",
        "optim.beta": math.inf,
        "optim.name": "adam",
    }


def test_what_json_has_no_word_for_is_as_an_override_has_it() -> None:
    found = of(at=timedelta(minutes=90), to=Path("a/b"), both={1, 2})

    assert found["at"] == "1h30m"
    assert found["to"] == "a/b"
    assert found["both"] == "{1, 2}"


def test_of_a_part_in_two_places_the_second_says_where_the_first_is() -> None:
    shared = fdl.Config(part, size=3)

    found = of(a=shared, b=shared)

    assert found == {"a": "part(...)", "a.size": 3, "b": "the same as a"}


KEYS = st.text(min_size=1, max_size=4).filter(lambda key: not key.startswith("_"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_any_config_is_flat_and_each_of_its_paths_can_be_asked_for(value: Any) -> None:
    for path, plain in of(x=value).items():
        assert plain is None or isinstance(plain, (str, int, float))
        assert name_of(path).text == path
