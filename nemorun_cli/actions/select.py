"""From what a user types to the runs that are meant."""

from collections.abc import Sequence

from nemorun_cli.actions.wiring import Ports
from nemorun_cli.core.errors import NotFoundError
from nemorun_cli.core.ids import MIN_PREFIX, is_id, tail
from nemorun_cli.core.runs import Run

_SHOWN = 8


def run_of(argument: str, *, ports: Ports) -> Run:
    """The one run that `argument` means: an id, a prefix of it or of its tail, `last`, `@-2`.

    NotFoundError names the store that was searched, or the runs that it may mean.
    """
    if is_id(argument):
        return ports.store.read(argument)
    found = _matching(argument, ports)
    if len(found) == 1:
        return ports.store.read(found[0])
    if found:
        shown = ", ".join(tail(run_id) for run_id in found[:_SHOWN])
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise NotFoundError(
            f"{argument!r} may mean {len(found)} runs: {shown}{more}",
            hint="type more of the id",
        )
    hint = "`nemorun list` shows them"
    if len(argument) < MIN_PREFIX:
        hint = f"a prefix has {MIN_PREFIX} characters at least; {hint}"
    raise NotFoundError(f"no run {argument!r} in {ports.store.home}", hint=hint)


def runs_of(arguments: Sequence[str], *, ports: Ports) -> list[Run]:
    """The runs that these mean, each once, in the order typed."""
    runs = [run_of(argument, ports=ports) for argument in arguments]
    return list({run.id: run for run in runs}.values())


def _matching(argument: str, ports: Ports) -> tuple[str, ...]:
    back = 1 if argument == "last" else _steps_back(argument)
    if back is None:
        return ports.index.find(argument)
    newest = ports.index.nth(back)
    return (newest,) if newest else ()


def _steps_back(argument: str) -> int | None:
    if argument.startswith("@-") and argument[2:].isdecimal() and int(argument[2:]) > 0:
        return int(argument[2:])
    return None
