"""Completion: answered before Typer is imported, from files alone, and without side effects.

The shells' functions in completions/ call `_NEMORUN_COMPLETE=1 nemorun WORD...` with the words up
to the cursor; each line of the answer is a candidate, a tab, and a description.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from nemorun_cli.cli import COMMANDS
from nemorun_cli.cli.flags import FLAGS

VARIABLE = "_NEMORUN_COMPLETE"
_MOST_RUNS = 50
Candidate = tuple[str, str]

_BASH = """\
_nemorun() {
    local IFS=$'\\n' candidate
    COMPREPLY=()
    while IFS=$'\\t' read -r candidate _; do
        COMPREPLY+=("$candidate")
    done < <(_NEMORUN_COMPLETE=1 "${COMP_WORDS[0]}" "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _nemorun nemorun
"""
_ZSH = """\
#compdef nemorun
_nemorun() {
    local -a candidates
    local candidate description
    while IFS=$'\\t' read -r candidate description; do
        candidates+=("${candidate//:/\\\\:}:$description")
    done < <(_NEMORUN_COMPLETE=1 "${words[1]}" "${(@)words[2,CURRENT]}" 2>/dev/null)
    _describe nemorun candidates || _files
}
compdef _nemorun nemorun
"""
_FISH = """\
function __nemorun_complete
    set -l words (commandline --tokens-expanded --cut-at-cursor 2>/dev/null
        or commandline --tokenize --cut-at-cursor)
    set -lx _NEMORUN_COMPLETE 1
    $words[1] $words[2..-1] (commandline --current-token --cut-at-cursor) 2>/dev/null
end
complete --command nemorun --arguments '(__nemorun_complete)'
"""
SCRIPTS = {"nemorun.bash": _BASH, "nemorun.zsh": _ZSH, "nemorun.fish": _FISH}


def answer(words: Sequence[str]) -> list[str]:
    """The lines to print for these words, of which the last is being typed; never an error."""
    current = words[-1] if words else ""
    try:
        found = list(_candidates(list(words[:-1]), current))
    except Exception:  # noqa: BLE001 - A shell's line editor is no place for a traceback.
        return []
    return [f"{name}\t{text}" for name, text in found if name.startswith(current)]


def _candidates(before: list[str], current: str) -> Iterable[Candidate]:
    if not before:
        return [*COMMANDS.items(), ("--help", "show help"), ("--version", "show the version")]
    command, last = before[0], before[-1]
    if command not in COMMANDS or "--" in before:
        return []
    if current.startswith("-"):
        return FLAGS[command].items()
    return _AFTER.get(last, _ARGUMENTS.get(command, _nothing))(before)


def _nothing(_before: list[str]) -> Iterable[Candidate]:
    return ()


def _states(_before: list[str]) -> Iterable[Candidate]:
    words = ("submitting", "pending", "running", "succeeded", "failed", "cancelled", "lost")
    return ((word, "") for word in words)


def _moods(_before: list[str]) -> Iterable[Candidate]:
    return (("auto", ""), ("now", ""), ("never", ""))


def _runs(_before: list[str]) -> Iterator[Candidate]:
    from nemorun_cli.actions.wiring import store_of
    from nemorun_cli.core.ids import tail

    yield "last", "the newest run"
    for run_id in islice(store_of().ids(), _MOST_RUNS):
        yield tail(run_id), run_id


def _executors(_before: list[str]) -> Iterator[Candidate]:
    from nemorun_cli import settings
    from nemorun_cli.executors import BUILT_IN

    yield from ((name, "executor") for name in BUILT_IN)
    chosen = settings.load(environ=os.environ, root=_root())
    yield from ((name, f"profile of {kind}") for name, kind in settings.profiles(chosen).items())


def _settings(_before: list[str]) -> Iterator[Candidate]:
    from dataclasses import fields

    from nemorun_cli.core.jobs import Resources

    yield from ((f"{each.name}=", each.metadata["doc"]) for each in fields(Resources))


def _recipes(before: list[str]) -> Iterator[Candidate]:
    from nemorun_cli.config.discover import catalogue

    if any(not word.startswith("-") for word in before[1:]):
        return
    yield from ((each.name, each.doc) for each in catalogue(_root(), entry_points=False).recipes)
    yield "command", "any command line"


def _root() -> Path | None:
    from nemorun_cli.roots import find_root

    return find_root(Path.cwd(), home=Path(os.environ.get("HOME") or "/"))


_AFTER = {
    "--executor": _executors,
    "-e": _executors,
    "--set": _settings,
    "-x": _settings,
    "--state": _states,
    "-s": _states,
    "--refresh": _moods,
    "--after": _runs,
}
_ARGUMENTS = {
    **dict.fromkeys(("show", "status", "logs", "cancel", "wait", "tag", "rm", "rerun"), _runs),
    **dict.fromkeys(("launch", "recipes"), _recipes),
    **dict.fromkeys(("executors", "doctor"), _executors),
}
