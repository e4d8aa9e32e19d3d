"""Stand-ins for targets that are not imported at launch."""

import inspect
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import fiddle as fdl
import pytest

from nemorun_cli import lazy
from nemorun_cli.config import hints, nodes
from nemorun_cli.config.canonical import config_hash
from nemorun_cli.config.complete import require, write_defaults
from nemorun_cli.config.describe import documented
from nemorun_cli.config.document import from_document, to_document
from nemorun_cli.config.lazy import stand_in
from nemorun_cli.core.errors import UsageError
from tests.unit.config import parts

NET = '''
from __future__ import annotations

import collections.abc as c
import typing as t
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, Optional

import no_such_framework
from no_such_framework import Tensor


@dataclass
class Net:
    """A network."""

    width: int
    """How wide it is."""
    act: Literal["relu", "gelu"] = "relu"
    rate: Annotated[float, "per step"] | None = None
    sizes: c.Sequence[int] = (1, 2)
    where: Optional[Path] = None
    table: dict[str, list[float]] = field(default_factory=dict)
    call: t.Callable[[int], float] | None = None
    start: Tensor | None = None
    scale: float = no_such_framework.SCALE


def fit(net: Net, *steps: int, rate=1e-3, **more: bool) -> None: ...
'''


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netlib.py").write_text(NET)
    monkeypatch.syspath_prepend(tmp_path)


USES_NET = pytest.mark.usefixtures("net")


@USES_NET
def test_its_parameters_are_those_in_the_source() -> None:
    found = hints.hints_of(lazy("netlib:Net"))

    assert list(found) == ["width", "act", "rate", "sizes", "where", "table", "call", "scale"]
    assert str(found["act"]) == "typing.Literal['relu', 'gelu']"
    assert found["table"] == dict[str, list[float]]
    assert "netlib" not in sys.modules
    assert "no_such_framework" not in sys.modules


@USES_NET
def test_overrides_below_it_are_typed() -> None:
    made = fdl.Partial(lazy("netlib:fit"), net=fdl.Config(lazy("netlib:Net"), width=1))

    parts.apply(
        made, ["net.width=0x10", "net.sizes+=3", "net.where=a/b", "net.start=[1]", "rate=2"]
    )

    assert (made.net.width, made.net.sizes, made.net.where) == (16, (1, 2, 3), Path("a/b"))
    assert (made.net.start, made.rate) == ([1], 2)


@USES_NET
@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("net.width=wide", "net.width expects int, got 'wide'"),
        ("net.act=tanh", "net.act expects one of relu, gelu, got 'tanh'"),
        ("net.widht=1", "Net has no parameter 'widht'"),
        ("more=3", "more expects true or false, got '3'"),
    ],
)
def test_mistakes_below_it_are_told(argument: str, message: str) -> None:
    made = fdl.Partial(lazy("netlib:fit"), net=fdl.Config(lazy("netlib:Net"), width=1))

    with pytest.raises(UsageError, match=message):
        parts.apply(made, [argument])


@USES_NET
def test_what_it_lacks_is_told_before_launch() -> None:
    with pytest.raises(UsageError, match="Net needs a value for 'width'"):
        require(fdl.Partial(lazy("netlib:fit"), net=fdl.Config(lazy("netlib:Net"))))


@USES_NET
def test_a_default_that_only_the_job_knows_is_left_to_it() -> None:
    made = fdl.Config(lazy("netlib:Net"), width=1)

    write_defaults(made)

    assert "scale" not in to_document(made)
    assert to_document(made)["table"] == {}


def test_it_is_stored_as_the_real_one_would_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "easylib.py").write_text(
        "from dataclasses import dataclass\n@dataclass\nclass Easy:\n    a: int = 1\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    stood_in = fdl.Config(lazy("easylib:Easy"), a=3)
    import easylib  # type: ignore[import-not-found]

    real = fdl.Config(easylib.Easy, a=3)

    assert to_document(stood_in) == to_document(real)
    assert config_hash(to_document(stood_in)) == config_hash(to_document(real))
    sys.modules.pop("easylib")


@USES_NET
def test_a_stored_one_is_read_back() -> None:
    document = to_document(fdl.Config(lazy("netlib:Net"), width=3, call=lazy("netlib:fit")))

    again = from_document(document, stand_in)

    assert to_document(again) == document


def test_what_is_not_at_hand_takes_anything() -> None:
    made = fdl.Config(lazy("nowhere.at.all:Net"), 1, width=2)

    parts.apply(made, ["width=3", "new=[a]"])

    document = to_document(made)
    assert document["_target_"] == "nowhere.at.all:Net"
    assert (document["_args_"], document["width"], document["new"]) == ([1], 3, ["a"])


@USES_NET
def test_its_docs_are_shown() -> None:
    assert documented(fdl.Config(lazy("netlib:Net")))["width"] == "How wide it is."


@USES_NET
def test_it_cannot_be_called() -> None:
    with pytest.raises(RuntimeError, match="netlib:Net is a stand-in"):
        lazy("netlib:Net")(width=1)


@pytest.mark.parametrize("target", ["", "netlib", ":Net", "netlib:", "a b:c", "a:b c", "a:b()"])
def test_a_text_that_is_no_target_is_refused(target: str) -> None:
    with pytest.raises(ValueError, match="expects 'package"):
        lazy(target)


@USES_NET
def test_a_node_of_it_fits_where_a_class_is_declared() -> None:
    assert nodes.fits(fdl.Config(lazy("netlib:Net")), parts.AdamW)


@pytest.mark.parametrize(
    ("source", "parameters"),
    [
        ("class A:\n    def __init__(self, x, *, y: int = 3): ...", "(x, *, y: int = 3)"),
        ("class B:\n    def __init__(self, x): ...\nclass A(B): ...", "(x)"),
        ("from far import B\nclass A(B): ...", "(**kwargs)"),
        ("def A(a, /, b, *c, d, **e): ...", "(a, /, b, *c, d, **e)"),
        ("import far\n@far.wrap\ndef A(a): ...", "(a, **kwargs)"),
    ],
)
def test_signatures_are_read(tmp_path: Path, source: str, parameters: str) -> None:
    (tmp_path / "m.py").write_text(dedent(source))

    found: Any = inspect.signature(stand_in("m:A", [tmp_path]))

    assert str(found) == parameters
