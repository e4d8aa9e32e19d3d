"""What the nodes of a config.json stand for, and that fiddle agrees."""
# A config holds values of any type.

import functools
import math
import pathlib
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import fiddle as fdl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemorun_cli.job.builder import Builder

THING = {"_target_": "types:SimpleNamespace", "_kind_": "config"}
CALL = {"_target_": "types:SimpleNamespace", "_kind_": "partial"}
FRESH = {"_target_": "types:SimpleNamespace", "_kind_": "arg_factory"}


def built(document: Any) -> Any:
    return Builder(".").build(document)


def typed(kind: str, value: Any) -> dict[str, Any]:
    return {"_type_": kind, "value": value}


@pytest.mark.parametrize(
    ("node", "value"),
    [
        (typed("tuple", [1, typed("tuple", [])]), (1, ())),
        (typed("set", [1, 2]), {1, 2}),
        (typed("frozenset", ["a"]), frozenset("a")),
        (typed("bytes", "AP8="), b"\x00\xff"),
        (typed("path", "a b/c"), pathlib.Path("a b/c")),
        (typed("timedelta", 90.5), timedelta(seconds=90.5)),
        (typed("timedelta", [-1, 2, 3]), timedelta(-1, 2, 3)),
        (typed("enum", "signal:Signals.SIGTERM"), 15),
        (typed("float", "-inf"), -math.inf),
        (typed("import", "math:pi"), math.pi),
        (typed("dict", [[1, "a"], [typed("tuple", [2]), []]]), {1: "a", (2,): []}),
        ({"a": {"b": [None, True, 1, 0.5, ""]}}, {"a": {"b": [None, True, 1, 0.5, ""]}}),
    ],
)
def test_a_value_that_json_cannot_carry_arrives(node: Any, value: Any) -> None:
    assert built({**THING, "x": node}).x == value


def test_no_number_arrives_as_such() -> None:
    assert math.isnan(built({**THING, "x": typed("float", "nan")}).x)


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown type 'pickle'"):
        built({**THING, "x": typed("pickle", "gASV")})


def test_a_node_used_twice_is_built_once() -> None:
    shared = {**THING, "_id_": 1, "n": 1}

    thing = built({**THING, "a": {"_ref_": 1}, "b": [shared, {"_ref_": 1}], "c": {**THING, "n": 1}})

    assert thing.a is thing.b[0]
    assert thing.a is thing.b[1]
    assert thing.a is not thing.c


def test_a_list_used_twice_stays_one_list() -> None:
    shared = {"_type_": "list", "_id_": 7, "value": [1]}

    thing = built({**THING, "a": shared, "b": {"_ref_": 7}})

    assert thing.a is thing.b


def test_tags_are_no_argument() -> None:
    assert built({**THING, "_tags_": {"x": ["mine:Lr"]}, "x": 1}) == SimpleNamespace(x=1)


def test_a_partial_inside_is_a_partial() -> None:
    made = built({**THING, "f": {**CALL, "x": 1}}).f

    assert isinstance(made, functools.partial)
    assert made(y=2) == SimpleNamespace(x=1, y=2)


def test_an_arg_factory_makes_a_new_value_on_each_call() -> None:
    inner = {**FRESH, "deep": FRESH, "kept": THING}
    call = built({**CALL, "x": inner, "y": [1, {"z": FRESH}], "n": 1})

    first, second = call(), call()

    assert first == second
    assert first.x is not second.x
    assert first.x.deep is not second.x.deep
    assert first.x.kept is second.x.kept
    assert first.y[1]["z"] is not second.y[1]["z"]
    assert call(x=None).x is None


def test_positional_factories_are_called_too() -> None:
    append = built(
        {
            "_target_": "itertools:repeat",
            "_kind_": "partial",
            "_args_": [{"_target_": "builtins:list", "_kind_": "arg_factory"}, 2],
        },
    )

    assert [next(append()) is next(append()), next(append())] == [False, []]


def test_an_arg_factory_outside_a_partial_is_refused_with_its_place() -> None:
    builder = Builder(".")

    with pytest.raises(TypeError, match="inside a Partial only"):
        builder.build({**THING, "a": {**THING, "b": [FRESH]}})
    assert builder.failed_at == "a"


def test_the_innermost_failing_node_is_the_one_named() -> None:
    builder = Builder(".")
    bad = {"_target_": "math:sqrt", "_args_": [-1]}

    with pytest.raises(ValueError, match=r"math domain error|nonnegative"):
        builder.build({**THING, "a": {"list": [0, {**THING, "deep": bad}]}})
    assert builder.failed_at == "a.list[1].deep"


NODES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text("abc", min_size=1, max_size=2), inner, max_size=3)
        | st.builds(lambda x, y: fdl.Config(SimpleNamespace, x=x, y=y), inner, inner)
    ),
    max_leaves=12,
)


@given(NODES)
def test_it_builds_what_fiddle_builds(value: Any) -> None:
    config = fdl.Config(SimpleNamespace, value=value)

    assert built(document(config)) == fdl.build(config)


def document(value: Any) -> Any:
    if isinstance(value, fdl.Config):
        arguments = fdl.ordered_arguments(value)
        return {**THING, **{name: document(item) for name, item in arguments.items()}}
    if isinstance(value, tuple):
        return typed("tuple", [document(item) for item in value])
    if isinstance(value, list):
        return [document(item) for item in value]
    if isinstance(value, dict):
        return {name: document(item) for name, item in value.items()}
    return value
