"""How the words of an unfinished command line are told apart."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemorun_cli.cli.words import place, quoted, split

PRINTABLE = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1)


@given(texts=st.lists(PRINTABLE, min_size=1))
def test_what_is_quoted_is_read_back(texts: list[str]) -> None:
    line = " ".join(quoted(text, "") for text in texts)

    assert [word.text for word in split(line)] == texts


@given(texts=st.lists(st.text(st.characters(exclude_characters="\n")), min_size=1))
def test_words_are_told_apart_as_a_shell_does(texts: list[str]) -> None:
    line = shlex.join(texts)

    assert [word.text for word in split(line)] == shlex.split(line)


@pytest.mark.parametrize(
    ("line", "last", "quote"),
    [
        ("nemorun ", "", ""),
        ("nemorun launch", "launch", ""),
        ("nemorun 'gpt(size", "gpt(size", "'"),
        ('nemorun "a b', "a b", '"'),
        ("nemorun a\\ b", "a b", ""),
        ("nemorun 'a'b", "ab", ""),
    ],
)
def test_the_last_word_may_be_unfinished(line: str, last: str, quote: str) -> None:
    word = split(line)[-1]

    assert (word.text, word.quote) == (last, quote)


@pytest.mark.parametrize(
    ("words", "arguments", "flag"),
    [
        (["launch"], (), ""),
        (["launch", "-e", "local", "gpt"], ("gpt",), ""),
        (["launch", "-elocal", "gpt"], ("gpt",), ""),
        (["launch", "--executor=local", "gpt"], ("gpt",), ""),
        (["launch", "--wait", "gpt"], ("gpt",), ""),
        (["launch", "-we", "local", "gpt"], ("gpt",), ""),
        (["launch", "gpt", "-x"], ("gpt",), "--set"),
        (["launch", "gpt", "--unknown", "a"], ("gpt", "a"), ""),
        (["launch", "command", "--", "-e"], ("command", "-e"), ""),
        (["unknown", "-e"], (), ""),
    ],
)
def test_flags_and_their_values_are_no_arguments(
    words: list[str], arguments: tuple[str, ...], flag: str
) -> None:
    found = place(words)

    assert (found.arguments, found.flag) == (arguments, flag)
