"""The documents that were stored with a run, once they are known to be what was stored."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from nemorun_cli import packagers
from nemorun_cli.actions.wiring import Ports
from nemorun_cli.core.errors import CorruptError, NemorunError, NotFoundError
from nemorun_cli.core.jobs import Code, Repository
from nemorun_cli.core.runs import Run
from nemorun_cli.store import snapshots

_REPOSITORY = frozenset(each.name for each in fields(Repository))


def config_of(run: Run, *, ports: Ports) -> dict[str, Any] | None:
    """The config that was launched; None for a command line.

    CorruptError for one whose hash is not that of the record; NotFoundError if it is gone.
    """
    if run.record.config_hash is None:
        return None
    document = _document(run, "config.json", ports)
    if not is_config(document, run.record.config_hash):
        raise CorruptError(f"{run.id}: its config.json is not what was launched")
    return document


def is_config(document: Any, expected: str) -> bool:  # noqa: ANN401
    """Whether this is the config of this hash, whatever it is."""
    from nemorun_cli.config.canonical import config_hash

    try:
        return config_hash(document) == expected
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False


def plan_of(run: Run, *, ports: Ports) -> dict[str, Any]:
    """What was written and executed to submit the run.

    CorruptError for what is no plan; NotFoundError if it is gone.
    """
    plan = _document(run, "plan.json", ports)
    if not isinstance(plan.get("links"), dict) or not isinstance(plan.get("files"), dict):
        raise CorruptError(f"{run.id}: its plan.json is no plan")
    return plan


def patch_of(run: Run, place: str, *, ports: Ports) -> str:
    """The patch that makes the code of the commit; empty if it is the same.

    `place`: of the repository whose code lies in that folder of the snapshot; empty for the
    project's. NotFoundError where there is none, or it is gone.
    """
    from nemorun_cli.packagers.patches import FOLDER

    known = (run.record.code or {}).get("repositories") or ()
    places = {each["place"]: each for each in known}
    found = places.get(place.rstrip("/"))
    if found is None:
        listed = ", ".join(filter(None, places)) or "none"
        raise NotFoundError(
            f"{run.id}: nothing is known of a repository {place!r} of its code"
            if place
            else f"{run.id}: its code was in no repository, or nemorun did not keep patches yet",
            hint=f"--repository PLACE tells which; there are: {listed}",
        )
    if not found.get("patch"):
        start = f"{place.rstrip('/')}/".lstrip("/")
        inside = {each.removeprefix(start) for each in places if each.startswith(start)}
        if not {*found.get("changed", ()), *found.get("untracked", ())} - inside:
            return ""  # All that differs are commits of submodules, which are told of themselves.
        raise NotFoundError(
            f"{run.id}: no patch was kept: there was no commit, or it would have been too large",
            hint=f"its code is in {(run.record.code or {}).get('path')}",
        )
    try:
        data = (ports.store.code / FOLDER / str(found["patch"])).read_bytes()
    except OSError:
        raise NotFoundError(
            f"{run.id}: its patch is not in the store",
            hint="its code itself is, if `nemorun rerun` finds it",
        ) from None
    return data.decode("utf-8", "surrogateescape")


def origins_of(run: Run, *, ports: Ports) -> dict[str, Any]:
    """What set each path of its config; empty where that was not recorded or cannot be read."""
    try:
        found = _document(run, "origins.json", ports)
    except NemorunError:
        return {}
    return {path: told for path, told in found.items() if _is_told(told)}


def stored_code(run: Run, *, ports: Ports) -> Code | None:
    """The snapshot that the run was made from; None if it had none.

    It is laid out. The store may have moved since. NotFoundError if the snapshot is not in it any
    more, CorruptError if not all of it is.
    """
    record = run.record
    if record.code is None:
        return None
    known = {each.name for each in fields(Code)}
    values: dict[str, Any] = {name: each for name, each in record.code.items() if name in known}
    path = ports.store.code / values["hash"]
    lists = {name: tuple(each) for name, each in values.items() if isinstance(each, list)}
    lists["repositories"] = tuple(
        Repository(**{name: each[name] for name in _REPOSITORY if name in each})
        for each in values.get("repositories", ())
    )
    code = Code(**{**values, **lists, "path": str(path)})
    packagers.lay_out(path)
    if not use(code, ports.store.code):
        raise NotFoundError(
            f"the code of {run.id} is not in the store any more",
            hint=f"launch {record.recipe} again from its project",
        )
    return code


def use(code: Code, store: Path) -> bool:
    """Whether a snapshot is there; it and its patches then stay for a day at least."""
    from nemorun_cli.packagers.patches import FOLDER

    folder = store / code.hash
    if not snapshots.there(folder):
        return False
    with snapshots.safe(store):
        for repository in code.repositories:
            if repository.patch is not None:
                snapshots.touch(store / FOLDER / repository.patch)
        return snapshots.touch(folder)


def typed_settings(run: Run) -> list[str]:
    """The settings that were typed at the launch, as they would be typed again."""
    typed = {name: each for name, each in run.record.settings.items() if each["source"] == "-x"}
    return [f"{name}={each['text']}" for name, each in typed.items()]


def _is_told(told: Any) -> bool:  # noqa: ANN401
    keys = ("kind", "place", "value")
    return isinstance(told, list) and all(
        isinstance(each, dict) and all(key in each for key in keys) for each in told
    )


def _document(run: Run, name: str, ports: Ports) -> dict[str, Any]:
    try:
        found = json.loads(ports.store.document(run.id, name))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise CorruptError(f"{run.id}: its {name} cannot be read")
    return found
