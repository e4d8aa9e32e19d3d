"""What overrides make of a config."""

from typing import Any

import fiddle as fdl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemorun_cli.config import nodes
from nemorun_cli.core.errors import Problem, UsageError
from tests.unit.config.parts import (
    SGD,
    AdamW,
    Color,
    Model,
    apply,
    config,
    loss,
    positional,
    train,
    untyped,
)


def after(*arguments: str, of: Any = None) -> Any:
    made = config() if of is None else of
    return apply(made, arguments)


def problems(*arguments: str, of: Any = None) -> tuple[Problem, ...]:
    with pytest.raises(UsageError) as raised:
        after(*arguments, of=of)
    return raised.value.problems


def at(made: Any, path: str) -> Any:
    for step in path.split("."):
        made = (
            made[int(step)]
            if step.isdigit()
            else made[step]
            if isinstance(made, dict)
            else getattr(made, step)
        )
    return made


@pytest.mark.parametrize(
    ("argument", "path", "value"),
    [
        ("steps=20", "steps", 20),
        ("steps=0", "steps", 0),
        ("optim.lr=3e-4", "optim.lr", 3e-4),
        ("model.width=4", "model.width", 4),
        ("model.layers=[1,2]", "model.layers", [1, 2]),
        ("model.layers[0]=7", "model.layers", [7, 64]),
        ("model.layers[-1]=7", "model.layers", [64, 7]),
        ("model.layers.-1=7", "model.layers", [64, 7]),
        ("model.layers.0=7", "model.layers", [7, 64]),
        ("model.layers+=7", "model.layers", [64, 64, 7]),
        ("model.layers+=[7,8]", "model.layers", [64, 64, 7, 8]),
        ("model.layers-=64", "model.layers", [64]),
        ("~model.layers[0]", "model.layers", [64]),
        ("model.activation=gelu", "model.activation", "gelu"),
        ("model.color=BLUE", "model.color", Color.BLUE),
        ("model.name=", "model.name", ""),
        ("model.name=a, 'b' \n=c", "model.name", "a, 'b' \n=c"),
        ("model.name=adamw", "model.name", "adamw"),
        ("model.name=none", "model.name", "none"),
        ("model.name+=-big", "model.name", "model-big"),
        ("optim.betas[0]=0.3", "optim.betas", (0.3, 0.95)),
        ("optim.betas=(0.1,0.2)", "optim.betas", (0.1, 0.2)),
        ("optim.groups+={lr: 1}", "optim.groups", [{"lr": 1.0}]),
        ("tags=[a,b]", "tags", ["a", "b"]),
        ("tags=none", "tags", None),
        ("steps+=5", "steps", 15),
        ("steps-=5", "steps", 5),
        ("optim.lr+=1", "optim.lr", 1.1),
        ("table.a=x", "table.a", "x"),
        ("table.new=1", "table.new", 1),
        ("table.inner.x[1]=9", "table.inner.x", [1, 9, 3]),
        ("table.inner.x+=9", "table.inner.x", [1, 2, 3, 9]),
        ("table+={c: 3}", "table.c", 3),
        ("table.inner={y: 1}", "table.inner", {"y": 1}),
        ("seed=3", "seed", 3),
        ("unknown=3", "unknown", 3),
        ("callback=text", "callback", "text"),
        ("optim=none", None, None),
    ],
)
def test_a_path_is_set(argument: str, path: str | None, value: Any) -> None:
    if path is None:
        assert problems(argument)[0].message.startswith("optim expects AdamW | SGD")
        return

    assert at(after(argument), path) == value


def test_a_key_in_quotes_is_a_key_whatever_it_looks_like() -> None:
    made = after('table["a.b"]=3', 'table["0"]=zero', "table[c]=4")

    assert made.table == {"a": 1, "a.b": 3, "inner": {"x": [1, 2, 3]}, "0": "zero", "c": 4}


def test_a_key_is_removed() -> None:
    assert "a" not in after("~table.a").table
    assert "a" not in after("table-=a").table


def test_back_to_the_default() -> None:
    made = after("steps=20", "~steps", "~optim.lr", "model.layers+=3", "~model.layers")

    assert made.steps == 10
    assert made.optim.lr == 1e-3
    assert not nodes.is_set(made.model, "layers")


def test_what_has_no_default_stays() -> None:
    assert problems("~model.width")[0].message == "Model has no default for 'width'"


def test_each_override_is_applied_once_and_from_left_to_right() -> None:
    assert after("steps+=5", "steps+=5").steps == 20
    assert after("steps=1", "steps=2").steps == 2
    assert after("model.width=3", "model=model", "model.layers+=1").model.width == 1
    assert after("model=model", "model.width=3").model.width == 3


def test_values_are_shared_with_nothing() -> None:
    shared = [1, 2]
    made = fdl.Partial(train, tags=shared, table={"other": shared})

    apply(made, ["tags+=a", "callback=[1]", "extra_one=1"])

    assert made.table == {"other": [1, 2]}
    assert shared == [1, 2]


def test_defaults_stay_as_they_are() -> None:
    after("model.layers+=7", "model.layers[0]=1", "optim.groups+={lr: 1}")

    assert config().model.layers == [64, 64]
    assert Model.__init__.__defaults__[0] == [64, 64]  # type: ignore[index]
    assert AdamW().groups == []


def test_a_shared_node_is_changed_once_for_both() -> None:
    model = fdl.Config(Model, width=1)
    made = after("model.width=5", of=fdl.Partial(train, model=model, callback=model))

    assert made.callback.width == 5
    assert made.model is made.callback


def test_a_factory_is_chosen_by_name() -> None:
    made = after("optim=sgd", "optim.momentum=0.9")

    assert fdl.get_callable(made.optim) is SGD
    assert made.optim.momentum == 0.9
    assert fdl.get_callable(after("optim=adamw()").optim) is AdamW


def test_text_wins_over_a_factory_where_text_is_taken() -> None:
    assert after("callback=adamw").callback == "adamw"
    assert fdl.get_callable(after("callback=adamw()").callback) is AdamW
    assert after("model.name=adamw()").model.name == "adamw()"


def test_a_node_without_a_declared_type_is_replaced_by_a_factory_not_by_text() -> None:
    made = fdl.Partial(untyped, model=fdl.Config(Model, width=2))

    assert after("model=sgd", of=made).model.lr == 0.5
    assert after("model=none", of=made).model is None
    made = fdl.Partial(untyped, model=fdl.Config(Model, width=2))
    assert problems("model=sdg", of=made)[0].message == (
        "model expects a factory, as it holds Model, got 'sdg'"
    )


def test_what_is_given_by_its_place_is_left_alone() -> None:
    made = after("last=5", "second=7", of=fdl.Partial(positional, 1, 2, 3, 4))

    assert fdl.ordered_arguments(made) == {0: 1, "second": 7, 2: 3, 3: 4, "last": 5}


def test_parts_of_every_kind_are_set_and_stay_of_their_kind() -> None:
    inner = fdl.ArgFactory(SGD, lr=1.0)
    made = fdl.Partial(train, callback=fdl.Partial(loss, scale=inner), tags=inner)

    after("callback.scale.lr=2", "callback.x=3", "SGD:momentum=4", of=made)

    assert isinstance(made.callback, fdl.Partial)
    assert isinstance(made.callback.scale, fdl.ArgFactory)
    assert made.callback.scale is made.tags
    assert (inner.lr, inner.momentum, made.callback.x) == (2.0, 4.0, 3.0)


def test_what_has_only_a_place_is_set_there() -> None:
    made = fdl.Partial(positional, fdl.Config(Model, width=1), 2)

    assert after("[0].width=3", of=made)[0].width == 3
    assert problems("[5]=3", of=made)[0].message == "positional has no parameter 5"


def test_a_part_without_a_declared_type_is_replaced_by_what_has_brackets() -> None:
    made = fdl.Partial(untyped, model=fdl.Config(Model, width=2))

    found = after("model=[sgd(), (2, {a: sgd})]", of=made).model

    assert (found[0].lr, found[1]) == (0.5, (2, {"a": "sgd"}))


@pytest.mark.parametrize(
    ("argument", "message", "hint", "marked"),
    [
        (
            "optim.lrr=1",
            "AdamW has no parameter 'lrr'",
            "did you mean 'lr'? there are: lr, betas, groups",
            "lrr",
        ),
        ("optim.lr=abc", "optim.lr expects float, got 'abc'", "", "abc"),
        ("steps=1.5", "steps expects int, got '1.5'", "", "1.5"),
        ("model.layers=[1,x]", "model.layers[1] expects int, got 'x'", "", "x"),
        ("model.layers[2]=1", "model.layers has no item 2: it has 2 items", "", "2"),
        ("model.layers[-3]=1", "model.layers has no item -3: it has 2 items", "", "-3"),
        ("model.layers.x=1", "model.layers is a list: expects an index", "model.layers[0]", "x"),
        (
            "model.activation=gely",
            "model.activation expects one of relu, gelu, got 'gely'",
            "did you mean 'gelu'?",
            "gely",
        ),
        (
            "model.color=blue",
            "model.color expects one of RED, BLUE, got 'blue'",
            "did you mean 'BLUE'?",
            "blue",
        ),
        ("tags.x=1", "tags is none, so it has no 'x'", "set tags first", "x"),
        ("steps.x=1", "steps is 10: it has no parts to be set", "", "x"),
        ("table.b.c=1", "table has no key 'b'", "there are: a, a.b, inner", "b"),
        (
            "optim=adam",
            "optim expects AdamW | SGD, got 'adam'",
            "did you mean 'adamw'? registered factories: adamw, sgd, model",
            "adam",
        ),
        ("optim=model", "optim expects AdamW | SGD, got 'model'", "'model' makes Model", "model"),
        (
            "model.layers-=3",
            "model.layers expects what is there, got '3'",
            "it holds: 64, 64",
            "3",
        ),
        (
            "tags+=x",
            "tags expects a number, text or collection to change, not None, got 'x'",
            "",
            "x",
        ),
        ("extra=x", "extra expects int, got 'x'", "", "x"),
        (
            "optim.betas+=1",
            "optim.betas expects tuple[float, float], which has always 2 items, got '1'",
            "set an item by its index",
            "1",
        ),
        ("~optim.betas[0]", "optim.betas has always 2 items", "", "0"),
    ],
)
def test_a_mistake_is_told(argument: str, message: str, hint: str, marked: str) -> None:
    (problem,) = problems(argument)

    assert (problem.message, problem.hint) == (message, hint)
    assert problem.text[problem.start : problem.end] == marked


def test_all_mistakes_are_told_at_once_and_the_rest_is_still_read() -> None:
    found = problems("optim.lrr=1", "steps=20", "=3", "model.width=x", "steps=y")

    assert [each.text for each in found] == ["optim.lrr=1", "=3", "model.width=x", "steps=y"]


@given(text=st.text().filter(lambda text: not text.startswith("@")))
def test_any_text_reaches_a_str_as_it_is(text: str) -> None:
    assert after(f"model.name={text}").model.name == text
