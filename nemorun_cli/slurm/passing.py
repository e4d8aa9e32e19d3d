"""Options of sbatch and srun that users pass through, as typed in a shell."""

import shlex
from collections.abc import Collection, Iterable, Iterator, Sequence
from types import MappingProxyType

from nemorun_cli.core.errors import SpecError

_OURS = frozenset(
    {"array", "wrap", "parsable", "job-name", "comment", "output", "error", "input", "export"}
    | {"chdir", "test-only", "wait", "requeue", "no-requeue", "signal", "nodes", "help", "usage"}
    | {"kill-on-bad-exit", "label", "version"},
)
"""Options that say what nemorun relies on."""
_LETTERS = MappingProxyType(
    dict(
        pair.split("=")
        for pair in (
            *("J=job-name", "o=output", "e=error", "i=input", "D=chdir", "a=array", "W=wait"),
            *("N=nodes", "l=label", "K=kill-on-bad-exit", "h=help", "V=version", "n=ntasks"),
            *("c=cpus-per-task", "t=time", "p=partition", "A=account", "q=qos", "C=constraint"),
            *("x=exclude", "w=nodelist", "b=begin", "d=dependency", "L=licenses", "M=clusters"),
            *("G=gpus",),
        )
    )
)
"""The short names of options that nemorun sets itself, always or if the setting is given."""
_FLAGS = frozenset(
    {"hold", "H", "exclusive", "contiguous", "spread-job", "use-min-nodes", "overcommit", "O"}
    | {"oversubscribe", "s", "no-kill", "k", "reboot", "quiet", "Q", "verbose", "v"},
)
"""Options that take no value from the word after them."""


def passed_through(
    text: str, name: str, options: Sequence[str], settings: Iterable[str]
) -> Iterator[str]:
    """The words of a user's own options of the command `name`; `settings` have names of their own.

    SpecError for one that says again what these options say, or what nemorun relies on.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise SpecError(f"{name} expects options as typed in a shell: {error}") from None
    whole = {*_LETTERS.values(), *settings}
    taken = {*_OURS, *(option.lstrip("-").partition("=")[0] for option in options)}
    takes_value = False
    for word in words:
        if _collides(word, taken, whole) or not (word.startswith("-") or takes_value):
            why = "is set by nemorun itself" if word.startswith("-") else "is no option"
            raise SpecError(
                f"{name}: {word!r} {why}", hint="`nemorun executors slurm` lists the settings"
            )
        takes_value = _takes_value(word)
        yield word


def _takes_value(word: str) -> bool:
    """Whether the word after this one belongs to it."""
    if word.startswith("--"):
        return "=" not in word and word[2:] not in _FLAGS
    return word.startswith("-") and len(word) == 2 and word[1] not in _FLAGS  # noqa: PLR2004


def _collides(word: str, taken: Collection[str], whole: Collection[str]) -> bool:
    """Whether this word is one of these options: getopt_long(3) knows it by its beginning, too."""
    if not word.startswith("--"):
        return word.startswith("-") and _LETTERS.get(word[1:2]) in taken
    option = word[2:].partition("=")[0]
    return option in taken or (
        option not in whole and any(each.startswith(option) for each in taken)
    )
