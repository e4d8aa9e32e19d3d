"""What differs between two stored configs, path by path."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nemorun_cli.config.render import flatten


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One path whose value differs; what is not there is MISSING."""

    path: str
    before: Any
    after: Any


MISSING = "(not set)"


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Difference, ...]:
    """All paths that differ, in the order of the first document, then of the second."""
    old, new = flatten(before), flatten(after)
    return tuple(
        Difference(path=path, before=old.get(path, MISSING), after=new.get(path, MISSING))
        for path in dict.fromkeys([*old, *new])
        if path not in old or path not in new or old[path] != new[path]
    )
