"""Configs become documents and come back; the same config has the same hash."""

import copy
import enum
import functools
import io
import json
import math
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import fiddle as fdl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemorun_cli.config import complete
from nemorun_cli.config.canonical import config_hash, text_of
from nemorun_cli.config.document import from_document, to_document
from nemorun_cli.core.errors import UsageError
from nemorun_cli.job.builder import Builder
from tests.unit.config.parts import (
    SGD,
    AdamW,
    Color,
    Model,
    Rate,
    config,
    loss,
    positional,
    train,
)

ROOT = Path(__file__).parents[3]
locate = Builder("").locate


def back(made: Any) -> Any:
    """Through the text of config.json."""
    return from_document(json.loads(text_of(to_document(made))), locate)


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(max_size=8),
    st.builds(Path, st.text("ab/.", max_size=5)),
    st.timedeltas(),
    st.sampled_from([Color.RED, Color.BLUE, loss, AdamW, math.sqrt, dict, timedelta]),
)
TEXT_KEYS = st.one_of(
    st.text(max_size=4),
    st.sampled_from(["_target_", "_type_", "_ref_", "_id_", "_x_", "_", "__", "a.b"]),
)
HASHABLE = st.one_of(st.integers(), st.text(max_size=4), st.sampled_from(list(Color)))


def nodes_of(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    kinds = st.sampled_from([fdl.Config, fdl.Partial, fdl.ArgFactory])
    return st.one_of(
        st.builds(
            lambda kind, lr, groups: kind(AdamW, lr=lr, groups=groups), kinds, values, values
        ),
        st.builds(lambda kind, a, b, c: kind(positional, a, b, c), kinds, values, values, values),
        st.builds(lambda kind, extra: kind(train, other=extra), kinds, values),
    )


def with_containers(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(values, max_size=3),
        st.lists(values, max_size=3).map(tuple),
        st.dictionaries(TEXT_KEYS, values, max_size=3),
        st.dictionaries(st.integers(), values, max_size=3),  # fiddle sorts keys: all of a kind.
        st.sets(HASHABLE, max_size=3),
        st.frozensets(HASHABLE, max_size=3),
        st.lists(values, min_size=1, max_size=2).map(lambda made: [made[0], made[0]]),
        nodes_of(values),
    )


CONFIGS = nodes_of(st.recursive(SCALARS, with_containers, max_leaves=12))


@given(made=CONFIGS)
def test_a_config_comes_back_equal(made: Any) -> None:
    assert back(made) == made


@given(made=CONFIGS)
def test_the_hash_is_that_of_what_comes_back(made: Any) -> None:
    document = to_document(made)

    assert config_hash(to_document(back(made))) == config_hash(document)
    assert config_hash(json.loads(json.dumps(document, sort_keys=True))) == config_hash(document)


@given(value=st.floats())
def test_every_float_comes_back(value: float) -> None:
    (found,) = back(fdl.Config(AdamW, lr=[value])).lr

    assert found == value or (math.isnan(found) and math.isnan(value))


@given(made=CONFIGS)
def test_nothing_in_the_config_is_changed(made: Any) -> None:
    before = copy.deepcopy(made)

    to_document(made)

    assert made == before


def test_a_node_used_twice_is_written_once() -> None:
    model = fdl.Config(Model, width=1)

    document = to_document(fdl.Partial(train, model=model, callback=model))

    assert document["model"]["_id_"] == 1
    assert document["callback"] == {"_ref_": 1}
    again = from_document(document, locate)
    assert again.model is again.callback


def test_tags_come_back() -> None:
    made = fdl.Config(AdamW, lr=1)
    fdl.add_tag(made, "lr", Rate)

    assert fdl.get_tags(back(made), "lr") == {Rate}


def test_the_hash_does_not_know_the_order_of_arguments() -> None:
    one, other = fdl.Config(SGD, lr=1, momentum=2), fdl.Config(SGD, momentum=2, lr=1)

    assert config_hash(to_document(one)) == config_hash(to_document(other))


def test_the_hash_tells_what_is_shared_from_what_is_equal() -> None:
    node = fdl.Config(Model, width=1)
    shared = fdl.Partial(train, model=node, callback=node)
    equal = fdl.Partial(train, model=node, callback=fdl.Config(Model, width=1))

    assert config_hash(to_document(shared)) != config_hash(to_document(equal))


@pytest.mark.parametrize("seed", ["0", "1", "12345"])
def test_the_hash_is_the_same_in_every_process(seed: str) -> None:
    code = (
        "from tests.unit.config.parts import config\n"
        "from nemorun_cli.config import complete, document, canonical\n"
        "made = config(); made.table['set'] = {'x', 'y', 'z', 1}\n"
        "complete.write_defaults(made)\n"
        "print(canonical.config_hash(document.to_document(made)))"
    )
    env = {**os.environ, "PYTHONHASHSEED": seed}

    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True
    )

    made = config()
    made.table["set"] = {"x", "y", "z", 1}
    complete.write_defaults(made)
    assert told.stdout.strip() == config_hash(to_document(made))


class Local(float):
    pass


def test_all_that_cannot_be_stored_is_told_at_once() -> None:
    made = fdl.Partial(train, model=lambda: 1, callback=[io.StringIO()], table={"k": Local(1)})

    with pytest.raises(UsageError) as raised:
        to_document(made)

    assert [(each.message, each.hint) for each in raised.value.problems] == [
        ("model: a lambda cannot be stored", "define it by name at the top of a module"),
        ("table.k: a value of class Local cannot be stored", "write float(...) of it"),
        ("callback[0]: an open file (StringIO) cannot be stored", "give its path"),
    ]


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (functools.partial(loss, 1), "use fdl.Partial(...)"),
        (math, "name what is used of it"),
        (AdamW(), "use fdl.Config(AdamW, ...)"),
        (list[int], "use list alone"),
        (object(), "use fdl.Config(object, ...)"),
    ],
)
def test_what_to_do_instead(value: Any, hint: str) -> None:
    with pytest.raises(UsageError) as raised:
        to_document(fdl.Config(train, callback=value))

    assert raised.value.hint == hint


def test_a_config_has_no_loops() -> None:
    made: Any = fdl.Config(train)
    made.callback = [made]

    with pytest.raises(UsageError, match=r"callback\[0\]: contains itself"):
        to_document(made)


class Access(enum.Flag):
    READ = 1
    WRITE = 2


def test_members_of_an_enum_are_stored_by_one_name() -> None:
    made = fdl.Config(train, callback=Access.READ, tags=Access.READ | Access.WRITE)

    with pytest.raises(UsageError) as raised:
        to_document(made)

    (problem,) = raised.value.problems
    assert problem.message == "tags: <Access.READ|WRITE: 3> cannot be stored"
    assert problem.hint == "name it as a member of its enum"


def test_what_nobody_could_read_back_is_not_stored() -> None:
    made: Any = fdl.Config(train)
    for _ in range(100):
        made = fdl.Config(train, callback=[made])

    with pytest.raises(UsageError, match="callback: is nested more than 80 deep"):
        to_document(made)


def test_what_can_be_stored_can_be_built_and_hashed() -> None:
    made: Any = fdl.Config(dict)
    for _ in range(39):
        made = fdl.Config(dict, callback=[made])

    assert back(made) == made
    assert config_hash(to_document(made)) == config_hash(to_document(back(made)))
    Builder("").build(to_document(made))


def test_defaults_are_written_out() -> None:
    made = fdl.Partial(train, model=fdl.Config(Model, width=1), optim=fdl.Config(AdamW))

    complete.write_defaults(made)

    document = to_document(made)
    assert document["steps"] == 10
    assert document["model"]["layers"] == [64, 64]
    assert document["optim"]["groups"] == []
    assert made.model.layers is not Model.__init__.__defaults__[0]  # type: ignore[index]


def test_what_the_caller_of_a_partial_gives_by_position_is_left_open() -> None:
    made = fdl.Partial(train, callback=fdl.Partial(loss))

    complete.write_defaults(made)

    assert fdl.ordered_arguments(made.callback) == {"scale": 1.0}
    assert fdl.build(made.callback)(3, 1) == 2


def test_a_default_that_cannot_be_stored_is_left_to_the_function() -> None:
    made = fdl.Config(_with_odd_default)

    complete.write_defaults(made)

    assert to_document(made) == {
        "_target_": f"{__name__}:_with_odd_default",
        "_kind_": "config",
        "b": 1,
    }


def _with_odd_default(a: Any = object(), b: int = 1) -> None:  # noqa: B008
    raise AssertionError((a, b))


def test_everything_that_is_missing_is_told_at_once() -> None:
    made = fdl.Partial(train, optim=fdl.Config(SGD), table={"x": [fdl.Config(Model)]})

    with pytest.raises(UsageError) as raised:
        complete.require(made)

    assert [(each.message, each.hint) for each in raised.value.problems] == [
        ("train needs a value for 'model'", "model=VALUE (Model)"),
        ("SGD needs a value for 'lr'", "optim.lr=VALUE (float)"),
        ("Model needs a value for 'width'", "table.x[0].width=VALUE (int)"),
    ]


def test_a_partial_inside_may_lack_what_its_caller_gives() -> None:
    complete.require(fdl.Partial(positional, 1, 2, fdl.Partial(loss), fdl.ArgFactory(SGD)))
