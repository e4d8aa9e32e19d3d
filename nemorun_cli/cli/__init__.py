"""The command line: a table of commands, each imported when it is used, and one error boundary."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # As in nemorun_cli: an interrupt is caught in `main` alone.
if TYPE_CHECKING:
    from typing import Any

COMMANDS = {
    "launch": "Launch a recipe, or any command line.",
    "rerun": "Launch a run again from its stored code, with changes.",
    "list": "List runs, newest first.",
    "show": "Show all that is known of a run.",
    "status": "Ask how runs stand right now.",
    "logs": "Print or follow the output of a run.",
    "metrics": "Show what a run has measured.",
    "pull": "Fetch files that a run has left.",
    "compare": "Compare the configs and metrics of runs.",
    "cancel": "Ask runs to end, and see that they do.",
    "wait": "Wait until runs have ended; the exit code tells how.",
    "diff": "Show what differs between two runs, or a run and a launch from here.",
    "reproduce": "Launch a run anew, and tell whether it comes out the same.",
    "explain": "Tell what set each value of a config.",
    "tag": "Add or remove tags and notes of a run.",
    "rm": "Delete runs that have ended.",
    "gc": "Show what may go to make room, or delete it.",
    "export": "Write runs to one file, with all that belongs to them.",
    "import": "Take runs from such a file into the store.",
    "verify": "Check that a run, or such a file, is what it was.",
    "recipes": "List recipes, or what can be set in one.",
    "executors": "List executors, or the settings of one.",
    "doctor": "Check that everything a launch needs is there.",
}
_MODULES = {"import": "importing", "list": "listing", "rm": "remove"}


_INTERRUPTED = 130


def main() -> None:
    """The console script. Every error becomes one message and the documented exit code."""
    try:
        sys.exit(_run())
    except KeyboardInterrupt:  # While something is imported, nobody else catches it.
        sys.exit(_INTERRUPTED)


def _run() -> int:
    if "_NEMORUN_COMPLETE" in os.environ:
        from nemorun_cli.cli import complete

        complete.respond(sys.argv[1:], os.environ["_NEMORUN_COMPLETE"])
        return 0
    if any(name in sys.argv[1:2] for name in ("--version", "-V")):
        from nemorun_cli import __version__

        print(f"nemorun {__version__}")  # noqa: T201
        return 0
    from nemorun_cli.cli import boundary

    return boundary.run(sys.argv[1:])


def load(name: str) -> Any:  # noqa: ANN401
    """The function behind a command; imports its module and no other."""
    from importlib import import_module

    return import_module(f"nemorun_cli.cli.{_MODULES.get(name, name)}").command
