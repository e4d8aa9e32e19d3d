"""The words of an unfinished command line: as a shell takes them apart, and what each one is."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from nemorun_cli.cli.flags import ARGUMENTS, FLAGS, Flag

_ESCAPED = re.compile(r"[^\w./=+,:@%~^-]", re.ASCII)
_IN_DOUBLE = '$`"\\'


class Word(NamedTuple):
    """One word, as typed and as it is meant."""

    raw: str
    text: str
    quote: str = ""
    """The quote that is still open."""


class Place(NamedTuple):
    """Where in a command the next word stands."""

    command: str
    arguments: tuple[str, ...]
    """What is no flag and no flag's value."""
    flag: str
    """The flag whose value comes next, by its long name; empty if none waits for one."""
    values: Mapping[str, str]
    """The values given to flags so far, by their long names."""
    verbatim: bool
    """Whether `--` has ended the flags."""

    @property
    def wanted(self) -> str:
        """What stands for the next argument in the command's help; empty if it takes no more."""
        known = ARGUMENTS.get(self.command, ())
        index = len(self.arguments)
        if index < len(known):
            return known[index]
        return known[-1] if known and known[-1].endswith("...") else ""


def split(line: str) -> list[Word]:
    """The words of a line up to the cursor, as a POSIX shell would; the last one is being typed."""
    words, at = [], 0
    while True:
        while at < len(line) and line[at].isspace():
            at += 1
        word = _word(line, at)
        words.append(word)
        at += len(word.raw)
        if at >= len(line):
            return words


def meaning(raw: str) -> str:
    """A word without its quotes and backslashes, the last quote perhaps still open."""
    return _word(raw, 0, spaces=True).text


def quoted(text: str, quote: str) -> str:
    """How to write a text in a shell, where this quote is open."""
    if quote == "'":
        return text
    if quote == '"':
        return "".join(f"\\{sign}" if sign in _IN_DOUBLE else sign for sign in text)
    return _ESCAPED.sub(lambda found: f"\\{found.group()}" if found.group() else "", text)


def place(before: Sequence[str]) -> Place:
    """Where the next word stands after these, of which the first is the command."""
    command = before[0]
    arguments: list[str] = []
    values: dict[str, str] = {}
    flag, verbatim = "", False
    for word in before[1:]:
        if flag:
            values[flag] = word
            flag = ""
        elif verbatim or not word.startswith("-") or word == "-":
            arguments.append(word)
        elif word == "--":
            verbatim = True
        else:
            flag, value = _waiting(command, word)
            if flag and value:
                values[flag] = value
                flag = ""
    return Place(command, tuple(arguments), flag, values, verbatim)


def _waiting(command: str, word: str) -> tuple[str, str]:
    """The flag of this word that takes a value, or none; and the value if the word holds it too."""
    known = FLAGS.get(command, {})
    if word.startswith("--"):
        name, _, value = word.partition("=")
        taking = known.get(name, Flag("", "", "")).value
        return (name, value) if taking else ("", "")
    by_letter = {each.short: name for name, each in known.items() if each.value}
    for index, letter in enumerate(word[1:], start=2):
        found = by_letter.get(f"-{letter}")
        if found is not None:
            return found, word[index:]
    return "", ""


def _word(line: str, at: int, *, spaces: bool = False) -> Word:
    text, quote, start = "", "", at
    while at < len(line):
        sign = line[at]
        escapes = sign == "\\" and quote != "'"
        if escapes and (not quote or line[at + 1 : at + 2] in _IN_DOUBLE):
            text += line[at + 1 : at + 2]
            at += 1
        elif quote:
            text, quote = (text, "") if sign == quote else (text + sign, quote)
        elif sign in "'\"":
            quote = sign
        elif sign.isspace() and not spaces:
            break
        else:
            text += sign
        at += 1
    return Word(line[start:at], text, quote)
