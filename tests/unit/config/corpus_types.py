"""The types that the corpus of overrides is declared with, under postponed annotations."""
# mypy: ignore-errors

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import InitVar, dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    Final,
    Generic,
    Literal,
    LiteralString,
    NamedTuple,
    Never,
    NewType,
    NotRequired,
    Optional,
    Protocol,
    Required,
    Self,
    TypedDict,
    TypeVar,
    Union,
)

import fiddle as fdl

if TYPE_CHECKING:
    from nowhere import Unknown

T = TypeVar("T")
Bound = TypeVar("Bound", bound=float)
Either = TypeVar("Either", int, str)
Steps = NewType("Steps", int)


class Color(enum.Enum):
    RED = 1
    BLUE = "navy"


class Mode(enum.StrEnum):
    FAST = "fast"
    SLOW = "slow"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Rate(fdl.Tag):
    """What is tagged as a rate."""


@dataclass
class Adam:
    lr: Annotated[float, Rate] = 1e-3
    betas: tuple[float, float] = (0.9, 0.95)


@dataclass
class SGD:
    lr: Annotated[float, Rate]
    momentum: float | None = None


@dataclass
class Layer:
    width: int = 4
    inner: Layer | None = None


@dataclass
class Box(Generic[T]):
    item: T
    kind: ClassVar[str] = "box"


class Betas(NamedTuple):
    first: float
    second: float = 0.9


class Limits(TypedDict):
    low: Required[int]
    high: NotRequired[int]


class Options(TypedDict, total=False):
    name: str
    deep: Limits


class Runs(Protocol):
    def run(self) -> None: ...


class Plain:
    def __init__(self, width, *sizes: int, name: str = "plain", **more: bool) -> None:
        raise AssertionError((width, sizes, name, more))


def relu(value: float) -> float:
    return value


def gelu(value: float) -> float:
    return value


def _hidden(value: float) -> float:
    return value


def numbers(
    i: int = 1,
    f: float = 1.0,
    b: bool = True,
    n: None = None,
    oi: int | None = None,
    of: Optional[float] = None,
    ob: bool | None = None,
    if_: int | float = 1,
    bi: bool | int = 1,
    steps: Steps = 1,
    bound: Bound = 1.0,
    final: Final = 3,
    noted: Annotated[int, "steps"] = 1,
    nested: Annotated[Annotated[int, 1] | None, 2] = None,
) -> None:
    raise AssertionError((i, f, b, n, oi, of, ob, if_, bi, steps, bound, final, noted, nested))


def texts(
    s: str = "a",
    os: str | None = None,
    is_: int | str = "a",
    sl: str | list[str] = "a",
    lit: LiteralString = "a",
    by: bytes = b"a",
    p: Path = Path("a"),
    op: Path | None = None,
    ps: Path | str = "a",
    either: Either = 1,
    nothing=None,
    anything: Any = None,
    thing: object = None,
    ru: Union[None, str, int] = None,
    run_name: str = "",
    executor: str = "",
) -> None:
    raise AssertionError((s, os, is_, sl, lit, by, p, op, ps, either, nothing, anything, thing, ru))


def choices(
    c: Color = Color.RED,
    oc: Color | None = None,
    m: Mode = Mode.FAST,
    level: Level = Level.LOW,
    ls: Literal["relu", "gelu"] = "relu",
    li: Literal[1, 2, 3] = 1,
    lb: Literal[True, "auto"] = "auto",
    ln: Literal["a", None] = None,
    lc: Literal[Color.RED] = Color.RED,
    ly: Literal[b"x", b"y"] = b"x",
    lu: Literal["auto"] | int = "auto",
    lo: Literal["a", "b", "c"] | None = None,
) -> None:
    raise AssertionError((c, oc, m, level, ls, li, lb, ln, lc, ly, lu, lo))


def containers(
    li: list[int] = [1, 2, 3],
    ls: list[str] = ["a"],
    lo: list[float | None] | None = None,
    ll: list[list[int]] = [[1], [2, 3]],
    bare: list = [],
    seq: Sequence[int] = (),
    it: Iterable[str] = (),
    tf: tuple[float, float] = (0.9, 0.95),
    tn: tuple[int, ...] = (1,),
    t0: tuple[()] = (),
    tm: tuple[str, int | None, Color] = ("a", None, Color.RED),
    tb: tuple = (),
    st: set[int] = {1},
    sb: set = set(),
    fz: frozenset[str] = frozenset(),
    ab: AbstractSet[int] = frozenset(),
    di: dict[str, int] = {"a": 1},
    dk: dict[int, str] = {},
    dn: dict[str, dict[str, float]] = {"x": {"y": 1.0}},
    mp: Mapping[str, list[int]] = {},
    mm: MutableMapping[str, Any] = {},
    db: dict = {},
    dc: dict[Color, int] = {},
    ul: int | list[int] = 1,
    ud: str | dict[str, int] = "a",
    seconds: list[timedelta] = [],
    paths: list[Path] = [],
    colors: list[Color] = [],
) -> None:
    raise AssertionError((li, ls, lo, ll, bare, seq, it, tf, tn, t0, tm, tb, st, fz, ab, di, dk))


def times(
    d: timedelta = timedelta(0),
    od: timedelta | None = None,
    at: datetime | None = None,
    on: date | None = None,
    by: time | None = None,
) -> None:
    raise AssertionError((d, od, at, on, by))


def parts(
    optim: Adam | SGD = Adam(),
    layers: list[Layer] = [],
    layer: Layer | None = None,
    table: dict[str, Layer] = {},
    box: Box[int] | None = None,
    betas: Betas | None = None,
    limits: Limits = {"low": 1},
    options: Options | None = None,
    act: Callable[[float], float] = relu,
    oact: Callable | None = None,
    cls: type[Layer] = Layer,
    clss: type[Adam | SGD] = Adam,
    runs: Runs | None = None,
    plain: Plain | None = None,
    untyped=None,
    anything: Any = None,
) -> None:
    raise AssertionError((optim, layers, layer, table, box, betas, limits, options, act, cls, runs))


def strange(
    a: Unknown = None,
    b: list[Unknown] = [],
    c: 3 = 1,
    d: "what it is" = 1,
    e: Never = None,
    f: Self = None,
    g: InitVar[int] = 1,
    h: "Layer" = None,
    i: Optional["Color"] = None,
    j: "int | None" = None,
    k: complex = 1j,
) -> None:
    raise AssertionError((a, b, c, d, e, f, g, h, i, j, k))


@dataclass
class Whole:
    """A config of several parts, two of which are one."""

    one: Layer = field(default_factory=Layer)
    two: Layer = field(default_factory=Layer)
    optim: Adam | SGD = field(default_factory=Adam)
    stack: list[Layer] = field(default_factory=list)
    steps: int = 10
    names: list[str] = field(default_factory=lambda: ["a", "b"])
    table: dict[str, Any] = field(default_factory=dict)
    betas: tuple[float, float] = (0.9, 0.95)


def whole() -> fdl.Config[Whole]:
    shared = fdl.Config(Layer, width=8)
    table = {"a": 1, "a.b": 2, "list": [1, [2, 3]], "0": "zero", "deep": {"x": {"y": 1}}}
    return fdl.Config(
        Whole,
        one=shared,
        two=shared,
        optim=fdl.Config(Adam, lr=0.1),
        stack=[fdl.Config(Layer, width=1), fdl.Config(Layer, width=2)],
        table=table,
    )


def adam(lr: float = 0.5) -> fdl.Config[Adam]:
    return fdl.Config(Adam, lr=lr)


def sgd(lr: float, momentum: float = 0.9) -> fdl.Config[SGD]:
    return fdl.Config(SGD, lr=lr, momentum=momentum)


def layer(width: int = 64) -> fdl.Config[Layer]:
    return fdl.Config(Layer, width=width)


def plain() -> fdl.Config[Plain]:
    return fdl.Config(Plain, 1, 2, 3, name="made", extra=True)


FACTORIES = {each.__name__: each for each in (adam, sgd, layer, plain)}
