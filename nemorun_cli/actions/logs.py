"""The output of runs."""

import re
from collections.abc import Callable, Iterator

from nemorun_cli.actions.observe import Refresh, refresh
from nemorun_cli.actions.wiring import Ports
from nemorun_cli.core.errors import NemorunError, NotFoundError, UsageError
from nemorun_cli.core.ids import key_of
from nemorun_cli.core.jobs import REMARK, LogLine
from nemorun_cli.core.runs import Run
from nemorun_cli.store import origins


def folder_of(run: Run, *, ports: Ports) -> str:
    """The folder of the run's log files, where its executor keeps them."""
    origin = origins.imported(ports.store.home, run.id)
    directory = run.record.directory if origin is None else f"{origin}/{key_of(run.id, 1)}"
    return f"{directory}/logs"


def lines(  # noqa: PLR0913
    run: Run,
    *,
    ports: Ports,
    follow: bool = False,
    tail: int | None = None,
    rank: int | None = None,
    grep: str | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Iterator[LogLine]:
    """The run's output; NotFoundError if its job never got so far as to have any.

    With `grep`, only lines in which this regular expression is found; `tail` counts before it.
    `tell` is given what the executor has to say meanwhile.
    """
    pattern = _pattern(grep)
    current = run
    if run.live and run.handle is None:
        current = refresh([run], ports=ports, mode=Refresh.NOW).runs[0]
    if current.handle is None:
        raise NotFoundError(
            f"{run.id} has no output: it was never submitted",
            hint=current.status.reason_detail or "`nemorun show` tells more",
        )
    found = ports.executor_of(run.record).logs(
        current.handle,
        follow=follow and current.live,
        tail=tail,
        rank=rank,
    )
    found = _without_remarks(found, tell)
    return found if pattern is None else (line for line in found if pattern.search(line.text))


def last_lines(run: Run, count: int, *, ports: Ports) -> list[LogLine]:
    """The last lines of the first failing rank, or what there is; never an error."""
    try:
        rank = run.status.failing_rank
        return list(lines(run, ports=ports, tail=count, rank=rank))[-count:]
    except NemorunError:
        return []


def _without_remarks(lines: Iterator[LogLine], tell: Callable[[str], None]) -> Iterator[LogLine]:
    for line in lines:
        if line.stream == REMARK:
            tell(line.text)
        else:
            yield line


def _pattern(text: str | None) -> re.Pattern[str] | None:
    try:
        return None if text is None else re.compile(text)
    except re.error as error:
        raise UsageError(f"--grep expects a regular expression, got {text!r}: {error}") from None
