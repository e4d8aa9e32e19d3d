"""Reading a run from its folder, whatever is in there. Nothing that was stored is executed."""

import json
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from nemorun_cli.core.errors import CorruptError, NewerError, NewerFormatError, NotFoundError
from nemorun_cli.core.jobs import JobState, JobStatus
from nemorun_cli.core.runs import Run
from nemorun_cli.store import documents

RECORD = "run.json"
OBSERVED = "observed.json"
VERDICT = "verdict.json"
LABELS = "labels.json"


def submitted_name(number: int) -> str:
    """The file that holds the handle of the n-th submission."""
    return f"submitted-{number}.json"


def run_in(folder: Path) -> Run:
    """The run that this folder, named by its id, holds.

    NotFoundError if there is no folder, CorruptError if its record is damaged. Damage to anything
    else is told in `problems`, and the rest is given.
    """
    run_id = folder.name
    try:
        names = os.listdir(folder)  # noqa: PTH208
        record = documents.record_from_json(load(f"{folder}/{RECORD}"))
    except (FileNotFoundError, NotADirectoryError):
        if os.path.lexists(folder):
            raise CorruptError(
                f"{run_id}: its {RECORD} is missing",
                hint=f"move {folder} away",
            ) from None
        raise NotFoundError(
            f"no run {run_id!r} in {folder.parent.parent.parent}",
            hint="`nemorun list` shows them",
        ) from None
    except NewerFormatError:
        raise NewerError(run_id) from None
    except (OSError, ValueError) as error:
        raise CorruptError(
            f"{run_id}: cannot read its {RECORD}: {_why(error)}",
            hint=f"move {folder} away",
        ) from None
    if record.id != run_id:
        raise CorruptError(f"{run_id}: its {RECORD} is that of {record.id}")
    return _fold(Run(record=record, tags=record.tags), folder, names)


def load(path: Path | str) -> Any:  # noqa: ANN401
    """The JSON in a file; ValueError for anything else."""
    data = read_bytes(path)
    if not data.strip():
        raise ValueError("it is empty")
    try:
        return json.loads(data)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError:
        raise ValueError("it is not JSON") from None


def read_bytes(path: Path | str) -> bytes:
    """What a plain file holds; OSError for all else, and never a wait, as a pipe would mean."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError("it is not a plain file")
        with open(fd, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(fd)


def _fold(run: Run, folder: Path, names: list[str]) -> Run:
    """The run with all that was learnt of it later."""
    handles = [name for name in names if name.startswith("submitted-")]
    newest = max(handles, key=_number, default="")
    folds: tuple[tuple[str, Callable[[Run, Any], Run]], ...] = (
        (newest, _fold_handle),
        (OBSERVED, _fold_observed),
        (VERDICT, _fold_verdict),
        (LABELS, _fold_labels),
    )
    problems = []
    for name, fold in folds:
        if name not in names:
            continue
        try:
            run = fold(run, load(f"{folder}/{name}"))
        except FileNotFoundError:
            continue  # The run is being deleted.
        except (OSError, ValueError) as error:
            problems.append(f"{run.id}: cannot read its {name}: {_why(error)}")
    return replace(run, problems=tuple(problems))


def _fold_handle(run: Run, value: Any) -> Run:  # noqa: ANN401
    handle = documents.handle_from_json(value)
    return replace(run, handle=handle, status=JobStatus(state=JobState.PENDING))


def _fold_observed(run: Run, value: Any) -> Run:  # noqa: ANN401
    status, at, stale_since = documents.observation_from_json(value)
    if status.state is JobState.SUBMITTING:
        status = run.status  # A handle, if there is one, tells more.
    return replace(
        run,
        status=status,
        observed_at=at if stale_since is None else None,
        stale_since=stale_since,
    )


def _fold_verdict(run: Run, value: Any) -> Run:  # noqa: ANN401
    status, at = documents.verdict_from_json(value)
    return replace(run, status=status, observed_at=at, stale_since=None)


def _fold_labels(run: Run, value: Any) -> Run:  # noqa: ANN401
    tags, notes = documents.labels_from_json(value)
    return replace(run, tags=tags, notes=notes)


def _number(name: str) -> int:
    digits = name.removeprefix("submitted-").removesuffix(".json")
    return int(digits) if digits.isdecimal() else -1


def _why(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        return (error.strerror or str(error)).lower()
    return str(error)
