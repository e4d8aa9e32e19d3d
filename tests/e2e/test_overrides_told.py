"""Files of overrides, exports, explanations and differences, as typed."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Nemorun
from tests.e2e.tiny import TRAIN, output, refused

HASH = "config_hash"
LINE = (
    TRAIN[: TRAIN.index("return fdl.Partial(train, optim=fdl.Config(AdamW), steps=")].count("\n")
    + 1
)
RECIPE = f"recipes/tiny.py:{LINE}"


def planned(nemorun: Nemorun, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(nemorun.ok("launch", *arguments, "--dry-run", "--json"))
    return found


def test_files_count_before_arguments_and_in_order(tiny: Nemorun, project: Path) -> None:
    (project / "base.yaml").write_text("steps: 3\nnote: from a file\noptim: sgd\n")
    (project / "exp.toml").write_text("steps = 4\n[optim]\nlr = 0.5\n")
    (project / "last.json").write_text('{"note": "a # b"}')

    said = output(
        tiny, "tiny", "optim.momentum=1", "-f", "base.yaml", "--file", "exp.toml", "-f", "last.json"
    )

    assert said == "trained SGD 0.5 4 'a # b'"
    assert tiny.json("show", "last")["run"]["files"] == [  # type: ignore[index]
        "base.yaml",
        "exp.toml",
        "last.json",
    ]


def test_an_export_is_read_back_to_an_equal_hash(tiny: Nemorun, project: Path) -> None:
    run_id = tiny.ok("launch", "tiny", "optim=sgd(lr=3)", "note= a: 'b'\n#c ", "steps=7")
    (project / "f.yaml").write_text(tiny.ok("show", run_id, "--config"))

    again = planned(tiny, "tiny", "-f", "f.yaml")

    assert again[HASH] == tiny.json("show", run_id)["run"][HASH]  # type: ignore[index]
    assert again["compared_with"] == {"run": run_id, "config": [], "code": True}
    assert planned(tiny, "tiny", "-f", "f.yaml", "steps=8")[HASH] != again[HASH]


def test_standard_input_is_a_file(tiny: Nemorun, project: Path) -> None:
    (project / "f.yaml").write_text("note: piped\n")
    with (project / "f.yaml").open() as file:
        import subprocess

        from tests.conftest import NEMORUN

        done = subprocess.run(
            [NEMORUN, "launch", "tiny", "-f", "-", "--dry-run", "--json"],
            stdin=file,
            cwd=tiny.cwd,
            env=tiny.environment(),
            capture_output=True,
            check=True,
        )

    assert json.loads(done.stdout)["config"]["note"] == "piped"


def test_a_wrong_file_launches_nothing(tiny: Nemorun, project: Path) -> None:
    (project / "bad.yaml").write_text("steps: few\nopitm: {lr: 1}\n")

    told = refused(tiny, "launch", "tiny", "-f", "bad.yaml", "note=fine", "optim.lr=x")

    assert "bad.yaml:1: steps expects int, got 'few'" in told
    assert "bad.yaml:2: train has no parameter 'opitm'" in told
    assert "optim.lr expects float, got 'x'" in told
    assert "there is no file 'none.yaml'" in refused(tiny, "launch", "tiny", "-f", "none.yaml")
    assert "a command line has no config" in refused(
        tiny, "launch", "command", "-f", "bad.yaml", "--", "true"
    )


def test_a_run_is_explained_without_its_code(tiny: Nemorun, project: Path) -> None:
    (project / "f.yaml").write_text("optim:\n  lr: 0.25\n")
    run_id = tiny.ok("launch", "tiny", "-f", "f.yaml", "optim.lr=0.5", "steps+=1")
    (project / "recipes" / "tiny.py").write_text("raise SystemExit('executed')")
    (project / "f.yaml").unlink()

    found = json.loads(tiny.ok("explain", run_id, "optim.lr", "--json"))

    assert found["run"] == run_id
    assert [
        (each["kind"], each["place"], each["value"]) for each in found["values"][0]["origins"]
    ] == [
        ("default", "AdamW", "0.001"),
        ("file", "f.yaml:2", "0.25"),
        ("argument", "optim.lr=0.5", "0.5"),
    ]
    assert tiny.ok("explain", run_id, "steps").splitlines() == [
        "steps = 3",
        f"recipe\t{RECIPE}\t2",
        "argument\tsteps+=1\t3",
    ]


def test_a_recipe_is_explained_under_overrides(tiny: Nemorun) -> None:
    rows = tiny.ok("explain", "tiny(size=2)", "optim=sgd", "optim.lr=1").splitlines()

    assert "optim\tSGD(...)\toptim=sgd" in rows
    assert "optim.lr\t1.0\toptim.lr=1" in rows
    assert "optim.momentum\t0.0\tthe default of SGD" in rows
    assert f"steps\t4\t{RECIPE}" in rows
    assert tiny.json("list")["runs"] == []


def test_a_rerun_keeps_what_its_parent_was_told(tiny: Nemorun) -> None:
    first = tiny.ok("launch", "tiny", "steps=5")
    second = tiny.ok("rerun", first, "steps=6", "optim.lr=1")

    found = json.loads(tiny.ok("explain", second, "--json"))["values"]

    told = {each["path"]: [one["place"] for one in each["origins"]] for each in found}
    assert told["steps"] == [RECIPE, "steps=5", "steps=6"]
    assert told["optim.lr"] == ["AdamW", "optim.lr=1"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nothing"], 4, "there is no recipe and no run 'nothing'"),
        (["tiny", "optim.lrr"], 2, "the config has no 'optim.lrr'"),
        (["tiny", "optim.lrr=1"], 2, "AdamW has no parameter 'lrr'"),
        (["tiny", "a[", "steps=1"], 2, "expects '[0]'"),
    ],
)
def test_what_cannot_be_explained(
    tiny: Nemorun, arguments: list[str], code: int, message: str
) -> None:
    done = tiny("explain", *arguments)

    assert done.code == code
    assert message in done.err


def test_a_command_line_and_a_run_with_overrides_have_no_explanation(tiny: Nemorun) -> None:
    command = tiny.ok("launch", "command", "true")
    run_id = tiny.ok("launch", "tiny")

    assert "is a command line" in tiny("explain", command).err
    assert "nothing can be set in it" in tiny("explain", run_id, "steps", "steps=3").err


def test_a_dry_run_shows_what_is_new(tiny: Nemorun, project: Path) -> None:
    assert planned(tiny, "tiny")["compared_with"] is None
    run_id = tiny.ok("launch", "tiny", "optim.lr=0.5")
    tiny.ok("launch", "hello")

    found = planned(tiny, "tiny", "steps=3")["compared_with"]

    assert found["run"] == run_id
    assert found["config"] == [
        {"path": "optim.lr", "before": "0.5", "after": "0.001"},
        {"path": "steps", "before": "2", "after": "3"},
    ]
    assert found["code"] is False
    shown = tiny.ok("launch", "tiny", "optim.lr=0.5", "--dry-run")
    assert f"{run_id[-8:]}: the same config, the same code" in shown
    (project / "new.py").touch()
    assert "the same config, other code" in tiny.ok("launch", "tiny", "optim.lr=0.5", "--dry-run")


def test_what_has_no_known_type_is_read_as_a_literal_with_one_warning(
    tiny: Nemorun, project: Path
) -> None:
    (project / "recipes" / "odd.py").write_text(
        "import fiddle as fdl\nfrom nemorun_cli import recipe\n\n"
        "def go(a: 'Nowhere', b: 'list[Nowhere]' = ()) -> None:\n    print(a, b)\n\n"
        "@recipe\ndef odd() -> fdl.Partial:\n    return fdl.Partial(go)\n"
    )

    done = tiny("launch", "odd", "a=1", "a=2", "b=[x, 1]", "--follow")

    assert done.out.splitlines()[1:] == ["2 ['x', 1]"]
    assert done.err.count("the type of a, Nowhere, is not known here") == 1
    assert done.err.count("the type of b, list[Nowhere], is not known here") == 1


def test_a_recipe_of_plain_calls_is_one_too(tiny: Nemorun, project: Path) -> None:
    (project / "recipes" / "auto.py").write_text(
        "import functools\n\nfrom fiddle.experimental import auto_config\n"
        "from nemorun_cli import recipe\nfrom recipes.tiny import SGD\n\n\n"
        "def go(optim: SGD, steps: int) -> None:\n    print(optim, steps)\n\n\n"
        "@recipe\n@auto_config.auto_config\ndef auto(lr: float = 1.0):\n"
        "    return functools.partial(go, SGD(lr=lr), steps=3)\n"
    )

    done = tiny("launch", "auto(lr=2)", "optim.momentum=0.5", "steps+=1", "--follow")

    assert done.out.splitlines()[1:] == ["imported", "SGD(lr=2.0, momentum=0.5) 4"]
