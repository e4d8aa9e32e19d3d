"""Metrics of a run: `log(step=3, loss=0.3)` adds one line to its metrics.jsonl.

Standard library only, Python 3.8: inside a job this file stands alone.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from typing import Any

_warned = False
_torn = False


def log(step: float | None = None, *, all_ranks: bool = False, **metrics: Any) -> None:  # noqa: ANN401
    """Record numbers under their names, at a step.

    Outside a job it does nothing, and of several ranks only the first is heard, unless `all_ranks`.
    Numbers may be of NumPy or PyTorch, with one element. A disk that is full costs the line and
    one warning, never the run. A name that no argument can have goes by `**{"val/loss": 0.3}`.
    """
    path = os.environ.get("NEMORUN_METRICS")
    streamed = os.environ.get("NEMORUN_STREAM") == "1"
    rank = _rank()
    if not (path or streamed) or (rank != 0 and not all_ranks):
        return
    values = {name: _number(name, value) for name, value in metrics.items()}
    at = None if step is None else _number("step", step)
    record = {"time": time.time(), "step": at, "rank": rank, "metrics": values}
    line = json.dumps(record)
    try:
        if path:
            _append(path, line)
        if streamed:
            # The empty line ends what may stand open; it is hidden with the other.
            sys.stdout.write(f"\n::nemorun:: {line}\n")
            sys.stdout.flush()
    except OSError as error:
        _warn(error)


track = log  # What code that was stored by an earlier launch may call.


def _rank() -> int:
    text = os.environ.get("RANK") or os.environ.get("NEMORUN_NODE_RANK") or "0"
    return int(text) if text.isdigit() else 0


def _number(name: str, value: Any) -> float | str:  # noqa: ANN401
    """The value as JSON can carry it: it has no word for what is no finite number."""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, int):
        return int(value)
    if isinstance(value, (str, bytes)) or not hasattr(value, "__float__"):
        raise TypeError(f"metric {name!r} is no number but of the type {type(value).__name__}")
    number = float(value)
    return number if math.isfinite(number) else str(number)


def _append(path: str, line: str) -> None:
    global _torn  # noqa: PLW0603
    # One write to a file opened for appending: lines of several ranks never mix.
    data = (("\n" if _torn else "") + line + "\n").encode()
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        written = os.write(fd, data)
    finally:
        os.close(fd)
    _torn = written < len(data)
    if _torn:
        raise OSError(f"only {written} of {len(data)} bytes could be written")


def _warn(error: OSError) -> None:
    global _warned  # noqa: PLW0603
    if not _warned:
        _warned = True
        sys.stderr.write(f"nemorun: metrics are being lost: {error}\n")
