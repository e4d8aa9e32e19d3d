"""What a text means, by the type that its field declares."""

import contextlib
import enum
import math
import os
import sys
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, NewType, Optional, TypeVar, Union

import pytest
import typing_extensions
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import TypeAliasType

from nemorun_cli.config.annotations import WRITABLE, name_of
from nemorun_cli.config.coerce import _READERS, coerce
from nemorun_cli.config.scalars import MismatchError


class Color(enum.Enum):
    RED = 1
    BLUE = 2


class Mode(enum.StrEnum):
    FAST = "fast"


class Model: ...


Steps = NewType("Steps", int)
Bound = TypeVar("Bound", bound=float)
Free = TypeVar("Free")


class Limits(typing_extensions.TypedDict, total=False):
    low: typing_extensions.Required[int]
    high: typing_extensions.ReadOnly[float]


Maybe = TypeAliasType("Maybe", Union[Free, None], type_params=(Free,))  # noqa: UP007

VALUES: list[tuple[str, Any, Any]] = [
    # Text is taken as it is.
    ("", str, ""),
    ("none", str, "none"),
    ('"quoted"', str, '"quoted"'),
    ("[1, 2]", str, "[1, 2]"),
    (" a\nb\t", str, " a\nb\t"),
    ("@file", str, "@file"),
    ("${HOME} $(date)", str, "${HOME} $(date)"),
    # Numbers.
    ("1e-4", float, 1e-4),
    ("3", float, 3.0),
    (".5", float, 0.5),
    ("1_000.5", float, 1000.5),
    ("-inf", float, -math.inf),
    (".inf", float, math.inf),
    ("0", int, 0),
    ("-7", int, -7),
    ("007", int, 7),
    ("0x10", int, 16),
    ("0b101", int, 5),
    ("1_000", int, 1000),
    ("1e6", int, 1_000_000),
    (" 5 ", int, 5),
    ("true", bool, True),
    ("False", bool, False),
    ("none", None, None),
    # Optional and unions.
    ("none", int | None, None),
    ("null", Optional[int], None),  # noqa: UP045
    ("3", Union[int, None], 3),  # noqa: UP007
    ("NULL", float | None, None),
    ("", str | None, ""),
    ("none", str | None, None),
    ('"none"', str | None, "none"),
    ("'5'", int | str, "5"),
    ("5", int | str, 5),
    ("5", str | int, 5),
    ("5.0", int | str | float, 5.0),
    ("x", int | str, "x"),
    ("1", int | float, 1),
    ("1.5", int | float, 1.5),
    ("true", bool | int, True),
    ("[1, 2]", int | list[int], [1, 2]),
    ("[a]", str | list[str], ["a"]),
    ("auto", Literal["auto"] | int, "auto"),
    ("2", Literal["auto"] | int, 2),
    # Choices.
    ("adam", Literal["adam", "sgd"], "adam"),
    ("2", Literal[1, 2], 2),
    ("none", Literal["a", None], None),  # noqa: PYI061
    ("true", Literal[True, "auto"], True),
    ("RED", Literal[Color.RED], Color.RED),
    ("RED", Color, Color.RED),
    ("2", Color, Color.BLUE),
    ("fast", Mode, Mode.FAST),
    ("FAST", Mode, Mode.FAST),
    ("RED", Color | None, Color.RED),
    # Paths, bytes, lengths of time.
    ("/data/x y", Path, Path("/data/x y")),
    ("a/b", Path | None, Path("a/b")),
    ("a/b", Path | str, Path("a/b")),
    ("a/b", os.PathLike[str], Path("a/b")),
    ("a/b", str | os.PathLike, "a/b"),
    ("é", bytes, "é".encode()),
    ("90s", timedelta, timedelta(seconds=90)),
    ("1-12:00:00", timedelta, timedelta(days=1, hours=12)),
    # Collections.
    ("[1,2]", list[int], [1, 2]),
    ("[]", list[int], []),
    ("[1e-3, none]", list[float | None], [1e-3, None]),
    ("['a, b', \"c\", d]", list[str], ["a, b", "c", "d"]),
    ('["no", yes, 1]', list[str], ["no", "yes", "1"]),
    ("[1, a, 2.5, none]", list, [1, "a", 2.5, None]),
    ("[[1], [2, 3]]", list[list[int]], [[1], [2, 3]]),
    ("[1, 2]", Sequence[int], [1, 2]),
    ("[1, 2]", Iterable[int], [1, 2]),
    ("(0.9, 0.95)", tuple[float, float], (0.9, 0.95)),
    ("[0.9, 0.95]", tuple[float, float], (0.9, 0.95)),
    ("(1,)", tuple[int, ...], (1,)),
    ("()", tuple[int, ...], ()),
    ("()", tuple[()], ()),
    ("(a, 1)", tuple[str, int], ("a", 1)),
    ("(1, x)", tuple, (1, "x")),
    ("(1, x)", typing.Tuple, (1, "x")),  # noqa: UP006 # What users write.
    ("[1, x]", typing.List, [1, "x"]),  # noqa: UP006
    ("[(1, a), (2, 'b, c')]", list[tuple[int, str]], [(1, "a"), (2, "b, c")]),
    ("((1, 2), (3,))", tuple[tuple[int, ...], ...], ((1, 2), (3,))),
    ("{a: [(1, 2)], (b): c}", dict[str, Any], {"a": [(1, 2)], "(b)": "c"}),
    ("{(1, 2): x}", dict[tuple[int, int], str], {(1, 2): "x"}),
    ("[f(a, b), (c, d), e (f]", list[str], ["f(a, b)", "(c, d)", "e (f"]),
    ("['(', \"), (\", 'it''s (', (1)]", list[str], ["(", "), (", "it's (", "(1)"]),
    ("[ (1,\n 2) # both\n, (3, 4) ]", list[tuple[int, int]], [(1, 2), (3, 4)]),
    ("[1, 1, 2]", set[int], {1, 2}),
    ("{a, b}", set[str], {"a", "b"}),
    ("{}", set[int], set()),
    ("[1]", frozenset[int], frozenset({1})),
    ("{a: 1, b: 2}", dict[str, int], {"a": 1, "b": 2}),
    ("{'a': 1}", dict[str, int], {"a": 1}),
    ("{1: x}", dict[int, str], {1: "x"}),
    ("{a: [1, {b: c}]}", dict, {"a": [1, {"b": "c"}]}),
    ("{a: 1}", Mapping[str, float], {"a": 1.0}),
    ("{}", dict[str, int], {}),
    # Types that say nothing of the values.
    ("3", Annotated[int, "steps"], 3),
    ("3", Steps, 3),
    ("3", Bound, 3.0),
    ("{low: 1, high: 2}", Limits, {"low": 1, "high": 2.0}),
    ("3", Free, 3),
    ("3", Maybe, 3),
    ("3", Maybe[float], 3.0),
    ("none", Maybe[int], None),
    # No type: a literal if it looks like one, else text.
    ("3", Any, 3),
    ("3.0", Any, 3.0),
    ("1e-4", Any, 1e-4),
    ("true", Any, True),
    ("none", Any, None),
    ("inf", Any, "inf"),
    ("nan", object, "nan"),
    ("hello", Any, "hello"),
    ("", Any, ""),
    ("1.2.3", Any, "1.2.3"),
    ('"3"', Any, "3"),
    ("[1, x]", Any, [1, "x"]),
    ("(1, [x, (2,)])", Any, (1, ["x", (2,)])),
    ("{a: {b: 1}}", Any, {"a": {"b": 1}}),
    ("__import__('os').system('x')", Any, "__import__('os').system('x')"),
]


@pytest.mark.parametrize(
    ("text", "annotation", "value"),
    VALUES,
    ids=[f"{each[0]!r}-{name_of(each[1])}" for each in VALUES],
)
def test_a_text_means_this(text: str, annotation: Any, value: Any) -> None:
    found = coerce(text, annotation)

    assert found == value
    assert type(found) is type(value)


REFUSED: list[tuple[str, Any, str]] = [
    ("abc", float, "float"),
    ("", float, "float"),
    ("1e400", float, "float"),
    ("1,5", float, "float"),
    ("0x10", float, "float"),
    ("true", float, "float"),
    ("__import__('os')", float, "float"),
    ("1.0", int, "int"),
    ("1e-3", int, "int"),
    ("", int, "int"),
    ("9" * 5000, int, "int"),
    ("none", int, "int"),
    ("yes", bool, "true or false"),
    ("1", bool, "true or false"),
    ("x", None, "none"),
    ("x", int | None, "int or none"),
    ("x", Maybe[int], "int or none"),
    ("{high: 2}", Limits, "Limits"),
    ("{low: 1, high: x}", Limits, "float"),
    ("", int | None, "int or none"),
    ("x", int | float, "int | float"),
    ("x", int | float | None, "int | float | none"),
    ("adan", Literal["adam", "sgd"], "one of adam, sgd"),
    ("3", Literal[1, 2], "one of 1, 2"),
    ("GREEN", Color, "one of RED, BLUE"),
    ("a\0b", Path, "a path"),
    ("\ud800", bytes, "text that can be written in UTF-8"),
    ("soon", timedelta, "a length of time such as 30s, 10m or 2h"),
    ("1", list[int], "list[int]"),
    ("1, 2", list[int], "list[int]"),
    ("[1, x]", list[int], "int"),
    ('["1"]', list[int], "int"),
    ("[1, [2]]", list[int], "int"),
    ("[1", list[int], "list[int]"),
    ("{a: 1}", list[int], "list[int]"),
    ("(1, 2", tuple[int, ...], "tuple[int, ...]"),
    ("(1, 2), (3, 4)", list[tuple[int, int]], "list[tuple[int, int]]"),
    ("[(1, 2), (3, x)]", list[tuple[int, int]], "int"),
    ("(" * 60 + ")" * 60, Any, "a list or mapping, or text in quotes"),
    ("(1, 2, 3)", tuple[int, int], "tuple[int, int]"),
    ("[1]", dict[str, int], "dict[str, int]"),
    ("{a:1}", dict[str, int], "dict[str, int]"),
    ("{a: x}", dict[str, int], "int"),
    ("[!!python/object/apply:os.system [x]]", list[str], "list[str]"),
    ("[1, 2", Any, "a list or mapping, or text in quotes"),
    ("x", Model, "Model"),
    ("x", type[Model], "type[Model]"),
    ("print", Callable[[int], int], "a function"),
    ("x", Model | None, "Model or none"),
]


@pytest.mark.parametrize(
    ("text", "annotation", "expected"),
    REFUSED,
    ids=[f"{each[0][:40]!r}-{name_of(each[1])}" for each in REFUSED],
)
def test_what_does_not_fit_is_refused(text: str, annotation: Any, expected: str) -> None:
    with pytest.raises(MismatchError) as raised:
        coerce(text, annotation)

    assert raised.value.expected == expected


@pytest.mark.parametrize(
    ("text", "annotation", "start", "end"),
    [
        ("abc", float, 0, 3),
        ("[1, x, 3]", list[int], 4, 5),
        ("(1, xy)", tuple[int, int], 4, 6),
        ("{a: 1, b: zz}", dict[str, int], 10, 12),
        ("[[1], [2, oh]]", list[list[int]], 10, 12),
        ("[(1, 2), (3, oh)]", list[tuple[int, int]], 13, 15),
        ("{a: (1, (2, oh))}", dict[str, tuple[int, tuple[int, int]]], 12, 14),
    ],
)
def test_the_wrong_part_is_pointed_at(text: str, annotation: Any, start: int, end: int) -> None:
    with pytest.raises(MismatchError) as raised:
        coerce(text, annotation)

    assert (raised.value.item.start, raised.value.item.end) == (start, end)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("[1, 2", "it ends too early"),
        ("[1, 2]]", "there is more behind its end"),
        ("[1, , 2]", "a value is missing"),
        ("['a, b]", "a quote is not closed"),
        ("{a: 1, a: 2}", "the key 'a' is there twice"),
        ("(1, 2), (3, 4)", "there is more behind its end"),
    ],
)
def test_what_is_wrong_with_brackets_is_told(text: str, hint: str) -> None:
    with pytest.raises(MismatchError) as raised:
        coerce(text, Any)

    assert raised.value.hint == hint


def test_a_long_text_is_not_repeated_whole() -> None:
    with pytest.raises(MismatchError) as raised:
        coerce("9" * 5000, int)

    assert raised.value.got == f"'{'9' * 97}...'"


@pytest.mark.parametrize(
    ("annotation", "name"),
    [
        (typing.List, "list"),  # noqa: UP006
        (typing.Tuple, "tuple"),  # noqa: UP006
        (tuple[()], "tuple[()]"),
        (Literal["a", 1, None, True, Color.RED], "'a' | 1 | none | true | RED"),  # noqa: PYI061
    ],
)
def test_a_type_is_named_as_people_write_it(annotation: Any, name: str) -> None:
    assert name_of(annotation) == name


def test_what_is_said_to_have_a_form_in_text_has_a_reader() -> None:
    assert set(WRITABLE) == set(_READERS)


@given(text=st.text())
def test_any_text_is_a_str_as_it_is(text: str) -> None:
    assert coerce(text, str) == text


@given(value=st.integers())
def test_an_int_comes_back(value: int) -> None:
    assert coerce(str(value), int) == value


@given(value=st.floats(allow_nan=False))
def test_a_float_comes_back(value: float) -> None:
    assert coerce(str(value), float) == value


ANY_TYPE = st.sampled_from([each[1] for each in (*VALUES, *REFUSED)])
HOSTILE = st.one_of(
    st.text(max_size=30),
    st.text("[](){}:,'\"!&*?|>%@`#- \n\t\0ab1.e", max_size=30),
    st.sampled_from(["[" * 3000, "{a: " * 500, "&a [*a]", "!!python/name:os.system", "<<: {a: 1}"]),
)


@given(text=HOSTILE, annotation=ANY_TYPE)
def test_no_text_does_anything_but_fit_or_not(text: str, annotation: Any) -> None:
    before = set(sys.modules)

    with contextlib.suppress(MismatchError):
        coerce(text, annotation)

    new = {name for name in set(sys.modules) - before if not name.startswith(("yaml", "_yaml"))}
    assert new <= {"difflib"}
