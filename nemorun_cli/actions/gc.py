"""Making room: old runs, and what no run needs any more."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nemorun_cli import disk
from nemorun_cli.actions import farcode, leftovers
from nemorun_cli.actions.leftovers import Leftover
from nemorun_cli.actions.observe import refresh
from nemorun_cli.actions.remove import finish, remove_ended
from nemorun_cli.actions.stored import plan_of
from nemorun_cli.actions.wiring import Ports
from nemorun_cli.core.errors import CorruptError, NemorunError, NotFoundError, UnreachableError
from nemorun_cli.core.ids import key_of
from nemorun_cli.core.jobs import JobState
from nemorun_cli.core.ports import CanMeasure
from nemorun_cli.core.runs import Run
from nemorun_cli.store import going, layout, origins


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
    folder: Path
    """Of its record."""
    record_bytes: int
    job_bytes: int | None
    """None where nobody can say, or answers."""

    @property
    def bytes(self) -> int:
        """What is known to come free."""
        return self.record_bytes + (self.job_bytes or 0)

    @property
    def begun(self) -> bool:
        """Whether it is no run any more: somebody has begun to delete it."""
        return self.folder.parent.parent.name == going.GOING


@dataclass(frozen=True, kw_only=True)
class Garbage:
    """All that may go; and what could not be looked at."""

    runs: tuple[OldRun, ...] = ()
    left: tuple[Leftover, ...] = ()
    far_code: tuple[farcode.FarCode, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        """What is known to come free."""
        found: list[OldRun | Leftover | farcode.FarCode] = [*self.runs, *self.left, *self.far_code]
        return sum(each.bytes for each in found)


def find(rule: Rule, *, ports: Ports) -> Garbage:
    """What may go by this rule, and what killed commands have begun to delete. Deletes nothing.

    Snapshots and patches are those that no other run names and nobody has used for a day; none,
    where a record cannot be read. On other hosts those snapshots count that no job folder names.
    Environments are those that no live run uses, and nobody has for a month.
    """
    problems = list(refresh(ports.index.live(), ports=ports).problems)
    runs, damaged = _all_runs(ports)
    # After the others: what comes back meanwhile has its code touched before.
    begun = list(going.unfinished(ports.store.home / "runs"))
    now = ports.clock()
    kept = _kept(runs, rule, ports)
    old = [run for run in runs if run.id not in kept and _may_go(run, rule, now)]
    gone = {run.id for run in old}
    staying = [run for run in runs if run.id not in gone]
    left = leftovers.find(staying, store=ports.store, now=now, whole=not damaged)
    places = [(layout.folder_of(ports.store.home, run.id), run) for run in old] + begun
    job_bytes = _job_bytes(places, ports, problems)
    room = disk.freed(path for path, _ in places)
    return Garbage(
        runs=tuple(
            OldRun(run=run, folder=path, record_bytes=size, job_bytes=job_bytes.get(run.id))
            for (path, run), size in zip(places, room, strict=True)
        ),
        left=leftovers.measured(left),
        far_code=tuple(farcode.find(runs, ports=ports, problems=problems)),
        problems=(*damaged, *dict.fromkeys(problems)),
    )


def collect(garbage: Garbage, *, ports: Ports) -> Garbage:
    """Delete these; what is gone now, and why the others are not.

    A run goes with its job folder or not at all: where a host does not answer, it stays. What a
    launch has just found stays. Killed at any moment, the next call does the rest.
    """
    problems: list[str] = []
    runs = tuple(_removed(garbage.runs, ports, problems))
    staying = {each.run.id for each in garbage.runs} - {each.run.id for each in runs}
    needed = [each.run for each in garbage.runs if each.run.id in staying]
    left = leftovers.unneeded(garbage.left, needed)
    now = ports.clock()
    return Garbage(
        runs=runs,
        left=tuple(each for each in left if leftovers.discard(each, store=ports.store, now=now)),
        far_code=tuple(farcode.collect(garbage.far_code, ports=ports, problems=problems)),
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


def _job_bytes(
    runs: Iterable[tuple[Path, Run]], ports: Ports, problems: list[str]
) -> dict[str, int]:
    places: dict[tuple[str, str], list[Run]] = {}
    found: dict[str, int] = {}
    for folder, run in runs:
        if (folder / origins.ORIGIN).exists():
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


def _removed(runs: Iterable[OldRun], ports: Ports, problems: list[str]) -> Iterator[OldRun]:
    silent: set[str] = set()
    for each in runs:
        record = each.run.record
        place = f"{record.executor} {dict(record.target)}"
        try:
            if place in silent:
                raise UnreachableError("its host does not answer")
            if not each.begun:
                remove_ended(each.run, ports=ports)
            elif not finish(each.folder, each.run, ports=ports):
                continue
        except NotFoundError:
            continue  # Somebody else was quicker.
        except NemorunError as error:
            problems.append(f"{each.run.id} is kept: {error.message}")
            if isinstance(error, UnreachableError):
                silent.add(place)
            continue
        yield each
