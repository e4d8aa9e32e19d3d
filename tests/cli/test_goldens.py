"""Help, errors and tables, word for word: `make golden` writes them, the diff is for reading."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from pathlib import Path

import pytest

from nemorun_cli.cli import COMMANDS
from tests.conftest import NEMORUN, Nemorun

GOLDEN = Path(__file__).parent / "golden"
WRITE = os.environ.get("NEMORUN_GOLDEN") == "write"
ERRORS = {
    "an unknown option": ["launch", "command", "true", "--dryrun"],
    "an option without its value": ["list", "-q", "--where"],
    "an unknown command": ["lunch"],
    "a command like no other": ["xyz"],
    "the second condition": ["list", "--where", "lr>1", "--where", "lr>"],
    "no command line": ["launch", "command"],
    "an unknown executor": ["launch", "-e", "slrm", "command", "true"],
    "an unknown setting": ["launch", "-x", "tim=2h", "command", "true"],
    "a setting without a value": ["launch", "-x", "time", "command", "true"],
    "a setting that is no number": ["launch", "-x", "nodes=two", "command", "true"],
    "a setting that is too small": ["launch", "-x", "nproc=0", "command", "true"],
    "a bad time": ["launch", "-x", "time=soon", "command", "true"],
    "two local nodes": ["launch", "-x", "nodes=2", "command", "true"],
    "two processes without a launcher": ["launch", "-x", "nproc=2", "command", "true"],
    "an unknown launcher": ["launch", "-x", "launcher=mpi", "command", "true"],
    "a variable that is not there": ["launch", "--env", "NOT_THERE", "command", "true"],
    "a variable of ours": ["launch", "--env", "NEMORUN_KEY=x", "command", "true"],
    "a secret with a value": ["launch", "--secret", "TOKEN=abc", "command", "true"],
    "an unknown run": ["show", "abcdefgh"],
    "too short a prefix": ["show", "ab"],
    "no last run": ["logs"],
    "a bad condition": ["launch", "--after", "last:never", "command", "true"],
    "an unknown state": ["list", "--state", "done"],
    "a bad since": ["list", "--since", "yesterday"],
    "a condition that cannot be read": ["list", "--where", "optim.lr>1e-3 and state"],
    "a state in a condition": ["list", "--where", "optim.lr>1e-3 and state=faild"],
    "a time in a condition": ["list", "--where", "created>yesterday"],
    "a number in a condition": ["list", "--where", "lr>1 and exit_code=one"],
    "a key that is no name": ["list", "--sort", "-optim..lr"],
    "nothing to cancel": ["cancel"],
    "all without yes": ["cancel", "--all"],
    "a bad tag": ["tag", "abcdefgh", "a,b"],
    "an unknown recipe": ["launch", "helo"],
    "an unknown recipe file": ["launch", "nowhere.py:train"],
    "a recipe without its module": ["launch", "no.such.module:train"],
    "a recipe's unknown parameter": ["launch", "gpt(sizes=small)"],
    "a recipe's parameter that does not fit": ["launch", "gpt(size=big)"],
    "a recipe that returns nothing": ["launch", "odd.py:nothing"],
    "a recipe that fails": ["launch", "odd.py:fails"],
    "a recipe that needs a value": ["launch", "odd.py:needs"],
    "a recipe that is no function": ["launch", "odd.py:NUMBER"],
    "a recipe that is not in its file": ["launch", "odd.py:noting"],
    "a recipe with a name that is none": ["launch", "odd.py:a-b"],
    "a recipe in what is no module": ["launch", "a/b:train"],
    "a recipe that imports what is not here": ["launch", "imports.py:train"],
    "a recipe with a mistake in its file": ["launch", "syntax.py:train"],
    "a recipe with a lazy target that is none": ["launch", "odd.py:lazily"],
    "a config that lacks values": ["launch", "odd.py:lacks"],
    "a config that cannot be stored": ["launch", "odd.py:odd"],
    "a config with a loop": ["launch", "odd.py:loop"],
    "an argument of our own name": ["launch", "odd.py:reserved"],
    "brackets that are not closed": ["launch", "digits", "model.widths=[32, 64", "model=mlp(x={)"],
    "an unknown field": ["launch", "gpt", "model.layer=4"],
    "an unknown field inside": ["launch", "gpt", "optin.lr=3e-4"],
    "a value that does not fit": ["launch", "gpt", "optim.lr=fast"],
    "an item that does not fit": ["launch", "digits", "model.widths=[32, many]"],
    "an index out of range": ["launch", "digits", "model.widths[2]=8"],
    "an unknown factory": ["launch", "digits", "model=cn"],
    "a factory of something else": ["launch", "digits", "optim=mlp"],
    "an override without a value": ["launch", "hello", "steps"],
    "an override with spaces": ["launch", "hello", "steps =", "3"],
    "a field of a number": ["launch", "hello", "steps.x=1"],
    "several mistakes": ["launch", "gpt", "step=5", "optim.lr=fast", "seed=1", "model.n_embd=[1]"],
    "a file that is not there": ["launch", "hello", "-f", "exp.yaml"],
    "a value's file that is not there": ["launch", "hello", "steps=@steps.txt"],
    "a mistake in a file": ["launch", "gpt", "-f", "wrong.yaml"],
    "a mistake in a file of JSON": ["launch", "gpt", "-f", "wrong.json"],
    "a file that is no YAML": ["launch", "gpt", "-f", "broken.yaml"],
    "a file that names other code": ["launch", "gpt", "-f", "code.yaml"],
    "a file for a command": ["launch", "command", "-f", "wrong.yaml", "--", "true"],
    "a tag that is not there": ["launch", "gpt", "@Rate=1"],
    "a class that is not there": ["launch", "gpt", "AdamX:lr=1"],
    "a part that holds something else": ["launch", "digits", "model={width: 3}"],
    "a value without a default": ["launch", "hello", "~steps.x"],
    "a part of what is none": ["launch", "gpt", "data.x.y=1"],
    "nothing to explain": ["explain", "nothing"],
    "a path that is not there": ["explain", "gpt", "optim.lrr"],
    "a bad timeout": ["wait", "--timeout", "soon"],
    "a file to import that is not there": ["import", "nowhere.nrz"],
    "nothing to compare": ["compare", "--only-changed"],
    "an age without a unit": ["gc", "--older-than", "60"],
}


FILES = {
    "wrong.yaml": "# a comment\noptim:\n  lr: fast\nmodel: {n_layers: 4}\nsteps: 1.5\n",
    "wrong.json": '{"optim": {"lr": "fast"}, "steps": 1.5}',
    "broken.yaml": "optim:\n  lr: [1\nsteps: 3\n",
    "imports.py": "import not_there\n",
    "syntax.py": "def train(:\n",
    "odd.py": """
import fiddle as fdl
from nemorun_cli import lazy

NUMBER = 3


def train(data, act=None, *, log=None, **more): ...
def nothing(): ...
def fails(): return {}["size"]
def needs(size: int): ...
def lazily(): return fdl.Partial(lazy("training"))
def lacks(): return fdl.Partial(train, act=fdl.Config(train))
def odd(): return fdl.Partial(train, lambda x: x, act=object(), log=open("odd.py"))
def reserved(): return fdl.Partial(train, 1, _target_=3)


def loop():
    config = fdl.Partial(train, 1)
    config.act = [config]
    return config
""",
    "code.yaml": "optim:\n  _target_: os:system\n  command: echo\n",
}


def check(name: str, text: str) -> None:
    path = GOLDEN / f"{name.replace(' ', '-')}.txt"
    if WRITE:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert path.read_text() == text, f"{path.name}: `make golden` and read the diff"


def plain(text: str, nemorun: Nemorun) -> str:
    """The text without what differs from run to run."""
    text = text.replace(str(nemorun.store), "STORE").replace(str(nemorun.cwd), "PROJECT")
    text = text.replace(str(nemorun.home), "HOME")
    return re.sub(r"\b\d{8}-\d{6}-[a-z2-7]{8}\b", "YYYYMMDD-HHMMSS-xxxxxxxx", text)


def on_a_terminal(nemorun: Nemorun, columns: int, *arguments: str) -> str:
    main, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    env = nemorun.environment(TERM="xterm")
    del env["COLUMNS"]
    process = subprocess.Popen([str(NEMORUN), *arguments], cwd=nemorun.cwd, env=env, stdout=side)
    os.close(side)
    shown = b""
    while True:
        try:
            block = os.read(main, 4096)
        except OSError:
            break
        if not block:
            break
        shown += block
    os.close(main)
    assert process.wait() == 0
    return shown.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_reads_like_this(nemorun: Nemorun, command: str) -> None:
    out = nemorun.ok(*([command] if command else []), "--help", COLUMNS="80")

    assert all(len(line) <= 80 for line in out.splitlines())
    check(f"help {command}".strip(), out + "\n")


@pytest.mark.parametrize("mistake", ERRORS)
def test_a_mistake_is_told_like_this(nemorun: Nemorun, mistake: str) -> None:
    for name, text in FILES.items():
        (nemorun.cwd / name).write_text(text)

    done = nemorun(*ERRORS[mistake])

    assert done.code in (2, 4)
    assert done.out == ""
    check(f"error {mistake}", f"exit {done.code}\n{plain(done.err, nemorun)}")
    as_json = nemorun(*ERRORS[mistake], "--json")
    assert '"schema_version": 1' in as_json.err
    assert as_json.code == done.code
    assert nemorun.ok("list") == ""


@pytest.mark.parametrize("columns", [80, 200])
def test_a_table_looks_like_this(nemorun: Nemorun, columns: int) -> None:
    names = ("plain", "a name that is longer than it should be, as names often are, sadly enough")
    for name in names:
        nemorun("launch", "--wait", "--name", name, "command", "--", "sh", "-c", "exit 3")
    nemorun("launch", "--wait", "--name", "good", "command", "--", "true")

    shown = on_a_terminal(nemorun, columns, "list")

    assert all(len(line) <= columns for line in shown.splitlines())
    shown = re.sub(r"^[a-z2-7]{8} ", "xxxxxxxx ", shown, flags=re.MULTILINE)
    check(f"table {columns}", re.sub(r"  \d+s +\d+s", "  Ns   Ns", shown))


def test_colours_are_for_terminals_that_want_them(nemorun: Nemorun) -> None:
    nemorun("launch", "--wait", "command", "true")
    nemorun.env.pop("NO_COLOR", None)

    assert "\x1b[" not in nemorun.ok("list")
    assert "\x1b[" not in on_a_terminal(nemorun, 80, "list")
    assert "\x1b[" in nemorun.ok("show", FORCE_COLOR="1", NO_COLOR="")


def test_a_pipe_gets_full_values_between_tabs(nemorun: Nemorun) -> None:
    name = "tab\tand\nnewline and a very long name that no column has room for" * 3
    nemorun("launch", "--wait", "--name", name, "command", "true")

    (line,) = nemorun.ok("list").splitlines()

    cells = line.split("\t")
    assert len(cells) == 12
    assert cells[3] == name.replace("\t", "\\t").replace("\n", "\\n")
