"""What `launch` and `rerun` share: their options, and what follows the submission."""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from nemorun_cli.cli import output
from nemorun_cli.cli.params import check_tags, refuse_without
from nemorun_cli.core.errors import UsageError

if TYPE_CHECKING:
    from nemorun_cli.actions.launch import Prepared
    from nemorun_cli.actions.requests import Request
    from nemorun_cli.actions.reuse import Twin
    from nemorun_cli.actions.wiring import Ports
    from nemorun_cli.core.runs import Run
    from nemorun_cli.packagers.skipped import Skipped

FileOption = Annotated[
    list[str] | None,
    typer.Option(
        "--file", "-f", metavar="FILE", help="Overrides in YAML, TOML or JSON; may be repeated."
    ),
]
ExecutorOption = Annotated[
    str | None,
    typer.Option(
        "--executor", "-e", metavar="NAME", help="An executor, or a profile of your settings."
    ),
]
SettingOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", "-x", metavar="NAME=VALUE", help="A setting of the executor: `-x time=2h`."
    ),
]
NameOption = Annotated[
    str | None, typer.Option("--name", metavar="NAME", help="A label of your own.")
]
ExperimentOption = Annotated[
    str | None, typer.Option("--experiment", metavar="NAME", help="A name that runs share.")
]
TagOption = Annotated[
    list[str] | None, typer.Option("--tag", "-t", metavar="TAG", help="May be repeated.")
]
EnvOption = Annotated[
    list[str] | None,
    typer.Option("--env", metavar="NAME[=VALUE]", help="A variable of the job; recorded."),
]
SecretOption = Annotated[
    list[str] | None,
    typer.Option("--secret", metavar="NAME", help="A variable whose value is written nowhere."),
]
AfterOption = Annotated[
    list[str] | None,
    typer.Option("--after", metavar="RUN[:ok|any|notok]", help="Start when RUN has ended so."),
]
IncludeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--include-repo",
        metavar="PATH",
        help="Code that goes along and is imported; may be repeated.",
    ),
]
CleanOption = Annotated[
    bool,
    typer.Option("--require-clean", help="Refuse code that is not as committed; exit 3."),
]
LargeOption = Annotated[
    bool,
    typer.Option("--yes-large", help="Take a snapshot however large it is."),
]
WaitOption = Annotated[
    bool,
    typer.Option("--wait", "-w", help="Stay until the run has ended; exit as it did."),
]
FollowOption = Annotated[
    bool,
    typer.Option("--follow", help="Stay, and print the run's output as it comes."),
]
TimeoutOption = Annotated[
    str | None,
    typer.Option(
        "--timeout", metavar="TIME", help="With --wait: stop waiting after this; exit 14."
    ),
]
CancelOption = Annotated[
    bool,
    typer.Option("--cancel-on-exit", help="Cancel the run when this command is interrupted."),
]
DryRunOption = Annotated[
    bool,
    typer.Option("--dry-run", help="Show the config and the plan; submit nothing."),
]
ReuseOption = Annotated[
    bool,
    typer.Option("--reuse", help="Launch nothing if the same has succeeded, or is under way."),
]
TrustOption = Annotated[
    bool, typer.Option("--trust", help="Execute the code of a run that was imported.")
]
TERMINATED = 143
INTERRUPTED = 130


@dataclass(frozen=True, kw_only=True)
class How:
    """What to do once the back-end has the job."""

    wait: bool
    follow: bool
    timeout: float | None
    cancel_on_exit: bool
    json: bool
    reuse: bool = False

    def __post_init__(self) -> None:
        """UsageError for options that mean nothing together."""
        if not self.wait and not self.follow:
            refuse_without(
                "--wait or --follow",
                {"--timeout": self.timeout is not None, "--cancel-on-exit": self.cancel_on_exit},
            )
        if self.reuse and self.cancel_on_exit:
            raise UsageError("--cancel-on-exit could end a run that others use: not with --reuse")


def request(  # noqa: PLR0913, PLR0917
    arguments: list[str] | None,
    files: list[str] | None,
    executor: str | None,
    settings: list[str] | None,
    env: list[str] | None,
    secrets: list[str] | None,
    *,
    name: str | None,
    experiment: str | None,
    tag: list[str] | None,
    after: list[str] | None,
) -> "Request":
    """The options as one value. UsageError for a text that is no tag."""
    from nemorun_cli.actions.launch import Label
    from nemorun_cli.actions.requests import Request

    check_tags(tag or ())
    label = Label(
        name=name or None,
        experiment=experiment or None,
        tags=tuple(tag or ()),
        after=tuple(after or ()),
    )
    return Request(
        arguments=tuple(arguments or ()),
        files=tuple(files or ()),
        executor=executor,
        settings=tuple(settings or ()),
        env=tuple(env or ()),
        secrets=tuple(secrets or ()),
        label=label,
    )


def start(
    prepared: "Prepared", how: How, *, ports: "Ports", begin: "Callable[..., Run] | None" = None
) -> int:
    """Submit the run, or let `begin` do so, print its id, and stay as long as was asked for."""
    from nemorun_cli.actions import launch

    for text in prepared.notices:
        output.note(text)
    run = (begin or launch.submit)(prepared, ports=ports)
    if not how.wait and not how.follow:
        return 0 if _print(run, how) else 1
    with _leaving(run, how, ports):
        if not how.json:
            _print(run, how)
        elif how.follow:
            output.note(run.id)
        if how.follow:
            _follow(run, how, ports)
        ended = _wait(run, how, ports)
    if how.json:
        _print(ended, how)
    return report(ended, how)


def show_plan(
    prepared: "Prepared",
    *,
    ports: "Ports",
    json: bool,
    twin: "Twin | None" = None,
    left_out: "Sequence[Skipped]" = (),
) -> int:
    """Print what a launch would write and run, and what is new against an earlier run.

    And what the snapshot leaves out.
    """
    from nemorun_cli.actions.compare import with_earlier_run
    from nemorun_cli.cli import plans

    for text in prepared.notices:
        output.note(text)
    comparison = with_earlier_run(prepared, ports=ports)
    if json:
        output.document(plans.document_of(prepared, comparison, twin, left_out))
    else:
        for line in plans.lines_of(prepared, comparison, left_out):
            output.answer(line)
    return 0


class _Terminated(KeyboardInterrupt):
    """SIGTERM, on its way to the exit code 143."""


_LEFT = {_Terminated: TERMINATED, KeyboardInterrupt: INTERRUPTED, output.ReaderGoneError: 0}


@contextmanager
def _leaving(run: "Run", how: How, ports: "Ports") -> Iterator[None]:
    """Tell, when this command is ended early, that the run is not; or cancel it."""

    def terminate(_number: int, _frame: FrameType | None) -> None:
        raise _Terminated

    before = {each: signal.signal(each, terminate) for each in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    except (KeyboardInterrupt, output.ReaderGoneError) as stop:
        output.end_progress()
        code = _LEFT[type(stop)]
        if how.cancel_on_exit:
            from nemorun_cli.actions.cancel import cancel

            output.note(f"cancelling {run.id}")
            cancel([run], ports=ports)
        else:
            output.note(f"{run.id} goes on; `nemorun cancel {run.id}` ends it")
        raise SystemExit(code) from None
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _follow(run: "Run", how: How, ports: "Ports") -> None:
    from nemorun_cli.actions.logs import lines

    tell = output.passed_on if how.json else output.answer
    for line in lines(run, ports=ports, follow=True, tell=output.warn):
        tell(line.text)


def _wait(run: "Run", how: How, ports: "Ports") -> "Run":
    from nemorun_cli.actions.wait import wait
    from nemorun_cli.cli.wait import tell

    (ended,) = wait([run], ports=ports, timeout=how.timeout, tell=tell)
    output.end_progress()
    return ended


def waited(run: "Run", how: How, ports: "Ports") -> "Run":
    """The run once it has ended, or when the time is up; told as `start` does when interrupted."""
    with _leaving(run, how, ports):
        return _wait(run, how, ports)


def report(run: "Run", how: How) -> int:
    """Tell why a run has failed; the exit code that tells how it ended."""
    from nemorun_cli.cli.wait import report

    return report([run], lines=0 if how.follow else None)


def _print(run: "Run", how: How) -> bool:
    """Print the id alone, or the whole run as a document; False if it could not be delivered."""
    from nemorun_cli.cli.documents import runs_document

    try:
        if how.json:
            output.document(runs_document([run]))
        else:
            output.answer(run.id)
    except output.ReaderGoneError:
        return True
    except output.OutputError as error:
        output.warn(f"{run.id} was launched, but {error.message}")
        return False
    return True
