"""What a launch's snapshot is to hold beside the project, as options and settings files say."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nemorun_cli import launchers
from nemorun_cli.actions.requests import Request, Surroundings
from nemorun_cli.core.errors import UsageError
from nemorun_cli.core.jobs import Code, Resources
from nemorun_cli.packagers import editables, git
from nemorun_cli.packagers.companions import Also
from nemorun_cli.packagers.editables import Editable
from nemorun_cli.settings import Settings

if TYPE_CHECKING:
    from nemorun_cli.packagers.skipped import Skipped

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT])(?:i?B)?", re.IGNORECASE)
_UNITS = {unit: 1024**power for power, unit in enumerate("KMGT", start=1)}


def also(request: Request, around: Surroundings, chosen: Settings, resources: Resources) -> Also:
    """What goes along, and the limits. UsageError for a folder that cannot be meant."""
    root = around.root
    if root is None:
        return Also(clean=request.require_clean)
    start = request.folder or around.cwd
    asked = [(start, text, "--include-repo") for text in request.include_repos]
    asked += [(root, text, f"include_repos in {source}") for text, source in _included(chosen)]
    wanted = Also(
        repositories=tuple(dict.fromkeys(_folder(root, *each) for each in asked)),
        editables=_editables(resources),
        clean=request.require_clean,
    )
    limit = _limit(chosen)
    if request.yes_large or limit is not None:
        wanted = replace(wanted, limit=None if request.yes_large else limit)
    if not _setting(chosen, "include_editables", kind=bool, default=True):
        inside = (each for each in wanted.editables if each.folder.is_relative_to(root))
        return replace(wanted, editables=tuple(inside))
    return wanted


def notices(code: Code | None) -> Iterator[str]:
    """What whoever launches should know of a snapshot."""
    if code is not None and not code.repositories and git.missing(Path(code.root)):
        yield "git is not installed: no commit is recorded, and what it would ignore goes along"
    for told in code.live if code else ():
        yield f"not frozen: {told}; a job that imports it gets what is there when it runs"


def skipped(around: Surroundings) -> "tuple[Skipped, ...]":
    """The largest of what the snapshot of a project leaves out."""
    from nemorun_cli.packagers import skipped as leaving

    return leaving.skipped(around.root) if around.root else ()


def _editables(resources: Resources) -> tuple[Editable, ...]:
    """Those of the interpreter that runs the recipe, if it is here, else of the active one."""
    asked = editables.installed(resources.python) if resources.python else ()
    return asked or editables.installed(launchers.active_python())


def _folder(root: Path, start: Path, text: str, source: str) -> Path:
    folder = (start / Path(text).expanduser()).resolve()
    if not folder.is_dir():
        raise UsageError(f"{source}: there is no folder {text!r} in {start}")
    if root.resolve().is_relative_to(folder):
        raise UsageError(f"{source}: {text!r} holds the project itself, which goes along anyway")
    return folder


def _included(chosen: Settings) -> Iterator[tuple[str, str]]:
    """Each folder that a settings file names, and which file."""
    for layer in chosen.layers:
        found = layer.common.get("include_repos", [])
        if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
            raise UsageError(f"{layer.source}: include_repos is a list of folders")
        yield from ((text, layer.source) for text in found)


def _limit(chosen: Settings) -> int | None:
    text = _setting(chosen, "snapshot_limit", kind=str, default="")
    found = _SIZE.fullmatch(text.strip())
    if text and not found:
        raise UsageError(
            f"snapshot_limit: {text!r} is no size", hint='for example snapshot_limit = "4 GiB"'
        )
    return int(float(found[1]) * _UNITS[found[2].upper()]) if found else None


def _setting(chosen: Settings, name: str, *, kind: type, default: Any) -> Any:  # noqa: ANN401
    """What the last settings file says."""
    for layer in chosen.layers:
        value = layer.common.get(name, default)
        if not isinstance(value, kind):
            what = "a text" if kind is str else "true or false"
            raise UsageError(f"{layer.source}: {name} is {what}, not {value!r}")
        default = value
    return default
