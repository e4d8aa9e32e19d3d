"""What files of overrides hold, and how they are told apart from what is none."""

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from nemorun_cli.config.inputs import read_overrides, read_value
from nemorun_cli.config.items import Item, members
from nemorun_cli.core.errors import UsageError


def plainly(item: Item) -> Any:
    """The texts of an item, those in quotes with them."""
    if isinstance(item.value, dict):
        return {str(key.value): plainly(value) for key, value in item.value.items()}
    if isinstance(item.value, tuple):
        return [plainly(each) for each in item.value]
    return f"{item.value!r}" if item.quoted else item.value


def read(tmp_path: Path, name: str, text: str | bytes) -> Any:
    raw = text if isinstance(text, bytes) else text.encode()
    (tmp_path / name).write_bytes(raw)
    return plainly(read_overrides(name, tmp_path)[1])


def refused(tmp_path: Path, name: str, text: str | bytes) -> str:
    with pytest.raises(UsageError) as raised:
        read(tmp_path, name, text)
    return raised.value.message


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.yaml", "a: 1\nb: {c: [1e-4, true, 'x y', null]}\n"),
        ("a.yml", "a: 1\nb:\n  c:\n  - 1e-4\n  - true\n  - 'x y'\n  - null\n"),
        ("a", "a: 1\nb: {c: [1e-4, true, 'x y', null]}\n"),
    ],
)
def test_yaml_keeps_the_text_of_its_values(tmp_path: Path, name: str, text: str) -> None:
    assert read(tmp_path, name, text) == {"a": "1", "b": {"c": ["1e-4", "true", "'x y'", "null"]}}


def test_json_and_toml_tell_numbers_from_texts(tmp_path: Path) -> None:
    expected = {"a": "1", "b": {"c": ["1e-4", "true", "'x y'", "10"]}}

    assert read(tmp_path, "a.json", '{"a": 1, "b": {"c": [1e-4, true, "x y", 10]}}') == expected
    assert read(tmp_path, "a.toml", 'a = 1\n[b]\nc = [1e-4, true, "x y", 10]\n') == expected
    assert read(tmp_path, "n.json", '{"a": null, "b": NaN}') == {"a": "null", "b": "NaN"}
    assert read(tmp_path, "t.toml", "a = 2026-05-01T10:00:00Z") == {
        "a": "2026-05-01 10:00:00+00:00"
    }


@pytest.mark.parametrize("text", ["", "\n\n", "# only words\n", b"\xef\xbb\xbf"])
def test_a_file_with_nothing_in_it_changes_nothing(tmp_path: Path, text: str | bytes) -> None:
    assert read(tmp_path, "a.yaml", text) == {}


def test_anchors_and_merge_keys_are_followed(tmp_path: Path) -> None:
    text = "base: &b {x: 1, y: 2}\none: *b\ntwo: {<<: *b, y: 3}\nthree: {<<: [*b, {z: 4}]}\n"

    found = read(tmp_path, "a.yaml", text)

    assert found["one"] == {"x": "1", "y": "2"}
    assert found["two"] == {"y": "3", "x": "1"}
    assert found["three"] == {"x": "1", "y": "2", "z": "4"}


def test_what_is_merged_may_have_merged_itself(tmp_path: Path) -> None:
    text = "a: &a {x: 1, y: 1}\nb: &b {<<: *a, y: 2}\nc: {<<: *b, z: 3}\nd: {<<: {<<: {w: 1}}}\n"

    found = read(tmp_path, "a.yaml", text)

    assert found["c"] == {"x": "1", "y": "2", "z": "3"}
    assert found["d"] == {"w": "1"}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.yaml", "- 1\n", "a.yaml:1: expects a mapping of paths to values"),
        ("a.yaml", "a: [1\nb: 2\n", "a.yaml:2: this is no YAML"),
        ("a.yaml", "a: 1\nb: 2\na: 3\n", "a.yaml:3: this is no YAML: the key 'a' is there twice"),
        ("a.yaml", "a: !!python/name:os.system x\n", "a.yaml:1: this is no YAML: the tag"),
        ("a.yaml", "a: &a [*a]\n", "a.yaml:1: this is no YAML: it contains itself"),
        ("a.yaml", "a: &a {<<: *a}\n", "a.yaml:1: this is no YAML: it contains itself"),
        ("a.yaml", "a: 1\n---\nb: 2\n", "a.yaml:2: this is no YAML"),
        ("a.yaml", "---\n", "a.yaml:2: expects a mapping of paths to values"),
        ("a.yaml", "<<: 3\na: 1\n", "a.yaml:1: this is no YAML: '<<' expects a mapping"),
        ("a.yaml", b"a: 1\nb: \xff\n", "a.yaml:2: this is no text in UTF-8"),
        ("a.json", '{"a": 1,}', "a.json:1: this is no JSON"),
        ("a.json", '{"a": 1, "a": 2}', "a.json: this is no JSON: the key 'a' is there twice"),
        ("a.json", "[1]", "a.json: expects a mapping"),
        ("a.json", "[" * 100_000, "a.json: this is no JSON"),
        ("a.toml", "a = \n", "a.toml: this is no TOML"),
        ("a.yaml", "[" * 1000, "a.yaml:1: this is no YAML: it is nested too deeply"),
        ("a.yaml", "a: " + "- " * 5000 + "x", "a.yaml"),
        ("a.yaml", "a: [b, (1, 2)]", "a.yaml:1: this is no YAML: '(1' ends at the comma"),
        ("a.yaml", "a: {b: f(x, y)}", "a.yaml:1: this is no YAML: 'f(x' ends at the comma"),
    ],
)
def test_what_is_no_file_of_overrides_is_refused(
    tmp_path: Path, name: str, text: str | bytes, message: str
) -> None:
    assert refused(tmp_path, name, text).startswith(message)


def test_round_brackets_in_a_line_of_their_own_are_whole(tmp_path: Path) -> None:
    text = "a: (1, 2)\nb:\n- f(x, y)\n- (1\nc: '(1, 2'\nd: [f(x), a (b, '(1, 2)']\n"

    assert read(tmp_path, "a.yaml", text) == {
        "a": "(1, 2)",
        "b": ["f(x, y)", "(1"],
        "c": "'(1, 2'",
        "d": ["f(x)", "a (b", "'(1, 2)'"],
    }


def test_aliases_do_not_multiply_without_end(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]

    assert "more than 1000000 parts" in refused(tmp_path, "a.yaml", "\n".join(lines))


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()

    for name, reason in [("none.yaml", "no file"), ("folder", "directory"), ("a\0b", "null")]:
        with pytest.raises(UsageError, match=reason):
            read_overrides(name, tmp_path)
    with pytest.raises(UsageError, match="more than 64 MiB"):
        read_overrides("/dev/zero", tmp_path)


def test_a_pipe_can_be_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_text, args=("a: 1\n",))
    writer.start()

    assert plainly(read_overrides("pipe", tmp_path)[1]) == {"a": "1"}
    writer.join()


def test_a_value_of_a_text_file_is_its_text(tmp_path: Path) -> None:
    (tmp_path / "prompt.txt").write_text("a: [1\r\n")
    (tmp_path / "part.yaml").write_text("[1, 2]")

    assert read_value("prompt.txt", tmp_path)[1].value == "a: [1\r\n"
    assert plainly(read_value("part.yaml", tmp_path)[1]) == ["1", "2"]


def test_a_problem_shows_the_line_that_it_is_in(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("é: 1\nb: [1, ü, three]\r\nc: 3\n")

    source, item = read_overrides("a.yaml", tmp_path)

    listed: Any = members(item)["b"].value
    bad = listed[2]
    problem = source.problem("no", bad.start, bad.end)
    assert problem.message == "a.yaml:2: no"
    assert problem.text[problem.start : problem.end] == "three"
    assert problem.text == "b: [1, ü, three]"
