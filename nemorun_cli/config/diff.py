"""What differs between two stored configs, path by path. Nothing is imported."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nemorun_cli.config.render import lines


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One path whose value is not the same; None where there is none."""

    path: str
    before: str | None
    after: str | None


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Each path that one config has and the other has not, or has otherwise, in their order."""
    old, new = dict(_targets(before)), dict(_targets(after))
    return tuple(
        Difference(path=path, before=old.get(path), after=new.get(path))
        for path in {**old, **new}
        if old.get(path) != new.get(path)
    )


def _targets(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [("", str(document.get("_target_"))), *lines(document)]
