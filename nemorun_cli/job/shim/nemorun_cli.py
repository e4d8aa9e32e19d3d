"""Stands in for nemorun_cli in a job: its decorators leave a recipe as it is.

Only a launch reads what they mark. `nemorun_cli.track` beside this file is the real one.
"""

from __future__ import annotations

from typing import Any


def recipe(function: Any = None, **_: Any) -> Any:  # noqa: ANN401
    """The function unchanged; `@recipe()` works like `@recipe`."""
    return recipe if function is None else function


factory = recipe


class Reproduces:
    """Says nothing here: what is to come out the same was recorded at the launch."""

    def __init__(self, *_: Any, **__: Any) -> None:  # noqa: ANN401
        """Take what the real one takes."""


def lazy(target: str) -> str:
    """The text itself: nothing is built from it here."""
    return target
