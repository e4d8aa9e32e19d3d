"""From the text RECIPE to the function that it names; nothing is imported."""

import difflib
from dataclasses import dataclass
from pathlib import Path

from nemorun_cli.config import discover
from nemorun_cli.core.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Found:
    """Where a recipe's function is."""

    target: str
    """`pkg.mod:function` or `path/in/code.py:function`."""
    origin: str
    folder: Path | None
    """What is put first on the path to import it."""
    file: str | None = None
    """Relative to the project, if it lies in there."""
    line: int | None = None
    own_file: Path | None = None
    """The one file that travels with the job, where there is no project."""


def find(name: str, *, root: Path | None, cwd: Path) -> Found:
    """The function of a registered name, `file.py:function` or `package.module:function`.

    UsageError for a name that is not registered, and for a file that is not there.
    """
    source, colon, function = name.rpartition(":")
    if not colon:
        return _registered(name, root)
    if not all(part.isidentifier() for part in function.split(".")):
        raise UsageError(
            f"{name!r}: {function!r} is no name of a function", hint="file.py:function"
        )
    if source.endswith(".py"):
        return _in_file(source, function, root, cwd)
    if not all(part.isidentifier() for part in source.split(".")):
        raise UsageError(f"{name!r}: {source!r} is neither a file.py nor a module")
    return Found(target=name, origin="module", folder=root)


def _in_file(source: str, function: str, root: Path | None, cwd: Path) -> Found:
    file = (cwd / source).resolve()
    if not file.is_file():
        raise UsageError(f"there is no file {source!r}", hint=f"it was looked for as {file}")
    if root is None:
        target = f"{file.name}:{function}"
        return Found(
            target=target, origin="file", folder=file.parent, file=str(file), own_file=file
        )
    if not file.is_relative_to(root.resolve()):
        raise UsageError(
            f"{source!r} is outside of the project {root}, which is all that the job gets",
            hint="move it in there, or launch from another folder",
        )
    inside = file.relative_to(root.resolve()).as_posix()
    return Found(target=f"{inside}:{function}", origin="file", folder=root, file=inside)


def _registered(name: str, root: Path | None) -> Found:
    found = discover.catalogue(root, entry_points=False)
    source = found.named(name)
    if source is None:
        found = discover.catalogue(root, entry_points=True)
        source = found.named(name)
    if source is None:
        raise _unknown(name, found)
    return found_at(source, root)


def found_at(source: discover.RecipeSource, root: Path | None) -> Found:
    """The same of what discovery has listed."""
    file = Path(source.file)
    if root is not None and file.is_relative_to(root):
        file = file.relative_to(root)
    return Found(
        target=f"{source.module}:{source.function}",
        origin=source.origin,
        folder=root,
        file=str(file),
        line=source.line,
    )


def _unknown(name: str, found: discover.Catalogue) -> UsageError:
    names = [*dict.fromkeys(each.name for each in found.recipes), "command"]
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    if name.endswith(".py"):
        hint = f"{name}:FUNCTION names a recipe in a file. "
    broken = "".join(f"; {each.file} cannot be read: {each.message}" for each in found.broken)
    return UsageError(
        f"there is no recipe {name!r}{broken}",
        hint=f"{hint}'nemorun recipes' lists all",
    )
