"""`nemorun pull`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from nemorun_cli.cli import output, params
from nemorun_cli.core.jobs import JobFile
from nemorun_cli.core.sizes import size


def command(
    run: Annotated[str, typer.Argument(metavar="RUN", help=params.RUN_HELP)],
    patterns: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[GLOB]...",
            help="`ckpt/last*`, `**/*.pt`, or a folder; without any, what there is is listed.",
        ),
    ] = None,
    *,
    folder: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Where to; else a folder named RUN."),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Fetch more than 10 GiB, if it is so much.")
    ] = False,
    json: params.JsonOption = False,
) -> None:
    """Fetch files that a run has left in its working folder, or list them.

    What is there already, by size and time of change, is not fetched again, and a file that broke
    off is continued. Paths stay as they are in the run; nothing is written outside DIR. The code
    that the run was given is not among its files.
    """
    from nemorun_cli.actions import pull, wiring
    from nemorun_cli.actions.select import run_of

    params.refuse_without("GLOB", {} if patterns else {"--output": folder, "--yes": yes})
    ports = wiring.ports()
    chosen = run_of(run, ports=ports)
    if not patterns:
        files = pull.listed(chosen, (), ports=ports)
        _print(files, {}, run_id=chosen.id, folder=None, json=json)
        if not files:
            output.note("the run has left no files in its working folder")
        return
    target = folder or Path(chosen.id)
    done = pull.pull(chosen, patterns, target, ports=ports, large=yes, tell=_tell)
    output.end_progress()
    for problem in done.problems:
        output.warn(problem)
    states = {each.path: "fetched" for each in done.fetched}
    states |= {each.path: "there" for each in done.there}
    files = sorted([*done.fetched, *done.there], key=lambda each: each.path)
    _print(files, states, run_id=chosen.id, folder=target, json=json)
    amount = size(sum(file.size for file in done.fetched))
    known = f"; there already: {len(done.there)}" if done.there else ""
    count = "1 file" if len(done.fetched) == 1 else f"{len(done.fetched)} files"
    output.note(f"{count}, {amount}, fetched into {target}{known}")


def _tell(file: JobFile, here: int) -> None:
    output.progress(f"{file.path}  {size(here)} of {size(file.size)}")


def _print(
    files: Sequence[JobFile],
    states: dict[str, str],
    *,
    run_id: str,
    folder: Path | None,
    json: bool,
) -> None:
    import sys

    if json:
        output.document(_document(files, states, run_id=run_id, folder=folder))
        return
    person = output.terminal(sys.stdout)
    rows = [
        (
            file.path,
            size(file.size) if person else str(file.size),
            output.ago(file.modified_ns / 1e9) if person else _moment(file),
            states.get(file.path, ""),
        )
        for file in files
    ]
    output.table(("PATH", "SIZE", "AGE", "WHAT"), rows, shrink=(0,))


def _document(
    files: Sequence[JobFile], states: dict[str, str], *, run_id: str, folder: Path | None
) -> dict[str, Any]:
    from nemorun_cli.cli.documents import document

    return document(
        run=run_id,
        directory=None if folder is None else str(folder.absolute()),
        files=[
            {
                "path": file.path,
                "bytes": file.size,
                "modified_at": _moment(file),
                "fetched": states.get(file.path) == "fetched",
            }
            for file in files
        ],
    )


def _moment(file: JobFile) -> str:
    from nemorun_cli.cli.documents import iso

    return iso(file.modified_ns / 1e9) or ""
