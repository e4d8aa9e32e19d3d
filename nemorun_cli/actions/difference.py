"""What differs between two sides: config, code, environment, settings, results."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nemorun_cli.actions.codediff import FileChange, file_changes
from nemorun_cli.actions.environmentfacts import paired
from nemorun_cli.actions.fitting import Unfit
from nemorun_cli.actions.sides import Section, Side
from nemorun_cli.config.diff import differences
from nemorun_cli.config.explain import explain

WHOLE = ""
"""The path of what is called itself."""


@dataclass(frozen=True, kw_only=True)
class ConfigChange:
    """One path whose value is not the same; None where there is none."""

    path: str
    before: str | None
    after: str | None
    before_origin: Mapping[str, Any] | None
    """What set it: `kind`, `place` and `value`."""
    after_origin: Mapping[str, Any] | None


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing with a name that is not the same; None where there is none."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The sections that were compared; None is one that was not, or that a side cannot tell."""

    config: tuple[ConfigChange, ...] | None = None
    code: tuple[FileChange, ...] | None = None
    environment: tuple[Change, ...] | None = None
    settings: tuple[Change, ...] | None = None
    results: tuple[Change, ...] | None = None
    unfit: tuple[Unfit, ...] = ()
    """What of one side would be refused on the other, which is without it."""

    @property
    def different(self) -> bool:
        """Whether what was launched differs; how it went does not count."""
        return any((self.config, self.code, self.environment, self.settings, self.unfit))


def compare(before: Side, after: Side, sections: Sequence[Section]) -> Comparison:
    """The two sides, section by section. NotFoundError where files to be compared are gone."""
    made: dict[Section, Callable[[], Any]] = {
        Section.CONFIG: lambda: _config(before, after),
        Section.CODE: lambda: _code(before, after),
        Section.ENVIRONMENT: lambda: _environment(before, after),
        Section.SETTINGS: lambda: changes(before.settings, after.settings),
        Section.RESULTS: lambda: changes(before.results, after.results),
    }
    found = {each.value: made[each]() for each in sections}
    return Comparison(**found, unfit=(*before.unfit, *after.unfit))


def _config(before: Side, after: Side) -> tuple[ConfigChange, ...] | None:
    if before.unmade or after.unmade:
        return None
    if before.config is None or after.config is None:
        told = _called(before), _called(after)
        whole = ConfigChange(
            path=WHOLE, before=told[0], after=told[1], before_origin=None, after_origin=None
        )
        return () if told[0] == told[1] else (whole,)
    old, new = _origins(before), _origins(after)
    return tuple(
        ConfigChange(
            path=each.path,
            before=each.before,
            after=each.after,
            before_origin=old.get(each.path),
            after_origin=new.get(each.path),
        )
        for each in differences(before.config, after.config)
    )


def _called(side: Side) -> str:
    """What is executed: a command line, or what a config calls."""
    return shlex.join(side.argv or ()) if side.config is None else str(side.config["_target_"])


def _origins(side: Side) -> dict[str, Mapping[str, Any]]:
    found = explain(side.config or {}, side.origins, None)
    return {each.path: each.winner for each in found}


def _code(before: Side, after: Side) -> tuple[FileChange, ...]:
    if before.code_hash == after.code_hash:
        return ()
    return file_changes(before.files(), after.files())


def _environment(before: Side, after: Side) -> tuple[Change, ...] | None:
    if before.environment is None or after.environment is None:
        return None
    return changes(*paired(before.environment, after.environment))


def changes(
    before: Mapping[str, str] | None, after: Mapping[str, str] | None
) -> tuple[Change, ...] | None:
    """What has another text under its name, or has it on one side alone; None if one is unknown."""
    if before is None or after is None:
        return None
    return tuple(
        Change(name=name, before=before.get(name), after=after.get(name))
        for name in {**before, **after}
        if before.get(name) != after.get(name)
    )
