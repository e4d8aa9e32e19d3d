"""Stored code on other hosts that no job there needs any more."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from nemorun_cli import farcode
from nemorun_cli.actions.wiring import Ports
from nemorun_cli.core.errors import NemorunError
from nemorun_cli.core.ports import KeepsCode, Tunnel
from nemorun_cli.core.runs import Run


@dataclass(frozen=True, kw_only=True)
class FarCode:
    """A snapshot on another host that may go."""

    run: Run
    """One that was launched there: it tells the way."""
    place: str
    hash: str
    bytes: int


def find(runs: Iterable[Run], *, ports: Ports, problems: list[str]) -> Iterator[FarCode]:
    """What may go where these runs were launched; which host does not answer is told."""
    firsts: dict[tuple[str, str], Run] = {}
    for run in runs:
        firsts.setdefault((run.record.executor, str(dict(run.record.target))), run)
    for run in firsts.values():
        try:
            if way := _way(run, ports):
                for code, size in farcode.unused(*way).items():
                    place = f"{way[0].host}:{way[1]}"
                    yield FarCode(run=run, place=place, hash=code, bytes=size)
        except NemorunError as error:
            problems.append(error.message)


def collect(found: Iterable[FarCode], *, ports: Ports, problems: list[str]) -> Iterator[FarCode]:
    """Delete these; those that are gone. One that a launch has just used stays."""
    groups: dict[str, list[FarCode]] = {}
    for each in found:
        groups.setdefault(each.place, []).append(each)
    for group in groups.values():
        try:
            way = _way(group[0].run, ports)
            gone = farcode.discard(*way, [each.hash for each in group]) if way else set()
        except NemorunError as error:
            problems.append(error.message)
            continue
        yield from (each for each in group if each.hash in gone)


def _way(run: Run, ports: Ports) -> tuple[Tunnel, str] | None:
    executor = ports.executor_of(run.record)
    return executor.code_place() if isinstance(executor, KeepsCode) else None
