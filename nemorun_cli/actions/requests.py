"""What was typed to launch something, and where."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nemorun_cli import roots
from nemorun_cli.actions.launch import Label
from nemorun_cli.core.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Request:
    """What was typed."""

    arguments: tuple[str, ...] = ()
    """Overrides, or the command line of the recipe `command`."""
    files: tuple[str, ...] = ()
    """Of overrides; they count before the arguments."""
    executor: str | None = None
    settings: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    include_repos: tuple[str, ...] = ()
    """Folders whose code goes along."""
    folder: Path | None = None
    """Where all these are named from; the current folder unless set."""
    later: tuple[str, ...] = ()
    """Further arguments, whose files are named from the current folder."""
    require_clean: bool = False
    """Refuse code that is not as committed."""
    yes_large: bool = False
    """Take a snapshot however large it is."""
    label: Label = field(default_factory=Label)
    trust: bool = False
    """Whether code that was imported may be executed."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Where the command was typed."""

    cwd: Path
    environ: Mapping[str, str]
    root: Path | None
    """The project's folder, if there is a project."""


def surroundings(environ: Mapping[str, str] = os.environ) -> Surroundings:
    """Those of this process."""
    try:
        cwd = Path.cwd()
    except FileNotFoundError:
        raise UsageError("the current folder is gone", hint="change to another one") from None
    home = Path(environ.get("HOME") or "/")
    return Surroundings(cwd=cwd, environ=environ, root=roots.find_root(cwd, home=home))
