"""What completion offers, and that it does nothing else."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nemorun_cli.cli import complete, shells
from nemorun_cli.cli.flags import FLAGS
from tests.completions import flags_text, settings_text
from tests.conftest import Nemorun

TOP = Path(__file__).parents[2]
HEAVY = (
    *("typer", "fiddle", "rich", "sqlite3", "dataclasses", "inspect", "importlib.metadata"),
    *("recipes", "recipes.ship", "yaml", "logging", "socket"),
)
SHIP = '''
from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import fiddle as fdl

from nemorun_cli import factory, recipe

Path(__file__).with_name("imported").touch()
Speed = Literal["slow", "fast"]


class Shade(enum.Enum):
    DARK = 1
    LIGHT = 2


@dataclass
class Adam:
    rate: float = 1e-3
    """How far a step goes."""
    nesterov: bool = False


@dataclass
class Sgd:
    rate: float = 1e-2
    momentum: float | None = None


def sail(
    optim: Adam | Sgd,
    *,
    mode: Literal["quick", "thorough"],
    shade: Shade = Shade.DARK,
    speed: Speed | None = None,
    weights: Path | None = None,
    steps: int = 1,
) -> None:
    """Cross the sea."""


@factory
def adam() -> fdl.Config[Adam]:
    return fdl.Config(Adam)


@factory
def sgd(momentum: float = 0.9) -> fdl.Config[Sgd]:
    return fdl.Config(Sgd, momentum=momentum)


@recipe
def ship(*, size: Literal["boat", "liner"] = "boat") -> fdl.Partial[None]:
    """A voyage."""
    return fdl.Partial(sail, optim=adam(), mode="quick")


@recipe
def ship_again() -> fdl.Partial[None]:
    """The same once more."""
    config = ship()
    config.optim = sgd()
    return config
'''


@pytest.fixture
def ship(nemorun: Nemorun) -> Nemorun:
    recipes = nemorun.cwd / "recipes"
    recipes.mkdir()
    (recipes / "ship.py").write_text(SHIP)
    (nemorun.cwd / "overrides.yaml").write_text("steps: 2\n")
    (nemorun.cwd / "nemorun.toml").write_text('[executors.big]\ntype = "local"\n')
    return nemorun


def offered(nemorun: Nemorun, *words: str) -> list[str]:
    out = nemorun.ok(*words, _NEMORUN_COMPLETE="1")
    return [line.split("\t")[0] for line in out.splitlines() if line]


def tree(*folders: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for folder in folders for path in folder.rglob("*")}


def test_the_files_are_those_that_make_writes() -> None:
    assert (TOP / "nemorun_cli" / "cli" / "flags.py").read_text() == flags_text()
    assert (TOP / "nemorun_cli" / "cli" / "settingnames.py").read_text() == settings_text()
    for shell, text in shells.SCRIPTS.items():
        assert (TOP / "completions" / shells.FILES[shell]).read_text() == text


@pytest.mark.parametrize("shell", shells.SCRIPTS)
def test_the_command_prints_the_scripts_itself(nemorun: Nemorun, shell: str) -> None:
    out = nemorun.ok(_NEMORUN_COMPLETE=f"script-{shell}")

    assert f"{out}\n" == shells.SCRIPTS[shell]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["la"], ["launch"]),
        (["--ver"], ["--version"]),
        (["launch", "--dry"], ["--dry-run"]),
        (["launch", "-e", ""], ["local", "docker", "slurm", "ray", "big"]),
        (["launch", "-x", "ret"], ["retries=", "retry=", "retry_window="]),
        (["launch", "-e", "big", "-x", "launcher="], ["launcher=plain", "launcher=torchrun"]),
        (["launch", "--set=split_streams=t"], ["--set=split_streams=true"]),
        (["list", "--state", "fa"], ["failed"]),
        (["list", "--state", "lost,fa"], ["lost,failed"]),
        (["list", "--refresh", ""], ["never", "auto", "now"]),
        (["logs", "la"], ["last"]),
        (["logs", "last", ""], []),
        (["launch", "--file", ""], ["/"]),
        (["launch", "--name", ""], []),
        (["launch", "command", "--", "py"], ["/"]),
        (["nonsense", ""], []),
        (["launch", "--after", "last:n"], ["last:notok"]),
        (["launch", "--env", "NEMORUN_H"], ["NEMORUN_HOME"]),
        (["launch", "sh"], ["ship", "ship_again"]),
        (["recipes", "sh"], ["ship", "ship_again"]),
        (["recipes", "comm"], []),
        (["explain", "sh"], ["ship", "ship_again"]),
        (["explain", "ship", "optim.r"], ["optim.rate"]),
        (["explain", "ship", "op"], ["optim.", "optim"]),
        (["explain", "ship", "steps", "optim.r"], ["optim.rate="]),
        (["diff", "ship", "ship_"], ["ship_again"]),
        (["diff", "comm"], []),
        (["diff", "ship", "optim.r"], ["optim.rate="]),
        (["diff", "ship", ".", "optim.r"], ["optim.rate="]),
        (["diff", "ship_again", "ship", "steps=1", "optim.r"], ["optim.rate="]),
        (["list", "--recipe", "ship_"], ["ship_again"]),
        (["launch", "recipes/ship.py:sh"], ["recipes/ship.py:ship", "recipes/ship.py:ship_again"]),
        (["launch", "./recipes/s"], ["./recipes/ship.py:"]),
        (["launch", "ship(si"], ["ship(size="]),
        (["launch", "ship(size=b"], ["ship(size=boat)"]),
    ],
)
def test_a_word_is_completed(ship: Nemorun, words: list[str], found: list[str]) -> None:
    assert offered(ship, *words) == found


PATHS = [
    (["ship", "op"], ["optim.", "optim="]),
    (["ship", "optim."], ["optim.rate=", "optim.nesterov="]),
    (["-e", "local", "ship", "--wait", "optim.r"], ["optim.rate="]),
    (["--name=x", "-xtime=1h", "ship", "optim.r"], ["optim.rate="]),
    (["ship", "steps=3", "sta"], []),
    (["ship", "steps=3", "ste"], ["steps="]),
    (["ship(size=liner)", "optim.r"], ["optim.rate="]),
    (["recipes/ship.py:ship", "optim.r"], ["optim.rate="]),
    (["ship", "~optim.r"], ["~optim.rate"]),
    (["ship", "optim="], ["optim=adam", "optim=sgd"]),
    (["ship", "optim=sgd", "optim."], ["optim.rate=", "optim.momentum="]),
    (["ship", "optim=sgd(m"], ["optim=sgd(momentum="]),
    (["ship_again", "optim.m"], ["optim.momentum="]),
    (["ship_again", "optim.momentum="], ["optim.momentum=none"]),
    (["ship", "optim.nesterov="], ["optim.nesterov=true", "optim.nesterov=false"]),
    (["ship", "mode="], ["mode=quick", "mode=thorough"]),
    (["ship", "shade="], ["shade=DARK", "shade=LIGHT"]),
    (["ship", "speed="], ["speed=slow", "speed=fast", "speed=none"]),
    (["ship", "weights=@over"], ["weights=@overrides.yaml"]),
    (["no_such_recipe", "a"], []),
]


@pytest.mark.parametrize(("words", "found"), PATHS)
def test_what_can_be_set_is_read_from_the_source(
    ship: Nemorun, words: list[str], found: list[str]
) -> None:
    assert offered(ship, "launch", *words) == found
    assert not (ship.cwd / "recipes" / "imported").exists()


@pytest.mark.parametrize(("words", "found"), PATHS)
def test_what_a_command_has_loaded_is_completed_alike(
    ship: Nemorun, words: list[str], found: list[str]
) -> None:
    ship.store.mkdir()
    for recipe in ("ship", "ship_again"):
        ship.ok("recipes", recipe)
    assert len(list((ship.store / "completion").iterdir())) == 2

    assert offered(ship, "launch", *words) == found


def test_a_field_tells_its_type_its_value_and_what_it_is(ship: Nemorun) -> None:
    cold = ship.ok("launch", "ship", "optim.r", _NEMORUN_COMPLETE="1")
    ship.store.mkdir()
    ship.ok("launch", "--dry-run", "ship")
    warm = ship.ok("launch", "ship", "optim.r", _NEMORUN_COMPLETE="1")

    assert cold == "optim.rate=\tfloat = 1e-3: How far a step goes."
    assert warm == "optim.rate=\tfloat = 0.001: How far a step goes."


def test_an_outline_of_an_edited_recipe_is_not_used(ship: Nemorun) -> None:
    ship.store.mkdir()
    ship.ok("recipes", "ship")
    source = ship.cwd / "recipes" / "ship.py"
    source.write_text(source.read_text().replace("steps: int", "strides: int"))

    assert offered(ship, "launch", "ship", "st") == ["strides="]


def test_what_only_running_tells_is_known_once_it_was_loaded(ship: Nemorun) -> None:
    (ship.cwd / "recipes" / "made.py").write_text(
        "import fiddle as fdl\nfrom nemorun_cli import recipe\n\n\n"
        "def go(*, width: int) -> None:\n    pass\n\n\n"
        "@recipe\ndef made() -> fdl.Partial[None]:\n"
        "    return getattr(fdl, 'Par' + 'tial')(go, width=1)\n"
    )
    ship.store.mkdir()

    assert offered(ship, "launch", "made", "") == []
    ship.ok("recipes", "made")

    assert offered(ship, "launch", "made", "") == ["width="]


def test_what_has_only_a_place_is_completed_in_brackets(ship: Nemorun) -> None:
    (ship.cwd / "recipes" / "placed.py").write_text(
        "import fiddle as fdl\nfrom nemorun_cli import recipe\n\n\n"
        "def go(part, /, *, width: int) -> None:\n    pass\n\n\n"
        "def part(*, size: int) -> None:\n    pass\n\n\n"
        "@recipe\ndef placed() -> fdl.Partial[None]:\n"
        "    return fdl.Partial(go, fdl.Config(part, size=1), width=1)\n"
    )
    ship.store.mkdir()
    ship.ok("recipes", "placed")

    assert offered(ship, "launch", "placed", "[") == ["[0]."]
    assert offered(ship, "launch", "placed", "[0].") == ["[0].size="]
    assert "[0].size\t2" in ship.ok("explain", "placed", "[0].size=2")


def test_the_outline_is_the_users_alone_and_written_once(ship: Nemorun) -> None:
    ship.store.mkdir(mode=0o700)
    ship.ok("recipes", "ship")
    folder = ship.store / "completion"
    (file,) = folder.iterdir()
    before = file.stat()
    ship.ok("launch", "--dry-run", "ship", "optim=sgd")

    assert (folder.stat().st_mode & 0o777, before.st_mode & 0o777) == (0o700, 0o600)
    assert file.stat().st_mtime_ns == before.st_mtime_ns


def test_a_command_that_submits_nothing_makes_no_store(ship: Nemorun) -> None:
    ship.ok("recipes", "ship")
    ship.ok("launch", "--dry-run", "ship")

    assert not (ship.store / "completion").exists()


def test_runs_are_completed_by_their_tail_and_by_what_they_were_given(ship: Nemorun) -> None:
    run_id = ship.ok("launch", "ship", "--tag", "red", "--experiment", "sea", "--wait")
    tail = run_id[-8:]

    assert offered(ship, "show", tail[:3]) == [tail]
    assert offered(ship, "show", run_id[:9]) == [run_id]
    assert offered(ship, "cancel", tail[:3]) == []
    assert offered(ship, "reproduce", tail[:3]) == [tail]
    assert offered(ship, "list", "--tag", "r") == ["red"]
    assert offered(ship, "wait", "--experiment", "") == ["sea"]
    assert offered(ship, "rerun", tail, "optim.") == ["optim.rate=", "optim.nesterov="]
    assert offered(ship, "rerun", "last", "optim.nes") == ["optim.nesterov="]
    assert offered(ship, "rerun", "@-1", "optim.nesterov=t") == ["optim.nesterov=true"]
    failed = ship("launch", "command", "false", "--wait").out.strip()[-8:]
    assert offered(ship, "reproduce", failed) == []
    assert offered(ship, "rerun", failed) == [failed]


def test_nothing_is_written_and_nothing_of_the_project_imported(ship: Nemorun) -> None:
    ship.ok("launch", "command", "true", "--wait")
    shutil.rmtree(ship.store / "index", ignore_errors=True)
    before = tree(ship.home, ship.cwd)

    for words in (["show", ""], ["launch", ""], *(["launch", *words] for words, _ in PATHS)):
        done = ship(*words, _NEMORUN_COMPLETE="1")
        assert (done.code, done.err) == (0, "")

    assert tree(ship.home, ship.cwd) == before


@pytest.mark.parametrize(
    "words",
    [
        *(["la"], ["logs", ""], ["launch", ""], ["launch", "-x", ""], ["launch", "-e", ""]),
        *(["launch", "ship", ""], ["launch", "ship_again", "optim."], ["rerun", "last", "o"]),
        *(["launch", "ship", "optim="], ["launch", "ship("], ["launch", "recipes/ship.py:"]),
    ],
)
def test_completion_imports_nothing_heavy(ship: Nemorun, words: list[str]) -> None:
    ship.ok("launch", "ship", "--wait")
    report = "import sys; from nemorun_cli.cli import main; main(); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", report, *words],
        env=ship.environment(_NEMORUN_COMPLETE="1"),
        cwd=ship.cwd,
        capture_output=True,
        text=True,
        check=True,
    )
    modules = set(done.stdout.split())

    assert not modules & set(HEAVY)


@pytest.mark.parametrize("content", ["", "[]", '{"fields": 1}', "\0", '{"key": null}'])
def test_a_damaged_outline_is_no_outline(ship: Nemorun, content: str) -> None:
    ship.store.mkdir()
    ship.ok("recipes", "ship")
    (file,) = (ship.store / "completion").iterdir()
    file.write_text(content)

    assert offered(ship, "launch", "ship", "optim.r") == ["optim.rate="]


def test_an_outline_of_nonsense_is_no_error(ship: Nemorun) -> None:
    ship.store.mkdir()
    ship.ok("recipes", "ship")
    (file,) = (ship.store / "completion").iterdir()
    kept = json.loads(file.read_text())
    file.write_text(json.dumps({**kept, "fields": [["a"], 3, None]}))

    assert offered(ship, "launch", "ship", "optim.r") == ["optim.rate="]


def test_a_store_that_cannot_be_written_hinders_no_command(ship: Nemorun) -> None:
    ship.store.mkdir()
    (ship.store / "completion").write_text("in the way")

    ship.ok("recipes", "ship")

    assert (ship.store / "completion").read_text() == "in the way"


def test_a_folder_that_is_gone_is_no_error(nemorun: Nemorun) -> None:
    gone = nemorun.cwd / "gone"
    gone.mkdir()
    script = f'cd "{gone}" && rmdir "{gone}" && exec "{sys.executable}" -m nemorun_cli launch ""'
    done = subprocess.run(
        ["sh", "-c", script],
        env=nemorun.environment(_NEMORUN_COMPLETE="1"),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


WORDS = st.lists(
    st.one_of(
        st.sampled_from(
            ["launch", "rerun", "gpt", "hello", "last", "-e", "-x", "--", "optim.", "optim=@", "~"]
        ),
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12),
    ),
    max_size=5,
)
MODES = st.sampled_from(["1", "bash", "fish", "zsh", "", "script-none"])


@settings(deadline=None, max_examples=300)
@given(words=WORDS, mode=MODES)
def test_any_words_have_an_answer_of_whole_lines(words: list[str], mode: str) -> None:
    for line in complete.answer(words, mode):
        assert "\n" not in line


@settings(
    deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(words=WORDS, mode=MODES)
def test_any_words_end_well_and_quietly(nemorun: Nemorun, words: list[str], mode: str) -> None:
    done = nemorun(*words, _NEMORUN_COMPLETE=mode)

    assert (done.code, done.err) == (0, "")


def test_bytes_that_are_no_text_end_well(nemorun: Nemorun) -> None:
    done = nemorun("launch", os.fsdecode(b"\xff"), _NEMORUN_COMPLETE="1")

    assert (done.code, done.out, done.err) == (0, "", "")


def test_every_command_has_its_flags() -> None:
    assert "--json" in set.intersection(*(set(flags) for flags in FLAGS.values()))
