"""`nemorun status`."""

from nemorun_cli.actions.observe import Refresh
from nemorun_cli.cli import output, params


def command(
    runs: params.RunsArg = None,
    *,
    refresh: params.RefreshOption = Refresh.NOW,
    strict: params.StrictOption = False,
    json: params.JsonOption = False,
) -> int:
    """Ask how runs stand right now; the last one unless others are named.

    A back-end that cannot be asked is a warning, and the last known state is shown.
    """
    from nemorun_cli.actions import observe, wiring
    from nemorun_cli.actions.select import runs_of
    from nemorun_cli.cli.documents import runs_document
    from nemorun_cli.cli.listing import why
    from nemorun_cli.core.ids import tail

    params.refuse_together({"--strict": strict, "--refresh never": refresh is Refresh.NEVER})
    ports = wiring.ports()
    asked = runs or ["last"]
    seen = observe.refresh(runs_of(asked, ports=ports), ports=ports, mode=refresh)
    for problem in seen.problems:
        output.warn(problem)
    if json:
        output.document(runs_document(seen.runs, asked=len(asked)))
    else:
        for run in seen.runs:
            told = output.one_line(why(run, ports.clock()))
            shown = f"{tail(run.id)}  {output.paint_state(run.state)}  {told}"
            output.answer(shown.rstrip())
    return 17 if strict and seen.problems else 0
