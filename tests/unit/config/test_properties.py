"""What holds for any overrides whatsoever."""

import copy
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import fiddle as fdl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nemorun_cli.config import nodes
from nemorun_cli.config.canonical import config_hash
from nemorun_cli.config.complete import write_defaults
from nemorun_cli.config.diff import differences
from nemorun_cli.config.document import from_document, to_document
from nemorun_cli.config.render import to_yaml
from nemorun_cli.core.errors import UsageError
from nemorun_cli.core.overrides import parse
from nemorun_cli.job.builder import Builder
from tests.unit.config import parts
from tests.unit.config.parts import Model

HASH = "48314d19a4071b1bcbb58a71b3ce14b0f6417842a3fa2b057132df38782ba74c"
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SETTINGS = st.sampled_from(
    [
        *("steps=3", "steps+=2", "steps-=1", "optim.lr=1e-3", "optim.lr+=0.5", "~optim.lr"),
        *("optim=sgd", "optim=adamw", "optim.momentum=0.9", "optim.betas[0]=0.1", "optim={lr: 2}"),
        *("model.layers+=7", "model.layers[-1]=1", "~model.layers[0]", "model.layers=[]"),
        *("model.color=BLUE", "model.activation=gelu", "model.name=none", "model.name+=x"),
        *("tags=[a, b]", "tags+=c", "tags=none", "table.a=1e-4", "table.new={x: [1, none]}"),
        *("table-=a", "~table.inner", "table.inner.x[1]=true", "callback=adamw()", "callback=3"),
        *("callback.lr=5", "extra=7", "@Rate=1", "AdamW:lr=3", "Model:width+=1", "seed=1"),
        *('callback="1e-4"', "callback=none", "callback={a: (1, 2)}", "callback=2026-05-01"),
    ]
)


def document(made: Any) -> dict[str, Any]:
    write_defaults(made)
    return to_document(made)


def applied(arguments: list[str]) -> tuple[Any, list[str]]:
    """The config after those of the arguments that can be applied, and these."""
    made = parts.config()
    kept = []
    for argument in arguments:
        try:
            made = parts.apply(made, [argument])
            kept.append(argument)
        except UsageError:
            continue
    return made, kept


def locate(target: str) -> Any:
    return Builder("").locate(target)


@given(ANY_TEXT)
@example("@")
@example("@@x")
@example("\r\n\x85")
def test_any_text_reaches_a_str_as_it_is(text: str) -> None:
    typed = f"@{text}" if text.startswith("@") else text

    assert parts.apply(parts.config(), [f"model.name={typed}"]).model.name == text


@given(ANY_TEXT)
@example("'\"\\")
@example("\x85\u2028\ufeff\x00\x1b")
def test_any_text_in_a_file_reaches_a_str_as_it_is(text: str) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "f.json").write_text(json.dumps({"model": {"name": text}}))
        (folder / "g.yaml").write_bytes(to_yaml({"model": {"name": text}}).encode())
        for file in ("f.json", "g.yaml"):
            assert parts.apply(parts.config(), [], [file], folder).model.name == text


@given(ANY_TEXT.filter(lambda text: "'''" not in text and "\r" not in text))
def test_any_text_in_toml_reaches_a_str_as_it_is(text: str) -> None:
    written = f"[model]\nname = {json.dumps(text, ensure_ascii=False)}\n"
    try:
        expected = tomllib.loads(written)["model"]["name"]
    except tomllib.TOMLDecodeError:
        return
    with TemporaryDirectory() as name:
        (Path(name) / "f.toml").write_bytes(written.encode())
        found = parts.apply(parts.config(), [], ["f.toml"], Path(name)).model.name

    assert found == expected


@given(st.lists(SETTINGS, max_size=8))
def test_all_at_once_is_one_after_the_other(arguments: list[str]) -> None:
    made, kept = applied(arguments)

    assert document(parts.apply(parts.config(), kept)) == document(made)


@given(st.lists(SETTINGS, max_size=6), SETTINGS)
def test_an_override_changes_nothing_but_what_it_names(arguments: list[str], last: str) -> None:
    made, _ = applied([*arguments, "tags=[a]", "model.layers=[1]", "table.list=[1]"])
    before = copy.deepcopy(made)
    try:
        after = parts.apply(made, [last])
    except UsageError:
        after = made
    override = parse(last)
    changed = differences(document(before), document(after))

    first = override.path[0].name if override.path and override.selector is None else None
    for each in changed:
        assert first is None or each.path.split(".")[0].split("[")[0] == first
    assert Model.__init__.__defaults__ == ([64, 64], "relu")
    assert document(parts.config()) == document(parts.config())


@given(st.lists(SETTINGS, max_size=8))
def test_a_config_survives_json(arguments: list[str]) -> None:
    made, _ = applied(arguments)
    written = document(made)

    again = from_document(json.loads(json.dumps(written)), locate)

    assert again == made
    assert document(again) == written
    assert differences(written, written) == ()


@given(st.lists(SETTINGS, max_size=8))
def test_an_export_is_read_back_to_an_equal_hash(arguments: list[str]) -> None:
    made, _ = applied(arguments)
    written = document(made)
    with TemporaryDirectory() as name:
        (Path(name) / "f.yaml").write_text(to_yaml(written))
        again = parts.apply(made, [], ["f.yaml"], Path(name))

    assert config_hash(document(again)) == config_hash(written)


@given(st.lists(SETTINGS, max_size=5), st.randoms())
def test_the_order_in_which_arguments_are_set_does_not_matter(
    arguments: list[str], random: Any
) -> None:
    made, _ = applied(arguments)
    given_ = list(nodes.arguments(made).items())
    random.shuffle(given_)
    named = {str(name): value for name, value in given_}

    again = fdl.Partial(parts.train, **named)

    assert config_hash(document(again)) == config_hash(document(made))


@pytest.mark.parametrize("seed", ["0", "1", "4711"])
def test_the_hash_is_the_same_in_every_process(seed: str) -> None:
    code = (
        "import fiddle as fdl\n"
        "from tests.unit.config import parts\n"
        "from tests.unit.config.test_properties import document\n"
        "from nemorun_cli.config.canonical import config_hash\n"
        "made = parts.apply(parts.config(), ['callback={a: 1, b: [x]}', 'tags=[a, b]'])\n"
        "made.unknown = {'x', 'y', 'z', 'longer', frozenset({'p', 'q'})}\n"
        "print(config_hash(document(made)))\n"
    )
    top = Path(__file__).parents[3]

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=top,
        env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(top)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == HASH
