"""Whatever text is given to a run reaches its job as it is, and does nothing on the way."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import Nemorun

DUMP = """
import json, os, sys
names = sorted(name for name in os.environ if name.startswith("T_"))
told = {"argv": sys.argv[1:], "env": {name: os.environ[name] for name in names}}
print(json.dumps(told))
"""
NASTY = st.sampled_from(
    [
        *("'", '"', "\\", "\n", "\r\n", "\t", "$(touch canary)", "`touch canary`", "${HOME}"),
        *("; touch canary;", "| touch canary", "> canary", "&& touch canary", "\x1b[31m", "🜚", "é"),
        *("%s%n", "{0}", "#", "!!", "~", "*", "?", "[a]", "--", "-e", "=", "@file", " ", "\x7f"),
    ],
)
WORD = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)
TEXT = st.lists(NASTY | WORD, max_size=6).map("".join)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(argv=st.lists(TEXT, max_size=5), value=TEXT, name=TEXT)
def test_text_arrives_byte_for_byte(
    nemorun: Nemorun, argv: list[str], value: str, name: str
) -> None:
    python = "/usr/bin/env"
    arguments = ("command", "--", python, "python3", "-c", DUMP, *argv)

    run_id = nemorun.ok("launch", f"--env=T_VALUE={value}", f"--name={name}", *arguments)

    nemorun.ok("wait", run_id)
    told = json.loads(nemorun.ok("logs", run_id))
    assert told == {"argv": argv, "env": {"T_VALUE": value}}
    assert nemorun.json("show", run_id)["run"]["name"] == (name or None)  # type: ignore[index]
    assert not list(nemorun.cwd.parent.rglob("canary"))


@pytest.mark.parametrize("size", [100_000, 131_000])
def test_long_values_arrive_whole(nemorun: Nemorun, size: int) -> None:
    text = ("it's $(touch canary)\n" * size)[:size]
    length = "import os, sys; print(len(sys.argv[1]), len(os.environ['T_LONG']))"

    done = nemorun(
        *("launch", "--follow", "--env", f"T_LONG={text[:100_000]}"),
        *("command", "--", "python3", "-c", length, text),
    )

    assert done.out.splitlines()[-1] == f"{size} {min(size, 100_000)}"
    assert not list(nemorun.cwd.parent.rglob("canary"))


def test_a_secret_is_written_nowhere(nemorun: Nemorun) -> None:
    canary = "canary-7f3a9c"

    run_id = nemorun.ok(
        *("launch", "--secret", "WANDB_API_KEY", "--env", "HF_TOKEN"),
        *("command", "--", "sh", "-c", 'echo "${#WANDB_API_KEY} ${#HF_TOKEN}"'),
        WANDB_API_KEY=canary,
        HF_TOKEN=canary,
    )
    nemorun.ok("wait", run_id)
    shown = nemorun.ok("show", run_id, "--json")
    dry = nemorun.ok(
        *("launch", "--secret", "WANDB_API_KEY", "--dry-run", "--json", "command", "true"),
        WANDB_API_KEY=canary,
    )

    assert nemorun.ok("logs", run_id) == f"{len(canary)} {len(canary)}"
    assert canary not in shown + dry
    assert holders(nemorun.store, canary) == []
    assert json.loads(shown)["run"]["environment"]["secrets"] == ["HF_TOKEN", "WANDB_API_KEY"]


def test_a_secret_is_no_argument(nemorun: Nemorun) -> None:
    done = nemorun("launch", "--secret", "TOKEN=abc", "command", "true")

    assert done.code == 2
    assert "abc" not in done.err


def holders(folder: Path, text: str) -> list[Path]:
    return [
        path for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()
    ]
