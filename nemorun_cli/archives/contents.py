"""The runs of an archive, once they are known to be runs that have ended."""

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from nemorun_cli.archives.manifest import Member, is_hash, is_patch
from nemorun_cli.archives.reading import Archive
from nemorun_cli.core.errors import CorruptError, NewerError, NewerFormatError
from nemorun_cli.core.ids import key_of
from nemorun_cli.core.jobs import Code
from nemorun_cli.core.runs import RunRecord
from nemorun_cli.packagers import fitting
from nemorun_cli.packagers.patches import LARGEST
from nemorun_cli.store import documents

CHANGING = ("labels.json", "events.jsonl", "observed.json")
"""What of a record may have changed since it was exported, and does not make it another run."""


def record_of(archive: Archive, run_id: str) -> RunRecord:
    """The record of a run of the archive.

    CorruptError for one that is none, that has not ended, or that names places outside its own.
    """
    try:
        return _checked(archive, run_id)
    except NewerFormatError:
        raise NewerError(f"{archive.path}: {run_id}") from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CorruptError(
            f"{archive.path}: {run_id} is no run that was exported: {error}"
        ) from None


def config_of(archive: Archive, run_id: str) -> Any:  # noqa: ANN401
    """The JSON of its config.json; ValueError for one that is none."""
    return _value(archive, archive.manifest.of_run(run_id), "config.json")


def patches(archive: Archive, records: Iterable[RunRecord]) -> dict[str, str | None]:
    """The patches of the archive by name, each with what is wrong with it, or None.

    `records` are its runs. A patch must make the code of a run of that run's commit.
    """
    held = archive.manifest.patches()
    found: dict[str, str | None] = dict.fromkeys(held, "it is of no code of these runs")
    codes = {json.dumps([code["hash"], code.get("repositories")]): code for code in _codes(records)}
    for code in codes.values():
        files = archive.manifest.of_code(code["hash"])
        read = partial(_content, archive, files)
        for made in fitting.made(code, archive.manifest.tree(code["hash"]), read):
            if made.patch in held and files:
                found[made.patch] = _misfit(archive, held[made.patch], made)
    return found


def _codes(records: Iterable[RunRecord]) -> Iterator[Mapping[str, Any]]:
    return (record.code for record in records if record.code is not None)


def _content(archive: Archive, files: Mapping[str, Member], path: str) -> bytes:
    return archive.content(files[path])


def _misfit(archive: Archive, patch: Member, made: fitting.Made) -> str | None:
    if patch.size > LARGEST:
        return "it is too large"
    return fitting.misfit(archive.content(patch), made)


def _checked(archive: Archive, run_id: str) -> RunRecord:
    members = archive.manifest.of_run(run_id)
    record = documents.record_from_json(_value(archive, members, "run.json"))
    if record.id != run_id:
        raise ValueError(f"run.json: it is that of {record.id}")
    documents.verdict_from_json(_value(archive, members, "verdict.json"))
    for name in members:
        if name.startswith("submitted-"):
            handle = documents.handle_from_json(_value(archive, members, name))
            if handle.key != key_of(run_id, 1):
                raise ValueError(f"{name}: it is that of {handle.key}")
    _check_texts(record.environment.get("values", {}).items())
    _check_texts([record.environment.get("secrets", ())])
    _check_texts((each["source"], each["text"]) for each in record.settings.values())
    if record.code is not None:
        _check_code(record.code)
    if "plan.json" in members:
        _check_links(_value(archive, members, "plan.json"))
    return record


def _value(archive: Archive, members: Mapping[str, Member], name: str) -> Any:  # noqa: ANN401
    if name not in members:
        raise ValueError(f"it has no {name}")
    if members[name].size > LARGEST:
        raise ValueError(f"{name}: it is too large")
    try:
        return json.loads(archive.content(members[name]))
    except (ValueError, RecursionError):
        raise ValueError(f"{name}: it is not JSON") from None


def _check_texts(found: Iterable[Iterable[Any]]) -> None:
    if not all(isinstance(text, str) for texts in found for text in texts):
        raise ValueError("run.json: its environment or its settings are no texts")


def _check_code(value: Mapping[str, Any]) -> None:
    code = Code(**{name: each for name, each in value.items() if name in Code.__annotations__})
    known = [each["patch"] for each in value.get("repositories", ())]
    fine = all(map(_is_inside, code.entries)) and all(map(is_patch, filter(None, known)))
    if not is_hash(code.hash) or not fine:
        raise ValueError("run.json: its code lies elsewhere")


def _check_links(plan: Any) -> None:  # noqa: ANN401
    links = plan["links"]
    if not all(_is_inside(name) and isinstance(to, str) for name, to in links.items()):
        raise ValueError("plan.json: it links to what it may not")


def _is_inside(name: Any) -> bool:  # noqa: ANN401
    path = PurePosixPath(name)
    return not path.is_absolute() and path.parts != () and ".." not in path.parts
