"""What is printed does nothing to the terminal it is printed on, and breaks no row."""

import contextlib
import csv
import io
import json
import re
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from nemorun_cli.cli import output

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
NASTY = st.sampled_from(
    ["\n", "\t", "\r", "\x1b[31m", "\x9b2J", "\x7f", "\0", "\\n", ",", '"', "é"]
)
TEXT = st.lists(NASTY | st.text(max_size=5), max_size=4).map("".join)
ROWS = st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=5)


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


def printed(
    show: Callable[[], None], stream: type[io.TextIOWrapper] = io.TextIOWrapper
) -> list[str]:
    """The lines that go to standard output."""
    stdout = stream(io.BytesIO(), encoding="utf-8", errors="surrogateescape", newline="")
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stdout):
        show()
    stdout.seek(0)
    return stdout.read().removesuffix("\n").split("\n")


@given(head=st.tuples(TEXT, TEXT), rows=ROWS)
def test_a_row_is_a_line_and_a_cell_a_cell(
    head: tuple[str, str], rows: list[tuple[str, str]]
) -> None:
    whole = [head, *rows]
    for line, row in zip(printed(lambda: output.lines(whole)), whole, strict=True):
        assert line.split("\t") == [output.one_line(cell) for cell in row]
    for line, row in zip(printed(lambda: output.csv(head, rows)), whole, strict=True):
        assert next(csv.reader([line])) == [output.one_line(cell) for cell in row]


@given(head=st.tuples(TEXT, TEXT), rows=ROWS)
def test_a_terminal_is_told_no_control_characters(
    head: tuple[str, str], rows: list[tuple[str, str]]
) -> None:
    def show() -> None:
        output.table(head, rows, shrink=(0, 1))
        output.csv(head, rows)
        for line in output.pairs(dict(rows)):
            output.answer(line)
        output.answer(output.head(head[0]))

    for line in printed(show, Terminal):
        plain = re.sub(r"\x1b\[[12]?m|\x1b\[0m|\x1b\[3\dm", "", line)
        assert CONTROL.search(plain) is None


@given(text=TEXT)
def test_longer_texts_keep_their_lines_and_lose_their_controls(text: str) -> None:
    for show in (output.text, output.note):
        shown = "\n".join(printed(lambda show=show: show(text), Terminal))  # type: ignore[misc]
        assert CONTROL.search(shown.replace("\n", "").replace("\t", "")) is None
        assert shown.count("\n") == text.count("\n")
    assert "\n".join(printed(lambda: output.text(text))) == text


@given(text=TEXT)
def test_a_document_says_the_same_without_control_characters(text: str) -> None:
    shown = "\n".join(printed(lambda: output.document({text: text})))

    assert json.loads(shown) == {text: text}
    assert CONTROL.search(shown.replace("\n", "")) is None
