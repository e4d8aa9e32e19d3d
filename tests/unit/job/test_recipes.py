"""The recipes that come along: listed and configured without the frameworks they run with."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
WITHOUT_FRAMEWORKS = """
import sys
for name in ("torch", "sklearn", "numpy"):
    sys.modules[name] = None  # What makes an import of it fail.
import importlib
import fiddle as fdl
module = importlib.import_module("recipes." + sys.argv[1])
for name in sys.argv[2:]:
    config = getattr(module, name)()
    assert isinstance(config, fdl.Partial), name
    assert getattr(module, name).__doc__.endswith("."), name
    fdl.build(config)
"""


def python(code: str, *argv: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-c", code, *argv],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.parametrize(
    "names",
    [
        ("hello", "hello"),
        ("digits", "digits", "digits_mlp", "digits_smoke"),
        ("gpt", "gpt", "gpt_smoke"),
    ],
)
def test_a_recipe_needs_no_framework_before_it_runs(names: tuple[str, ...]) -> None:
    python(WITHOUT_FRAMEWORKS, *names)


def test_sizes_of_gpt_differ_and_an_unknown_one_is_refused() -> None:
    told = python(
        "from recipes.gpt import gpt\n"
        "print(*[gpt(size=size).model.n_embd for size in ('tiny', 'small', 'medium')])\n"
        "try: gpt(size='huge')\n"
        "except KeyError as error: print(error)"
    )

    assert told == "96 384 768\n'huge'\n"


def test_the_learning_rate_rises_then_falls_to_a_tenth() -> None:
    told = python(
        "from recipes.gpt import AdamW\n"
        "optim = AdamW(lr=1.0, warmup=10)\n"
        "print(*[round(optim.rate(step, 110), 3) for step in (1, 10, 60, 110)])"
    )

    assert told == "0.1 1.0 0.55 0.1\n"
