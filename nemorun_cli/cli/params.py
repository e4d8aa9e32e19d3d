"""The parameters that several commands share."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from nemorun_cli.actions.observe import Refresh
from nemorun_cli.core.errors import UsageError
from nemorun_cli.core.jobs import JobState
from nemorun_cli.core.runs import Filter

RUN_HELP = "An id, a prefix of it or of its last part (3 characters), `last`, or `@-2`."
UNITS = "the units are s, m, h, d and w"
RunArg = Annotated[str, typer.Argument(metavar="RUN", help=RUN_HELP, show_default=True)]
RunsArg = Annotated[list[str] | None, typer.Argument(metavar="[RUN]...", help=RUN_HELP)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
RefreshOption = Annotated[
    Refresh,
    typer.Option("--refresh", help="How eagerly back-ends are asked how live runs stand."),
]
StrictOption = Annotated[
    bool,
    typer.Option("--strict", help="Exit with 17 when a back-end could not be asked."),
]
StateOption = Annotated[
    list[str] | None,
    typer.Option(
        "--state", "-s", metavar="STATE", help="In this state; may be repeated, or hold a,b."
    ),
]
RecipeOption = Annotated[
    str | None, typer.Option("--recipe", metavar="RECIPE", help="Of this recipe.")
]
ExecutorFilter = Annotated[
    str | None,
    typer.Option("--executor", "-e", metavar="NAME", help="On this executor or profile."),
]
ExperimentFilter = Annotated[
    str | None, typer.Option("--experiment", metavar="NAME", help="Of this experiment.")
]
TagFilter = Annotated[
    list[str] | None,
    typer.Option("--tag", "-t", metavar="TAG", help="With this tag; repeated: with all of them."),
]
SinceOption = Annotated[
    str | None,
    typer.Option(
        "--since", metavar="WHEN", help="Launched since: `2d`, `3h`, or an ISO date or time."
    ),
]

PatternOption = Annotated[
    str | None,
    typer.Option(
        "--pattern",
        metavar="REGEX",
        help=r"Read the log too: `(?P<step>\d+) loss (?P<loss>\S+)`, a group for each metric.",
    ),
]
CsvOption = Annotated[bool, typer.Option("--csv", help="Print CSV, with a head.")]


def filter_of(  # noqa: PLR0913
    *,
    state: list[str] | None,
    recipe: str | None,
    executor: str | None,
    experiment: str | None,
    tag: list[str] | None,
    since: str | None,
    now: float,
) -> Filter:
    """The filter that these options describe."""
    return Filter(
        states=tuple(_state(word) for text in state or () for word in text.split(",")),
        recipe=recipe,
        executor=executor,
        experiment=experiment,
        tags=tuple(tag or ()),
        since=None if since is None else _since(since, now),
    )


def _since(text: str, now: float) -> float:
    from nemorun_cli.core.durations import moment

    try:
        return moment(text, now=now)
    except ValueError as error:
        raise UsageError(
            f"--since {error}", hint="for example 2d, 90m, 2026-05-01 or 2026-05-01T12:00Z"
        ) from None


def seconds(option: str, text: str | None) -> float | None:
    """The length of time that an option's text stands for, in seconds."""
    from nemorun_cli.core.durations import parse_duration

    try:
        return None if text is None else parse_duration(text)
    except ValueError as error:
        raise UsageError(
            f"{option}: {error}", hint=f"for example 90s, 2h30m or 60d; {UNITS}"
        ) from None


def _state(word: str) -> JobState:
    groups = [state.value for state in JobState if state is not JobState.UNKNOWN]
    if word.strip().upper() in groups:
        return JobState(word.strip().upper())
    raise UsageError(
        f"no state named {word!r}",
        hint=f"the states are {', '.join(groups).lower()}",
    )


def refuse_together(options: Mapping[str, object]) -> None:
    """UsageError where more than one of these was given: options with what they are set to."""
    given = [option for option, value in options.items() if value]
    if len(given) > 1:
        raise UsageError(f"{given[0]} has no meaning with {given[1]}", hint="give one of them")


def refuse_without(needed: str, options: Mapping[str, object]) -> None:
    """UsageError where one of these was given, which mean nothing without what is needed."""
    for option, value in options.items():
        if value:
            raise UsageError(f"{option} has no meaning without {needed}")


def refuse_filters(runs: Sequence[str] | None, wanted: Filter, **more: bool) -> None:
    """UsageError for filters where runs are named: they would leave none of these out."""
    if runs and (not wanted.empty or any(more.values())):
        raise UsageError(
            "runs are named, which no filter changes", hint="name runs, or give filters alone"
        )


def check_tags(texts: Sequence[str]) -> None:
    """UsageError for a text that can be no tag."""
    for text in texts:
        if not text or "," in text or not text.isprintable():
            raise UsageError(f"not a tag: {text!r}", hint="a tag is printable and holds no comma")
