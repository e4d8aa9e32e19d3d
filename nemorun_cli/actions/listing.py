"""Which runs there are."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nemorun_cli.actions.observe import Refresh, refresh
from nemorun_cli.actions.wiring import Ports
from nemorun_cli.core.runs import Filter, Run

if TYPE_CHECKING:
    from nemorun_cli.actions.querying import Query


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The runs asked for, in order; how many there are in all; what could not be read."""

    runs: tuple[Run, ...]
    total: int
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What is worth a word, and no problem."""


def runs(
    wanted: Filter,
    query: "Query | None" = None,
    *,
    ports: Ports,
    limit: int | None = None,
    mode: Refresh = Refresh.AUTO,
) -> Listing:
    """The runs that the filter and the query accept, after all live ones have been looked at.

    In the order of the query, else newest first. A run that has ended since the last look is
    filtered by the state it has now.
    """
    seen = refresh(ports.index.live(), ports=ports, mode=mode)
    listing = _all(wanted, limit, ports) if query is None else _of(query, wanted, limit, ports)
    # The index holds what was written down; what was only seen, as staleness, is newer.
    news = {run.id: run for run in seen.runs}
    return replace(
        listing,
        runs=tuple(news.get(run.id, run) for run in listing.runs),
        problems=(*listing.problems, *seen.problems),
    )


def _all(wanted: Filter, limit: int | None, ports: Ports) -> Listing:
    page = ports.index.select(wanted, limit=limit)
    return Listing(runs=page.runs, total=page.total, problems=page.problems)


def _of(query: "Query", wanted: Filter, limit: int | None, ports: Ports) -> Listing:
    from nemorun_cli.actions import querying

    found = querying.select(wanted, query, ports=ports)
    page = ports.index.among(found.ids[:limit])
    return Listing(
        runs=page.runs,
        total=len(found.ids),
        problems=(*page.problems, *found.problems),
        notes=found.notes,
    )
