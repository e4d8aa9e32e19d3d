"""What the configs of these tests are made of."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import fiddle as fdl

from nemorun_cli.config.apply import Applier
from nemorun_cli.config.calls import called
from nemorun_cli.config.discover import RecipeSource
from nemorun_cli.config.loading import Importer
from nemorun_cli.config.recipe import Changes
from nemorun_cli.config.registered import Registered

TOP = Path()

if TYPE_CHECKING:
    from not_there import Unknown  # type: ignore[import-not-found]


class Color(enum.Enum):
    RED = 1
    BLUE = 2


class Rate(fdl.Tag):  # type: ignore[misc]
    """A learning rate."""


@dataclass
class AdamW:
    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.95)
    groups: list[dict[str, float]] = field(default_factory=list)


@dataclass
class SGD:
    lr: float
    momentum: float | None = None


class Model:
    def __init__(
        self,
        width: int,
        layers: list[int] = [64, 64],  # noqa: B006 # What users write.
        activation: Literal["relu", "gelu"] = "relu",
        *,
        name: str = "model",
        color: Color = Color.RED,
    ) -> None:
        self.width = width
        self.layers = layers
        self.activation = activation
        self.name = name
        self.color = color


def loss(x: float, y: float, *, scale: float = 1.0) -> float:
    return scale * (x - y)


def train(
    model: Model,
    optim: AdamW | SGD,
    steps: int = 10,
    *,
    tags: list[str] | None = None,
    table: dict[str, Any] | None = None,
    unknown: Unknown = None,
    callback: Any = None,
    **extra: int,
) -> None:
    raise AssertionError((model, optim, steps, tags, table, unknown, callback, extra))


def positional(first: int, /, second: int, *rest: int, last: int = 0) -> None:
    raise AssertionError((first, second, rest, last))


def untyped(model=None, steps=3, note="x"):  # type: ignore[no-untyped-def]  # noqa: ANN001
    raise AssertionError((model, steps, note))


def config() -> Any:
    return fdl.Partial(
        train,
        model=fdl.Config(Model, width=8),
        optim=fdl.Config(AdamW, lr=0.1),
        table={"a": 1, "a.b": 2, "inner": {"x": [1, 2, 3]}},
    )


FACTORIES = {
    "adamw": lambda: fdl.Config(AdamW),
    "sgd": lambda: fdl.Config(SGD, lr=0.5),
    "model": lambda: fdl.Config(Model, width=1),
}


class Parts(Registered):
    """These factories, without a file that they are found in."""

    def __init__(self) -> None:
        super().__init__(None, Importer(None))

    def found(self, *, entry_points: bool) -> dict[str, RecipeSource]:  # noqa: ARG002
        return {name: source(name) for name in FACTORIES}

    def make(self, name: str, arguments: tuple[str, ...]) -> Any:
        return called(FACTORIES[name], arguments, name, self)


def source(name: str) -> RecipeSource:
    return RecipeSource(name, name, "parts", "parts.py", 1, "", "project", "factory", "")


def apply(made: Any, arguments: Sequence[str], files: Sequence[str] = (), cwd: Path = TOP) -> Any:
    """The config after these overrides, with these factories at hand."""
    applier = Applier(Parts())
    applier.registered.begin(made, __name__)
    changes = Changes(arguments=tuple(arguments), files=tuple(files), cwd=cwd)
    return applier.apply(made, changes.assignments())
