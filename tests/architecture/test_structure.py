"""The shape of the code: who imports whom, how long things are, what is documented."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = sorted((ROOT / "nemorun_cli").rglob("*.py"))
CODE = [*PACKAGE, *sorted((ROOT / "recipes").glob("*.py"))]
MAY_SLEEP = {"nemorun_cli/watching.py"}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_the_layers_are_kept() -> None:
    linter = Path(sys.executable).with_name("lint-imports")

    done = subprocess.run([linter], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", CODE, ids=name_of)
def test_a_file_is_one_idea(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 300


@pytest.mark.parametrize("path", CODE, ids=name_of)
def test_a_function_fits_on_a_screen(path: Path) -> None:
    long = [
        node.name
        for node in functions(path)
        if (node.end_lineno or 0) - node.lineno > 50 and node.name != "command"
    ]

    assert long == []


@pytest.mark.parametrize("path", CODE, ids=name_of)
def test_public_functions_say_what_they_guarantee(path: Path) -> None:
    promised = ("core", "actions", "testing.py", "ports.py", "config", "store", "executors")
    if not any(part in path.parts for part in promised):
        return
    silent = [
        node.name
        for node in functions(path)
        if not node.name.startswith(("_", "test_")) and ast.get_docstring(node) is None
    ]

    assert [name for name in silent if name not in _inner(path)] == []


def _inner(path: Path) -> set[str]:
    """The names of functions defined inside functions."""
    return {
        child.name
        for node in functions(path)
        for child in ast.walk(node)
        if isinstance(child, ast.FunctionDef) and child is not node
    }


def test_only_one_file_sleeps() -> None:
    sleeping = {name_of(path) for path in PACKAGE if "time.sleep" in path.read_text()}

    assert sleeping <= MAY_SLEEP


def test_only_output_prints() -> None:
    printing = {
        name_of(path)
        for path in PACKAGE
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print"
    }

    assert {name for name in printing if "/job/" not in name} <= {"nemorun_cli/cli/__init__.py"}


def test_nothing_evaluates_text() -> None:
    forbidden = re.compile(r"\b(eval|exec|pickle|marshal|os\.system|shell=True)\b\(?")
    guilty = {
        name_of(path)
        for path in PACKAGE
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and forbidden.fullmatch(ast.unparse(node.func))
    }

    assert guilty == set()


def test_the_changelog_has_an_unreleased_part() -> None:
    assert "## Unreleased" in (ROOT / "CHANGELOG.md").read_text()


def test_every_command_and_exit_code_is_in_the_readme() -> None:
    from nemorun_cli.cli import COMMANDS

    readme = (ROOT / "README.md").read_text()

    assert [name for name in COMMANDS if f"| `{name}` |" not in readme] == []
    for code in (0, 1, 2, 3, 4, 14, 15, 16, 17):
        assert f"| {code} |" in readme


def test_the_page_on_executors_shows_the_example_as_it_is() -> None:
    page = (ROOT / "docs" / "writing-an-executor.md").read_text()

    for name in ("nemorun_nohup/__init__.py", "pyproject.toml", "test_nohup.py"):
        assert (ROOT / "tests" / "plugin" / name).read_text().strip() in page
