"""Whether a run, or an archive of runs, still is what it was."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nemorun_cli import packagers
from nemorun_cli.actions.select import run_of
from nemorun_cli.actions.stored import config_of, is_config, plan_of
from nemorun_cli.actions.wiring import Ports
from nemorun_cli.archives import contents, reading
from nemorun_cli.archives import manifest as manifests
from nemorun_cli.archives.packing import Source, measure
from nemorun_cli.archives.reading import Archive
from nemorun_cli.core.errors import CorruptError, NemorunError
from nemorun_cli.core.runs import Run, RunRecord
from nemorun_cli.packagers import fitting, patches
from nemorun_cli.packagers.trees import Tree, stored
from nemorun_cli.store import layout, origins

_ABSENT = "not here: it was exported without"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    what: str
    fine: bool
    seen: str


def archive(path: Path) -> Iterator[Finding]:
    """Look at every byte of an archive; UsageError for a file that cannot be read."""
    wrong = list(reading.damage(path))
    for text in wrong:
        what, _, why = text.partition(": ")
        yield Finding(what=what, fine=False, seen=why)
    if wrong:
        return
    with reading.opened(path) as found:
        size = sum(each.size for each in found.manifest.members)
        told = f"{len(found.manifest.members):,} files, {size:,} bytes, {found.digest[:12]}"
        yield Finding(what="files", fine=True, seen=told)
        for code_hash in found.manifest.code:
            fine = code_hash not in found.manifest.wrong_code()
            yield Finding(what="code", fine=fine, seen=code_hash)
        for run_id in found.manifest.runs:
            yield _archived(found, run_id)
        for name, why_not in contents.patches(found, _records(found)).items():
            yield _patch(name, why_not)


def is_as_launched(found: Archive, run_id: str) -> bool:
    """Whether the config of an archived run is that of its record; CorruptError if that is none."""
    record = contents.record_of(found, run_id)
    if record.config_hash is None:
        return True
    try:
        document = contents.config_of(found, run_id)
    except ValueError:
        return False
    return is_config(document, record.config_hash)


def run(argument: str, *, ports: Ports) -> Iterator[Finding]:
    """Look at all that the store keeps of a run; NotFoundError for one that it does not have."""
    try:
        found = run_of(argument, ports=ports)
    except CorruptError as error:
        yield Finding(what="run.json", fine=False, seen=error.message)
        return
    yield Finding(what="run.json", fine=True, seen=found.id)
    for problem in found.problems:
        name, _, why = problem.partition("cannot read its ")[2].partition(": ")
        yield Finding(what=name, fine=False, seen=why)
    yield _verdict(found)
    if found.record.config_hash is not None:
        yield _config(found, ports)
    yield _plan(found, ports)
    yield _events(found, ports)
    if found.record.code is not None:
        yield from _code(found, found.record.code, ports)
    yield from _imported(found, ports)


def _records(found: Archive) -> Iterator[RunRecord]:
    for run_id in found.manifest.runs:
        with suppress(NemorunError):
            yield contents.record_of(found, run_id)


def _patch(name: str, why_not: str | None) -> Finding:
    told = name if why_not is None else f"{name} does not make the code: {why_not}"
    return Finding(what="patch", fine=why_not is None, seen=told)


def _archived(found: Archive, run_id: str) -> Finding:
    """A run of an archive: its record, and its config against the hash in that."""
    try:
        same = is_as_launched(found, run_id)
    except NemorunError as error:
        return Finding(what="run", fine=False, seen=error.message)
    told = run_id if same else f"{run_id}: its config.json is not what was launched"
    return Finding(what="run", fine=same, seen=told)


def _verdict(found: Run) -> Finding:
    return Finding(what="state", fine=True, seen=found.state.value)


def _config(found: Run, ports: Ports) -> Finding:
    try:
        config_of(found, ports=ports)
    except NemorunError as error:
        return Finding(what="config.json", fine=False, seen=error.message)
    return Finding(what="config.json", fine=True, seen=found.record.config_hash or "")


def _plan(found: Run, ports: Ports) -> Finding:
    try:
        plan = plan_of(found, ports=ports)
        config = plan["files"].get("config.json")
        if config and config != ports.store.document(found.id, "config.json"):
            raise CorruptError("its config.json is not the one that the job was given")
    except NemorunError as error:
        return Finding(what="plan.json", fine=False, seen=error.message)
    return Finding(what="plan.json", fine=True, seen=f"{len(plan['files'])} files")


def _events(found: Run, ports: Ports) -> Finding:
    try:
        text = ports.store.document(found.id, "events.jsonl")
    except NemorunError:
        return Finding(what="events.jsonl", fine=True, seen="none")
    lines = len([line for line in text.split("\n") if line.strip()])
    torn = lines - len(list(ports.store.events(found.id)))
    told = f"{torn} of {lines} lines cannot be read" if torn else f"{lines} lines"
    return Finding(what="events.jsonl", fine=not torn, seen=told)


def _code(found: Run, code: Mapping[str, Any], ports: Ports) -> Iterator[Finding]:
    folder = ports.store.code / str(code["hash"])
    try:
        packagers.lay_out(folder)
    except CorruptError as error:
        yield Finding(what="code", fine=False, seen=error.message)
        return
    if not folder.is_dir():
        known = manifests.NO_CODE in _left_out(found, ports)
        yield Finding(what="code", fine=known, seen=_ABSENT if known else f"{folder} is gone")
        return
    try:
        tree = stored(folder)
    except OSError:
        tree = None
    if tree is None or tree.hash != code["hash"]:
        yield Finding(what="code", fine=False, seen=f"{folder} is not what it was")
        return
    yield Finding(what="code", fine=True, seen=tree.hash)
    yield from _patches(found, tree, ports)


def _patches(found: Run, tree: Tree, ports: Ports) -> Iterator[Finding]:
    """The patches of a run's code, which is as it was."""

    def read(path: str) -> bytes:
        return patches.content(ports.store.code / tree.hash / path, tree.entries[path])

    for made in fitting.made(found.record.code or {}, tree, read):
        path = ports.store.code / patches.FOLDER / made.patch
        try:
            yield _patch(made.patch, fitting.misfit(path.read_bytes(), made))
        except OSError:
            known = manifests.NO_PATCH in _left_out(found, ports)
            yield Finding(what="patch", fine=known, seen=_ABSENT if known else f"{path} is gone")


def _left_out(found: Run, ports: Ports) -> Sequence[str]:
    """What had not been exported of a run that was imported."""
    try:
        origin = origins.origin_of(ports.store.home, found.id)
    except CorruptError:
        return ()
    return tuple((origin or {}).get("left_out", ()))


def _imported(found: Run, ports: Ports) -> Iterator[Finding]:
    """The files of an imported run, each against the archive that it came from."""
    try:
        origin = origins.origin_of(ports.store.home, found.id)
    except CorruptError as error:
        yield Finding(what=origins.ORIGIN, fine=False, seen=error.message)
        return
    if origin is None:
        return
    folder, fine = layout.folder_of(ports.store.home, found.id), True
    for name, sha256 in origin["files"].items():
        if name in contents.CHANGING:
            continue
        try:
            same = measure(Source(name=name, path=folder / name)).sha256 == sha256
        except OSError:
            same = False
        if not same:
            fine = False
            yield Finding(what=name, fine=False, seen="it is not what was imported")
    if fine:
        yield Finding(what="files", fine=True, seen=f"{len(origin['files'])} as imported")
