"""Each fault of the best-known launcher's overrides, as what must not happen here."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Nemorun

RECIPE = '''
from __future__ import annotations

import enum
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import fiddle as fdl
from nemorun_cli import factory, recipe


class Color(enum.Enum):
    RED = 1
    BLUE = 2


@dataclass
class Model:
    hidden: int = 8
    betas: tuple[float, float] = (0.9, 0.95)


def relu(x: float) -> float:
    return x


def gelu(x: float) -> float:
    return x


SHARED = [1, 2]


def go(
    model: Model,
    epochs: int = 1,
    train: list[int] = SHARED,
    val: list[int] = SHARED,
    name: str = "x",
    table: dict[str, int] = {"a": 1},
    pair: tuple[int, str] = (1, "a"),
    kinds: set[str] = frozenset({"a"}),
    color: Color = Color.RED,
    size: Literal[1, 2] = 1,
    bare: list = [],
    steps: Sequence[int] = (),
    act: Callable[[float], float] = relu,
    raw: bytes = b"",
    run: str = "",
    run_id: int = 0,
    runtime: str = "",
    executor: str = "",
) -> None:
    print(json.dumps([epochs, train, val, name]))


@factory
def big() -> fdl.Config[Model]:
    return fdl.Config(Model, hidden=64)


@recipe
def demo() -> fdl.Partial:
    """One of each."""
    return fdl.Partial(go, model=fdl.Config(Model))
'''


@pytest.fixture
def demo(nemorun: Nemorun, project: Path) -> Nemorun:
    (project / "recipes").mkdir()
    (project / "recipes" / "demo.py").write_text(RECIPE)
    return nemorun


def config(demo: Nemorun, *arguments: str) -> Any:
    """The config that a launch with these overrides would execute."""
    return json.loads(demo.ok("launch", "demo", *arguments, "--dry-run", "--json"))["config"]


def test_adding_twice_adds_twice(demo: Nemorun) -> None:
    assert config(demo, "epochs+=5", "epochs+=5")["epochs"] == 11


def test_a_list_is_shared_with_no_other(demo: Nemorun) -> None:
    found = config(demo, "train=[1,2]", "val=[1,2]", "train+=[3]")

    assert (found["train"], found["val"]) == ([1, 2, 3], [1, 2])
    assert config(demo, "train+=3")["val"] == [1, 2]


def test_adding_changes_no_default(demo: Nemorun) -> None:
    assert config(demo, "train+=3", "~train", "train+=4")["train"] == [1, 2, 4]
    assert config(demo, "val+=3")["train"] == [1, 2]


def test_the_last_override_wins(demo: Nemorun) -> None:
    assert config(demo, "model.hidden=1", "model=big")["model"]["hidden"] == 64
    assert config(demo, "model=big", "model.hidden=1")["model"]["hidden"] == 1


@pytest.mark.parametrize(
    ("argument", "field", "value"),
    [
        ("name=", "name", ""),
        ("name=a\nb", "name", "a\nb"),
        ("name=a, 'b, c'", "name", "a, 'b, c'"),
        ("train[-1]=9", "train", [1, 9]),
        ("train[0]=9", "train", [9, 2]),
        ("table.b=2", "table", {"a": 1, "b": 2}),
        ("pair=(2, 'b, c')", "pair", {"_type_": "tuple", "value": [2, "b, c"]}),
        ("kinds={b}", "kinds", {"_type_": "set", "value": ["b"]}),
        ("color=BLUE", "color", {"_type_": "enum", "value": "recipes.demo:Color.BLUE"}),
        ("size=2", "size", 2),
        ("bare=[1, a]", "bare", [1, "a"]),
        ("steps=[1, 2]", "steps", [1, 2]),
        ("act=gelu", "act", {"_type_": "import", "value": "recipes.demo:gelu"}),
        ("raw=a b", "raw", {"_type_": "bytes", "value": "YSBi"}),
        ("run=x", "run", "x"),
        ("run_id=3", "run_id", 3),
        ("runtime=x", "runtime", "x"),
        ("executor=x", "executor", "x"),
        ("name=${HOME} ${oc.env:HOME} $(id)", "name", "${HOME} ${oc.env:HOME} $(id)"),
    ],
)
def test_it_can_be_given(demo: Nemorun, argument: str, field: str, value: object) -> None:
    assert config(demo, argument)[field] == value


def test_the_last_index_can_be_given(demo: Nemorun) -> None:
    found = config(demo, "model.betas[0]=0.3", "model.betas[-1]=0.4")

    assert found["model"]["betas"]["value"] == [0.3, 0.4]


def test_an_export_is_read_back(demo: Nemorun, project: Path) -> None:
    run_id = demo.ok("launch", "demo", "color=BLUE", "act=gelu", "name=1e-4", "model=big")
    (project / "f.yaml").write_text(demo.ok("show", run_id, "--config"))

    again = json.loads(demo.ok("launch", "demo", "-f", "f.yaml", "--dry-run", "--json"))

    assert again["config_hash"] == demo.json("show", run_id)["run"]["config_hash"]  # type: ignore[index]


@pytest.mark.parametrize(
    "value",
    [
        "os.system('touch canary')",
        "__import__('os').system('touch canary')",
        "[os.system('touch canary')]",
        "lambda: open('canary', 'w')",
        "!!python/object/apply:os.system ['touch canary']",
        "{_target_: 'os:system', command: touch canary}",
        "$(touch canary)",
    ],
)
def test_no_value_is_executed(demo: Nemorun, project: Path, value: str) -> None:
    for field in ("epochs", "act", "model", "bare", "color"):
        assert demo("launch", "demo", f"{field}={value}", "--dry-run").code in (0, 2)
    demo.ok("launch", "demo", f"name={value}", "--dry-run")

    assert not (project / "canary").exists()


def test_a_missing_file_is_an_error(demo: Nemorun) -> None:
    done = demo("launch", "demo", "name=@nowhere.txt", "--dry-run")

    assert done.code == 2
    assert "there is no file 'nowhere.txt'" in done.err
    assert config(demo, "name=@@nowhere.txt")["name"] == "@nowhere.txt"
