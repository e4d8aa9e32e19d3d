"""Making room: old runs, and what no run needs any more."""

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nemorun_cli import disk
from nemorun_cli.actions import farcode
from nemorun_cli.actions.observe import refresh
from nemorun_cli.actions.remove import remove_ended
from nemorun_cli.actions.stored import plan_of
from nemorun_cli.actions.wiring import Ports
from nemorun_cli.core.errors import CorruptError, NemorunError, NotFoundError, UnreachableError
from nemorun_cli.core.ids import key_of
from nemorun_cli.core.jobs import JobState
from nemorun_cli.core.ports import CanMeasure
from nemorun_cli.core.runs import Run
from nemorun_cli.job.layingout import discard
from nemorun_cli.store import layout, origins, snapshots

MONTH = 30 * snapshots.DAY
"""An environment that nobody has used for so long may go."""
_GONE = ".gone-"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Which runs may go. Those that are alive or have a tag never may, whatever is asked for."""

    older_than: float | None = None
    """Seconds since they ended; None: no run goes."""
    states: tuple[JobState, ...] = ()
    keep_tags: tuple[str, ...] = ()
    """What runs with one of these tags were made from stays too."""


@dataclass(frozen=True, kw_only=True)
class OldRun:
    """A run that may go."""

    run: Run
    record_bytes: int
    job_bytes: int | None
    """None where nobody can say, or answers."""

    @property
    def bytes(self) -> int:
        """What is known to come free."""
        return self.record_bytes + (self.job_bytes or 0)


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """A snapshot or an environment that may go."""

    path: Path
    bytes: int


@dataclass(frozen=True, kw_only=True)
class Garbage:
    """All that may go; and what could not be looked at."""

    runs: tuple[OldRun, ...] = ()
    code: tuple[Leftover, ...] = ()
    far_code: tuple[farcode.FarCode, ...] = ()
    environments: tuple[Leftover, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        """What is known to come free."""
        left = sum(each.bytes for each in (*self.code, *self.environments))
        far = sum(each.bytes for each in self.far_code)
        return left + far + sum(each.bytes for each in self.runs)


def find(rule: Rule, *, ports: Ports) -> Garbage:
    """What may go by this rule. Deletes nothing.

    Snapshots are those that no other run names and nobody has used for a day; none, where a record
    cannot be read. On other hosts those count that no job folder names.
    Environments are those that no live run uses, and nobody has for a month.
    """
    problems = list(refresh(ports.index.live(), ports=ports).problems)
    runs, damaged = _all_runs(ports)
    now = ports.clock()
    kept = _kept(runs, rule, ports)
    old = [run for run in runs if run.id not in kept and _may_go(run, rule, now)]
    gone = {run.id for run in old}
    named = {_code_of(run) for run in runs if run.id not in gone}
    code = [] if damaged else snapshots.unused(ports.store.code, named, now=now)
    job_bytes = _job_bytes(old, ports, problems)
    return Garbage(
        runs=tuple(
            OldRun(
                run=run,
                record_bytes=disk.bytes_in(layout.folder_of(ports.store.home, run.id)),
                job_bytes=job_bytes.get(run.id),
            )
            for run in old
        ),
        code=_leftovers(code),
        far_code=tuple(farcode.find(runs, ports=ports, problems=problems)),
        environments=_leftovers(_environments(ports, runs, now)),
        problems=(*damaged, *dict.fromkeys(problems)),
    )


def collect(garbage: Garbage, *, ports: Ports) -> Garbage:
    """Delete these; what is gone now, and why the others are not.

    A run goes with its job folder or not at all: where a host does not answer, it stays. A snapshot
    stays that a launch has just found. A second call is safe.
    """
    problems: list[str] = []
    runs = tuple(_removed(garbage.runs, ports, problems))
    left = {each.run.id for each in garbage.runs} - {each.run.id for each in runs}
    needed = {_code_of(each.run) for each in garbage.runs if each.run.id in left}
    code = [each for each in garbage.code if each.path.name not in needed]
    return Garbage(
        runs=runs,
        code=tuple(each for each in code if _discarded(each.path, ports)),
        far_code=tuple(farcode.collect(garbage.far_code, ports=ports, problems=problems)),
        environments=tuple(each for each in garbage.environments if _deleted(each.path)),
        problems=tuple(problems),
    )


def _all_runs(ports: Ports) -> tuple[list[Run], list[str]]:
    """Every run by its files, which are the truth; and what is damaged."""
    runs, damaged = [], []
    for run_id in ports.store.ids():
        try:
            runs.append(ports.store.read(run_id))
        except NotFoundError:
            continue
        except CorruptError as error:
            damaged.append(f"{error.message}: no code is deleted, for this run may need it")
    return runs, damaged


def _code_of(run: Run) -> str:
    return str((run.record.code or {}).get("hash"))


def _may_go(run: Run, rule: Rule, now: float) -> bool:
    ended = run.status.ended_at or run.record.created_at
    return (
        rule.older_than is not None
        and not run.live
        and not run.tags
        and now - ended > rule.older_than
        and (not rule.states or run.state in rule.states)
    )


def _kept(runs: Sequence[Run], rule: Rule, ports: Ports) -> set[str]:
    """The ids of runs that others still need."""
    parents = {run.id: run.record.parent for run in runs}
    kept: set[str] = set()
    for run in runs:
        at = run.id if set(run.tags) & set(rule.keep_tags) else None
        while at is not None and at not in kept:
            kept.add(at)
            at = parents.get(at)
    return kept.union(*(_awaited(run, ports) for run in runs if run.live and run.record.after))


def _awaited(run: Run, ports: Ports) -> set[str]:
    """The runs into whose folders the job looks to see whether they have ended."""
    try:
        waiting = str(plan_of(run, ports=ports)["files"].get("waiting", ""))
    except NemorunError:
        return set()
    return {line.rpartition(" ")[2] for line in waiting.splitlines()}


def _job_bytes(runs: Iterable[Run], ports: Ports, problems: list[str]) -> dict[str, int]:
    places: dict[tuple[str, str], list[Run]] = {}
    found: dict[str, int] = {}
    for run in runs:
        if origins.imported(ports.store.home, run.id):
            found[run.id] = 0  # Its job's folder is in its record.
            continue
        places.setdefault((run.record.executor, str(dict(run.record.target))), []).append(run)
    for group in places.values():
        try:
            executor = ports.executor_of(group[0].record)
            if isinstance(executor, CanMeasure):
                sizes = executor.sizes([key_of(run.id, 1) for run in group])
                found |= {run.id: sizes.get(key_of(run.id, 1), 0) for run in group}
        except NemorunError as error:
            problems.append(error.message)
    return found


def _environments(ports: Ports, runs: Iterable[Run], now: float) -> Iterator[Path]:
    folder = ports.store.home / "environments"
    pythons = [str(run.record.resources.get("python") or "") for run in runs if run.live]
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        used = any(python.startswith(f"{path}/") for python in pythons)
        if path.name.startswith(_GONE) or (not used and now - path.stat().st_mtime > MONTH):
            yield path


def _leftovers(paths: Iterable[Path]) -> tuple[Leftover, ...]:
    return tuple(Leftover(path=path, bytes=disk.bytes_in(path)) for path in paths)


def _removed(runs: Iterable[OldRun], ports: Ports, problems: list[str]) -> Iterator[OldRun]:
    silent: set[str] = set()
    for each in runs:
        record = each.run.record
        place = f"{record.executor} {dict(record.target)}"
        try:
            if place in silent:
                raise UnreachableError("its host does not answer")
            remove_ended(each.run, ports=ports)
        except NotFoundError:
            continue  # Somebody else was quicker.
        except NemorunError as error:
            problems.append(f"{each.run.id} is kept: {error.message}")
            if isinstance(error, UnreachableError):
                silent.add(place)
            continue
        yield each


def _discarded(folder: Path, ports: Ports) -> bool:
    try:
        gone = snapshots.retire(folder, now=ports.clock())
    except FileNotFoundError:
        return False
    if gone is not None:
        discard(gone)
    return gone is not None


def _deleted(folder: Path) -> bool:
    gone = folder.with_name(f"{_GONE}{os.urandom(6).hex()}")
    try:
        folder.rename(gone)
    except OSError:
        return False
    shutil.rmtree(gone, ignore_errors=True)
    return True
