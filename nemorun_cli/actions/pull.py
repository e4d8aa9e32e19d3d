"""Fetching what runs have left: resumed where it broke off, and nothing twice."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from nemorun_cli import landing
from nemorun_cli.actions.wiring import Ports
from nemorun_cli.core.errors import NotFoundError, UsageError
from nemorun_cli.core.jobs import JobFile, JobHandle
from nemorun_cli.core.ports import HasFiles
from nemorun_cli.core.runs import Run
from nemorun_cli.store import origins

MOST_BYTES = 10 * 2**30
"""So much is fetched only if somebody says that it is meant."""
_EVERYTHING = "**"
_SHOWN = 8


@dataclass(frozen=True, kw_only=True)
class Pulled:
    """Files that are in a folder now, and what went otherwise than it should."""

    fetched: tuple[JobFile, ...] = ()
    there: tuple[JobFile, ...] = ()
    """Those that had been fetched before."""
    problems: tuple[str, ...] = ()


def listed(run: Run, patterns: Sequence[str], *, ports: Ports) -> list[JobFile]:
    """The files of the run's working folder that these mean, all if there are none, by path.

    NotFoundError where nothing is meant; it names what there is; and for a run that was imported.
    UsageError for a run whose executor hands out no files.
    """
    executor, handle = _holder(run, ports)
    found = {
        file.path: file
        for pattern in patterns or [_EVERYTHING]
        for file in executor.files(handle, pattern)
    }
    if not found and patterns:
        there = [file.path for file in executor.files(handle, _EVERYTHING)]
        more = f" and {len(there) - _SHOWN} more" if len(there) > _SHOWN else ""
        raise NotFoundError(
            f"no file of {run.id} is meant by {' or '.join(map(repr, patterns))}",
            hint=f"there is {', '.join(there[:_SHOWN]) or 'nothing'}{more}",
        )
    return [found[path] for path in sorted(found)]


def pull(  # noqa: PLR0913
    run: Run,
    patterns: Sequence[str],
    folder: Path,
    *,
    ports: Ports,
    large: bool = False,
    tell: Callable[[JobFile, int], None] = lambda _, __: None,
) -> Pulled:
    """Have these files of the run in `folder`, under the paths they have.

    A file that is there with the same size and time of change stays as it is. One that broke off is
    continued, unless it has changed since. Nothing is ever written outside `folder`. `tell` is
    called with a file and the bytes of it that are here, as they come.

    As `listed`; UsageError for more than ten GiB to fetch, unless `large`; RefusedError for what
    cannot be written or leads out of `folder`. What was fetched before that stays.
    """
    executor, handle = _holder(run, ports)
    files = listed(run, patterns, ports=ports)
    places = {file.path: landing.place(folder, file.path) for file in files}
    there = {file for file in files if landing.is_there(places[file.path], file)}
    needed = tuple(file for file in files if file not in there)
    size = sum(file.size for file in needed)
    if size > MOST_BYTES and not large:
        raise UsageError(
            f"{size / 2**30:,.1f} GiB are to be fetched",
            hint="add --yes if that is meant, or name fewer",
        )
    fetched, problems = [], []
    for file in needed:
        place = landing.place(folder, file.path)  # What has arrived meanwhile may be in the way.
        read = partial(_read, executor, handle, file)
        try:
            landing.land(place, file, read, tell=partial(tell, file))
        except NotFoundError:
            if not run.live:
                raise
            problems.append(f"{file.path} has gone while others were fetched")
        else:
            fetched.append(file)
    if fetched and run.live:
        now = set(listed(run, (), ports=ports))
        torn = [file.path for file in fetched if file not in now]
        problems += [f"{path} was written to while it was fetched: pull again" for path in torn]
    return Pulled(
        fetched=tuple(fetched),
        there=tuple(file for file in files if file in there),
        problems=tuple(problems),
    )


def _holder(run: Run, ports: Ports) -> tuple[HasFiles, JobHandle]:
    if run.handle is None:
        raise NotFoundError(f"{run.id} has no files: it was never submitted")
    if origins.imported(ports.store.home, run.id):
        raise NotFoundError(
            f"{run.id} was imported: files that a run wrote are in no archive",
            hint="pull them where it was launched",
        )
    executor = ports.executor_of(run.record)
    if not isinstance(executor, HasFiles):
        raise UsageError(f"the executor {run.record.executor!r} hands out no files")
    return executor, run.handle


def _read(executor: HasFiles, handle: JobHandle, file: JobFile, offset: int) -> Iterator[bytes]:
    return executor.read(handle, file.path, offset=offset)
