"""What the source of a recipe tells of its config, without running it."""

from pathlib import Path
from textwrap import dedent

import pytest

from nemorun_cli.config.sketch import parameters, sketch

HEAD = """
import copy
import enum
import functools
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Optional, Union

import fiddle as fdl
from fiddle.experimental import auto_config

from parts import Layer, Stack, layer as made


@dataclass
class Optim:
    rate: float = 0.1


def train(model: Any = None, *, optim: Any = None, steps: int = 1) -> None: ...

"""
PARTS = """
from dataclasses import dataclass
import fiddle as fdl


@dataclass
class Layer:
    width: int
    bias: bool = True


@dataclass
class Stack:
    layers: list[Layer]
    table: dict[str, int]


def layer(width=8):
    return fdl.Config(Layer, width=width)
"""


def paths(tmp_path: Path, body: str) -> list[str]:
    (tmp_path / "parts.py").write_text(PARTS)
    (tmp_path / "recipes.py").write_text(HEAD + dedent(body))
    return [each.path for each in sketch("recipes.py", "it", (tmp_path,), ())]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("def it():\n    return fdl.Partial(train, steps=2)", ["model", "optim", "steps"]),
        (
            "def it():\n    return fdl.Partial(train, fdl.Config(Layer, 3))",
            ["model", "model.width", "model.bias", "optim", "steps"],
        ),
        (
            """
            def it():
                config = fdl.Partial(train)
                config.optim = fdl.Config(Optim)
                return config
            """,
            ["model", "optim", "optim.rate", "steps"],
        ),
        (
            """
            def base():
                return fdl.Partial(train, model=made())

            def it():
                config = base()
                config.model.width = 4
                return config
            """,
            ["model", "model.width", "model.bias", "optim", "steps"],
        ),
        (
            """
            def wrap(model):
                return fdl.Partial(train, model=model)

            def it():
                return wrap(fdl.Config(Optim))
            """,
            ["model", "model.rate", "optim", "steps"],
        ),
        (
            """
            def it():
                layers = [fdl.Config(Layer, width=each) for each in range(3)]
                return fdl.Partial(train, fdl.Config(Stack, layers=layers, table={'a b': 1}))
            """,
            [
                *("model", "model.layers", "model.layers.0", "model.layers.0.width"),
                *("model.layers.0.bias", "model.table", "optim", "steps"),
            ],
        ),
        (
            """
            BASE = fdl.Config(Optim)

            def it():
                return fdl.Partial(train, optim=copy.deepcopy(BASE))
            """,
            ["model", "optim", "optim.rate", "steps"],
        ),
        (
            "def it():\n    return fdl.copy_with(fdl.Partial(train), model=made())",
            ["model", "model.width", "model.bias", "optim", "steps"],
        ),
        (
            """
            @auto_config.auto_config
            def it():
                return functools.partial(train, model=Layer(width=3), optim=Optim())
            """,
            ["model", "model.width", "model.bias", "optim", "optim.rate", "steps"],
        ),
        (
            """
            @auto_config.auto_config
            def inner():
                return Optim()

            def it():
                return fdl.Partial(train, optim=inner.as_buildable())
            """,
            ["model", "optim", "optim.rate", "steps"],
        ),
        (
            """
            def it(big=False):
                if big:
                    return fdl.Partial(train, made())
                return fdl.Partial(train)
            """,
            ["model", "model.width", "model.bias", "optim", "steps"],
        ),
        (
            "def it():\n    return fdl.Partial(unknown, a=1, b=made())",
            ["a", "b", "b.width", "b.bias"],
        ),
        ("def it():\n    return it()", []),
        (
            """
            def it():
                config = fdl.Config(Optim)
                config.rate = config
                return config
            """,
            None,
        ),
        ("def it():\n    return 3", []),
        ("it = 3", []),
        ("def it(:", []),
    ],
)
def test_paths_are_read(tmp_path: Path, body: str, found: list[str] | None) -> None:
    read = paths(tmp_path, body)

    assert read == found or (found is None and len(read) < 100)


@pytest.mark.parametrize(
    ("annotation", "choices"),
    [
        ("bool", ("true", "false")),
        ("Optional[bool]", ("true", "false", "none")),
        ("'bool | None'", ("true", "false", "none")),
        ("Literal['a', 2, None]", ("a", "2", "none")),
        ("Union[Literal['a'], Literal['b'], int]", ("a", "b")),
        ("Annotated[bool, 'x']", ("true", "false")),
        ("Color", ("RED", "BLUE")),
        ("Color | None", ("RED", "BLUE", "none")),
        ("Named", ("x", "y")),
        ("list[bool]", ()),
        ("Missing", ()),
        ("3", ()),
        ("int", ()),
        ("'('", ()),
    ],
)
def test_values_are_read_of_annotations(
    tmp_path: Path, annotation: str, choices: tuple[str, ...]
) -> None:
    (tmp_path / "recipes.py").write_text(
        f"{HEAD}\nNamed = Literal['x', 'y']\nclass Color(enum.Enum):\n    RED = 1\n    BLUE = 2\n\n"
        f"def it(value: {annotation}): ...\n"
    )

    (field,) = parameters("recipes.py", "it", (tmp_path,), ())

    assert field.choices == choices
