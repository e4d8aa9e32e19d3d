"""Settings of executors: from where they come, which wins, and what they mean."""

import dataclasses
import difflib
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nemorun_cli import settingfiles
from nemorun_cli.core.errors import UsageError
from nemorun_cli.settingvalues import as_text, fitting

DEFAULT_EXECUTOR = "local"
DEFAULT = "default"
SNAPSHOTS = ("include_repos", "include_editables", "snapshot_limit")
"""What a settings file may say of snapshots."""
_PREFIX = "NEMORUN_"
_KEYS = ("executor", "settings", "executors", "metrics", *SNAPSHOTS)
_PATTERN = "pattern"
# A repository that somebody else wrote may not decide what is run here, or with whose keys.
_NEVER_FROM_A_PROJECT = ("ssh", "tunnel", "host_key", "known_hosts", "proxy", "home", "secret")
# Nor may it make a container anything more than the user is, or choose where that runs, or to which
# Ray cluster code, secrets and a token are sent.
_NEVER_BY_NAME = ("docker_host", "context", "user", "create", "address")
_AT_LEAST_ONE = ("nodes", "nproc")
# Jobs find these in their environment; a launch from inside a job is not meant by them.
_JOB_VARIABLES = ("NEMORUN_GPUS_PER_NODE",)


@dataclass(frozen=True, kw_only=True)
class Layer:
    """The settings of one file."""

    source: str
    common: Mapping[str, Any]
    executors: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All that is set outside the command line, low to high."""

    layers: tuple[Layer, ...]
    environ: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The executor that a name stands for."""

    executor: str
    profile: str | None


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting as used."""

    value: Any
    source: str
    text: str = ""
    """The value as it would be typed."""


def load(*, environ: Mapping[str, str], root: Path | None) -> Settings:
    """Read the user's settings file and the project's.

    UsageError for a file that is no TOML or holds unknown keys, and for a project that sets what it
    may not.
    """
    layers = [_layer(*place) for place in settingfiles.places(environ, root)]
    for layer in layers:
        if layer.source in settingfiles.PROJECT_FILES:
            _refuse_dangerous(layer)
    return Settings(layers=tuple(layers), environ=environ)


def choose(settings: Settings, name: str | None) -> Choice:
    """The executor for `-e NAME`, or for none: NEMORUN_EXECUTOR, a file's `executor`, `local`."""
    common = [layer.common["executor"] for layer in settings.layers if "executor" in layer.common]
    asked = name or settings.environ.get("NEMORUN_EXECUTOR") or (common or [DEFAULT_EXECUTOR])[-1]
    tables = [layer.executors[asked] for layer in settings.layers if asked in layer.executors]
    kinds = [str(table["type"]) for table in tables if "type" in table]
    if not tables or (kinds or [asked])[-1] == asked:
        return Choice(executor=str(asked), profile=None)
    return Choice(executor=(kinds or [asked])[-1], profile=str(asked))


def profiles(settings: Settings) -> dict[str, str]:
    """The profiles that the files define: name to executor."""
    names = dict.fromkeys(name for layer in settings.layers for name in layer.executors)
    chosen = {name: choose(settings, name) for name in names}
    return {name: each.executor for name, each in chosen.items() if each.profile}


def metrics_pattern(settings: Settings) -> tuple[str, str] | None:
    """The regular expression of `[metrics] pattern`, the project's first, and where it is set."""
    for layer in reversed(settings.layers):
        if _PATTERN in layer.common.get("metrics", {}):
            return layer.common["metrics"][_PATTERN], layer.source
    return None


def resolve(
    settings: Settings,
    choice: Choice,
    kinds: Sequence[type],
    assignments: Sequence[str],
) -> dict[str, Setting]:
    """Every setting of these dataclasses with its value and source.

    Low to high: default, files, NEMORUN_NAME, the profile's table, `-x`. UsageError for a name
    that is no setting, and for a value that does not fit.
    """
    known = {
        each.name: each for kind in kinds for each in dataclasses.fields(kind) if each.metadata
    }
    hints = {name: hint for kind in kinds for name, hint in typing.get_type_hints(kind).items()}
    found = {name: _setting(each, _default(each), DEFAULT) for name, each in known.items()}
    for source, name, value in _assigned(settings, choice, known, assignments):
        if name not in known:
            raise _unknown(name, source, choice.executor, found)
        kind = known[name].metadata.get("kind", "")
        read = _read(name, value, hints[name], kind, source)
        _refuse_unless_one_of(known[name].metadata.get("choices", ()), name, read, source)
        found[name] = _setting(known[name], read, source)
    return found


def _assigned(
    settings: Settings,
    choice: Choice,
    known: Mapping[str, Any],
    assignments: Sequence[str],
) -> list[tuple[str, str, Any]]:
    """(source, name, value) for everything that is set, low to high."""
    found: list[tuple[str, str, Any]] = []
    for layer in settings.layers:
        table = {**layer.common.get("settings", {}), **layer.executors.get(choice.executor, {})}
        found += [(layer.source, name, value) for name, value in table.items() if name != "type"]
    for name in known:
        variable = _PREFIX + name.upper()
        if variable in settings.environ and variable not in _JOB_VARIABLES:
            found.append((variable, name, settings.environ[variable]))
    for layer in settings.layers if choice.profile else ():
        source = f"profile {choice.profile} ({layer.source})"
        table = {**layer.executors.get(choice.profile or "", {})}
        found += [(source, name, value) for name, value in table.items() if name != "type"]
    for text in assignments:
        name, given, value = text.partition("=")
        if not given or not name:
            raise UsageError(f"-x expects NAME=VALUE, got {text!r}", hint="for example -x time=2h")
        found.append(("-x", name.strip(), value))
    return found


def _layer(path: Path, source: str, table: tuple[str, ...]) -> Layer:
    values = _toml(path)
    for name in table:
        values = values.get(name, {})
    for name in values:
        if name not in _KEYS:
            near = difflib.get_close_matches(name, _KEYS, n=1)
            meant = f"did you mean {near[0]!r}? " if near else ""
            raise UsageError(f"{path}: unknown key {name!r}", hint=f"{meant}{', '.join(_KEYS)}")
    if not isinstance(values.get("executor", ""), str):
        raise UsageError(f"{path}: executor is a name", hint="its settings are in [executors.NAME]")
    executors = values.get("executors", {})
    if not all(isinstance(each, dict) for each in (executors, *executors.values())):
        raise UsageError(f"{path}: [executors.NAME] is a table of settings")
    metrics = values.get("metrics", {})
    if not isinstance(metrics, dict) or any(
        name != _PATTERN or not isinstance(each, str) for name, each in metrics.items()
    ):
        raise UsageError(f"{path}: [metrics] is a table with a `pattern`, which is a text")
    return Layer(source=source, common=values, executors=executors)


def _toml(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error}") from None
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not TOML: {error}") from None


def _refuse_dangerous(layer: Layer) -> None:
    tables = {"settings": layer.common.get("settings", {}), **layer.executors}
    for table, values in tables.items():
        for name in values:
            dangerous = any(word in name.lower() for word in _NEVER_FROM_A_PROJECT)
            if dangerous or name.lower() in _NEVER_BY_NAME:
                raise UsageError(
                    f"{layer.source} sets {name!r} in {table!r}, which a project may not",
                    hint="set it in ~/.config/nemorun/config.toml, or with -x",
                )


def _setting(each: "dataclasses.Field[Any]", value: Any, source: str) -> Setting:  # noqa: ANN401
    text = as_text(value, each.metadata.get("kind", ""))
    return Setting(value=value, source=source, text=text)


def _default(each: "dataclasses.Field[Any]") -> Any:  # noqa: ANN401
    if each.default_factory is not dataclasses.MISSING:
        return each.default_factory()
    return each.default


def _unknown(name: str, source: str, executor: str, known: Mapping[str, Setting]) -> UsageError:
    near = difflib.get_close_matches(name, known, n=1)
    listed = ", ".join(f"{each}={value.text}" for each, value in known.items())
    meant = f"did you mean {near[0]!r}? " if near else ""
    return UsageError(
        f"the executor {executor!r} has no setting {name!r} (from {source})",
        hint=f"{meant}there are: {listed}",
    )


def _read(name: str, value: Any, annotation: Any, kind: str, source: str) -> Any:  # noqa: ANN401
    try:
        read = fitting(value, annotation, kind)
    except ValueError as error:
        raise UsageError(f"{name} {error} (from {source})") from None
    if isinstance(read, int) and not isinstance(read, bool):
        least = 1 if name in _AT_LEAST_ONE else 0
        if read < least:
            raise UsageError(f"{name} expects {least} or more, got {read} (from {source})")
    return read


def _refuse_unless_one_of(choices: Sequence[str], name: str, value: Any, source: str) -> None:  # noqa: ANN401
    if choices and value not in choices:
        near = difflib.get_close_matches(str(value), choices, n=1)
        raise UsageError(
            f"{name} expects one of {', '.join(choices)}, got {value!r} (from {source})",
            hint=f"did you mean {near[0]!r}?" if near else "",
        )
