"""Completion: answered before Typer is imported, from files alone, and without side effects.

The shells' functions in completions/ ask with the variable `_NEMORUN_COMPLETE` set:

- `1`, and as arguments the words up to the cursor: each line of the answer is a candidate, a tab,
  and a description. A slash alone asks the shell for the names of files.
- `fish`: the same, but the last word is as it was typed, with its quotes.
- `bash`, and as arguments the line up to the cursor, and the part of it that bash would replace:
  each line is what to put there, or a slash.
- `script-bash`, `script-zsh` or `script-fish`: the answer is the script itself.
"""

import os
import sys
import warnings
from collections.abc import Iterable, Sequence

from nemorun_cli.cli import offers, shells, words
from nemorun_cli.cli.offers import FILES, Candidate


def respond(arguments: Sequence[str], mode: str) -> None:
    """Print the answer; never an error, nor a word on stderr."""
    warnings.simplefilter("ignore")  # Of files that are read; parsing them may warn.
    text = "".join(f"{line}\n" for line in answer(arguments, mode))
    data = text.encode(sys.getfilesystemencoding(), "surrogateescape")
    try:
        while data:
            data = data[os.write(1, data) :]
    except OSError:
        return


def answer(arguments: Sequence[str], mode: str = "1") -> list[str]:
    """The lines to print; none where nothing fits or anything goes wrong."""
    script = shells.SCRIPTS.get(mode.removeprefix("script-"))
    if mode.startswith("script-") and script is not None:
        return script.rstrip("\n").split("\n")
    try:
        if mode == "bash":
            line, replaced = [*arguments, "", ""][:2]
            return list(_for_bash(line, replaced))
        typed = list(arguments) or [""]
        if mode == "fish":
            typed[-1] = words.meaning(typed[-1])
        return [f"{name}\t{_line(text)}" for name, text in candidates(typed)]
    except Exception:  # noqa: BLE001 # A shell's line editor is no place for a traceback.
        return []


def candidates(typed: Sequence[str]) -> list[Candidate]:
    """What the last of these words may become, with what each means."""
    *before, word = typed
    found = dict(_offered(before, word))
    return [
        (name, text)
        for name, text in found.items()
        if (name.startswith(word) and name.isprintable()) or (name, text) == FILES
    ]


def _offered(before: Sequence[str], word: str) -> Iterable[Candidate]:
    if not before:
        return offers.commands()
    place = words.place(before)
    if place.flag:
        return offers.after_flag(place, word)
    if word.startswith("-") and not place.verbatim:
        name, given, value = word.partition("=")
        if not given:
            return offers.flags(place)
        inner = words.place([*before, name])
        found = offers.after_flag(inner, value) if inner.flag else ()
        return [(f"{name}={each}", text) for each, text in found if (each, text) != FILES]
    return offers.argument(place, word)


def _for_bash(line: str, replaced: str) -> Iterable[str]:
    """What to put in the place of the part that bash replaces."""
    typed = words.split(line)[1:] or [words.Word("", "")]
    last = typed[-1]
    start = last.raw[: len(last.raw) - len(replaced)] if last.raw.endswith(replaced) else ""
    kept = len(words.meaning(start))
    for each in candidates([word.text for word in typed]):
        yield each[0] if each == FILES else words.quoted(each[0][kept:], last.quote)


def _line(text: str) -> str:
    return " ".join(text.split())
