"""The pages of docs/ tell the truth: their files are written, their commands run as shown."""

import dataclasses
import os
import re
import typing
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from nemorun_cli import executors
from nemorun_cli.core import ports
from nemorun_cli.core.jobs import Resources
from nemorun_cli.settingvalues import as_text, type_text
from tests.conftest import NEMORUN, Nemorun

DOCS = Path(__file__).parents[2] / "docs"
EXECUTED = ("metrics.md", "overrides.md", "querying.md", "recipes.md", "reproducing.md")
TABLED = {"docker": False, "ray": False, "slurm": True}
"""Pages with a table of an executor's settings, and whether the common ones are among them."""
TABLE = re.compile(r"^\| setting \|.*\n(?:\|.*\n)*", re.MULTILINE)
FENCED = re.compile(r"^```(\S*)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WRITE = os.environ.get("NEMORUN_GOLDEN") == "write"
KINDS = ("console", "python", "yaml", "toml", "json", "text", "sh", "")


def commands(block: str) -> Iterator[tuple[str, str]]:
    """Each command of a console with what it prints."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        yield command, shown


def on_a_terminal(nemorun: Nemorun, command: str) -> str:
    """What a command prints on a terminal of 100 columns."""
    path = f"{NEMORUN.parent}:{nemorun.environment()['PATH']}"
    found = pexpect.run(
        f"bash -c {command_quoted(command)}",
        cwd=str(nemorun.cwd),
        env=nemorun.environment(PATH=path, TERM="dumb"),
        dimensions=(60, 100),
        timeout=60,
        encoding="utf-8",
    )
    return str(found).replace("\r\n", "\n")


def command_quoted(command: str) -> str:
    return "'" + command.replace("'", "'\"'\"'") + "'"


def plain(text: str, nemorun: Nemorun) -> str:
    """The text without what differs from run to run, and without spaces at line ends."""
    text = text.replace(str(nemorun.cwd), "PROJECT").replace(str(nemorun.store), "STORE")
    text = re.sub(r"\b\d{8}-\d{6}-[a-z2-7]{8}\b", "YYYYMMDD-HHMMSS-xxxxxxxx", text)
    text = re.sub(r"(?<=last run   )[a-z2-7]{8}\b|\b[a-z2-7]{8}(?= FAILED)", "xxxxxxxx", text)
    text = re.sub(r"(?<=^from       )[a-z2-7]{8}", "xxxxxxxx", text, flags=re.MULTILINE)
    text = re.sub(r"(?<=STORE/code/)[0-9a-f]{64}", "HASH", text)
    return "\n".join(line.rstrip() for line in text.splitlines())


@pytest.mark.parametrize("page", EXECUTED)
def test_a_page_shows_what_happens(nemorun: Nemorun, page: str) -> None:
    before = (DOCS / page).read_text()

    after = FENCED.sub(lambda block: happened(nemorun, *block.groups()), before)

    if WRITE:
        (DOCS / page).write_text(after)
    assert (DOCS / page).read_text() == after, "`make golden` and read the diff"


def happened(nemorun: Nemorun, kind: str, name: str | None, text: str) -> str:
    """A block with what its commands print now; a file is written."""
    if name:
        path = nemorun.cwd / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    elif kind == "console":
        told = [(each, plain(on_a_terminal(nemorun, each), nemorun)) for each, _ in commands(text)]
        text = "".join(f"$ {each}\n{shown}{chr(10) if shown else ''}" for each, shown in told)
    return f"```{kind}{f' {name}' if name else ''}\n{text}```"


@pytest.mark.parametrize("name", TABLED)
def test_a_page_lists_the_settings_that_its_executor_has(name: str) -> None:
    path = DOCS / f"{name}.md"
    table = table_of(name, whole=TABLED[name])
    before, after = path.read_text(), TABLE.sub(lambda _: table, path.read_text())

    if WRITE:
        path.write_text(after)
    assert before == after or WRITE, "`make golden` and read the diff"
    assert TABLE.search(after)


def table_of(name: str, *, whole: bool) -> str:
    """The settings of an executor, all of them or its own alone, as a table."""
    kind = executors.load(name)
    common = {each.name: each.metadata for each in dataclasses.fields(Resources)}
    rows = ["| setting | type | unless set | what it is |", "|---|---|---|---|"]
    for each_kind in (kind, kind.Resources):
        hints = typing.get_type_hints(each_kind)
        for each in dataclasses.fields(each_kind):  # type: ignore[arg-type]
            if each.metadata and (whole or common.get(each.name) != each.metadata):
                how, words = each.metadata["kind"], ", ".join(each.metadata["choices"])
                default = getattr(each_kind, each.name, None)
                text = as_text(default, how) if default not in (None, "", ()) else ""
                values = (
                    f"`{each.name}`",
                    type_text(hints[each.name], how),
                    f"`{text}`" if text else "",
                    each.metadata["doc"] + (f" ({words})" if words else ""),
                )
                rows.append(f"| {' | '.join(values)} |")
    return "\n".join(rows) + "\n"


@pytest.mark.parametrize("page", sorted(each.name for each in DOCS.glob("*.md")))
def test_every_block_is_of_a_known_kind(page: str) -> None:
    text = (DOCS / page).read_text()
    kinds = {kind for kind, _, _ in FENCED.findall(text)}

    assert kinds <= set(KINDS)
    assert text.count("\n```") == 2 * len(FENCED.findall(text))
    if page in EXECUTED:
        assert "console" in kinds


def test_every_optional_protocol_is_named_where_executors_are_explained() -> None:
    optional = {
        name
        for name, each in vars(ports).items()
        if isinstance(each, type) and getattr(each, "_is_runtime_protocol", False)
    }

    named = (DOCS / "writing-an-executor.md").read_text()

    assert len(optional) > 5
    assert {name for name in optional if f"`{name}`" not in named} == set()
