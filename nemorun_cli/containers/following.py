"""When a job whose output somebody follows is over."""

import time
from collections.abc import Callable
from pathlib import Path

from nemorun_cli.core.errors import UnreachableError

_PATIENCE = 60
"""Seconds that an engine may be away while somebody follows a job's output."""


def has_spoken(folder: Path) -> bool:
    """Whether the job has told its end."""
    return any((folder / name).exists() for name in ("last_words.json", "exit.json"))


def end_of(folder: Path, over: Callable[[], bool]) -> Callable[[], bool]:
    """Whether the job has ended; the engine is asked once a second, and may be away."""
    asked = answered = time.monotonic()

    def ended() -> bool:
        nonlocal asked, answered
        now = time.monotonic()
        if not has_spoken(folder) and now - asked < 1:
            return False
        asked = now
        try:
            found = over()
        except UnreachableError:
            if now - answered > _PATIENCE:
                raise
            return False
        answered = now
        return found

    return ended
