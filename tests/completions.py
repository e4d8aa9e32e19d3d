"""Writes completions/, and the tables that completion reads, from what the commands say."""

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from nemorun_cli import executors, launchers
from nemorun_cli.cli import COMMANDS, shells
from nemorun_cli.cli.boundary import root

WIDTH = 100
FLAGS = '''"""What each command takes: `make completions` writes this file from the commands."""

from collections.abc import Mapping
from typing import NamedTuple


class Flag(NamedTuple):
    """One option of a command."""

    short: str
    value: str
    """What stands for its value in the help, or the choices, `a|b|c`; empty if it takes none."""
    text: str


'''
SETTINGS = '''"""The settings of each executor: `make completions` writes this file."""

from collections.abc import Mapping

SETTINGS: Mapping[str, Mapping[str, tuple[str, str]]] = {
'''


def flags_text() -> str:
    """The text of nemorun_cli/cli/flags.py."""
    group = root()
    context = typer.Context(group)
    found = {name: group.get_command(context, name).params for name in COMMANDS}
    lines = [FLAGS, "ARGUMENTS: Mapping[str, tuple[str, ...]] = {\n"]
    for name, parameters in found.items():
        arguments = [each for each in parameters if each.param_type_name == "argument"]
        listed = "".join(f'"{each.metavar}", ' for each in arguments)
        lines.append(f'    "{name}": ({listed.rstrip(" " if len(arguments) == 1 else ", ")}),\n')
    lines.append("}\nFLAGS: Mapping[str, Mapping[str, Flag]] = {\n")
    for name, parameters in found.items():
        lines += [f'    "{name}": {{\n', *map(_flag, _options(parameters)), "    },\n"]
    return "".join([*lines, "}\n"])


def settings_text() -> str:
    """The text of nemorun_cli/cli/settingnames.py."""
    lines = [SETTINGS]
    for name in executors.BUILT_IN:
        kind: Any = executors.load(name)
        lines.append(f'    "{name}": {{\n')
        fields = (*dataclasses.fields(kind), *dataclasses.fields(kind.Resources))
        lines += [_setting(each) for each in fields if each.metadata]
        lines.append("    },\n")
    return "".join([*lines, "}\n"])


def _options(parameters: list[Any]) -> Iterator[Any]:
    for each in parameters:
        if each.param_type_name == "option" and each.help is not None:
            yield each


def _flag(option: Any) -> str:
    long = max(option.opts, key=len)
    short = min(option.opts, key=len)
    choices = "|".join(getattr(option.type, "choices", ()))
    value = "" if option.is_flag else choices or option.metavar or "VALUE"
    text = option.help.partition(";")[0].rstrip(".")
    return _fitting(f'        "{long}": Flag("{short if short != long else ""}", "{value}", ', text)


def _setting(setting: Any) -> str:
    return _fitting(f'        "{setting.name}": ("{_words(setting)}", ', setting.metadata["doc"])


def _words(setting: Any) -> str:
    """The values that a setting may have, where they are few."""
    if isinstance(setting.default, bool):
        return "true|false"
    if setting.name == "launcher":
        return "|".join(launchers.LAUNCHERS)
    return "|".join(setting.metadata["choices"])


def _fitting(start: str, text: str) -> str:
    """A line of the table, its text cut to what fits."""
    text = text.replace('"', "'").replace("\\", "")
    room = WIDTH - len(start) - len('""),')
    if len(text) > room:
        text = text[: room - 3].rpartition(" ")[0] + "..."
    return f'{start}"{text}"),\n'


def main() -> None:
    """Write all five files."""
    top = Path(__file__).parents[1]
    (top / "nemorun_cli" / "cli" / "flags.py").write_text(flags_text())
    (top / "nemorun_cli" / "cli" / "settingnames.py").write_text(settings_text())
    for shell, text in shells.SCRIPTS.items():
        (top / "completions" / shells.FILES[shell]).write_text(text)
    sys.stdout.write("completions written\n")


if __name__ == "__main__":
    main()
