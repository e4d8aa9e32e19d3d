"""The repositories of a run's code, in words."""

from collections.abc import Mapping, Sequence
from typing import Any

_LONG = 12
_LISTED = 100


def own(code: Mapping[str, Any]) -> str:
    """The commit of the project itself, its branch, and what differs from it."""
    for each in code.get("repositories") or ():
        if not each["place"]:
            return state(each)
    return code.get("commit") or ""


def others(code: Mapping[str, Any]) -> dict[str, str]:
    """Of each repository inside or beside the project, by its place in the snapshot."""
    found = [each for each in code.get("repositories") or () if each["place"]]
    return {each["place"]: f"{state(each)}, from {each['root']}" for each in found}


def state(repository: Mapping[str, Any]) -> str:
    """`1a2b3c4d5e6f on main, 2 changed, 1 untracked`."""
    commit, branch = repository.get("commit"), repository.get("branch")
    if not commit and not branch:
        return "no repository"
    known = f"{commit[:_LONG] if commit else 'no commit yet'}{f' on {branch}' if branch else ''}"
    counts = [_count(repository.get(what) or (), what) for what in ("changed", "untracked")]
    return ", ".join([known, *filter(None, counts)])


def _count(paths: Sequence[str], what: str) -> str:
    more = " or more" if len(paths) == _LISTED else ""
    return f"{len(paths)}{more} {what}" if paths else ""
