"""Whether a run comes out the same again: launched anew, and its results compared."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import unquote, urlsplit

from nemorun_cli import virtualenvs
from nemorun_cli.actions import compose
from nemorun_cli.actions.difference import Change, changes
from nemorun_cli.actions.environment import environment_of
from nemorun_cli.actions.environmentfacts import Recorded, paired
from nemorun_cli.actions.launch import Label, Prepared
from nemorun_cli.actions.requests import Request, Surroundings
from nemorun_cli.actions.show import metrics
from nemorun_cli.actions.stored import stored_code
from nemorun_cli.actions.wiring import Ports
from nemorun_cli.core.errors import RefusedError, UnreachableError, UsageError
from nemorun_cli.core.ids import tail
from nemorun_cli.core.jobs import Code, JobState
from nemorun_cli.core.ports import HasFiles
from nemorun_cli.core.runs import Run
from nemorun_cli.launchers import active_python
from nemorun_cli.store import snapshots

LOCAL = "local"
_STEP = "step"
_PIP = ("pip",)


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


def declared(
    run: Run, metric_texts: Sequence[str], patterns: Sequence[str], *, ports: Ports
) -> tuple[Result, ...]:
    """What of a run is to come out the same, as it is: `loss` or `loss:1e-3`, and files by pattern.

    Where no metric is named, the last value of each. UsageError for a run that has not succeeded,
    for what it does not have, and if there is nothing to compare.
    """
    if run.state is not JobState.SUCCEEDED:
        raise UsageError(
            f"{run.id} is {run.state.value}: it has no result to reproduce",
            hint="`nemorun wait` waits until it has ended" if run.live else "",
        )
    known = {name: value for name, value in metrics(run, ports=ports).items() if name != _STEP}
    found = [_metric(text, known, run) for text in metric_texts or known]
    files = _files(run, patterns, ports)
    for pattern in patterns:
        if not _files(run, [pattern], ports):
            raise UsageError(f"{run.id} has left no file {pattern!r} in its working folder")
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
    UsageError, and nothing is installed, for a run that was imported, unless that is trusted, and
    where its executor is not known, unless another is asked for. `tell` is told of what takes long,
    before it is done.
    """
    compose.refuse_foreign(run, trust=trust, ports=ports)
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
        wanted, left_out = _wanted(run, ports)
        notices += left_out
        python = _built(wanted, ports, tell)
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
    values |= {("file", name): told for name, told in _files(run, patterns, ports).items()}
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
    name, colon, tolerance = text.rpartition(":")
    if text in known or not colon:
        name, tolerance = text, "0"
    if name not in known:
        raise UsageError(
            f"{run.id} has tracked no metric {name!r}",
            hint=f"there are: {', '.join(known)}" if known else "it has tracked none",
        )
    try:
        allowed = float(tolerance)
    except ValueError:
        allowed = -1.0
    if not allowed >= 0:
        raise UsageError(
            f"--metric {text}: {tolerance!r} is no tolerance", hint="such as loss:1e-3"
        )
    return Result(kind="metric", name=name, value=known[name], tolerance=allowed)


def _files(run: Run, patterns: Sequence[str], ports: Ports) -> dict[str, str]:
    """The SHA-256 of each file that the run has left and one of the patterns means."""
    if not patterns or run.handle is None:
        return {}
    executor = ports.executor_of(run.record)
    if not isinstance(executor, HasFiles):
        raise UsageError(f"the files of a run on {run.record.executor} cannot be read")
    handle, found = run.handle, {}
    for pattern in patterns:
        for file in executor.files(handle, pattern):
            digest = hashlib.sha256()
            for piece in executor.read(handle, file.path):
                digest.update(piece)
            found[file.path] = digest.hexdigest()
    return found


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


def _wanted(run: Run, ports: Ports) -> tuple[virtualenvs.Wanted, list[str]]:
    """The environment that was recorded, and what of it cannot be built again."""
    found = environment_of(run, ports=ports)
    if found is None or not (found.get("python") or {}).get("version"):
        raise RefusedError(
            f"the environment of {run.id} was not recorded",
            hint="`--environment here` uses what is installed here",
        )
    code = stored_code(run, ports=ports)
    packages: dict[str, str] = {}
    folders: list[str] = []
    notices: list[str] = []
    for each in found.get("packages") or ():
        name, folder = each["name"], each.get("editable")
        if name in _PIP:
            continue
        if not folder or name == virtualenvs.OWN:
            packages[name] = _asked(each)
        elif code is not None and (inside := _in_snapshot(code, folder)):
            folders += () if set(inside) & set(code.imports) else inside
        else:
            notices.append(f"left out, as its code is not in the snapshot: {name} ({folder})")
    python = found["python"]
    wanted = virtualenvs.Wanted(
        python=python["version"],
        executable=str(python.get("executable") or ""),
        packages=packages,
        folders=tuple(str(Path(code.path, each)) for each in folders) if code else (),
    )
    return wanted, notices


def _built(wanted: virtualenvs.Wanted, ports: Ports, tell: Callable[[str], None]) -> Path:
    """The interpreter of such an environment, which stays for a month at least."""
    place = virtualenvs.place(wanted, ports.store.home)
    if not snapshots.claim(place.folder):
        count = len(wanted.packages)
        tell(
            f"building an environment of {count} package{'' if count == 1 else 's'} "
            f"with Python {place.version}, which may take minutes"
        )
        virtualenvs.build(place, now=ports.clock())
        snapshots.claim(place.folder)
    return place.python


def _asked(package: Mapping[str, Any]) -> str:
    """What to ask pip for: this version, or what it was installed from, where that is there."""
    url = package.get("url") or ""
    path = url.removeprefix("file://")
    if url and (path == url or Path(path).exists()):
        return f" @ {url}"
    return f"=={package['version']}"


def _in_snapshot(code: Code, url: str) -> list[str]:
    """Where in the stored code a package lies that was used from a folder; paths in it."""
    folder = Path(unquote(urlsplit(url).path)).resolve()
    parts = [(code.root, ""), *((each.root, each.place) for each in code.repositories)]
    for root, place in ((Path(root).resolve(), place) for root, place in parts):
        if folder.is_relative_to(root):
            inside = PurePath(place, folder.relative_to(root))
            found = [str(each) for each in (inside / "src", inside)]
            return [each for each in found if Path(code.path, each).is_dir()]
    return []
