"""What runs have measured, however they wrote it down."""

import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from nemorun_cli import settings
from nemorun_cli.actions.requests import surroundings
from nemorun_cli.actions.wiring import Ports
from nemorun_cli.core.errors import MissingExtraError, NotFoundError, UsageError
from nemorun_cli.core.metrics import Point, logged, pattern_of, tracked
from nemorun_cli.core.ports import Executor, HasFiles, HasMetrics
from nemorun_cli.core.runs import Run

_SHOWN = 12


def points(
    run: Run,
    *,
    ports: Ports,
    names: Sequence[str] = (),
    pattern: re.Pattern[str] | None = None,
    problems: list[str],
) -> Iterator[Point]:
    """Each point of the metrics with these names (`val/*`; all if there are none), as it is read.

    Those that the job has tracked, oldest first; with `pattern`, those that its log tells of; those
    of TensorBoard's event files in its folder. Nothing is kept in memory.

    NotFoundError where there is none of these names, but there are others. MissingExtraError if
    event files are all there is, and TensorBoard is not installed; if there is more, that becomes
    one of `problems`.
    """
    known: dict[str, bool] = {}
    try:
        for point in _all(run, ports=ports, pattern=pattern):
            wanted = known.get(point.name)
            if wanted is None:
                meant = not names or any(means(name, point.name) for name in names)
                wanted = known[point.name] = meant
            if wanted:
                yield point
    except MissingExtraError as error:
        if not known:
            raise
        problems.append(f"{error.message}: {error.hint}")
    if known and not any(known.values()):
        listed = ", ".join(list(known)[:_SHOWN])
        raise NotFoundError(
            f"{run.id} has no metric {' or '.join(map(repr, names))}", hint=f"it has {listed}"
        )


def chosen_pattern(typed: str | None) -> re.Pattern[str] | None:
    """What was typed, else `[metrics] pattern` of the project or the user; None if none is set.

    UsageError for what is no pattern of metrics.
    """
    if typed is not None:
        return pattern_of(typed)
    try:
        root = surroundings().root
    except UsageError:  # The folder is gone, and with it the project.
        root = None
    found = settings.metrics_pattern(settings.load(environ=os.environ, root=root))
    if found is None:
        return None
    text, source = found
    try:
        return pattern_of(text)
    except UsageError as error:
        raise UsageError(f"[metrics] in {source}: {error.message}", hint=error.hint) from None


def means(wanted: str, name: str) -> bool:
    """Whether this is the metric that is wanted, or one that `val/*` stands for."""
    return wanted == name or fnmatchcase(name, wanted)


def _all(run: Run, *, ports: Ports, pattern: re.Pattern[str] | None) -> Iterator[Point]:
    if run.handle is None:
        return
    executor = ports.executor_of(run.record)
    if isinstance(executor, HasMetrics):
        for entry in executor.metrics(run.handle):
            yield from tracked(entry)
    if pattern is not None:
        for line in executor.logs(run.handle):
            yield from logged(line, pattern)
    yield from _of_event_files(run, executor)


def _of_event_files(run: Run, executor: Executor) -> Iterator[Point]:
    if run.handle is None or not isinstance(executor, HasFiles):
        return
    from nemorun_cli import eventfiles

    try:
        files = list(executor.files(run.handle, eventfiles.PATTERN))
    except UsageError:  # It has files of some jobs, and not of this one.
        return
    prefixes = eventfiles.prefixes(files)
    for file in files:
        with tempfile.TemporaryDirectory() as folder:
            # The library takes a path only, and the file may be on another host.
            copy = Path(folder, "events.tfevents")
            with copy.open("wb") as target:
                for piece in executor.read(run.handle, file.path):
                    target.write(piece)
            yield from eventfiles.points(copy, prefixes[file.path])
