"""Parts as files and arguments write them: mappings, stored documents, names."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Callable, NamedTuple, TypedDict  # noqa: UP035 # What users write.

import fiddle as fdl
import pytest

from nemorun_cli.config import nodes
from nemorun_cli.config.canonical import config_hash
from nemorun_cli.config.complete import write_defaults
from nemorun_cli.config.document import to_document
from nemorun_cli.config.inputs import Source
from nemorun_cli.config.render import to_yaml
from nemorun_cli.core.errors import Problem, UsageError
from tests.unit.config import parts
from tests.unit.config.parts import SGD, AdamW, Color, Model, Rate


class Betas(NamedTuple):
    first: float
    second: float = 0.9


class Limits(TypedDict, total=False):
    low: int
    high: int


@dataclass
class Block:
    width: int = 4
    inner: Block | None = None


def relu(value: float) -> float:
    return value


def gelu(value: float) -> float:
    return value


def go(
    optim: AdamW | SGD | None = None,
    blocks: list[Block] | None = None,
    limits: Limits | None = None,
    betas: Betas | None = None,
    activation: Callable[[float], float] = relu,
    kind: type[Block] = Block,
    color: Color = Color.RED,
    whatever: Any = None,
    count: int = None,  # type: ignore[assignment]  # noqa: RUF013 # What users write.
    when: datetime | None = None,
    title: str = "a",
    folder: Path = Path(),
    **more: int,
) -> None:
    given = (optim, blocks, limits, betas, activation, kind, color, whatever, count, when)
    raise AssertionError((given, title, folder, more))


ADAM = "_target_: 'tests.unit.config.parts:AdamW'"


def config(**arguments: Any) -> Any:
    return fdl.Partial(go, **{"optim": fdl.Config(AdamW, lr=0.1), **arguments})


def after(text: str, tmp_path: Path, *arguments: str, of: Any = None) -> Any:
    (tmp_path / "f.yaml").write_text(textwrap.dedent(text))
    return parts.apply(of or config(), arguments, ["f.yaml"], tmp_path)


def problem(text: str, tmp_path: Path) -> Problem:
    with pytest.raises(UsageError) as raised:
        after(text, tmp_path)
    (found,) = raised.value.problems
    return found


def hash_of(made: Any) -> str:
    write_defaults(made)
    return config_hash(to_document(made))


def test_a_mapping_sets_members_and_leaves_the_rest(tmp_path: Path) -> None:
    made = after("optim: {betas: [0.5, 0.6]}\ncount: 3\n", tmp_path)

    assert made.optim.betas == (0.5, 0.6)
    assert made.optim.lr == 0.1
    assert made.count == 3


def test_keys_are_paths_and_operations(tmp_path: Path) -> None:
    made = after(
        """
        optim.groups+: [{a: 1}]
        optim: {"betas[0]": 0.25, ~lr: }
        "@Rate": 0.5
        SGD:momentum: 0.9
        """,
        tmp_path,
        of=config(optim=tagged(), whatever=fdl.Config(SGD, lr=1.0)),
    )

    assert made.optim.groups == [{"a": 1.0}]
    assert made.optim.betas == (0.25, 0.95)
    assert made.optim.lr == 0.5
    assert made.whatever.momentum == 0.9


def tagged() -> Any:
    node = fdl.Config(AdamW, lr=3.0)
    fdl.add_tag(node, "lr", Rate)
    return node


def test_files_count_in_order_and_before_arguments(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("count: 1\noptim.lr: 1\n")
    (tmp_path / "b.toml").write_text("count = 2\n[optim]\nlr = 2\n")

    made = parts.apply(config(), ["optim.lr=3"], ["a.yaml", "b.toml"], tmp_path)

    assert (made.count, made.optim.lr) == (2, 3.0)


def test_a_mapping_makes_a_record_where_there_is_none(tmp_path: Path) -> None:
    made = after("blocks: [{width: 1}, {inner: {width: 2}}]\nbetas: {first: 0.5}\n", tmp_path)

    assert [fdl.get_callable(each) for each in made.blocks] == [Block, Block]
    assert made.blocks[1].inner.width == 2
    assert fdl.build(made.betas) == Betas(0.5, 0.9)


@pytest.mark.parametrize("argument", ["betas.first=1", "betas[0]=1", "betas+=1", "betas-=1"])
def test_a_finished_record_is_no_tuple(tmp_path: Path, argument: str) -> None:
    made = config(betas=Betas(0.5))

    with pytest.raises(UsageError) as raised:
        after("", tmp_path, argument, of=made)

    (found,) = raised.value.problems
    if "+=" in argument or "-=" in argument:
        assert "a number, text or collection to change, not Betas(first=0.5" in found.message
    else:
        assert found.message == "betas is a finished Betas"
        assert found.hint == "let the recipe use fdl.Config(Betas, ...)"


def test_a_factory_is_named_at_any_depth(tmp_path: Path) -> None:
    made = after("whatever: [adamw(), [sgd()]]\noptim: sgd\n", tmp_path)

    assert fdl.get_callable(made.whatever[0]) is AdamW
    assert fdl.get_callable(made.whatever[1][0]) is SGD
    assert made.optim.lr == 0.5


def test_functions_and_classes_go_by_their_names(tmp_path: Path) -> None:
    made = after("activation: gelu\nkind: Block\n", tmp_path)

    assert made.activation is gelu
    assert made.kind is Block


@pytest.mark.parametrize(
    ("text", "message", "marked"),
    [
        ("activation: gleu", "expects a function, got 'gleu'", "gleu"),
        ("activation: dataclass", "expects a function, got 'dataclass'", "dataclass"),
        ("activation: os.system", "expects a function, got 'os.system'", "os.system"),
        ("kind: AdamX", "expects type[Block], got 'AdamX'", "AdamX"),
        ("kind: go", "expects type[Block], got 'go'", "go"),
        ("limits: {low: 1, heigh: 2}", "expects a key of Limits, got 'heigh'", "heigh"),
        ("limits: {low: x}", "limits.low expects int, got 'x'", "x"),
        ("optim: {lrr: 1}", "AdamW has no parameter 'lrr'", "lrr"),
        ("blocks: [{widht: 1}]", "expects a parameter of Block, got 'widht'", "widht"),
        ("title:", "title expects str, got nothing", ""),
        ("title: null", "title expects str, got nothing", "null"),
        ("title: ~", "title expects str, got nothing", "~"),
        ("folder:", "folder expects Path, got nothing", ""),
        ("betas: [0.5, 0.6]", "betas expects Betas or none, got a list", "[0.5, 0.6]"),
        ("betas: {second: x}", "betas.second expects float, got 'x'", "x"),
        ("optim: {_target_: os:system}", "expects code that is known here, got 'os:system'", ""),
        ("whatever: {_type_: import, value: os:system}", "expects code that is known here", ""),
        ("color: {_type_: enum, value: os:X.Y}", "expects code that is known here", ""),
        ("whatever: {_type_: pickle, value: x}", "expects one of tuple, list, set", "pickle"),
        ("whatever: {_type_: bytes, value: '?'}", "expects the value of a bytes", ""),
        (f"optim: {{{ADAM}, _args_: [1, [2, 3], [], []]}}", "expects what AdamW takes", ""),
        (f"optim: {{{ADAM}, _args_: [x]}}", "optim[0] expects float, got 'x'", "x"),
        (f"optim: {{{ADAM}, _tags_: {{lrr: []}}}}", "expects the tags of AdamW, which has no", ""),
        (f"optim: {{{ADAM}, _tags_: {{9: []}}}}", "expects the tags of AdamW, which has no", ""),
        (f"optim: {{{ADAM}, _kind_: call}}", "expects one of config, partial, arg_factory", "call"),
        ("whatever: {_type_: dict, value: [[1]]}", "expects a pair of key and value", "[1]"),
        ("whatever: {_ref_: 3, _id_: 3}", "expects '_target_', or '_type_' and 'value'", ""),
        ("_type_: tuple\nvalue: [1]", "expects a whole config", ""),
        ("whatever: {_ref_: 3}", "expects the _id_ of another part", "3"),
        ("optim: {a: {_ref_: 3}}", "AdamW has no parameter 'a'", "a"),
        ("count: {x: 1}", "count expects int, got a mapping", "{x: 1}"),
        ("[a]: 1", "expects the path of a field", "[a]"),
        ("optim: {'@Rate': 1}", "'@Rate' has its place at the top of a file", "'@Rate'"),
        ("'': 1", "expects the name of a field", ""),
    ],
)
def test_a_mistake_in_a_file_is_told_with_its_line(
    tmp_path: Path, text: str, message: str, marked: str
) -> None:
    found = problem(f"# first line\n{text}\n", tmp_path)

    assert found.message.startswith("f.yaml:2: ")
    assert message in found.message
    assert marked in found.text[found.start : found.end]


def test_all_mistakes_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        after("optim: {lrr: 1, lr: x}\ncount: y\n", tmp_path, "when=z")

    places = [each.message.partition(" ")[0] for each in raised.value.problems]
    assert places == ["f.yaml:1:", "f.yaml:1:", "f.yaml:2:", "when"]


def test_nothing_is_none_where_none_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"when": null, "whatever": {"a:b": null}, "title": "null"}')

    made = after("betas: ~\noptim: null\nblocks:\n", tmp_path)
    other = parts.apply(config(), [], ["a.json"], tmp_path)

    assert (made.betas, made.optim, made.blocks) == (None, None, None)
    assert (other.when, other.whatever, other.title) == (None, {"a:b": None}, "null")
    (tmp_path / "a.json").write_text('{"title": null}')
    with pytest.raises(UsageError, match="title expects str, got nothing") as raised:
        parts.apply(config(), [], ["a.json"], tmp_path)
    assert raised.value.problems[0].hint == "'' would be an empty text"


def test_all_files_are_read_before_anything_is_told(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("count: x\n")

    with pytest.raises(UsageError) as raised:
        parts.apply(config(), ["color=x"], ["no.yaml", "bad.yaml", "no.toml"], tmp_path)

    found = [each.message for each in raised.value.problems]
    assert found[::2] == ["there is no file 'no.yaml'", "there is no file 'no.toml'"]
    assert found[1].startswith("bad.yaml:1: count expects int")
    assert found[3].startswith("color expects")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", '{"whatever": ' + "[" * 400 + "]" * 400 + "}"),
        ("a.toml", "whatever = " + "[" * 400 + "]" * 400),
        ("a.yaml", "whatever:\n" + "".join(f"{' ' * n}a:\n" for n in range(1, 200))),
    ],
)
def test_what_is_nested_without_end_is_refused(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)

    with pytest.raises(UsageError, match="nested too deeply"):
        parts.apply(config(), [], [name], tmp_path)


@pytest.mark.parametrize(
    "made",
    [
        config(),
        config(optim=fdl.Config(SGD, lr=3)),
        config(count=5, color=Color.BLUE, activation=gelu, kind=Block, extra=1),
        config(optim=tagged()),
        config(blocks=[fdl.Config(Block, inner=fdl.Config(Block, width=9)), fdl.Config(Block)]),
        config(
            whatever=[1, 2.0, "1e-4", "none", "true", "", " x", "a: b", None, True, "[1", "é\n"]
        ),
        config(whatever={"a": (1, 2), "b": {1, 2}, "c": frozenset({"x"}), 3: b"\x00\xff", None: 1}),
        config(whatever=[Path("a b"), timedelta(days=1, microseconds=3), float("inf"), Color.RED]),
        config(
            whatever=[date(2026, 5, 1), time(12), datetime(2026, 5, 1, tzinfo=UTC)],
            when=datetime(2026, 1, 1, tzinfo=UTC),
        ),
        config(whatever=fdl.Partial(Model, 3, layers=[1], name="5")),
        config(whatever=[fdl.ArgFactory(Model, width=1)], count=None),
        config(limits={"low": 1}, betas=fdl.Config(Betas, 0.5)),
        config(whatever={"_kind_": 1, "_x_": 2}),
        config(optim=fdl.Config(AdamW, lr=1, betas=(0, 1))),
        config(optim=fdl.Config(Model, width="not an int", name=5)),
    ],
)
def test_an_export_is_read_back_to_an_equal_hash(tmp_path: Path, made: Any) -> None:
    write_defaults(made)
    text = to_yaml(to_document(made))

    again = after(text, tmp_path, of=made)

    assert hash_of(again) == hash_of(made)


def test_what_an_export_shares_stays_shared(tmp_path: Path) -> None:
    block, names = fdl.Config(Block, width=7), ["a"]
    made = config(blocks=[block, block], whatever=[names, names])

    again = after(to_yaml(to_document(made)), tmp_path)

    assert again.blocks[0] is again.blocks[1]
    assert again.whatever[0] is again.whatever[1]
    assert again.blocks[0] is not block


def test_what_a_factory_makes_is_known_in_an_export(tmp_path: Path) -> None:
    text = "optim: {_target_: 'tests.unit.config.parts:SGD', lr: 0.5}\n"

    made = after(text, tmp_path)

    assert fdl.get_callable(made.optim) is SGD
    assert nodes.kind_of(made.optim) == "config"


def test_an_edited_export_is_read_by_its_types(tmp_path: Path) -> None:
    text = "{_target_: 'tests.unit.config.parts:AdamW', lr: 1e-5, betas: [1, 0.5]}\n"

    made = after(f"optim: {text}", tmp_path)

    assert (made.optim.lr, made.optim.betas) == (1e-5, (1.0, 0.5))
    assert (
        "optim.lr expects float"
        in problem("optim: " + text.replace("1e-5", "high"), tmp_path).message
    )


def test_a_file_includes_no_other_one(tmp_path: Path) -> None:
    assert after("whatever: '@f.yaml'\n", tmp_path).whatever == "@f.yaml"


def test_an_argument_reads_a_file(tmp_path: Path) -> None:
    (tmp_path / "part.yaml").write_text("lr: 0.5\nbetas: [0, 1]\n")

    made = after("", tmp_path, "optim=@part.yaml", "whatever=@@part.yaml")

    assert (made.optim.lr, made.optim.betas) == (0.5, (0.0, 1.0))
    assert made.whatever == "@part.yaml"


def test_an_argument_can_be_written_as_in_a_stored_config(tmp_path: Path) -> None:
    text = 'optim={_target_: "tests.unit.config.parts:SGD", lr: 2}'

    assert fdl.get_callable(after("", tmp_path, text).optim) is SGD


def test_a_mapping_takes_the_first_record_that_it_fits(tmp_path: Path) -> None:
    made = config(optim=None)

    assert fdl.get_callable(after("optim: {lr: 1}\n", tmp_path, of=made).optim) is AdamW
    made = config(optim=None)
    assert fdl.get_callable(after("optim: {momentum: 1}\n", tmp_path, of=made).optim) is SGD


def test_json_has_names_in_quotes(tmp_path: Path) -> None:
    (tmp_path / "f.json").write_text('{"optim": "sgd", "activation": "gelu", "whatever": "sgd"}')

    made = parts.apply(config(), [], ["f.json"], tmp_path)

    assert fdl.get_callable(made.optim) is SGD
    assert made.activation is gelu
    assert made.whatever == "sgd"


def test_standard_input_is_called_so_in_a_problem() -> None:
    source = Source(text="a: 1\nb: x\n", file="-")

    assert source.problem("no", 8, 9).message == "standard input:2: no"


def test_what_may_be_named_may_not_be_called(tmp_path: Path) -> None:
    text = "{_target_: 'tests.unit.config.test_forms:gelu', value: 1}"

    assert after("activation: gelu\n", tmp_path).activation is gelu
    assert "expects code that is known here" in problem(f"activation: {text}\n", tmp_path).message


def test_a_mistake_in_a_call_is_told_with_its_line(tmp_path: Path) -> None:
    found = problem("count: 1\nblocks: []\noptim: sgd(]\n", tmp_path)

    assert found.message.startswith("f.yaml:3: ")
