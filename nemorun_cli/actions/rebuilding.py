"""The environment that a run was recorded with, built again on this machine."""

from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import unquote, urlsplit

from nemorun_cli import virtualenvs
from nemorun_cli.actions.environment import environment_of
from nemorun_cli.actions.stored import stored_code
from nemorun_cli.actions.wiring import Ports
from nemorun_cli.core.errors import RefusedError
from nemorun_cli.core.jobs import Code
from nemorun_cli.core.runs import Run
from nemorun_cli.store import snapshots

_PIP = ("pip",)


def python_of(run: Run, *, ports: Ports, tell: Callable[[str], None]) -> tuple[Path, list[str]]:
    """The interpreter of such an environment, and what of it is left out.

    It is built unless it is there, which `tell` is told of before, and stays for a month at least.
    RefusedError for a run whose environment was not recorded, and where it cannot be built.
    """
    wanted, left_out = _wanted(run, ports)
    place = virtualenvs.place(wanted, ports.store.home)
    if not snapshots.claim(place.folder):
        count = len(wanted.packages)
        tell(
            f"building an environment of {count} package{'' if count == 1 else 's'} "
            f"with Python {place.version}, which may take minutes"
        )
        virtualenvs.build(place, now=ports.clock())
        snapshots.claim(place.folder)
    return place.python, left_out


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
