"""The corpus of outputs: what is read from what Slurm prints, word for word.

A file of recorded/ is named for the command, and for the version whose shape it has; 22.05 was
recorded on a real cluster. Lines that begin with `> ` are an output; what is read from it stands
below. NEMORUN_GOLDEN=write writes that anew, and the diff is for reading.
"""

import os
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest

from nemorun_cli.core.jobs import JobStatus
from nemorun_cli.slurm import complaints
from nemorun_cli.slurm.reading import parse_sacct, parse_squeue, parse_submitted
from nemorun_cli.slurm.states import may_be_requeued
from nemorun_cli.slurm.status import status_from_accounting, status_from_queue

FOLDER = Path(__file__).parent / "recorded"
WRITE = os.environ.get("NEMORUN_GOLDEN") == "write"
FILES = sorted(FOLDER.glob("*.txt"))
NOW = 1795600000.0


def told(status: JobStatus, word: str) -> str:
    """A status in one line."""
    parts = [status.state.value, status.reason.value if status.reason else "-"]
    parts += [f"exit={status.exit_code}"] if status.exit_code is not None else []
    parts += [f"signal={status.signal}"] if status.signal is not None else []
    parts += [f"started={status.started_at:.0f}"] if status.started_at else []
    parts += [f"ended={status.ended_at:.0f}"] if status.ended_at else []
    parts += ["may come back"] if may_be_requeued(word) else []
    return " ".join(parts) + (f" | {status.reason_detail}" if status.reason_detail else "")


def squeue(text: str) -> Iterator[str]:
    for key, row in parse_squeue(text).items():
        yield f"{key}: {told(status_from_queue(row, now=NOW), row.state)}"
        yield f"    {row.name!r} {row.comment!r} on {row.nodes!r} of {row.submit} in {row.cluster}"


def sacct(text: str) -> Iterator[str]:
    for key, found in parse_sacct(text).items():
        status = status_from_accounting(found)
        yield f"{key}: {told(status, found.state)}"
        yield f"    {found.name!r} {found.comment!r} on {found.nodes!r} of {found.submit}"
        if found.earlier:
            yield f"    earlier: {', '.join(found.earlier_words)}"
            yield from (f"    {each}" for each in status.attempts)


def sbatch(text: str) -> Iterator[str]:
    yield f"{parse_submitted(text)}"


def stderr(text: str) -> Iterator[str]:
    kinds = ("accounting_disabled", "accounting_down", "controller_busy", "invalid_job_id")
    yield ", ".join(kind for kind in kinds if getattr(complaints, kind)(text)) or "a refusal"
    refusal = complaints.refusal(text)
    yield f"refusal: {refusal}"
    yield f"advice: {complaints.advice(refusal)}"


READERS = {"squeue": squeue, "sacct": sacct, "sbatch": sbatch, "stderr": stderr}


def anew(path: Path) -> str:
    """The file, with what is read today below each output."""
    reader = READERS[path.stem.partition("-")[0]]
    lines = []
    for kind, group in groupby(path.read_text().splitlines(), key=lambda line: line[:1]):
        if kind == "#":
            lines += ["", *group]
        elif kind == ">":
            output = list(group)
            lines += [*output, *reader("\n".join(line[2:] for line in output) + "\n")]
    return "\n".join(lines).lstrip("\n") + "\n"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_outputs_are_read_as_recorded(path: Path) -> None:
    read = anew(path)

    if WRITE:
        path.write_text(read)
    assert read == path.read_text()


def test_the_corpus_has_the_shapes_of_many_versions() -> None:
    versions = {path.stem.partition("-")[2] for path in FILES}

    assert versions >= {"17.02", "18.08", "20.11", "21.08", "22.05", "23.02", "24.11", "25.05"}
