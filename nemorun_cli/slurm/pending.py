"""Why a job is not running yet, in words: wait, it never will, or ask the administrators."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Pending:
    """What a pending reason means for the user."""

    kind: Literal["wait", "never", "admin"]
    text: str
    """One plain sentence that says what to do, without a period at its end."""


def explain(reason: str) -> Pending:
    """What this pending reason means; one that nobody knows is shown as it is, to wait for."""
    return Pending(kind="wait", text=reason)
