"""Whatever text is given to a run reaches its job as it is, and does nothing on the way."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import NEMORUN, Nemorun

DUMP = """
import json, os, sys
names = sorted(name for name in os.environ if name.startswith("T_"))
told = {"argv": sys.argv[1:], "env": {name: os.environ[name] for name in names}}
print(json.dumps(told))
"""
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
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


LEAVE = """
import json, os
names = ["a\\tb", "c\\nd", "\\x1b]0;owned\\x07", "\\x9b31m", "plain"]
with open(os.environ["NEMORUN_METRICS"], "w") as file:
    file.write(json.dumps({"step": 0, "metrics": {name: 0.5 for name in names}}) + "\\n")
open("f\\x1b[31m\\n.txt", "w").close()
"""
READERS = (
    *("compare last @-2", "compare last @-2 --csv", "metrics last", "metrics last --csv"),
    *("show last", "show last --json", "show last --script", "list", "status last", "tag last"),
    *("diff @-2 last", "diff @-2 last --patch", "pull last", "verify last", "export last -o OUT"),
    *("pull last ** -o OUT", "reproduce last --environment here", "metrics last -m nosuch"),
)


def test_no_terminal_is_told_what_a_job_has_written(nemorun: Nemorun, tmp_path: Path) -> None:
    import pexpect

    for note in ("one\x1b[2J", "two\x9b2J\nthree"):
        arguments = ("--name", note, "command", "--", "python3", "-c", LEAVE, note)
        nemorun.ok("launch", "--wait", *arguments)
        nemorun.ok("tag", "last", "--note", note)
        (nemorun.cwd / "code.txt").write_text(note)

    for number, line in enumerate(READERS):
        words = line.replace("OUT", str(tmp_path / f"out{number}"))
        errors = tmp_path / f"errors{number}"
        shown = pexpect.run(
            f"sh -fc '{NEMORUN} {words} 2>{errors}'",
            cwd=str(nemorun.cwd),
            env={**nemorun.environment(TERM="xterm"), "NO_COLOR": "1"},
            encoding="utf-8",
            codec_errors="surrogateescape",
            timeout=90,
        )
        told = str(shown).replace("\r\n", "\n") + errors.read_text(errors="surrogateescape")
        assert CONTROL.findall(told) == [], (line, told)


def test_a_row_stays_a_row_whatever_its_names(nemorun: Nemorun) -> None:
    nemorun.ok("launch", "--wait", "command", "--", "python3", "-c", LEAVE)

    assert [len(line.split("\t")) for line in nemorun.ok("metrics").splitlines()] == [5] * 5
    compared = nemorun.ok("compare", "last")
    assert [len(line.split("\t")) for line in compared.splitlines()] == [10, 10]
    assert "a\\tb" in compared
    assert len(nemorun.ok("compare", "last", "--csv").splitlines()) == 2
    assert nemorun.ok("pull", "last").count("\n") == 0


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
