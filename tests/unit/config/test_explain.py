"""What set each path of a config, and what differs between two."""

from pathlib import Path
from typing import Any

import fiddle as fdl
import pytest

from nemorun_cli.config import nodes
from nemorun_cli.config.apply import Applier
from nemorun_cli.config.complete import write_defaults
from nemorun_cli.config.diff import Difference, differences
from nemorun_cli.config.document import to_document
from nemorun_cli.config.explain import explain
from nemorun_cli.config.recipe import Changes
from nemorun_cli.core.errors import UsageError
from tests.unit.config.parts import AdamW, Color, Model, Parts, config, positional, train

HERE = Path(__file__).parents[3]


def told(made: Any, *arguments: str, path: str | None = None, files: tuple[str, ...] = ()) -> Any:
    """Each path that is explained, with kind and place and value of what set it."""
    applier = Applier(Parts())
    applier.registered.begin(made, "")
    changes = Changes(arguments=arguments, files=files, cwd=HERE)
    made = applier.apply(made, changes.assignments())
    origins = applier.trail.origins(made, root=HERE, earlier={})
    write_defaults(made)
    found = explain(to_document(made), origins, path)
    return {
        each.path: [(one["kind"], one["place"], one["value"]) for one in each.origins]
        for each in found
    }


def line_of(text: str) -> int:
    lines = (HERE / "tests/unit/config/parts.py").read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


RECIPE = f"tests/unit/config/parts.py:{line_of('optim=fdl.Config(AdamW, lr=0.1)')}"


def test_the_recipe_then_the_arguments_in_order() -> None:
    assert told(config(), "optim.lr=1", "optim.lr+=2", path="optim.lr") == {
        "optim.lr": [
            ("recipe", RECIPE, "0.1"),
            ("argument", "optim.lr=1", "1.0"),
            ("argument", "optim.lr+=2", "3.0"),
        ]
    }


def test_a_default_that_nobody_set_and_one_that_was_changed() -> None:
    assert told(config(), path="steps") == {"steps": [("default", "train", "10")]}
    assert told(config(), "steps=3", path="steps") == {
        "steps": [("default", "train", "10"), ("argument", "steps=3", "3")]
    }


def test_a_path_inside_of_a_value_is_explained_by_the_value() -> None:
    found = told(config(), "model.layers[0]=7", path="model.layers[1]")

    assert found == {
        "model.layers": [
            ("default", "Model", "[64, 64]"),
            ("argument", "model.layers[0]=7", "[7, 64]"),
        ]
    }


def test_what_a_factory_replaced_is_told() -> None:
    found = told(config(), "optim.lr=2", "optim=sgd", "optim.lr=4", path="optim.lr")

    assert found["optim.lr"][1:] == [
        ("argument", "optim.lr=2", "2.0"),
        ("argument", "optim=sgd", "0.5"),
        ("argument", "optim.lr=4", "4.0"),
    ]
    assert told(config(), "optim=sgd", path="optim")["optim.momentum"] == [
        ("default", "SGD", "none")
    ]


def test_a_node_in_two_places_is_explained_at_both() -> None:
    model = fdl.Config(Model, width=1)
    made = fdl.Partial(train, model=model, optim=fdl.Config(AdamW), callback=model)

    found = told(made, "callback.width=5", path="callback.width")

    assert found["model.width"][-1] == ("argument", "callback.width=5", "5")


def test_what_is_given_by_its_place_is_explained_by_who_gave_it() -> None:
    made = fdl.Partial(positional, 1, 2, 3)

    found = told(made, "second=7", "last=5")

    assert found["[1]"][-1] == ("argument", "second=7", "7")
    assert found["last"][-1] == ("argument", "last=5", "5")


def test_what_is_at_the_first_place_is_explained_under_it() -> None:
    model = fdl.Config(Model, width=1)
    made = fdl.Partial(positional, model, 2, last=model)

    found = told(made, "[0].width=4", "last.width+=1", path="last.width")

    assert found["[0].width"][-2:] == [
        ("argument", "[0].width=4", "4"),
        ("argument", "last.width+=1", "5"),
    ]


def test_a_file_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "exp.yaml"
    file.write_text("steps: 3\noptim:\n  lr: 0.5\n")

    found = told(config(), "optim.lr=1", path="optim.lr", files=(str(file),))

    assert found["optim.lr"][1:] == [
        ("file", f"{file}:3", "0.5"),
        ("argument", "optim.lr=1", "1.0"),
    ]


def test_a_part_that_a_file_describes_is_told_line_by_line(tmp_path: Path) -> None:
    file = tmp_path / "exp.yaml"
    target = "_target_: tests.unit.config.parts:"
    lines = (f"optim: {{{target}AdamW, lr: 0.5}}", "callback:", f"- {target}SGD", "  lr: 2", "")
    file.write_text("\n".join(lines))

    found = told(config(), "callback[0].lr+=1", "model={width: 3}", files=(str(file),))

    assert found["optim"][-1] == ("file", f"{file}:1", "AdamW(...)")
    assert found["optim.lr"][-1] == ("file", f"{file}:1", "0.5")
    assert found["callback[0].lr"] == [
        ("file", f"{file}:4", "2.0"),
        ("argument", "callback[0].lr+=1", "3.0"),
    ]
    assert found["model.width"][-1] == ("argument", "model={width: 3}", "3")


def test_a_new_part_is_told_by_who_gave_its_arguments() -> None:
    written = "callback=[{_target_: 'tests.unit.config.parts:positional', _args_: [1, 2, 3]}]"

    found = told(fdl.Partial(train, model=fdl.Partial(positional, 1, 2)), written)

    assert found["callback[0][0]"][-1] == ("argument", written, "1")
    assert found["callback[0][1]"][-1] == ("argument", written, "2")
    assert found["callback[0][2]"][-1] == ("argument", written, "3")
    assert found["callback[0].last"] == [("default", "positional", "0")]


def test_back_to_the_default_is_told() -> None:
    found = told(config(), "optim.lr=1", "~optim.lr", path="optim.lr")

    assert found["optim.lr"][-1] == ("argument", "~optim.lr", None)


def test_a_tag_and_a_class_are_told() -> None:
    found = told(config(), "AdamW:lr=1", path="optim.lr")

    assert found["optim.lr"][-1] == ("argument", "AdamW:lr=1", "1.0")


def test_without_a_path_everything_is_explained() -> None:
    found = told(config(), "steps=3")

    assert {"model", "model.width", "optim.betas", "steps", "table"} <= set(found)


@pytest.mark.parametrize(("path", "hint"), [("optim.lrr", "'optim.lr'"), ("nothing", "without")])
def test_a_path_that_is_not_there(path: str, hint: str) -> None:
    with pytest.raises(UsageError) as raised:
        told(config(), path=path)

    assert repr(path) in raised.value.message
    assert hint in raised.value.hint


def test_differences_name_each_path_that_is_not_the_same() -> None:
    before, after = config(), config()
    after.optim.lr = 3.0
    after.tags = ["x"]
    nodes.drop(after, "table")
    for made in (before, after):
        write_defaults(made)

    found = differences(to_document(before), to_document(after))

    assert found == (
        Difference(path="optim.lr", before="0.1", after="3.0"),
        Difference(path="tags", before="none", after="[x]"),
        Difference(path="table", before="{a: 1, a.b: 2, inner: {x: [1, 2, 3]}}", after="none"),
    )
    assert differences(to_document(before), to_document(before)) == ()


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        (5, "5", ("5", '"5"')),
        (None, "none", ("null", '"none"')),
        ("true", True, ('"true"', "true")),
        (Path("a"), "a", ("path a", '"a"')),
        (Color.RED, "RED", ("enum tests.unit.config.parts:Color.RED", '"RED"')),
        ({1}, frozenset({1}), ("set [1]", "frozenset [1]")),
        (
            fdl.Config(AdamW),
            fdl.Partial(AdamW),
            ("config tests.unit.config.parts:AdamW", "partial tests.unit.config.parts:AdamW"),
        ),
    ],
)
def test_what_only_looks_the_same_is_a_difference(before: Any, after: Any, shown: Any) -> None:
    documents = [to_document(fdl.Config(train, callback=each)) for each in (before, after)]

    (found,) = differences(*documents)

    assert (found.path, found.before, found.after) == ("callback", *shown)
    assert differences(documents[0], documents[0]) == ()


def test_the_number_of_what_is_shared_is_no_difference() -> None:
    one, other = [1], [2]
    before = to_document(fdl.Config(train, tags=one, callback=one))
    after = to_document(fdl.Config(train, model=[other, other], tags=one, callback=one))

    assert {each.path for each in differences(before, after)} == {"model[0]", "model[1]"}
