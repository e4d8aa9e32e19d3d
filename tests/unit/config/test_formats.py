"""A config that was stored is read for ever, and keeps its hash: formats/ holds what was written.

Nothing in a folder of formats/ is ever changed. A new format gets a folder of its own.
"""

import functools
import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import fiddle as fdl
import pytest

from nemorun_cli.config.canonical import config_hash, text_of
from nemorun_cli.config.diff import differences
from nemorun_cli.config.document import from_document, to_document
from nemorun_cli.job.builder import Builder
from tests.unit.config.test_properties import document

FORMATS = Path(__file__).parent / "formats"
STORED = sorted(FORMATS.glob("*/*.json"))
TOP = Path(__file__).parents[3]
NAMES = [f"{each.parent.name}/{each.stem}" for each in STORED]
HASHING = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import json
from nemorun_cli.config.canonical import config_hash
for name in sys.argv[2:]:
    print(config_hash(json.loads(Path(name).read_text(encoding="utf-8"))))
"""
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


def hash_of(path: Path) -> str:
    lines = (path.parent / "hashes.txt").read_text().splitlines()
    return {name: told for told, _, name in (line.partition("  ") for line in lines)}[path.name]


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def pythons() -> list[str]:
    """The other versions of Python that can be started here."""
    found = []
    for version in PYTHONS:
        path = shutil.which(f"python{version}")
        env = {**os.environ, "PYENV_VERSION": version}
        if path and not subprocess.run([path, "-c", ""], env=env, check=False).returncode:
            found.append(version)
    return found


def test_every_stored_config_has_its_hash_written_down() -> None:
    assert len(STORED) > 8
    for folder in FORMATS.iterdir():
        names = {
            line.partition("  ")[2] for line in (folder / "hashes.txt").read_text().splitlines()
        }
        assert names == {each.name for each in folder.glob("*.json")}


@pytest.mark.parametrize("path", STORED, ids=NAMES)
def test_a_stored_config_is_read_and_written_as_it_was(path: Path) -> None:
    stored = read(path)

    made = from_document(stored, Builder("").locate)

    assert config_hash(stored) == hash_of(path)
    assert text_of(to_document(made)) == path.read_text(encoding="utf-8")
    assert differences(stored, to_document(made)) == ()


@pytest.mark.parametrize("name", [each.stem for each in STORED if each.stem != "training"])
def test_a_job_builds_of_it_what_fiddle_builds(name: str) -> None:
    stored = read(FORMATS / "1" / f"{name}.json")

    built = Builder("").build(stored)

    expected = fdl.build(from_document(stored, Builder("").locate))
    assert repr(called(built)) == repr(called(expected))


def called(built: Any) -> Any:
    """What a partial makes, and the partials in that."""
    if not isinstance(built, functools.partial) or built.func is math.sqrt:
        return built
    made = built()
    return {name: called(each) for name, each in made.items()} if type(made) is dict else made


def test_every_kind_of_value_is_among_them() -> None:
    from nemorun_cli.job.builder import CONTAINERS, SCALARS

    text = "".join(each.read_text(encoding="utf-8") for each in STORED)

    for kind in (*CONTAINERS, *SCALARS, "dict", "enum", "import"):
        assert f'"_type_": "{kind}"' in text, kind
    for key in ("_args_", "_tags_", "_id_", "_ref_", "partial", "arg_factory"):
        assert f'"{key}"' in text, key


@pytest.mark.parametrize("seed", ["0", "1"])
def test_every_python_has_the_same_hash(seed: str) -> None:
    for version in ("", *pythons()):
        found = subprocess.run(
            [f"python{version}" if version else sys.executable, "-c", HASHING, TOP, *STORED],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYENV_VERSION": version},
            capture_output=True,
            text=True,
            check=True,
        )

        assert found.stdout.split() == [hash_of(each) for each in STORED], version


def test_a_default_that_is_written_and_one_that_is_left_out_are_the_same() -> None:
    from tests.unit.config.parts import Model

    short = fdl.Config(Model, width=8)
    full = fdl.Config(Model, width=8, layers=[64, 64], activation="relu", name="model")

    assert config_hash(document(short)) == config_hash(document(full))
