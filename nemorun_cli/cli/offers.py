"""What may be typed at a place of the command line, found by looking and nothing else."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from nemorun_cli import roots, settingfiles
from nemorun_cli.cli import COMMANDS
from nemorun_cli.cli.flags import ARGUMENTS, FLAGS
from nemorun_cli.cli.settingnames import SETTINGS
from nemorun_cli.cli.words import Place

Candidate = tuple[str, str]
FILES: Candidate = ("/", "names of files")
"""In place of candidates: the shell is to complete the name of a file."""
_FITTING = {"cancel": ("",), "reproduce": ("", "SUCCEEDED")}
"""Of which runs alone some commands are asked; no state is that of one that may be alive."""
_STATES = ("submitting", "pending", "running", "succeeded", "failed", "cancelled", "lost")


def commands() -> Iterator[Candidate]:
    """What may stand first."""
    yield from COMMANDS.items()
    yield "--help", "show help"
    yield "--version", "show the version"


def flags(place: Place) -> Iterator[Candidate]:
    """The flags of the command, by their long names."""
    yield from ((name, each.text) for name, each in FLAGS.get(place.command, {}).items())
    yield "--help", "show help"


def after_flag(place: Place, word: str) -> Iterator[Candidate]:
    """The values of the flag that waits for one."""
    known = FLAGS[place.command][place.flag].value
    if place.flag in _OF_FLAGS:
        yield from _OF_FLAGS[place.flag](place, word)
    elif "|" in known:
        yield from ((each, "") for each in known.split("|"))
    elif known in ("FILE", "PATH", "DIR"):
        yield FILES


def argument(place: Place, word: str) -> Iterator[Candidate]:
    """What the command takes next, beside flags."""
    wanted = place.wanted
    if place.command == "launch" and place.arguments[:1] == ("command",):
        yield FILES
    elif "PATH" in wanted:
        yield from _paths(place, word)
    else:
        for name, offer in _OF_ARGUMENTS.items():
            if name in wanted:
                yield from offer(place, word)
        if place.command == "diff" and place.arguments:
            yield from _paths(place, word)


def _paths(place: Place, word: str) -> Iterator[Candidate]:
    from nemorun_cli.cli import pathwords, recipewords

    subject, *earlier = place.arguments
    if place.command == "diff" and earlier:  # What is set is of the second; `.` is as the first.
        second, *earlier = earlier
        subject = subject if second == "." else second
    of_what = ARGUMENTS[place.command][0]
    fields = recipewords.of_recipe(subject, earlier) if "RECIPE" in of_what else []
    if not fields and "RUN" in of_what:
        fields = recipewords.of_run(subject, earlier)
    if "(" in word.partition("=")[2]:
        yield from pathwords.arguments(word, recipewords.factory_parameters(word))
    elif "[PATH]" in place.wanted and "=" not in word and all("=" in each for each in earlier):
        yield from pathwords.paths(word, fields)
    else:
        yield from pathwords.overrides(word, fields)


def _recipes(place: Place, word: str) -> Iterator[Candidate]:
    from nemorun_cli.cli import recipewords

    yield from recipewords.names(word)
    if place.command not in ("recipes", "explain", "diff"):
        yield recipewords.COMMAND, "any command line"


def _runs(place: Place, word: str) -> Iterator[Candidate]:
    from nemorun_cli.actions.recent import recent
    from nemorun_cli.core.ids import tail

    yield "last", "the newest run"
    for run in recent(roots.home_folder()):
        if run.state not in _FITTING.get(place.command, (run.state,)):
            continue
        told = " ".join(filter(None, (run.recipe, run.name, run.state.lower())))
        yield tail(run.id), told
        if word[:2].isdecimal():
            yield run.id, told


def _parents(place: Place, word: str) -> Iterator[Candidate]:
    run, colon, _ = word.partition(":")
    if not colon:
        yield from _runs(place, word)
    else:
        yield f"{run}:ok", "when it has succeeded"
        yield f"{run}:any", "however it has ended"
        yield f"{run}:notok", "when it has failed"


def _executors(_place: Place, _word: str) -> Iterator[Candidate]:
    yield from ((name, "executor") for name in SETTINGS)
    found = settingfiles.profiles(os.environ, _root())
    yield from ((name, f"profile of {kind}") for name, kind in found.items())


def _settings(place: Place, word: str) -> Iterator[Candidate]:
    chosen = place.values.get("--executor", "") or "".join(place.arguments[:1])
    kind = settingfiles.profiles(os.environ, _root()).get(chosen, chosen)
    name, given, _ = word.partition("=")
    for each, (values, text) in SETTINGS.get(kind, SETTINGS["local"]).items():
        if not given:
            yield f"{each}=", text
        elif each == name:
            yield from ((f"{name}={value}", "") for value in values.split("|") if value)


def _states(_place: Place, word: str) -> Iterator[Candidate]:
    before = word[: word.rfind(",") + 1]
    yield from ((before + state, "") for state in _STATES)


def _tags(_place: Place, _word: str) -> Iterator[Candidate]:
    from nemorun_cli.actions.recent import recent

    found = (tag for run in recent(roots.home_folder()) for tag in run.tags)
    yield from ((tag, "") for tag in dict.fromkeys(found))


def _experiments(_place: Place, _word: str) -> Iterator[Candidate]:
    from nemorun_cli.actions.recent import recent

    found = (run.experiment for run in recent(roots.home_folder()))
    yield from ((name, "") for name in dict.fromkeys(found) if name)


def _names(place: Place, word: str) -> Iterator[Candidate]:
    """What `--where` and `--sort` can name, after what is typed already."""
    from nemorun_cli.cli import pathwords, recipewords
    from nemorun_cli.core.fieldnames import PLACES

    at = max(word.rfind(sign) for sign in " (=<>~!-") + 1
    before, name = word[:at], word[at:]
    if before.endswith(("=", "<", ">", "~")):
        known = _STATES if before.endswith("state=") else ()
        yield from ((before + each, "") for each in known)
        return
    if place.command == "list":
        yield f"{before}metric.", "its last value; metric.NAME:min, metric.NAME:max"
        yield from ((before + each, "") for each in PLACES)
    paths = pathwords.paths(name, recipewords.of_run("last", ()))
    yield from ((before + each, text) for each, text in paths)


def _variables(_place: Place, word: str) -> Iterator[Candidate]:
    if "=" not in word:
        yield from ((name, "") for name in sorted(os.environ) if not name.startswith("_"))


def _root() -> Path | None:
    return roots.find_root(Path.cwd(), home=Path(os.environ.get("HOME") or "/"))


_Offer = Callable[[Place, str], Iterator[Candidate]]
_OF_FLAGS: dict[str, _Offer] = {
    "--executor": _executors,
    "--set": _settings,
    "--state": _states,
    "--after": _parents,
    "--recipe": _recipes,
    "--experiment": _experiments,
    "--tag": _tags,
    "--keep-tag": _tags,
    "--remove": _tags,
    "--where": _names,
    "--sort": _names,
    "--env": _variables,
    "--secret": _variables,
}
_OF_ARGUMENTS: dict[str, _Offer] = {
    "RECIPE": _recipes,
    "RUN": _runs,
    "TAG": _tags,
    "EXECUTOR": _executors,
    "NAME": _executors,
    "FILE": lambda _place, _word: iter([FILES]),
}
