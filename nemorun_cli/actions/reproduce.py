"""Whether a run comes out the same again: launched anew, and its results compared."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nemorun_cli.actions import compose, rebuilding, results
from nemorun_cli.actions.difference import Change, changes
from nemorun_cli.actions.environment import environment_of
from nemorun_cli.actions.environmentfacts import Recorded, paired
from nemorun_cli.actions.launch import Label, Prepared
from nemorun_cli.actions.requests import Request, Surroundings
from nemorun_cli.actions.show import metrics
from nemorun_cli.actions.wiring import Ports
from nemorun_cli.core.errors import UnreachableError, UsageError
from nemorun_cli.core.ids import tail
from nemorun_cli.core.jobs import JobState
from nemorun_cli.core.metrics import tolerance
from nemorun_cli.core.runs import Run
from nemorun_cli.launchers import active_python

LOCAL = "local"
_STEP = "step"


@dataclass(frozen=True, kw_only=True)
class Result:
    """One thing that is to come out the same."""

    kind: str
    """`metric` or `file`."""
    name: str
    value: Any
    """The last value of the metric; the SHA-256 of the file. None where there is none."""
    tolerance: float = 0.0
    """How far apart two values may be; 0 asks for the very same bits."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One result of the run beside that of its reproduction."""

    kind: str
    name: str
    before: Any
    after: Any
    tolerance: float
    same: bool


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What came of it."""

    original: Run
    run: Run
    checks: tuple[Check, ...]
    environment: tuple[Change, ...] | None
    """What of the environment was not the same; None where one of them was not recorded."""

    @property
    def reproduced(self) -> bool | None:
        """Whether the new run succeeded, and everything came out the same; None if it goes on."""
        if self.run.live:
            return None
        done = self.run.state is JobState.SUCCEEDED
        return done and all(each.same for each in self.checks)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is to come out the same."""

    metrics: tuple[str, ...] | None = None
    """`loss`, `loss:1e-3` or `loss:1%`; None for the last value of each."""
    files: tuple[str, ...] = ()
    """Patterns."""
    known: results.Digests | None = None
    """What is known of these already."""
    left_out: tuple[str, ...] = ()
    """Those of which no file is there."""


def refuse(run: Run, *, trust: bool, ports: Ports) -> None:
    """UsageError for a run that has not succeeded, or was imported, unless that is trusted."""
    if run.state is not JobState.SUCCEEDED:
        raise UsageError(
            f"{run.id} is {run.state.value}: it has no result to reproduce",
            hint=f"`nemorun wait {tail(run.id)}` first"
            if run.live
            else f"`nemorun rerun {tail(run.id)}` launches it again",
        )
    compose.refuse_foreign(run, trust=trust, ports=ports)


def declared(run: Run, *, ports: Ports) -> Asked | None:
    """What the run's recipe has declared, as it was launched; None if that was nothing."""
    told = results.declared(run)
    if told is None:
        return None
    try:
        found = results.digests(run, told["files"], ports=ports)
    except UsageError:  # Where it ran, nobody can read them.
        found = {}
    there = {pattern: files for pattern, files in found.items() if files}
    left_out = tuple(each for each in told["files"] if each not in there)
    return Asked(metrics=told["metrics"], files=tuple(there), known=there, left_out=left_out)


def expected(run: Run, asked: Asked, *, ports: Ports) -> tuple[Result, ...]:
    """What of a run that has succeeded is to come out the same, as it is.

    UsageError for what it does not have, and if there is nothing to compare.
    """
    known = {name: value for name, value in metrics(run, ports=ports).items() if name != _STEP}
    texts = known if asked.metrics is None else asked.metrics
    found = [_metric(text, known, run) for text in texts]
    files: dict[str, str] = {}
    for pattern, those in (asked.known or results.digests(run, asked.files, ports=ports)).items():
        if not those:
            raise UsageError(f"{run.id} has left no file {pattern!r} in its working folder")
        files |= those
    found += [Result(kind="file", name=name, value=told) for name, told in files.items()]
    if not found:
        raise UsageError(
            f"{run.id} has tracked no metrics: there is nothing to compare",
            hint="name files that it has left with --file",
        )
    return tuple(found)


def prepare(  # noqa: PLR0913
    run: Run,
    *,
    fresh: bool,
    around: Surroundings,
    ports: Ports,
    trust: bool = False,
    tell: Callable[[str], None],
    executor: str | None = None,
) -> Prepared:
    """The launch that is to reproduce a run, from its stored code and config.

    `fresh`: on this machine in a virtual environment of its own, which is built unless it is
    there; RefusedError where that cannot be done. Elsewhere, and else, with what is installed.
    UsageError, and nothing is installed, for a run that `refuse` refuses, and where its executor is
    not known, unless another is asked for. `tell` is told of what takes long, before it is done.
    """
    refuse(run, trust=trust, ports=ports)
    record = run.record
    label = Label(name=f"reproduces {tail(run.id)}")
    notices: list[str] = []
    request = Request(label=label, trust=trust, executor=executor)
    kind = compose.choice_for(run, executor, around).executor
    if kind != LOCAL:
        notices.append(f"{kind} uses what is installed there: nothing is rebuilt")
    elif not fresh:
        request = replace(request, settings=(f"python={active_python(around.environ)}",))
    else:
        python, left_out = rebuilding.python_of(run, ports=ports, tell=tell)
        notices += left_out
        request = replace(request, settings=(f"python={python}",))
        if record.argv is not None:
            path = f"{python.parent}:{around.environ.get('PATH', '')}"
            request = replace(request, env=(f"PATH={path}", f"VIRTUAL_ENV={python.parent.parent}"))
    prepared = compose.rerun(run, request, around, ports=ports)
    return replace(prepared, notices=(*notices, *prepared.notices))


def judge(original: Run, run: Run, expected: Sequence[Result], *, ports: Ports) -> Verdict:
    """The results of a run beside those that were expected; of one that goes on, none."""
    if run.live:
        return Verdict(original=original, run=run, checks=(), environment=None)
    found = metrics(run, ports=ports)
    patterns = [each.name for each in expected if each.kind == "file"]
    values = {("metric", name): value for name, value in found.items()}
    for files in results.digests(run, patterns, ports=ports).values():
        values |= {("file", name): told for name, told in files.items()}
    old, new = (_environment(each, ports) for each in (original, run))
    return Verdict(
        original=original,
        run=run,
        checks=tuple(_check(each, values.get((each.kind, each.name))) for each in expected),
        environment=changes(*paired(old, new)) if old and new else None,
    )


def _environment(run: Run, ports: Ports) -> Recorded | None:
    try:
        return environment_of(run, ports=ports)
    except UnreachableError:
        return None


def _metric(text: str, known: Mapping[str, Any], run: Run) -> Result:
    name, colon, apart = text.rpartition(":")
    if text in known or not colon:
        name, apart = text, "0"
    if name not in known:
        raise UsageError(
            f"{run.id} has tracked no metric {name!r}",
            hint=f"there are: {', '.join(known)}" if known else "it has tracked none",
        )
    try:
        allowed = tolerance(apart, known[name])
    except ValueError as error:
        raise UsageError(f"--metric {text}: {error}", hint="such as loss:1e-3 or loss:1%") from None
    return Result(kind="metric", name=name, value=known[name], tolerance=allowed)


def _check(expected: Result, value: object) -> Check:
    return Check(
        kind=expected.kind,
        name=expected.name,
        before=expected.value,
        after=value,
        tolerance=expected.tolerance,
        same=_is_same(expected.value, value, expected.tolerance),
    )


def _is_same(before: object, after: object, tolerance: float) -> bool:
    if isinstance(before, (int, float)) and isinstance(after, (int, float)):
        return before == after or abs(before - after) <= tolerance
    return before == after
