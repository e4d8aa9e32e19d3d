"""What can be set in a config, in short: kept in the store for completion, which imports nothing.

An outline is a cache: it can be deleted at any time, is written by commands that have loaded the
recipe anyway, and is used only while the files that it came from are what they were.
"""

import json
import os
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

KEPT = 200
_FOLDER = "completion"
_OWN_KEYS = ("_target_", "_kind_", "_args_", "_tags_", "_id_", "_ref_")
_DEEPEST = 50
_MOST = 4_000_000  # bytes
_BARE = re.compile(r"[^\s.\[\]=+~@:\"'(){},]+")


class Field(NamedTuple):
    """One thing that can be set."""

    path: str
    """Each step after a dot, positions too: `model.layers.0.width`."""
    is_node: bool
    choices: tuple[str, ...]
    """The values it can have, where they are few; of a node, the factories that fit."""
    doc: str


class Key(NamedTuple):
    """What an outline is of."""

    recipe: str
    """As typed, with its arguments, but a file by its whole path."""
    root: str
    recipes: tuple[str, ...]
    """The files in the project's recipes/: a new one may take the name."""


def key_of(recipe: str, *, root: Path | None, cwd: Path) -> Key:
    """The key of a recipe as it is typed here."""
    name, bracket, arguments = recipe.partition("(")
    if ".py:" in name:
        name = os.path.normpath(cwd / name)
    files = _names(root / "recipes") if root is not None else []
    listed = tuple(sorted(each for each in files if each.endswith(".py")))
    return Key(recipe=name + bracket + arguments, root=str(root or ""), recipes=listed)


def is_step(name: str) -> bool:
    """Whether a name can stand between dots; any other needs brackets, and is not completed."""
    return _BARE.fullmatch(name) is not None and not name.endswith(("+", "-"))


def recall(home: Path, key: Key) -> tuple[Field, ...] | None:
    """The outline that is kept; None if there is none, or a file it came from has changed."""
    kept = _kept(home, key)
    if kept is None:
        return None
    try:
        return tuple(
            Field(str(path), bool(is_node), tuple(map(str, choices)), str(doc))
            for path, is_node, choices, doc in kept["fields"]
        )
    except (KeyError, TypeError, ValueError):
        return None


def is_kept(home: Path, key: Key) -> bool:
    """Whether an outline is there that still holds."""
    return _kept(home, key) is not None


def keep(home: Path, key: Key, fields: Sequence[Field], files: Sequence[Path]) -> None:
    """Keep an outline that was read from these files; what hinders that is passed over.

    A store that is not there yet is not made.
    """
    digests = {str(file): _digest(file) for file in files}
    text = json.dumps({"key": key, "files": digests, "fields": fields}, ensure_ascii=False)
    path = _path(home, key)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with suppress(OSError, ValueError):
        if not home.is_dir() or len(text) > _MOST:
            return
        path.parent.mkdir(mode=0o700, exist_ok=True)
        try:
            fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(fd, "w", encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123
                file.write(text)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        _forget(path.parent)


def of_document(document: Mapping[str, Any]) -> tuple[Field, ...]:
    """The same of a stored config: every path in it, with its value in place of a description."""
    return tuple(_stored(document, "", 0))


def _kept(home: Path, key: Key) -> dict[str, Any] | None:
    try:
        kept = json.loads(_path(home, key).read_bytes())
        same = kept["key"] == [key.recipe, key.root, list(key.recipes)]
        files = kept["files"].items()
        if same and all(_digest(Path(file)) == digest for file, digest in files):
            return dict(kept)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    return None


def _path(home: Path, key: Key) -> Path:
    # A clash does no harm: the key is in the file too.
    name = zlib.crc32(json.dumps(key).encode())
    return home / _FOLDER / f"{name:08x}.json"


def _digest(file: Path) -> str:
    """Tells contents apart; not safe against people, and need not be. It costs no import."""
    try:
        data = file.read_bytes()
    except OSError:
        return ""
    return f"{zlib.crc32(data):08x}-{len(data)}"


def _forget(folder: Path) -> None:
    """Delete all but the newest."""
    if len(os.listdir(folder)) <= KEPT:  # noqa: PTH208
        return
    files = sorted(folder.iterdir(), key=lambda each: each.stat().st_mtime, reverse=True)
    for file in files[KEPT:]:
        file.unlink(missing_ok=True)


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208
    except OSError:
        return []


def _stored(value: Any, path: str, depth: int) -> Iterator[Field]:
    node = isinstance(value, Mapping) and ("_target_" in value or "_ref_" in value)
    if path:
        choices = ("true", "false") if isinstance(value, bool) else ()
        yield Field(path, node, choices, _shown(value))
    for name, each in _parts(value) if depth < _DEEPEST else ():
        if is_step(name):
            yield from _stored(each, f"{path}.{name}" if path else name, depth + 1)


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and "_type_" in value:
        inner = value.get("value")
        if value["_type_"] == "dict" and isinstance(inner, list):
            yield from ((str(name), each) for name, each in inner if isinstance(name, str))
        elif isinstance(inner, list):
            yield from _parts(inner)
    elif isinstance(value, Mapping):
        yield from ((name, each) for name, each in value.items() if name not in _OWN_KEYS)
    elif isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
        yield from ((str(index), each) for index, each in enumerate(value))


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return str(value.get("_target_", "")).rpartition(":")[2]
    return "" if isinstance(value, list) else str(value)
