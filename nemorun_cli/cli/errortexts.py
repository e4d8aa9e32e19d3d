"""Errors, as they are told."""

import sys
from typing import Any

from nemorun_cli.cli import output
from nemorun_cli.core.errors import NemorunError, Problem


def document_of(error: NemorunError) -> dict[str, Any]:
    """An error for a program."""
    from nemorun_cli.cli.documents import error_document

    return error_document(
        {
            "code": error.code,
            "message": error.message,
            "hint": error.hint or None,
            "problems": [
                {"message": each.message, "text": each.text or None, "hint": each.hint or None}
                for each in error.problems
            ],
        },
    )


def lines_of(error: NemorunError) -> list[str]:
    """An error for a person: what is wrong, where in what was typed, what to do."""
    label = output.paint("error:", "31;1", sys.stderr)
    if not error.problems:
        return [f"{label} {output.clean(error.message)}", *_hint(error.hint)]
    lines = [] if len(error.problems) == 1 else [f"{label} {output.clean(error.message)}"]
    for problem in error.problems:
        lines += [
            f"{label} {output.clean(problem.message)}",
            *_caret(problem),
            *_hint(problem.hint),
        ]
    told = {problem.hint for problem in error.problems}
    return lines if error.hint in told else [*lines, *_hint(error.hint)]


def _caret(problem: Problem) -> list[str]:
    if not problem.text or not problem.text.isprintable():
        return [f"  {problem.text!r}"] if problem.text else []
    mark = "^" * max(1, problem.end - problem.start)
    return [f"  {problem.text}", f"  {' ' * problem.start}{output.paint(mark, '31', sys.stderr)}"]


def _hint(hint: str) -> list[str]:
    return [f" {output.paint('hint:', '36', sys.stderr)} {output.clean(hint)}"] if hint else []
