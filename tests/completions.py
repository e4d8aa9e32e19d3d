"""Writes completions/ and the table of flags anew, from the command line as Typer knows it."""

import sys
from pathlib import Path

import typer

from nemorun_cli.cli import COMMANDS
from nemorun_cli.cli.boundary import root
from nemorun_cli.cli.complete import SCRIPTS

HEAD = '''"""The flags of each command: `make completions` writes this file from the commands."""

FLAGS = {
'''


def flags_text() -> str:
    """The text of nemorun_cli/cli/flags.py."""
    lines = [HEAD]
    group = root()
    context = typer.Context(group)
    for name in COMMANDS:
        lines.append(f"    {name!r}: {{\n".replace("'", '"'))
        for parameter in group.get_command(context, name).params:
            if getattr(parameter, "help", None) is None or not parameter.opts[0].startswith("-"):
                continue
            flag = max(parameter.opts, key=len)
            text = str(parameter.help).split(";")[0].rstrip(".").replace('"', "'")
            lines.append(f'        "{flag}": "{text[:70]}",\n')
        lines.append("    },\n")
    return "".join([*lines, "}\n"])


def main() -> None:
    """Write all four files."""
    top = Path(__file__).parents[1]
    (top / "nemorun_cli" / "cli" / "flags.py").write_text(flags_text())
    for name, text in SCRIPTS.items():
        (top / "completions" / name).write_text(text)
    sys.stdout.write("completions written\n")


if __name__ == "__main__":
    main()
