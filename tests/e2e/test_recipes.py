"""Recipes and overrides, as typed."""

import json
import re
from pathlib import Path

import pytest

from tests.conftest import Nemorun
from tests.e2e.tiny import TRAIN, output, refused


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["tiny"], "trained AdamW 0.001 2 ''"),
        (["tiny", "steps=3", "optim.lr=1e-4"], "trained AdamW 0.0001 3 ''"),
        (["tiny(size=4)"], "trained AdamW 0.001 8 ''"),
        (["tiny(size=4)", "steps+=1"], "trained AdamW 0.001 9 ''"),
        (["tiny", "optim=sgd", "optim.lr=2"], "trained SGD 2.0 2 ''"),
        (["tiny", "optim=sgd(lr=0.5)"], "trained SGD 0.5 2 ''"),
        (["tiny", "note=a 'b'\n$(c)"], "trained AdamW 0.001 2 \"a 'b'\\n$(c)\""),
        (["recipes/tiny.py:undecorated"], "trained SGD 0.1 2 ''"),
        (["recipes.tiny:undecorated"], "trained SGD 0.1 2 ''"),
    ],
)
def test_what_is_typed_reaches_the_job(tiny: Nemorun, arguments: list[str], told: str) -> None:
    assert output(tiny, *arguments) == told


def test_a_recipe_of_the_project_wins_and_both_are_shown(tiny: Nemorun) -> None:
    assert output(tiny, "hello") == "trained AdamW 0.001 2 'mine'"
    listed = tiny.ok("recipes")
    assert "Another greeting." in listed
    assert "nemorun (shadowed)" in listed


def test_listing_recipes_imports_none_of_them(tiny: Nemorun, project: Path) -> None:
    (project / "recipes" / "tiny.py").write_text(TRAIN + "\nraise SystemExit('was imported')\n")
    (project / "recipes" / "worse.py").write_text("def (:\n")

    done = tiny("recipes")

    assert done.code == 0
    assert "tiny" in done.out
    assert "worse.py:1" in done.err


def test_a_recipe_tells_what_can_be_set(tiny: Nemorun) -> None:
    told = json.loads(tiny.ok("recipes", "tiny", "--json"))["parameters"]

    paths = {each["path"]: each for each in told}
    assert list(paths) == ["tiny(size=)", "optim", "steps", "note", "optim.lr"]
    assert paths["optim"]["type"] == "AdamW | SGD"
    assert paths["optim"]["choices"] == ["adamw", "sgd"]
    assert paths["optim.lr"]["doc"] == "How far a step goes."
    assert paths["steps"]["value"] == "2"


def test_metrics_are_shown(tiny: Nemorun) -> None:
    run_id = tiny.ok("launch", "--wait", "tiny")

    assert "0.5" in tiny.ok("show", run_id)
    assert tiny.json("show", run_id)["run"]["metrics"]["loss"] == 0.5  # type: ignore[index]


def test_a_file_without_a_project_travels_alone(nemorun: Nemorun, project: Path) -> None:
    (project / "nemorun.toml").unlink()
    (project / "alone.py").write_text(
        "import fiddle as fdl\n\n\ndef say(word: str) -> None:\n    print(word)\n\n\n"
        "def words() -> fdl.Partial:\n    return fdl.Partial(say, word='alone')\n"
    )

    assert output(nemorun, "alone.py:words") == "alone"
    (project / "alone.py").write_text("raise RuntimeError('edited')\n")
    again = nemorun.ok("rerun", "last", "word=again", "--wait")
    assert nemorun.ok("logs", again) == "again"


def test_a_file_elsewhere_in_the_project_is_found_by_its_path(tiny: Nemorun, project: Path) -> None:
    folder = project / "my experiments"
    folder.mkdir()
    (folder / "first-try.py").write_text(TRAIN)

    assert output(tiny, "my experiments/first-try.py:tiny", "steps=1") == "trained AdamW 0.001 1 ''"


def test_a_rerun_applies_overrides_to_the_stored_code_and_config(
    tiny: Nemorun, project: Path
) -> None:
    first = tiny.ok("launch", "--wait", "tiny", "steps=5")
    (project / "helpers.py").write_text('greeting = "edited"\n')
    (project / "recipes" / "tiny.py").write_text("raise RuntimeError('edited')\n")

    same = tiny.ok("rerun", first, "--wait")
    other = tiny.ok("rerun", first, "optim=sgd(lr=2)", "note=again", "--wait")

    assert tiny.ok("logs", same).endswith("trained AdamW 0.001 5 ''")
    assert tiny.ok("logs", other).endswith("trained SGD 2.0 5 'again'")
    runs = {each: tiny.json("show", each)["run"] for each in (first, same, other)}
    hashes = [runs[each]["config_hash"] for each in (first, same, other)]  # type: ignore[index]
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_dry_run_leaves_nothing(tiny: Nemorun) -> None:
    told = tiny.ok("launch", "--dry-run", "tiny", "optim.lr=3e-4")

    assert re.search(r"optim.lr +0.0003\n", told)
    assert tiny.json("list")["runs"] == []
    assert not list((tiny.store / "jobs").glob("*"))


def test_all_mistakes_are_told_at_once_each_with_a_mark(tiny: Nemorun) -> None:
    told = refused(tiny, "launch", "tiny", "stepps=3", "optim.lr=abc", "note=fine", "optim=sdg")

    assert "did you mean 'steps'?" in told
    assert "  optim.lr=abc\n           ^^^" in told
    assert "did you mean 'sgd'?" in told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tinny"], "did you mean 'tiny'? 'nemorun recipes' lists all"),
        (["tiny(sizes=1)"], "tiny has no parameter 'sizes'"),
        (["tiny(size=x)"], "size expects int, got 'x'"),
        (["tiny(size=1"], "expects ')' at the end"),
        (["recipes/tiny.py:tinny"], "did you mean 'tiny'?"),
        (["recipes/none.py:tiny"], "there is no file 'recipes/none.py'"),
        (["recipes/tiny.py"], "recipes/tiny.py:FUNCTION names a recipe in a file"),
        (["no.such.module:tiny"], "cannot import no.such.module: No module named 'no'"),
        (["recipes/tiny.py:nothing"], "returned nothing, not a Fiddle config"),
        (["recipes/tiny.py:broken"], "ValueError: no such size (recipes/tiny.py:64)"),
        (["recipes/tiny.py:greeting"], "'recipes/tiny.py:greeting' is no function"),
        (["../outside.py:tiny"], "is outside of the project"),
        (["tiny", "optim=sgd(lrr=1)"], "sgd has no parameter 'lrr'"),
        (["tiny", "optim=sgd(lrr=1)"], "  optim=sgd(lrr=1)\n            ^^^\n"),
        (["tiny", "optim=sgd(3)"], "sgd(...) takes its arguments by name, got '3'"),
        (["tiny(3)"], "such as tiny(size=3)"),
        (["tiny", "steps"], "expects PATH=VALUE"),
        (["tiny", "note=@nowhere.yaml"], "there is no file 'nowhere.yaml'"),
    ],
)
def test_a_mistake_is_told(
    tiny: Nemorun, project: Path, arguments: list[str], message: str
) -> None:
    (project.parent / "outside.py").write_text(TRAIN)
    assert message in refused(tiny, "launch", *arguments)


def test_a_module_that_is_missing_is_named_with_the_line(tiny: Nemorun, project: Path) -> None:
    (project / "helpers.py").write_text("x = 1\n\nimport no_such_framework\n")

    told = refused(tiny, "launch", "tiny")

    assert "No module named 'no_such_framework' (helpers.py:3)" in told
    assert "import it inside the function that uses it" in told
    assert len(told.splitlines()) <= 10


def test_a_job_that_cannot_import_says_so(tiny: Nemorun, project: Path) -> None:
    (project / "recipes" / "late.py").write_text(
        TRAIN.replace("    for step in", "    import no_such_framework\n    for step in")
    )

    done = tiny("launch", "--wait", "recipes/late.py:tiny")

    run = tiny.json("show", "last")["run"]
    assert run["reason"] == "import_error"  # type: ignore[index]
    assert done.code == 10
    assert "no_such_framework" in json.dumps(run)
