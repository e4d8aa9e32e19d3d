"""What belongs to a run, wherever it lies, as sources of an archive."""

import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nemorun_cli import packagers
from nemorun_cli.actions import results
from nemorun_cli.actions.environment import environment_of
from nemorun_cli.actions.stored import config_of
from nemorun_cli.actions.wiring import Ports
from nemorun_cli.archives import manifest as manifests
from nemorun_cli.archives.packing import Source
from nemorun_cli.core.errors import NemorunError, NotFoundError, UnreachableError, UsageError
from nemorun_cli.core.ids import key_of
from nemorun_cli.core.jobs import JobHandle, LogLine
from nemorun_cli.core.ports import Executor, HasMetrics
from nemorun_cli.core.runs import Run, RunRecord
from nemorun_cli.packagers import patches
from nemorun_cli.packagers.trees import entry_of
from nemorun_cli.store import origins

_NO_LOGS, _NO_METRICS = "its logs", "its metrics"


@dataclass(frozen=True, kw_only=True)
class Extent:
    """How much of each run is wanted."""

    code: bool = True
    logs: bool = True
    log_limit: int = 2**28
    """Bytes of each log file, counted from its end."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A run's own share of an archive."""

    sources: tuple[Source, ...]
    code: str | None
    """The hash of the snapshot that goes along."""
    patches: Mapping[str, Path]
    """Those that make that snapshot of its commits: name to where it lies."""
    left_out: tuple[str, ...]
    """In words; of an imported run also what had been left out before."""


def part_of(run: Run, extent: Extent, spool: Path, *, ports: Ports) -> Part:
    """The record and the job's files of a run; those that lie elsewhere are copied to `spool`.

    UnreachableError when the back-end that has them does not answer, and logs are wanted;
    NotFoundError or CorruptError for a config that is gone, or not what was launched.
    """
    home = ports.store.home
    config_of(run, ports=ports)
    with suppress(NemorunError):
        environment_of(run, ports=ports)  # From now on it is in the record.
    origin = origins.origin_of(home, run.id) or {}
    left_out = dict.fromkeys(origin.get("left_out", ()))
    sources = [
        Source(name=f"runs/{run.id}/{path.name}", path=path)
        for path in origins.documents(home, run.id)
        if manifests.is_document(path.name)
    ]
    sources += _results(run, spool, ports)
    sources += _job_sources(run, extent, spool, left_out, ports)
    code = run.record.code or {}
    if code and not extent.code:
        left_out[manifests.NO_CODE] = None
    if manifests.NO_CODE in left_out:
        code = {}
    found = _patches(code, ports)
    if None in found.values():
        left_out[manifests.NO_PATCH] = None
    return Part(
        sources=tuple(sources),
        code=code.get("hash"),
        patches={name: path for name, path in found.items() if path is not None},
        left_out=tuple(left_out),
    )


def code_of(code_hash: str, *, ports: Ports) -> Iterator[Source]:
    """The files and links of a snapshot; NotFoundError when it is gone."""
    folder = ports.store.code / code_hash
    packagers.lay_out(folder)
    if not folder.is_dir():
        raise NotFoundError(
            f"the code {code_hash[:12]} is not in the store any more",
            hint="--no-code exports the rest",
        )
    for at, folders, files in os.walk(folder):
        for name in (*files, *folders):
            path = Path(at, name)
            status = path.lstat()
            if not stat.S_ISDIR(status.st_mode):
                within = str(path.relative_to(folder))
                yield Source(
                    name=manifests.code_name(code_hash, within),
                    path=path,
                    mode=entry_of(status, "").mode,
                )


def _patches(code: Mapping[str, Any], ports: Ports) -> dict[str, Path | None]:
    """The patches of a snapshot: name to where it lies, or to None if it is gone."""
    names = [each.get("patch") for each in code.get("repositories", ())]
    paths = {name: ports.store.code / patches.FOLDER / name for name in names if name}
    return {name: path if path.exists() else None for name, path in paths.items()}


def _results(run: Run, spool: Path, ports: Ports) -> Iterator[Source]:
    """What the files were that are to come out the same; those themselves do not go along."""
    if origins.imported(ports.store.home, run.id):
        return  # It is in the record, if it was told.
    with suppress(UsageError, UnreachableError):  # They cannot be read, or not now.
        if (told := results.document(run, ports=ports)) is not None:
            path = spool.with_name(f"{run.id}.results")
            path.write_text(told, encoding="utf-8")
            yield Source(name=f"runs/{run.id}/{results.RESULTS}", path=path)


def _job_sources(
    run: Run, extent: Extent, spool: Path, left_out: dict[str, None], ports: Ports
) -> Iterator[Source]:
    """The files of the job's folder; to `left_out` is added what is missing of them."""
    try:
        files = dict(_job_files(run, extent, spool, ports))
    except UnreachableError as error:
        if extent.logs:
            raise UnreachableError(error.message, hint="--no-logs exports the rest") from None
        files = {}
        left_out[_NO_METRICS] = None
    for name, path in files.items():
        is_log = name.startswith("logs/")
        skip = max(0, path.stat().st_size - extent.log_limit) if is_log else 0
        if skip:
            left_out[f"the first {skip} bytes of {name}"] = None
        whole_name = f"runs/{run.id}/{key_of(run.id, 1)}/{name}"
        yield Source(name=whole_name, path=path, skip=skip)
    if run.handle is not None and not any(name.startswith("logs/") for name in files):
        left_out[_NO_LOGS] = None


def _job_files(run: Run, extent: Extent, spool: Path, ports: Ports) -> Iterator[tuple[str, Path]]:
    """The files of the job's folder that are exported: name in it, and where to read it."""
    if run.handle is None:
        return
    executor = ports.executor_of(run.record)
    folder = Path(executor.directory(run.handle.key))
    here = origins.imported(ports.store.home, run.id) or any(folder.glob("logs/*/*.log"))
    if not here:
        folder = spool
        if extent.logs:
            _copy_logs(executor, run.handle, _ranks(run.record), spool)
        _copy_metrics(executor, run.handle, spool)
    for path in sorted([*folder.glob("*.*"), *folder.glob("logs/*/*")]):
        name = str(path.relative_to(folder))
        wanted = extent.logs or not name.startswith("logs/")
        if wanted and manifests.is_of_a_job(name) and stat.S_ISREG(path.lstat().st_mode):
            yield name, path


def _copy_metrics(executor: Executor, handle: JobHandle, folder: Path) -> None:
    if isinstance(executor, HasMetrics):
        lines = [json.dumps(entry) + "\n" for entry in executor.metrics(handle)]
        if lines:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "metrics.jsonl").write_text("".join(lines))


def _copy_logs(executor: Executor, handle: JobHandle, ranks: int, folder: Path) -> None:
    """Write the output of all ranks as the job's own folder has it."""
    seen = _copy_lines(executor.logs(handle), folder)
    rank = 0
    while rank in seen or rank < ranks:
        if rank not in seen:
            seen |= _copy_lines(executor.logs(handle, rank=rank), folder)
        rank += 1


def _copy_lines(lines: Iterable[LogLine], folder: Path) -> set[int | None]:
    files = {}
    with ExitStack() as stack:
        for line in lines:
            stem = "launcher" if line.rank is None else str(line.rank)
            name = f"{line.attempt}/{stem}.{'err' if line.stream == 'stderr' else 'log'}"
            if name not in files:
                path = folder / "logs" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                files[name] = stack.enter_context(path.open("wb"))
            files[name].write(line.text.encode("utf-8", "surrogateescape") + b"\n")
    return {None if "launcher" in name else int(Path(name).stem) for name in files}


def _ranks(record: RunRecord) -> int:
    """How many ranks the job was asked to have."""
    asked = [record.resources.get(name) for name in ("nodes", "nproc")]
    nodes, nproc = (each if isinstance(each, int) else 1 for each in asked)
    return nodes * nproc
