"""The page on Slurm tells the truth: what it shows is typed, here and over SSH, on the cluster."""

import dataclasses
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pexpect
import pytest

from tests.conftest import NEMORUN
from tests.slurm.users import User, on_laptop, on_login
from tests.testbed.cluster import Cluster

PAGE = Path(__file__).parents[2] / "docs" / "slurm.md"
FENCED = re.compile(r"^```(\S*)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WRITE = os.environ.get("NEMORUN_GOLDEN") == "write"
PYTHON = "/scratch/you/venv/bin/python"
JOBS = "/scratch/you/nemorun"
JOB = "4711"
"""What the page calls the number of the job that is requeued."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reader:
    """Somebody who types what the page shows, on a laptop and on the login node."""

    far: User
    here: User

    def block(self, kind: str, name: str | None, text: str) -> str:
        """A block with what its commands print now; the profile is written as the settings."""
        if kind == "console":
            user = self.here if name == "login" else self.far
            text = "".join(self.typed(user, each) for each in commands(text))
        elif name:
            place = Path(name.replace("~", str(self.far.home), 1))
            place.write_text(text.replace(JOBS, str(self.far.jobs)).replace(PYTHON, sys.executable))
        return f"```{kind}{f' {name}' if name else ''}\n{text}```"

    def typed(self, user: User, command: str) -> str:
        """A command and what it prints on a terminal of 100 columns."""
        script = command.replace(JOB, self.number()) if JOB in command else command
        argv = ["bash", "-c", script]
        argv = user.cluster.on_login(argv) if user is self.here else argv
        path = f"{NEMORUN.parent}:{user.environment()['PATH']}"
        child: pexpect.spawn[str] = pexpect.spawn(
            argv[0],
            argv[1:],
            cwd=str(user.cwd),
            env=user.environment(PATH=path, TERM="xterm"),
            dimensions=(60, 100),
            timeout=300,
            encoding="utf-8",
        )
        child.expect(pexpect.EOF)
        shown = self.readable(user, str(child.before).replace("\r\n", "\n"))
        return f"$ {command}\n{shown}"

    def readable(self, user: User, text: str) -> str:
        """The text with the page's names for what this machine calls otherwise."""
        names = {
            str(self.far.jobs): JOBS,
            sys.executable: PYTHON,
            str(user.home): "/home/you",
            str(user.cwd): "/home/you/project",
            f"by root on {os.uname().nodename}": "by you on laptop",
            "by root on login": "by you on login",
        }
        for ours, theirs in names.items():
            text = text.replace(ours, theirs)
        text = re.sub(r"(?<=^  job {10})\d+", JOB, text, flags=re.MULTILINE)
        text = re.sub(r"(?<=controller {9})testbed", "cw", text)
        # A line that moved is not there any more.
        text = re.sub(r".*\r|\x1b\[[0-9;?]*[A-Za-z]", "", text)
        return "".join(f"{line.rstrip()}\n" for line in text.split("\n")[:-1])

    def number(self) -> str:
        """Slurm's number for the last run."""
        return self.far.job("last")


def commands(block: str) -> Iterator[str]:
    """The commands of a console."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        yield part.partition("\n")[0]


def masked(text: str) -> str:
    """The text without what differs from run to run and from machine to machine."""
    text = re.sub(r"\d{8}-\d{6}-[a-z2-7]{8}", "ID", text)
    text = re.sub(
        r"^[a-z2-7]{8}(?=  )|(?<= as )[a-z2-7]{8}(?= of )", "ID", text, flags=re.MULTILINE
    )
    text = re.sub(r"(?<=code/)[0-9a-f]{64}|(?<=code {9})[0-9a-f]{12}", "HASH", text)
    text = re.sub(r"(?<=config hash {2})[0-9a-f]{12}", "HASH", text)
    text = re.sub(r"(?<=python {17})\S+|(?<=git {20})\S+|(?<=version {16}).*", "HERE", text)
    text = re.sub(r"[\d.,]*\d([smhd](?![a-z]))?", "0", text)
    return re.sub(r" +", " ", text)


@pytest.fixture
def reader(cluster: Cluster, tmp_path: Path) -> Iterator[Reader]:
    with ExitStack() as stack:
        far = stack.enter_context(on_laptop(cluster, tmp_path / "laptop"))
        here = stack.enter_context(on_login(cluster, tmp_path / "login"))
        programs = tmp_path / "bin"
        programs.mkdir()
        config = tmp_path / "config"
        config.write_text(cluster.ssh_config.read_text().replace("Host login", "Host cw login"))
        ssh = programs / "ssh"
        ssh.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {config} "$@"\n')
        ssh.chmod(0o755)
        path = {"PATH": f"{programs}:{far.environment()['PATH']}", "COLUMNS": "100"}
        store = {"NEMORUN_HOME": str(far.home / ".local/state/nemorun")}
        yield Reader(far=dataclasses.replace(far, env={**path, **store}), here=here)


def test_the_page_shows_what_happens(reader: Reader) -> None:
    before = PAGE.read_text()

    after = FENCED.sub(lambda block: reader.block(*block.groups()), before)

    if WRITE and masked(after) != masked(before):
        PAGE.write_text(after)
    assert masked(PAGE.read_text()) == masked(after), "NEMORUN_GOLDEN=write, and read the diff"


def test_every_other_launch_on_the_page_resolves(reader: Reader) -> None:
    page = PAGE.read_text()
    for kind, name, text in FENCED.findall(page):
        if kind == "toml":
            reader.block(kind, name, text)
    shells = "".join(text for kind, _, text in FENCED.findall(page) if kind == "sh")

    lines = re.findall(r"^nemorun (launch .*)$", shells, flags=re.MULTILINE)
    launches = [shlex.split(line) for line in lines]

    assert len(launches) > 3
    for _, *arguments in launches:
        plan = reader.far.json("launch", "--dry-run", *arguments)["plan"]
        assert plan["commands"][0][0] == "sbatch"  # type: ignore[index]


def test_who_follows_a_short_run_is_told_of_its_end_at_once(reader: Reader) -> None:
    for kind, name, text in FENCED.findall(PAGE.read_text()):
        if kind == "toml":
            reader.block(kind, name, text)

    done = reader.far(
        "launch", "-e", "cw", "--follow", "command", "--", "echo", "hello", timeout=25
    )

    assert (done.code, done.out.splitlines()[1:]) == (0, ["hello"])
