"""Completion in the real shells: a key is pressed on a terminal, and the line is read back."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pexpect
import pytest

from tests.conftest import NEMORUN, Nemorun, require

FILES = Path(__file__).parents[2] / "completions"
TAB, SHOW, KILL = "\t", "\x14", "\x15"
SHELLS = ["bash", "zsh", "zsh-autoload", "fish"]
RECIPE = '''
from dataclasses import dataclass
from typing import Literal

import fiddle as fdl

from nemorun_cli import factory, recipe


@dataclass
class Adam:
    rate: float = 1e-3
    nesterov: bool = False


def sail(*, optim: Adam, mode: Literal["quick", "thorough"], weights: str = "") -> None:
    """Cross the sea."""


@factory
def gradual() -> fdl.Config[Adam]:
    return fdl.Config(Adam, rate=1e-9)


@recipe
def ship(*, size: Literal["boat", "liner"] = "boat") -> fdl.Partial[None]:
    """A voyage."""
    return fdl.Partial(sail, optim=fdl.Config(Adam), mode="quick")
'''
BASH = """
PS1=; bind 'set enable-bracketed-paste off'; bind 'set show-all-if-ambiguous on'
bind 'set completion-query-items 0'; bind 'set page-completions off'; bind 'set bell-style none'
show() { printf '<<%s>>' "$READLINE_LINE"; }; bind -x '"\\C-t": show'
source "$FILES/nemorun.bash"; echo rea''dy
"""
ZSH = """
PS1=; unsetopt beep zle_bracketed_paste prompt_sp prompt_cr; KEYTIMEOUT=1
show() { zle -I; print -rn -- "<<$BUFFER>>" }; zle -N show; bindkey -e; bindkey '^T' show
bindkey '^U' kill-whole-line
%s
echo rea''dy
"""
SOURCED = 'autoload -Uz compinit; compinit -D -u; source "$FILES/nemorun.zsh"'
LOADED = "fpath=($HOME/functions $fpath); autoload -Uz compinit; compinit -D -u"
FISH = r"""
function fish_prompt; end; function fish_greeting; end; function fish_title; end
set -g fish_autosuggestion_enabled 0
source $FILES/nemorun.fish
bind \ct 'printf "<<%s>>" (commandline)'; bind \cu 'commandline ""'
echo rea''dy
"""


class Terminal:
    """An interactive shell that has loaded the completion of nemorun."""

    def __init__(self, shell: str, nemorun: Nemorun) -> None:
        environ = nemorun.environment(
            PATH=f"{NEMORUN.parent}:{os.environ['PATH']}",
            FILES=str(FILES),
            TERM="xterm",
            ZDOTDIR=str(nemorun.home),
            XDG_CONFIG_HOME=str(nemorun.home / "config"),
        )
        argv = self._prepared(shell, nemorun.home)
        self.child = pexpect.spawn(
            argv[0],
            argv[1:],
            env=environ,
            cwd=str(nemorun.cwd),
            encoding="utf-8",
            timeout=60,
            dimensions=(60, 200),
        )
        self.child.expect("ready")

    @staticmethod
    def _prepared(shell: str, home: Path) -> list[str]:
        if shell == "bash":
            (home / ".bashrc").write_text(BASH)
            return ["bash", "--noprofile", "--rcfile", str(home / ".bashrc"), "-i"]
        if shell == "fish":
            (home / "config" / "fish").mkdir(parents=True)
            (home / "config" / "fish" / "config.fish").write_text(FISH)
            return ["fish", "-i"]
        (home / "functions").mkdir()
        shutil.copy(FILES / "nemorun.zsh", home / "functions" / "_nemorun")
        (home / ".zshrc").write_text(ZSH % (LOADED if "autoload" in shell else SOURCED))
        return ["zsh", "-d", "-i"]

    def completed(self, typed: str) -> str:
        """The line after TAB was pressed at its end."""
        self.child.send(typed + TAB + SHOW)
        self.child.expect("<<(.*?)>>")
        shown = self.child.match
        self.child.send(KILL)
        assert isinstance(shown, re.Match)
        return str(shown.group(1))

    def listed(self, typed: str, name: str) -> None:
        """Press TAB, and wait until this stands on the screen."""
        self.child.send(typed + TAB)
        self.child.expect_exact(name)
        self.child.send(SHOW)
        self.child.expect("<<(.*?)>>")
        self.child.send(KILL)


README = (FILES.parent / "README.md").read_text()
INSTALLED = {
    "bash": ('eval "$(_NEMORUN_COMPLETE=script-bash nemorun)"', "complete -p nemorun", "_nemorun"),
    "zsh": (
        'eval "$(_NEMORUN_COMPLETE=script-zsh nemorun)"',
        "print $_comps[nemorun]",
        "_nemorun",
    ),
    "fish": (
        "_NEMORUN_COMPLETE=script-fish nemorun | source",
        "complete -C 'nemorun laun'",
        "launch",
    ),
}


@pytest.fixture(scope="module")
def sailor(tmp_path_factory: pytest.TempPathFactory) -> Nemorun:
    folder = tmp_path_factory.mktemp("sailor")
    (folder / "home").mkdir()
    recipes = folder / "project" / "recipes"
    recipes.mkdir(parents=True, mode=0o755)
    (recipes / "ship.py").write_text(RECIPE)
    (folder / "project" / "nemorun.toml").write_text('[executors.big]\ntype = "local"\n')
    (folder / "project" / "overrides.yaml").touch()
    made = Nemorun(home=folder / "home", cwd=folder / "project")
    made.ok("launch", "--wait", "command", "true")
    return made


@pytest.fixture(scope="module", params=SHELLS)
def terminal(
    request: pytest.FixtureRequest, sailor: Nemorun, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Terminal]:
    name = request.param.partition("-")[0]
    require(name, there=shutil.which(name) is not None, why=f"{name} is not installed")
    home = tmp_path_factory.mktemp(request.param)
    there = replace(sailor, home=home, env={"NEMORUN_HOME": str(sailor.store)})
    opened = Terminal(request.param, there)
    yield opened
    opened.child.close(force=True)


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("laun", "launch "),
        ("launch sh", "launch ship "),
        ("launch ship --dry", "launch ship --dry-run "),
        ("launch -e bi", "launch -e big "),
        ("launch -x spl", "launch -x split_streams="),
        ("launch -x launcher=t", "launch -x launcher=torchrun "),
        ("launch --set=launcher=t", "launch --set=launcher=torchrun "),
        ("list --state can", "list --state cancelled "),
        ("list --refresh nev", "list --refresh never "),
        ("launch ship optim.ra", "launch ship optim.rate="),
        ("launch -e local ship optim.rate=3 optim.nes", None),
        ("launch ship optim.nesterov=t", "launch ship optim.nesterov=true "),
        ("launch ship mode=th", "launch ship mode=thorough "),
        ("launch ship optim=gr", "launch ship optim=gradual "),
        ("launch ship optim=gradual optim.ra", "launch ship optim=gradual optim.rate="),
        ("launch 'ship(size=liner)' optim.ra", "launch 'ship(size=liner)' optim.rate="),
        ("launch 'ship(size=li", "launch 'ship(size=liner)' "),
        ('launch ship "mode=th', 'launch ship "mode=thorough" '),
        ("launch recipes/ship.py:shi", "launch recipes/ship.py:ship "),
        ("launch recipes/ship.py:ship optim.ra", "launch recipes/ship.py:ship optim.rate="),
        ("launch -f over", "launch -f overrides.yaml "),
        ("launch ship --file over", "launch ship --file overrides.yaml "),
        ("launch ship weights=@over", "launch ship weights=@overrides.yaml "),
        ("launch command cat over", "launch command cat overrides.yaml "),
        ("show over", "show over"),
        ("launch ship over", "launch ship over"),
    ],
)
def test_a_key_completes_the_word(terminal: Terminal, typed: str, completed: str | None) -> None:
    expected = completed or f"{typed}terov="

    assert terminal.completed(f"nemorun {typed}") == f"nemorun {expected}"


def test_a_run_is_completed(terminal: Terminal, sailor: Nemorun) -> None:
    tail = sailor.ok("list", "--quiet").strip()[-8:]

    assert terminal.completed(f"nemorun show {tail[:4]}") == f"nemorun show {tail} "


def test_what_there_is_is_listed(terminal: Terminal) -> None:
    # What was typed may be told from the rest by its colour.
    terminal.listed("nemorun launch ship optim.", "nesterov=")
    terminal.listed("nemorun list --state ", "succeeded")


def test_it_works_behind_other_commands_and_variables(terminal: Terminal) -> None:
    typed = "true; NEMORUN_EXECUTOR=local nemorun launch ship optim.ra"

    assert terminal.completed(typed) == typed + "te="


@pytest.mark.parametrize("shell", INSTALLED)
def test_the_line_in_the_readme_installs_it(nemorun: Nemorun, shell: str) -> None:
    require(shell, there=shutil.which(shell) is not None, why=f"{shell} is not installed")
    line, question, answer = INSTALLED[shell]
    before = "autoload -Uz compinit; compinit -D -u; " if shell == "zsh" else ""
    done = subprocess.run(
        [shell, "-c", f"{before}{line}; {question}"],
        env=nemorun.environment(PATH=f"{NEMORUN.parent}:{os.environ['PATH']}"),
        cwd=nemorun.cwd,
        capture_output=True,
        text=True,
        check=True,
    )

    assert answer in done.stdout
    assert f"    {line}\n" in README
