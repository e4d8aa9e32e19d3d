"""The README tells the truth."""

import re
import shlex
import shutil
import subprocess
import textwrap
from pathlib import Path

import pexpect
import pytest

from nemorun_cli.cli import COMMANDS
from nemorun_cli.cli.flags import FLAGS
from tests.conftest import NEMORUN, Nemorun

README = (Path(__file__).parents[2] / "README.md").read_text()
BLOCKS = re.findall(r"(?:^    .*\n|^\n(?=    ))+", README, flags=re.MULTILINE)


def shell_lines() -> list[str]:
    lines = [line.strip().removeprefix("$ ") for block in BLOCKS for line in block.splitlines()]
    return [line for line in lines if line.startswith("nemorun ")]


def test_every_command_line_names_what_exists() -> None:
    assert len(shell_lines()) > 12
    for line in shell_lines():
        command = line.split()[1]
        assert command in COMMANDS, line
        before, _, _ = line.partition(" -- ")
        for flag in re.findall(r"(?<=\s)--[a-z-]+", before):
            assert flag in FLAGS[command], line


def test_every_launch_resolves(nemorun: Nemorun) -> None:
    (profile,) = re.findall(
        r"(?:^    .*\n)*^    \[executors.*\n(?:    .+\n)+", README, re.MULTILINE
    )
    settings = nemorun.home / ".config" / "nemorun" / "config.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text(textwrap.dedent(profile))
    lines = [line.partition("  #")[0] for line in shell_lines() if " launch " in line]

    for line in lines:
        _, _, *arguments = shlex.split(line.partition(" && ")[0].rstrip(")"))
        if "$lr" not in line and "optm" not in line:
            nemorun.ok("launch", "--dry-run", *arguments)


def test_the_mistake_is_told_as_shown(nemorun: Nemorun) -> None:
    command, told = re.findall(r"    \$ nemorun (launch .*optm.*)\n((?:    .+\n)+)", README)[0]

    assert nemorun(*command.split()).err == textwrap.dedent(told)


def test_every_flag_in_the_text_exists() -> None:
    known = {flag for flags in FLAGS.values() for flag in flags} | {"--help"}

    mentioned = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README))

    assert mentioned - known - {"--lr"} == set()


@pytest.mark.torch
def test_six_months_later_it_goes_as_shown(nemorun: Nemorun, tmp_path: Path) -> None:
    _, section = README.split("\n## Six months later\n")
    told = textwrap.dedent(
        "".join(re.findall(r"^    .*\n", section.split("\n## ")[0], re.MULTILINE))
    )
    ids: dict[str, str] = {}
    elsewhere = Nemorun(home=tmp_path / "their-home", cwd=tmp_path / "their-folder")
    elsewhere.cwd.mkdir()

    for place, part in re.findall(
        r"^(elsewhere)?\$ (.*\n(?:(?!(?:elsewhere)?\$ ).*\n)*)", told, re.MULTILINE
    ):
        command, _, shown = part.partition("\n")
        for mine, theirs in ids.items():
            command = command.replace(mine, theirs)
        happened = on_a_terminal(elsewhere if place else nemorun, command)
        for path in nemorun.cwd.glob("*.nrz"):
            shutil.copy(path, elsewhere.cwd)
        for mine, theirs in zip(TAIL.findall(shown), TAIL.findall(happened), strict=True):
            assert ids.setdefault(mine, theirs) == theirs
        assert without_values(happened) == without_values(shown)


TAIL = re.compile(r"\b\d{8}-\d{6}-([a-z2-7]{8})\b")


def without_values(text: str) -> str:
    """The text without what differs from run to run and from one kind of CPU to another."""
    text = re.sub(r"\b(\d{8}-\d{6}-)?[a-z2-7]{8}\b(?= |$)", "ID", text, flags=re.MULTILINE)
    return re.sub(r"\b(\d+\.\d+|[0-9a-f]{16})(?=  the same)", "VALUE", text)


def on_a_terminal(nemorun: Nemorun, command: str) -> str:
    """What a command prints for a person, without the line that moves while it waits."""
    program, *arguments = shlex.split(command)
    assert program == "nemorun"
    found = pexpect.run(
        shlex.join([str(NEMORUN), *arguments]),
        cwd=str(nemorun.cwd),
        env=nemorun.environment(TERM="xterm"),
        dimensions=(60, 100),
        timeout=120,
        encoding="utf-8",
    )
    return re.sub(r"\r\x1b\[K[^\r\n]*(?=\r\x1b)|\r\x1b\[K", "", str(found)).replace("\r\n", "\n")


def test_a_sweep_is_a_loop_of_the_shell(nemorun: Nemorun) -> None:
    script = f"""
        set -e
        for lr in 1e-4 3e-4 1e-3 3e-3; do
          for seed in 1 2 3 4 5; do
            {NEMORUN} launch --experiment lr-sweep --tag seed-$seed \
                command -- sh -c 'echo "$@"; [ "$2" != 3 ]' train $lr $seed
          done
        done
        {NEMORUN} wait --experiment lr-sweep && echo all of them succeeded || echo exit $?
    """

    done = subprocess.run(
        ["sh", "-c", script],
        env=nemorun.environment(),
        cwd=nemorun.cwd,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.splitlines()[-1] == "exit 10"
    assert len(nemorun.ok("list", "--quiet", "--experiment", "lr-sweep").split()) == 20
    failed = nemorun.ok("list", "--quiet", "--experiment", "lr-sweep", "--state", "failed")
    assert len(failed.split()) == 4
    assert set(failed.split()) == set(nemorun.ok("list", "-q", "--tag", "seed-3").split())


def test_the_newest_run_is_last_and_the_one_before_it_at_minus_2(nemorun: Nemorun) -> None:
    ids = [nemorun.ok("launch", "command", "true") for _ in range(3)]

    assert nemorun.ok("list", "--quiet").split() == ids[::-1]
    for name, run_id in (("last", ids[2]), ("@-1", ids[2]), ("@-2", ids[1]), ("@-3", ids[0])):
        assert nemorun.json("show", name)["run"]["id"] == run_id  # type: ignore[index]
    assert nemorun("show", "@-4").code == 4


def test_tags_and_notes_can_change_and_the_record_does_not(nemorun: Nemorun) -> None:
    run_id = nemorun.ok("launch", "--tag", "one", "command", "true")
    nemorun.ok("wait", run_id)
    (record,) = nemorun.store.glob(f"runs/*/{run_id}/run.json")
    before = record.read_bytes()

    assert nemorun.ok("tag", run_id, "two", "--remove", "one", "--note", "diverged") == "two"

    assert nemorun.ok("list", "--quiet", "--tag", "two") == run_id
    assert nemorun.ok("list", "--quiet", "--tag", "one") == ""
    assert nemorun.json("show", run_id)["run"]["notes"] == "diverged"  # type: ignore[index]
    assert record.read_bytes() == before


def test_a_removed_run_is_gone_with_all_that_was_its_own(nemorun: Nemorun) -> None:
    run_id = nemorun.ok("launch", "command", "--", "sleep", "600")

    refused = nemorun("rm", "--force", run_id)
    nemorun.ok("cancel", run_id)
    nemorun.ok("rm", run_id)

    assert refused.code == 2
    assert nemorun("show", run_id).code == 4
    assert nemorun.ok("list") == ""
    assert not list(nemorun.store.glob(f"jobs/*{run_id}*"))
    assert not list(nemorun.store.glob(f"runs/*/*{run_id}*"))


def test_the_documents_have_the_promised_keys(nemorun: Nemorun) -> None:
    run_id = nemorun.ok("launch", "command", "true")
    nemorun.ok("wait", run_id)
    promised = [
        "id",
        "name",
        "recipe",
        "executor",
        "profile",
        "state",
        "reason",
        "reason_detail",
        "exit_code",
        "attempt",
        "experiment",
        "tags",
        "created_at",
        "started_at",
        "ended_at",
        "observed_at",
        "stale_since",
        "handle",
        "directory",
        "config_hash",
        "code_hash",
        "parent",
    ]
    shown = ["config", "overrides", "plan", "environment", "attempts", "events"]

    for command in ("status", "show", "cancel", "wait"):
        document = nemorun.json(command, run_id)
        assert document["schema_version"] == 1
        assert set(promised) <= set(document["run"])  # type: ignore[call-overload]
    assert set(shown) <= set(nemorun.json("show", run_id)["run"])  # type: ignore[call-overload]
    listed = nemorun.json("list")["runs"][0]  # type: ignore[index]
    assert set(promised) <= set(listed)
    plan = nemorun.json("launch", "--dry-run", "command", "true")
    assert {"config", "plan", "code"} <= set(plan)
    assert {"files", "commands"} <= set(plan["plan"])  # type: ignore[call-overload]


def test_what_is_submitted_is_the_plan(nemorun: Nemorun) -> None:
    run_id = nemorun.ok(
        "launch", "-x", "time=1h", "--env", "A=b c", "command", "--", "echo", "it's"
    )
    nemorun.ok("wait", run_id)

    plan = nemorun.json("show", run_id)["run"]["plan"]  # type: ignore[index]
    folder = Path(plan["directory"])

    assert (folder / "job.sh").read_text() == plan["files"]["job.sh"]
    assert nemorun.ok("show", run_id, "--script") == plan["files"]["job.sh"].rstrip("\n")
    dry = nemorun.json(
        "launch", "-x", "time=1h", "--env", "A=b c", "--dry-run", "command", "--", "echo", "it's"
    )
    key = re.compile(r"\d{8}-\d{6}-[a-z2-7]{8}")
    again = dry["plan"]["files"]["job.sh"]  # type: ignore[index]
    assert key.sub("ID", again) == key.sub("ID", plan["files"]["job.sh"])
    assert len(nemorun.ok("list", "--quiet").split()) == 1
