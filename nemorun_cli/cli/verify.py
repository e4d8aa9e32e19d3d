"""`nemorun verify`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from nemorun_cli.cli import output, params

DAMAGED = 1


def command(
    subject: Annotated[
        str,
        typer.Argument(
            metavar="RUN|FILE", help="A run; or a file, which has a . or a / in its name."
        ),
    ] = "last",
    *,
    json: params.JsonOption = False,
) -> int:
    """Check that a run, or a file that `nemorun export` has written, is what it was.

    Of a file and of a run that was imported every byte is checked. Of a run that was launched here:
    its config and its code by their hashes, and that the rest of its record can be read. Exits with
    1 when something is damaged or gone.
    """
    from nemorun_cli.actions import verify, wiring

    if "." in subject or "/" in subject:
        found = list(verify.archive(Path(subject)))
    else:
        found = list(verify.run(subject, ports=wiring.ports()))
    if json:
        from nemorun_cli.cli.documents import document

        rows = [{"what": each.what, "ok": each.fine, "seen": each.seen} for each in found]
        output.document(document(checks=rows))
    elif not output.terminal(sys.stdout):
        output.lines(("ok" if each.fine else "damaged", each.what, each.seen) for each in found)
    else:
        width = max(len(output.one_line(each.what)) for each in found)
        for each in found:
            mark = ("ok", "32") if each.fine else ("damaged", "31")
            output.answer(
                f"{output.paint(mark[0].ljust(7), mark[1], sys.stdout)}"
                f"  {output.one_line(each.what).ljust(width)}  {output.one_line(each.seen)}",
            )
    return 0 if all(each.fine for each in found) else DAMAGED
