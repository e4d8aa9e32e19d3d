"""`nemorun doctor`."""

import sys
from typing import Annotated

import typer

from nemorun_cli.cli import output, params

NOT_IN_ORDER = 3


def command(
    executor: Annotated[
        str | None,
        typer.Argument(metavar="[EXECUTOR]", help="This one alone; else all."),
    ] = None,
    *,
    json: params.JsonOption = False,
) -> int:
    """Check that everything a launch needs is there.

    Exits with 3 when something is missing.
    """
    from nemorun_cli.actions import doctor, wiring

    checks = list(doctor.examine(executor, ports=wiring.ports()))
    if json:
        from nemorun_cli.cli.documents import document

        rows = [{"what": each.what, "ok": each.fine, "seen": each.seen} for each in checks]
        output.document(document(checks=rows))
    else:
        width = max(len(output.one_line(each.what)) for each in checks)
        for each in checks:
            mark = ("ok", "32") if each.fine else ("missing", "31")
            output.answer(
                f"{output.paint(mark[0].ljust(7), mark[1], sys.stdout)}"
                f"  {output.one_line(each.what).ljust(width)}  {output.one_line(each.seen)}",
            )
    return 0 if all(each.fine for each in checks) else NOT_IN_ORDER
