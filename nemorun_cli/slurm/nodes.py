"""Nodes on which jobs have failed: what speaks against them, and which a new job keeps off."""

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from nemorun_cli.core.ids import tail
from nemorun_cli.core.jobs import Blame, Reason
from nemorun_cli.jobfiles import attempts_of
from nemorun_cli.slurm.asking import SlurmResources
from nemorun_cli.slurm.states import reason_of
from nemorun_cli.store.writing import locked, make_folder, replace_file

if TYPE_CHECKING:
    from nemorun_cli.slurm.report import Report

REMEMBERED = 86400.0
"""Seconds for which a failure speaks against its node."""
MOST = 8
"""How many nodes a launch keeps off at most."""
RANK_FAILURE = "rank_failure"
_TWICE = 2
_UNWELL = ("down", "drain", "fail")


def blames_in(report: "Report", watched: Mapping[str, str], now: float) -> Iterator[Blame]:
    """What an enquiry tells of the nodes of these jobs, from native id to key. Pure."""
    from nemorun_cli.slurm.report import row_of, start_of

    for native, key in watched.items():
        run_id = key.rpartition("-")[0]
        files = (report.folders or {}).get(key, {})
        yield from told_by(files.get("blamed", ""), run_id)
        if (lost := report.lost.get(native)) is None:
            continue
        start, row = start_of(report, key, native), row_of(report, key, native)
        last = row.state if row is not None else start.state if start is not None else ""
        if reason_of(last) is not Reason.NODE_FAILURE:
            continue
        attempts = attempts_of(files.get("attempts.jsonl", ""))
        for node in unwell(lost.conditions):
            yield Blame(
                node=node,
                cause=Reason.NODE_FAILURE.value,
                run_id=run_id,
                attempt=len(attempts) or 1,
                time=(start.end if start is not None else None) or now,
                nodes=lost.size,
            )


def told_by(job: str, run_id: str) -> Iterator[Blame]:
    """What a job's file `blamed` says: lines `cause attempt time node nodes`."""
    for line in job.splitlines():
        with suppress(ValueError):  # A full disk tears lines.
            cause, attempt, seconds, node, nodes = line.split(" ")
            if cause in (Reason.NODE_FAILURE, RANK_FAILURE) and node:
                yield Blame(
                    node=node,
                    cause=cause,
                    run_id=run_id,
                    attempt=int(attempt),
                    time=float(seconds),
                    nodes=int(nodes),
                )


def unwell(conditions: Mapping[str, str]) -> list[str]:
    """Those of a failed job's nodes that are not in order; if it had one, that one."""
    if len(conditions) == 1:
        return list(conditions)
    return [
        node
        for node, condition in conditions.items()
        if condition.endswith("*") or condition.lower().startswith(_UNWELL)
    ]


def bad(found: Iterable[Blame], now: float) -> tuple[Blame, ...]:
    """The newest word against each node that is to be kept off, newest first. Pure.

    A node that has failed is. One on which the first rank failed is after two such failures, if
    more than half of those of the last day were there: else it is the program that fails.
    """
    recent = _lately(found, now)
    ranks = Counter(each.node for each in recent if each.cause == RANK_FAILURE)
    blamed: dict[str, Blame] = {}
    for each in sorted(recent, key=lambda each: each.time):
        count = ranks[each.node]
        if each.cause != RANK_FAILURE or (count >= _TWICE and 2 * count > ranks.total()):
            blamed[each.node] = each
    return tuple(sorted(blamed.values(), key=lambda each: each.time, reverse=True))


def keeping_off(
    ask: SlurmResources, nodes: Sequence[Blame]
) -> tuple[SlurmResources, tuple[str, ...]]:
    """The same job kept off these nodes, and what its user should know of that. Pure.

    The newest eight at most, and never so many that fewer are left than the job has asked for. A
    job that names its nodes, or another cluster, is left alone.
    """
    named = any(
        word.startswith(("-w", "-x", "-F", "--node", "--exclude")) for word in ask.sbatch.split()
    )
    if not nodes or not ask.exclude_bad or ask.nodelist or ask.clusters or named:
        return ask, ()
    size = max(each.nodes for each in nodes)
    most = min(MOST, max(0, size - ask.nodes)) if size else MOST
    off = nodes[:most]
    notices = [f"{_told(each)}; it is excluded" for each in off]
    notices += [f"{_told(each)}; it is not excluded, for it may be needed" for each in nodes[most:]]
    if not off:
        return ask, tuple(notices)
    notices[len(off) - 1] += " (-x exclude_bad=false takes it all the same)"
    names = ",".join([*([ask.exclude] if ask.exclude else []), *(each.node for each in off)])
    return replace(ask, exclude=names), tuple(notices)


def memory_of(target: str, folder: Path) -> "Memory":
    """That of this target, in a file of its own in this folder."""
    name = sha256(target.encode()).hexdigest()[:16]
    return Memory(path=folder / f"slurm-{name}-nodes.json")


def _told(each: Blame) -> str:
    when = datetime.fromtimestamp(each.time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"{each.node}: {each.cause.replace('_', ' ')} in {tail(each.run_id)} at {when}"


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What speaks against the nodes of one target, in a file that all processes share."""

    path: Path

    def recall(self) -> tuple[Blame, ...]:
        """All that is remembered, newest first; nothing if the file cannot be read."""
        try:
            found = [Blame(**each) for each in json.loads(self.path.read_text())]
            return tuple(sorted(found, key=lambda each: each.time, reverse=True))
        except (OSError, ValueError, TypeError):
            return ()

    def read(self, folder: Path) -> None:
        """Add what the job of this folder has told."""
        with suppress(OSError):
            text = (folder / "blamed").read_text(errors="replace")
            self.remember(told_by(text, folder.name.rpartition("-")[0]), time.time())

    def remember(self, found: Iterable[Blame], now: float) -> None:
        """Add these, and forget what is older than a day. What cannot be written is lost."""
        new = {_key(each): each for each in _lately(found, now)}
        if not new.keys() - {_key(each) for each in self.recall()}:
            return
        with suppress(OSError):
            make_folder(self.path.parent)
            with locked(self.path.with_suffix(".lock")):
                known = {**new, **{_key(each): each for each in self.recall()}}
                kept = [asdict(each) for each in _lately(known.values(), now)]
                replace_file(self.path, json.dumps(kept))


def _lately(found: Iterable[Blame], now: float) -> list[Blame]:
    return [each for each in found if abs(now - each.time) < REMEMBERED]  # Clocks differ.


def _key(each: Blame) -> tuple[str, str, str, int]:
    return each.run_id, each.node, each.cause, each.attempt
