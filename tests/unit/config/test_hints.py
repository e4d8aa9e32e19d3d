"""The declared types of what people write, where annotations are postponed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Generic, NamedTuple, Self, TypedDict, TypeVar

import fiddle as fdl
import pytest

from nemorun_cli.config.annotations import name_of
from nemorun_cli.config.describe import Places
from nemorun_cli.config.hints import hints_of
from nemorun_cli.core.errors import UsageError
from tests.unit.config import parts

T = TypeVar("T")
K = TypeVar("K")


@dataclass
class Box(Generic[T]):
    item: T
    more: list[T] | None = None
    make: Callable[[T], int] | None = None


@dataclass
class Pair(Box[K], Generic[K, T]):
    table: dict[K, T] = field(default_factory=dict)


@dataclass
class Whole(Box[int]):
    count: Final[int] = 3


@dataclass
class OwnInit(Box[int]):
    name: str = ""

    def __init__(self, width: int) -> None:
        super().__init__(width)


class Derived(Whole):
    def __init__(self, scale: float) -> None:
        super().__init__(int(scale))


@dataclass(init=False)
class NoInit:
    name: str

    def __init__(self, number: int) -> None:
        self.name = str(number)


class Plain(Generic[T]):
    def __init__(self, item: T, other: T | None = None) -> None:
        raise AssertionError((item, other))


class PlainText(Plain[str]):
    pass


class Betas(NamedTuple):
    first: float
    second: float = 0.9


class Kid(Betas):
    pass


class Made:
    def __new__(cls, size: int) -> Self:
        raise AssertionError(size)


class Limits(TypedDict, Generic[T]):
    low: T


class Unrelated:
    pass


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (Box, "item: anything, more: list[anything] | none, make: a function | none"),
        (Box[int], "item: int, more: list[int] | none, make: a function | none"),
        (
            Pair[str, float],
            "item: str, more: list[str] | none, make: a function | none, table: dict[str, float]",
        ),
        (Whole, "item: int, more: list[int] | none, make: a function | none, count: int"),
        (Derived, "scale: float"),
        (NoInit, "number: int"),
        (Plain[int], "item: int, other: int | none"),
        (PlainText, "item: str, other: str | none"),
        (Betas, "first: float, second: float"),
        (Kid, "first: float, second: float"),
        (Made, "size: int"),
        (Limits, "low: anything"),
        (Unrelated, ""),
        (print, ""),
    ],
)
def test_a_parameter_has_this_type(target: Any, expected: str) -> None:
    known = {name: each for name, each in hints_of(target).items() if name != "return"}
    found = [f"{name}: {_shown(each)}" for name, each in known.items()]

    assert ", ".join(found) == expected


def _shown(annotation: Any) -> str:
    return name_of(annotation).replace("a function[[int], int]", "a function")


def go(box: Box[int], boxes: list[Box[float]], pair: Pair[str, int] | None = None) -> None:
    raise AssertionError((box, boxes, pair))


def config() -> Any:
    return fdl.Partial(go, box=fdl.Config(Box, 1), boxes=[fdl.Config(Box, 2)])


def test_a_value_is_read_by_the_type_that_its_class_was_declared_with() -> None:
    made = parts.apply(
        config(),
        ["box.item=3", "box.more=[4]", "boxes[0].item=5", "pair={item: 6}", "pair.table={a: 7}"],
    )

    assert (made.box.item, made.box.more, made.boxes[0].item) == (3, [4], 5.0)
    assert isinstance(made.boxes[0].item, float)
    assert (made.pair.item, made.pair.table) == ("6", {"a": 7})


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("box.item=x", "box.item expects int, got 'x'"),
        ("boxes[0].more=[x]", "boxes[0].more[0] expects float, got 'x'"),
        ("pair={item: a, table: {b: c}}", "pair.table.b expects int, got 'c'"),
        ("box={item: x}", "box.item expects int, got 'x'"),
        ("boxes=[{item: x}]", "boxes[0].item expects float, got 'x'"),
    ],
)
def test_what_is_not_of_that_type_is_refused(argument: str, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        parts.apply(config(), [argument])

    assert raised.value.message == message


def test_that_type_is_known_of_each_part() -> None:
    made = config()

    places = Places(made)

    assert (places.of(made.box), places.of(made.boxes[0])) == (Box[int], Box[float])
    assert places.of(made) is Any
