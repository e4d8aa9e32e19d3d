"""The only printer: answers go to standard output, everything else to standard error."""

import os
import re
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, TextIO

from nemorun_cli.core.errors import NemorunError
from nemorun_cli.core.jobs import JobState

_COLOURS = {
    JobState.SUCCEEDED: "32",
    JobState.FAILED: "31",
    JobState.LOST: "35",
    JobState.CANCELLED: "33",
    JobState.RUNNING: "36",
}
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_MIN_COLUMN = 6
_BATCH = 1000


class ReaderGoneError(Exception):
    """Whoever read standard output has seen enough."""


class OutputError(NemorunError):
    """Standard output cannot be written."""

    code = "output"


def answer(text: str, *, flush: bool = True) -> None:
    """One line, or several, of the answer itself; byte for byte, whatever it holds.

    ReaderGoneError or OutputError when it cannot be written; what follows is then dropped.
    """
    raw(text.encode("utf-8", "surrogateescape") + b"\n", flush=flush)


def text(text: str) -> None:
    """An answer of many lines, byte for byte; on a terminal its control characters are escaped."""
    answer(clean(text) if terminal(sys.stdout) else text)


def raw(data: bytes, *, flush: bool = True) -> None:
    """A piece of an answer that is no text; errors as `answer`."""
    try:
        stdout = sys.stdout.buffer
        stdout.write(data)
        if flush:
            stdout.flush()
    except BrokenPipeError:
        _drop(1)
        raise ReaderGoneError from None
    except (OSError, ValueError, AttributeError) as error:  # No room; closed; never open.
        reason = getattr(error, "strerror", None) or "it is closed"
        _drop(1)
        raise OutputError(f"cannot write to standard output: {reason.lower()}") from None


def _drop(stream: int) -> None:
    """Let what is still to be written, by Python's own flush at the end too, go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream)


def note(text: str) -> None:
    """A remark beside the answer; where it cannot be written, nothing fails for that."""
    passed_on(clean(text))


def passed_on(text: str) -> None:
    """A line beside the answer, byte for byte, as the output of a job is; errors as `note`."""
    try:
        sys.stderr.buffer.write(text.encode("utf-8", "surrogateescape") + b"\n")
        sys.stderr.buffer.flush()
    except (OSError, ValueError, AttributeError):
        _drop(2)


def warn(text: str) -> None:
    """A remark that something is not as it should be."""
    passed_on(f"{paint('warning:', '33', sys.stderr)} {clean(text)}")


def document(value: Mapping[str, Any]) -> None:
    """One JSON document; keys stay in the order they were given."""
    answer(_json(value))


def fail(error: NemorunError, *, as_json: bool = False) -> int:
    """Tell of an error on standard error; its exit code."""
    from nemorun_cli.cli import errortexts

    if as_json:
        passed_on(_json(errortexts.document_of(error)))
    else:
        passed_on("\n".join(errortexts.lines_of(error)))
    return error.exit_code


def progress(text: str) -> None:
    """One line that replaces the one before it; only where somebody can see it move."""
    if terminal(sys.stderr):
        sys.stderr.write(f"\r\x1b[K{one_line(text)[: _width(sys.stderr) - 1]}")
        sys.stderr.flush()


def end_progress() -> None:
    """Remove the moving line."""
    if terminal(sys.stderr):
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


def table(
    head: Sequence[str], rows: Iterable[Sequence[str]], *, shrink: Sequence[int] = ()
) -> None:
    """A table for a person, or tab-separated lines without a head for a program.

    Columns named in `shrink` give way, in that order, where the terminal is too narrow; empty ones
    are left out.
    """
    if not terminal(sys.stdout):
        lines(rows)
        return
    head, *rows = (tuple(map(one_line, row)) for row in (head, *rows))
    if not rows:
        return
    used = [any(row[column] for row in rows) for column in range(len(head))]
    shrink = [sum(used[:column]) for column in shrink if used[column]]
    head, *rows = [
        [cell for cell, kept in zip(row, used, strict=True) if kept] for row in (head, *rows)
    ]
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    _shrink(widths, shrink, _width(sys.stdout))
    answer(paint(_row(head, widths), "1", sys.stdout))
    for row in rows:
        answer(_coloured(_row(row, widths)))


def fits(head: Sequence[str], rows: Iterable[Sequence[str]]) -> bool:
    """Whether the terminal is wide enough for a table of these."""
    head, *rows = (tuple(map(one_line, row)) for row in (head, *rows))
    widths = [
        max(map(len, column))
        for column in zip(head, *rows, strict=True)
        if any(column[1:]) or not rows
    ]
    return sum(widths) + 2 * (len(widths) - 1) <= _width(sys.stdout)


def lines(rows: Iterable[Sequence[str]]) -> None:
    """Tab-separated lines; many are never in memory together."""
    for batch in _batches(rows):
        answer("\n".join("\t".join(map(one_line, row)) for row in batch))


def csv(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Lines of comma-separated values under a head, a row each; many are never in memory."""
    import csv
    import io

    for batch in _batches(chain([head], rows)):
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows(map(one_line, row) for row in batch)
        answer(text.getvalue().removesuffix("\n"))


def _batches(rows: Iterable[Sequence[str]]) -> Iterator[list[Sequence[str]]]:
    left = iter(rows)
    while batch := list(islice(left, _BATCH)):
        yield batch


def pairs(facts: Mapping[str, str]) -> Iterator[str]:
    """Lines of names and values, the values below each other."""
    told = {one_line(name): value for name, value in facts.items()}
    width = max(map(len, told), default=0)
    for name, value in told.items():
        yield f"  {paint(name.ljust(width), '2', sys.stdout)}  {one_line(value)}"


def head(title: str) -> str:
    """The line above a part of an answer."""
    return paint(one_line(title), "1", sys.stdout)


def paint(text: str, colour: str, stream: TextIO) -> str:
    """The text in this colour (an SGR parameter), where the stream shows colours."""
    return f"\x1b[{colour}m{text}\x1b[0m" if _has_colours(stream) else text


def paint_state(state: JobState) -> str:
    """The state, in its colour."""
    return paint(state.value, _COLOURS.get(state, "0"), sys.stdout)


def terminal(stream: TextIO | None) -> bool:
    """Whether a person reads this stream as it is written."""
    return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"


def ago(seconds: float | None, now: float | None = None) -> str:
    """How long ago a time was, in one unit."""
    if seconds is None:
        return "-"
    return span((time.time() if now is None else now) - seconds)


def span(seconds: float) -> str:
    """A length of time, roughly; one that is negative counts as none."""
    seconds = max(0, int(seconds))
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size or (seconds >= size and unit == "m"):
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def number(value: object) -> str:
    """A number in as many digits as people read."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _json(value: Mapping[str, Any]) -> str:
    import json

    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    text = _CONTROLS.sub(lambda found: f"\\u{ord(found.group()):04x}", text)
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:  # Bytes of an argument that were no UTF-8.
        return json.dumps(value, indent=2, default=str)
    return text


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    shown = [_fit(cell, width).ljust(width) for cell, width in zip(cells, widths, strict=True)]
    return "  ".join(shown).rstrip()


def _fit(cell: str, width: int) -> str:
    return cell if len(cell) <= width else cell[: width - 1] + "…"


def _shrink(widths: list[int], order: Sequence[int], room: int) -> None:
    for column in order:
        over = sum(widths) + 2 * (len(widths) - 1) - room
        if over > 0:
            widths[column] = max(_MIN_COLUMN, widths[column] - over)


def _coloured(row: str) -> str:
    for state, colour in _COLOURS.items():
        if f" {state.value}" in row and _has_colours(sys.stdout):
            return row.replace(state.value, f"\x1b[{colour}m{state.value}\x1b[0m", 1)
    return row


def clean(text: str) -> str:
    """What names of files and metrics may hold, and no terminal should be told, escaped."""
    return _CONTROLS.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


def one_line(cell: str) -> str:
    """The same of a cell, a break of the line and a tab included."""
    if cell.isprintable():
        return cell
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in cell
    )


def _width(stream: TextIO) -> int:
    try:
        columns = int(os.environ.get("COLUMNS") or os.get_terminal_size(stream.fileno()).columns)
    except (OSError, ValueError):
        columns = 0
    return columns or 80


def _has_colours(stream: TextIO) -> bool:
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or terminal(stream)
