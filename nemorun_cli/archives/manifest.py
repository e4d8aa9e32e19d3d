"""What an archive says that it holds, and what it may hold: names never become other paths."""

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from nemorun_cli.core.errors import NewerFormatError
from nemorun_cli.core.ids import is_id
from nemorun_cli.packagers.rows import EXECUTABLE, LINK, PLAIN, Entry
from nemorun_cli.packagers.trees import Tree
from nemorun_cli.store.origins import ORIGIN

NAME = "manifest.json"
FORMAT = "nemorun archive"
SCHEMA_VERSION = 1
NO_CODE, NO_PATCH = "its code", "its patch"
"""What is said of a run that was exported without."""
MOST_BYTES = 2**26
"""The size of the largest manifest that is read."""
_HASH = re.compile(r"[0-9a-f]{64}")
_PATCH = re.compile(r"[0-9a-f]{64}\.diff")
_DOCUMENT = re.compile(r"[a-z][a-z0-9_-]*(\.[a-z0-9]+)+")
_OF_A_JOB = re.compile(
    r"(exit|environment)\.json|(attempts|metrics[a-z0-9_.-]*)\.jsonl|logs/[0-9]+/[a-z0-9][a-z0-9_.-]*"
)
_LONGEST_LINK = 4096


@dataclass(frozen=True, kw_only=True)
class Member:
    """One file or symbolic link of an archive."""

    name: str
    """`runs/ID/...`, `code/HASH/...` or `patches/...`; bytes that are not plain are written %XX."""
    mode: int
    """PLAIN, EXECUTABLE or LINK."""
    sha256: str
    """Of the content, or of the link's target."""
    size: int


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The list of all that an archive holds."""

    runs: tuple[str, ...]
    code: tuple[str, ...]
    """The hashes of the snapshots."""
    members: tuple[Member, ...]
    left_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What was not exported, in words, by run."""

    def of_run(self, run_id: str) -> dict[str, Member]:
        """The files of a run, by their paths in its folder."""
        return self._below(f"runs/{run_id}/")

    def of_code(self, code_hash: str) -> dict[str, Member]:
        """The files of a snapshot, by their paths in it."""
        found = self._below(f"code/{code_hash}/")
        return {os.fsdecode(unquote_to_bytes(path)): each for path, each in found.items()}

    def patches(self) -> dict[str, Member]:
        """The patches that make code of its commits, by their names in the store."""
        return self._below("patches/")

    def wrong_code(self) -> list[str]:
        """The snapshots whose files are not those that their hashes stand for."""
        return [each for each in self.code if self.tree(each).hash != each]

    def tree(self, code_hash: str) -> Tree:
        """A snapshot, as its files are listed."""
        entries = {
            path: Entry(mode=each.mode, digest=each.sha256, size=each.size)
            for path, each in self.of_code(code_hash).items()
        }
        return Tree(root=Path(), entries=entries)

    def _below(self, start: str) -> dict[str, Member]:
        return {
            each.name.removeprefix(start): each
            for each in self.members
            if each.name.startswith(start)
        }


def is_document(name: str) -> bool:
    """Whether an archive may hold this file of a run's record."""
    return _DOCUMENT.fullmatch(name) is not None and name != ORIGIN


def is_patch(name: str) -> bool:
    """Whether an archive may hold a patch of this name."""
    return _PATCH.fullmatch(name) is not None


def is_of_a_job(path: str) -> bool:
    """Whether an archive may hold this file of a job's folder: nothing that could be executed."""
    return _OF_A_JOB.fullmatch(path) is not None


def is_hash(text: str) -> bool:
    """Whether this is a SHA-256 in hexadecimal digits."""
    return _HASH.fullmatch(text) is not None


def code_name(code_hash: str, path: str) -> str:
    """The name of a snapshot's file in an archive."""
    return f"code/{code_hash}/{quote(os.fsencode(path), safe='/')}"


def text_of(manifest: Manifest) -> str:
    """The text of manifest.json: the same for the same content."""
    members = [
        {**asdict(each), "mode": f"{each.mode:o}"}
        for each in sorted(manifest.members, key=lambda member: member.name)
    ]
    value = {
        "format": FORMAT,
        "schema_version": SCHEMA_VERSION,
        "runs": sorted(manifest.runs),
        "code": sorted(manifest.code),
        "left_out": {run_id: list(texts) for run_id, texts in sorted(manifest.left_out.items())},
        "members": members,
    }
    return json.dumps(value, indent=1) + "\n"


def parse(text: str | bytes) -> Manifest:
    """The manifest of this text.

    NewerFormatError for one of a later format; ValueError for one that is not well formed, that
    names a file twice, or one that would lie elsewhere than a run's or a snapshot's own files do.
    """
    try:
        found = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ValueError("it is not that of an archive of runs")
    version = found.get("schema_version")
    if not isinstance(version, int):
        raise ValueError("it does not tell its format")
    if version > SCHEMA_VERSION:
        raise NewerFormatError("it was written by a newer nemorun")
    manifest = Manifest(
        runs=tuple(_checked(each, is_id, "a run's id") for each in _list(found.get("runs"))),
        code=tuple(_checked(each, is_hash, "a hash") for each in _list(found.get("code"))),
        members=tuple(map(_member, _list(found.get("members")))),
        left_out=_left_out(found.get("left_out")),
    )
    _check_names(manifest)
    return manifest


def _member(value: Any) -> Member:  # noqa: ANN401
    if not isinstance(value, dict):
        raise ValueError("a member is no object")
    name = _checked(value.get("name"), str.isascii, "the name of a member")
    modes = {f"{mode:o}": mode for mode in (PLAIN, EXECUTABLE, LINK)}
    mode, size = modes.get(str(value.get("mode"))), value.get("size")
    if mode is None or not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise ValueError(f"{name}: its mode or size cannot be")
    if mode == LINK and size > _LONGEST_LINK:
        raise ValueError(f"{name}: no symbolic link is so long")
    sha256 = _checked(value.get("sha256"), is_hash, f"a hash of {name}")
    return Member(name=name, mode=mode, sha256=sha256, size=size)


def _check_names(manifest: Manifest) -> None:
    seen: set[str] = set()
    runs, code = set(manifest.runs), set(manifest.code)
    if len(runs) != len(manifest.runs) or len(code) != len(manifest.code):
        raise ValueError("it names a run or a snapshot twice")
    for each in manifest.members:
        if each.name in seen:
            raise ValueError(f"it names {each.name!r} twice")
        seen.add(each.name)
        kind, _, rest = each.name.partition("/")
        owner, _, path = rest.partition("/")
        fine = (
            (kind == "runs" and owner in runs and _is_of_a_run(owner, path, each.mode))
            or (kind == "code" and owner in code and _is_relative(path))
            or (kind == "patches" and is_patch(rest) and each.mode == PLAIN)
        )
        if not fine:
            raise ValueError(f"no file of a run or of its code can be called {each.name!r}")
    parents = {parent for name in seen for parent in _parents(name)}
    if both := seen & parents:
        raise ValueError(f"{min(both)!r} is a file and a folder")


def _is_of_a_run(run_id: str, path: str, mode: int) -> bool:
    inside = path.removeprefix(f"{run_id}-1/")
    return mode == PLAIN and (is_document(path) if inside == path else is_of_a_job(inside))


def _is_relative(path: str) -> bool:
    data = unquote_to_bytes(path)
    parts = data.split(b"/")
    plain = b"\0" not in data and not {b"", b".", b".."} & set(parts)
    return plain and quote(data, safe="/") == path


def _parents(name: str) -> Iterable[str]:
    at = name.find("/")
    while at != -1:
        yield name[:at]
        at = name.find("/", at + 1)


def _left_out(value: Any) -> dict[str, tuple[str, ...]]:  # noqa: ANN401
    if not isinstance(value, dict):
        raise ValueError("what it leaves out is no object")
    return {
        run_id: tuple(_checked(text, str.isprintable, "a text") for text in _list(texts))
        for run_id, texts in value.items()
    }


def _list(value: Any) -> list[Any]:  # noqa: ANN401
    if not isinstance(value, list):
        raise ValueError("one of its lists is missing")
    return value


def _checked(value: Any, check: Any, what: str) -> str:  # noqa: ANN401
    if not isinstance(value, str) or not check(value):
        raise ValueError(f"{value!r} is not {what}")
    return value
