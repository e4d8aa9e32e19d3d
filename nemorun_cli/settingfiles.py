"""The files that hold settings: where they are and, in a hurry, which profiles they define."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

PROJECT_FILES = ("nemorun.toml", "pyproject.toml")


class Place(NamedTuple):
    """One file that may be there."""

    path: Path
    source: str
    """What messages call it."""
    table: tuple[str, ...] = ()
    """Where in it the settings are."""


def places(environ: Mapping[str, str], root: Path | None) -> Iterator[Place]:
    """The user's file, then those of the project; what is set in a later one wins."""
    config = Path(environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME") or "/") / ".config")
    yield Place(config / "nemorun" / "config.toml", "the user's config.toml")
    for name in PROJECT_FILES if root else ():
        table = ("tool", "nemorun") if name == "pyproject.toml" else ()
        yield Place(Path(root or ".") / name, name, table)


def profiles(environ: Mapping[str, str], root: Path | None) -> dict[str, str]:
    """Profile to executor, as the files say it; of a file that cannot be read nothing."""
    found: dict[str, str] = {}
    for place in places(environ, root):
        for name, table in _executors(place).items():
            kind = table.get("type") if isinstance(table, dict) else None
            if isinstance(kind, str) and kind != name:
                found[name] = kind
    return found


def _executors(place: Place) -> dict[str, Any]:
    try:
        data = place.path.read_bytes()
        if b"executors" not in data:
            return {}
        import tomllib

        values: Any = tomllib.loads(data.decode())
    except (OSError, ValueError):
        return {}
    for name in (*place.table, "executors"):
        values = values.get(name) if isinstance(values, dict) else None
    return values if isinstance(values, dict) else {}
