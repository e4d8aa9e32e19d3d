"""Which runs there are."""

from dataclasses import dataclass

from nemorun_cli.actions.observe import Refresh, refresh
from nemorun_cli.actions.wiring import Ports
from nemorun_cli.core.runs import Filter, Run


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The runs asked for, newest first; how many there are in all; what could not be read."""

    runs: tuple[Run, ...]
    total: int
    problems: tuple[str, ...] = ()


def runs(
    wanted: Filter,
    *,
    ports: Ports,
    limit: int | None = None,
    mode: Refresh = Refresh.AUTO,
) -> Listing:
    """The runs that the filter accepts, after all live ones have been looked at.

    A run that has ended since the last look is filtered by the state it has now.
    """
    seen = refresh(ports.index.live(), ports=ports, mode=mode)
    page = ports.index.select(wanted, limit=limit)
    # The index holds what was written down; what was only seen, as staleness, is newer.
    news = {run.id: run for run in seen.runs}
    return Listing(
        runs=tuple(news.get(run.id, run) for run in page.runs),
        total=page.total,
        problems=(*page.problems, *seen.problems),
    )
