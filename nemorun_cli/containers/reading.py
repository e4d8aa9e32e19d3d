"""What the engine tells of a container's end, put together with what the job itself told."""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from nemorun_cli.core.jobs import JobState, Reason
from nemorun_cli.jobfiles import JobFiles, attempts_of, history_of

ENDED = ("exited", "dead")
_SIGNALS = range(129, 193)
_LOST = 255
"""What the engine tells of a container whose end it did not see."""
_FRACTION = re.compile(r"\.\d+")


def ended(seen: Mapping[str, Any]) -> bool:
    """Whether an inspected container has run and does not any more."""
    return seen.get("State", {}).get("Status") in ENDED


def last_words(seen: Mapping[str, Any], files: JobFiles, printed: str) -> str:
    """The text of exit.json for a job whose container has ended.

    `seen` is what inspection tells, `printed` what the container's first process has printed.
    """
    state = seen.get("State", {})
    try:
        told = json.loads(files.last_words)
    except (ValueError, RecursionError):
        told = None
    words = _corrected(told, state) if isinstance(told, dict) else _unsaid(state, files, printed)
    return json.dumps(words)


def _corrected(told: dict[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
    """What the job said; the kernel's verdict on its memory is the engine's to tell."""
    killed = told.get("state") == JobState.FAILED and told.get("reason") == Reason.SIGNAL
    if killed and told.get("signal") == 9 and state.get("OOMKilled"):  # noqa: PLR2004
        return {**told, "reason": Reason.OOM.value}
    return told


def _unsaid(state: Mapping[str, Any], files: JobFiles, printed: str) -> dict[str, Any]:
    """The end of a container whose shell was killed, or never came to run job.sh."""
    attempts = attempts_of(files.history)
    known = {
        "attempt": attempts[-1].number if attempts else 1,
        "started_at": attempts[-1].started_at if attempts else seconds(state.get("StartedAt")),
        "ended_at": seconds(state.get("FinishedAt")),
    }
    code = int(state.get("ExitCode") or 0)
    signal = code - 128 if code in _SIGNALS else None
    if files.cancelled:
        return _words(JobState.CANCELLED, Reason.CANCELLED, code, signal, **known)
    if state.get("OOMKilled"):
        return _words(JobState.FAILED, Reason.OOM, code, signal, **known)
    if code == _LOST:
        detail = "the engine stopped before it could see how the container ended"
        return _words(JobState.LOST, Reason.LOST, None, None, **known, detail=detail)
    if signal is not None:
        detail = "its container was killed"
        return _words(JobState.FAILED, Reason.SIGNAL, code, signal, **known, detail=detail)
    lines = printed.strip().splitlines()
    said = str(state.get("Error") or "") or (lines[-1] if lines else "")
    begun = bool(history_of(files.history))
    detail = said or ("its shell ended" if begun else "the container's shell did not run job.sh")
    return _words(JobState.FAILED, Reason.EXIT, code or 1, None, **known, detail=detail)


def _words(
    state: JobState,
    reason: Reason,
    code: int | None,
    signal: int | None,
    **known: Any,  # noqa: ANN401
) -> dict[str, Any]:
    told = {"state": state.value, "reason": reason.value, "exit_code": code, "signal": signal}
    return {**told, **known}


def seconds(text: object) -> float | None:
    """A time of the engine's, such as `2024-05-01T10:00:00.123456789Z`; None for none."""
    try:
        found = datetime.fromisoformat(_FRACTION.sub("", str(text)))
    except ValueError:
        return None
    return found.timestamp() if found.year > 1 else None
