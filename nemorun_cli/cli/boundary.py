"""From argv to an exit code: Typer's parsing, and the one place where errors end."""

import os
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from nemorun_cli.cli import COMMANDS, load, output
from nemorun_cli.core.errors import NemorunError, UsageError

INTERRUPTED = 130
TERMINATED = 143
_HELP = "Configure, launch and keep track of experiments, here and on a cluster."


class LazyGroup(TyperGroup):
    """A group whose commands are imported when they are used, not to be listed."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401, ARG002
        """All names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401, ARG002
        """The command of this name, or None; UsageError if another one is meant."""
        if cmd_name not in COMMANDS:
            import difflib

            for near in difflib.get_close_matches(cmd_name, COMMANDS, n=1):
                raise UsageError(f"no such command {cmd_name!r}", hint=f"did you mean {near!r}?")
            return None
        app = _new_app()
        app.command(cmd_name, help=_help_of(load(cmd_name)), no_args_is_help=False)(load(cmd_name))
        return typer.main.get_command(app)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401, ARG002
        """Write the table without importing what is in it."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401, ARG002
        """Write a first example."""
        with formatter.section("Examples"):
            formatter.write_dl(
                [
                    ("nemorun launch hello", "a first run, in a second"),
                    ("nemorun launch digits optim.lr=1e-3 --follow", "train, and watch"),
                    ("nemorun list --state running", "what is going on"),
                ],
            )


def _new_app(**options: Any) -> typer.Typer:  # noqa: ANN401
    return typer.Typer(
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        **options,
    )


def _help_of(function: Any) -> str:  # noqa: ANN401
    import inspect

    return inspect.getdoc(function) or ""


def root() -> Any:  # noqa: ANN401
    """The whole command line, as Typer builds it."""
    app = _new_app(cls=LazyGroup, help=_HELP)

    @app.callback()
    def _options() -> None:
        pass

    return typer.main.get_command(app)


def run(arguments: Sequence[str]) -> int:  # noqa: PLR0911
    """Execute this command line; the exit code. Nothing below this function exits or prints."""
    as_json = "--json" in arguments
    try:
        return int(
            root().main(list(arguments) or ["--help"], "nemorun", standalone_mode=False) or 0
        )
    except NemorunError as error:
        return output.fail(error, as_json=as_json)
    except KeyboardInterrupt:
        return INTERRUPTED
    except (output.ReaderGoneError, SystemExit) as stop:
        return _left_alone(stop)
    except Exception as error:
        if (usage := _usage(error, arguments)) is not None:
            return output.fail(usage, as_json=as_json)
        if (left := _exit_code(error)) is not None:
            return left
        if os.environ.get("NEMORUN_DEBUG"):
            raise
        return output.fail(_internal(error), as_json=as_json)


def _left_alone(stop: BaseException) -> int:
    """Who reads the answer has seen enough, which is no failure."""
    # SystemExit is how Typer ends then, while it prints its help.
    if isinstance(stop, SystemExit) and not isinstance(stop.__context__, BrokenPipeError):
        raise stop
    return 0


def _usage(error: Exception, arguments: Sequence[str]) -> UsageError | None:
    """Typer's own complaint in our words; which class it has depends on Typer's version."""
    tell = getattr(error, "format_message", None)
    if tell is None:
        return None
    context = getattr(error, "ctx", None)
    named = " ".join(("nemorun", *(each for each in arguments[:1] if each in COMMANDS)))
    path = context.command_path if context is not None else named
    message = str(tell()).rstrip(".")
    return UsageError(
        message[:1].lower() + message[1:], hint=f"`{path} --help` tells what it takes"
    )


def _exit_code(error: Exception) -> int | None:
    # Python tells of an interrupt while a class is made as of an error.
    if type(error).__name__ == "Abort" or isinstance(error.__cause__, KeyboardInterrupt):
        return INTERRUPTED
    code = getattr(error, "exit_code", None)
    return code if isinstance(code, int) else None


def _internal(error: Exception) -> NemorunError:
    return NemorunError(
        f"internal error: {type(error).__name__}: {error}",
        hint="this is a bug of nemorun; NEMORUN_DEBUG=1 shows where",
    )
