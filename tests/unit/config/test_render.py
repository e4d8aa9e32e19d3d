"""A stored config as people read it."""

from pathlib import Path
from typing import Any

import fiddle as fdl
from hypothesis import example, given

from nemorun_cli.config import nodes
from nemorun_cli.config.document import to_document
from nemorun_cli.config.render import lines
from tests.unit.config.parts import SGD, AdamW, Color, Model, apply, loss, train
from tests.unit.config.test_document import CONFIGS


def test_each_path_has_a_line_with_the_value_as_typed() -> None:
    model = fdl.Config(Model, width=1, color=Color.BLUE, name="")
    made = fdl.Partial(
        train,
        model=model,
        optim=fdl.Config(AdamW, betas=(0.9, 0.95), groups=[fdl.Config(SGD, lr=1.0)]),
        tags=["a", "b c"],
        table={"a.b": None, "path": Path("/x"), "again": model, "one": (1,), "set": {2}},
        callback=fdl.Partial(loss),
        note="two\nlines",
    )

    assert dict(lines(to_document(made))) == {
        "model": "Model(...)",
        "model.width": "1",
        "model.name": '""',
        "model.color": "BLUE",
        "optim": "AdamW(...)",
        "optim.betas": "(0.9, 0.95)",
        "optim.groups[0]": "SGD(...)",
        "optim.groups[0].lr": "1.0",
        "tags": "[a, b c]",
        'table["a.b"]': "none",
        "table.path": "/x",
        "table.again": "the same as model",
        "table.one": "(1,)",
        "table.set": "{2}",
        "callback": "loss(...)",
        "note": '"two\\nlines"',
    }


def test_what_is_shown_can_be_typed() -> None:
    made: Any = fdl.Partial(
        train,
        model=fdl.Config(Model, width=3, layers=[1, 2], color=Color.RED),
        optim=fdl.Config(AdamW, lr=1e-05, betas=(0.1, 0.2)),
        steps=7,
    )
    shown = dict(lines(to_document(made)))
    typed = [f"{path}={text}" for path, text in shown.items() if not text.endswith("(...)")]

    again: Any = fdl.Partial(
        train, model=fdl.Config(Model, width=0), optim=fdl.Config(AdamW), steps=0
    )
    again = apply(again, typed)

    assert nodes.is_node(again)
    assert again == made


@example(made=fdl.Config(AdamW, groups={"_target_": [shared := Path("x"), shared]}))
@given(made=CONFIGS)
def test_every_config_can_be_shown(made: Any) -> None:
    for path, text in lines(to_document(made)):
        assert path
        assert "\n" not in text
