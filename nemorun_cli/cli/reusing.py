"""What `launch` says of, and does with, an earlier run that was the same."""

import time
from typing import TYPE_CHECKING, Any

from nemorun_cli.cli import output
from nemorun_cli.core.ids import tail

if TYPE_CHECKING:
    from nemorun_cli.actions.launch import Prepared
    from nemorun_cli.actions.reuse import Twin
    from nemorun_cli.actions.wiring import Ports
    from nemorun_cli.core.runs import Run

_SHOWN = 3


def begin(prepared: "Prepared", *, ports: "Ports", reuse: bool) -> "Run":
    """The run that was launched; or, with `reuse`, an earlier one that is the same."""
    from nemorun_cli.actions import launch
    from nemorun_cli.actions.reuse import alone, twin_of

    if not reuse:
        tell(twin_of(prepared, ports=ports), ports=ports)
        return launch.submit(prepared, ports=ports)
    with alone(prepared, ports=ports):
        twin = twin_of(prepared, ports=ports, ask=True)
        if twin is not None and twin.reusable:
            output.note(f"nothing is launched: {_sentence(twin, ports)}")
            _tell_what_it_keeps(prepared, twin.run)
            return twin.run
        run = launch.write_down(prepared, ports=ports)
    tell(twin, ports=ports)
    return launch.hand_over(run, prepared, ports=ports)


def tell(twin: "Twin | None", *, ports: "Ports") -> None:
    """Say that there is an earlier run, if there is."""
    if twin is not None:
        hint = "; --reuse returns it" if twin.reusable else ""
        output.note(f"{_sentence(twin, ports)}{hint}")


def same_object(twin: "Twin | None") -> dict[str, Any] | None:
    """The earlier run as JSON: `environment` is true where it is known to be the same."""
    if twin is None:
        return None
    return {
        "run": twin.run.id,
        "state": twin.run.state.value,
        "environment": True if twin.environment else None,
    }


def _sentence(twin: "Twin", ports: "Ports") -> str:
    from nemorun_cli.cli.documents import iso

    run = twin.run
    what = "config" if run.record.argv is None else "command line"
    same = f"{what}, code and environment" if twin.environment else f"{what} and code"
    day = (iso(run.record.created_at) or "").partition("T")[0]
    told = _result(run, ports)
    ending = " and asked to end" if twin.ending else ""
    return f"the same {same} as {tail(run.id)} of {day}, {run.state.value}{ending}{told}"


def _tell_what_it_keeps(prepared: "Prepared", run: "Run") -> None:
    """Say which labels were given that the run does not have, and will not get."""
    asked, has = prepared.record, run.record
    without = {
        "--name": asked.name not in {None, has.name},
        "--experiment": asked.experiment not in {None, has.experiment},
        "--tag": not set(asked.tags) <= set(run.tags),
    }
    given = [option for option, lost in without.items() if lost]
    if given:
        output.note(
            f"{' and '.join(given)} left aside: that run keeps its own labels;"
            f" `nemorun tag {tail(run.id)} TAG` adds one"
        )


def _result(run: "Run", ports: "Ports") -> str:
    from nemorun_cli.actions.reuse import result_of
    from nemorun_cli.cli.listing import why

    values = list(result_of(run, ports=ports).items())[:_SHOWN]
    shown = ", ".join(f"{output.one_line(name)} {output.number(value)}" for name, value in values)
    shown = shown or why(run, time.time())
    return f" ({shown})" if shown else ""
