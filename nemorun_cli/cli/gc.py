"""`nemorun gc`."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nemorun_cli.cli import output, params
from nemorun_cli.core.errors import UsageError
from nemorun_cli.core.ids import tail
from nemorun_cli.core.sizes import size

if TYPE_CHECKING:
    from nemorun_cli.actions.gc import Garbage, OldRun

HEAD = ("WHAT", "ID", "STATE", "ENDED", "SIZE", "RECIPE", "NAME", "PLACE")
_SHOWN = 12
_WORDS = {
    "code": ("snapshot", "snapshots"),
    "patch": ("patch", "patches"),
    "environment": ("environment", "environments"),
    "cache": ("cache", "caches"),
    "remnant": ("remnant", "remnants"),
}
"""What is no run: one of it, and several."""
_MANY = ("cache", "remnant")


def command(  # noqa: PLR0913
    *,
    older_than: Annotated[
        str | None,
        typer.Option(
            "--older-than", metavar="TIME", help="Runs that ended so long ago (`60d`); else none."
        ),
    ] = None,
    state: params.StateOption = None,
    keep_tag: Annotated[
        list[str] | None,
        typer.Option(
            "--keep-tag",
            metavar="TAG",
            help="Keep also what runs with this tag were rerun from; repeatable.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would go, even with --yes.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Delete it.")] = False,
    json: params.JsonOption = False,
) -> int:
    """Show what may go to make room; with --yes, delete it.

    Runs that ended long enough ago, with their job folders, also on other hosts. Never one that is
    alive, that a live one waits for, or that has any tag. Then stored code and patches that no run
    names and nobody has used for a day, environments of `reproduce` that nobody has used for a
    month, caches of what is gone, and remnants of killed commands. A run whose host does not answer
    is kept; then the exit code is 17.
    """
    from nemorun_cli.actions import gc, wiring

    if older_than is None:
        params.refuse_without("--older-than", {"--state": state, "--keep-tag": keep_tag})
    ports = wiring.ports()
    params.check_tags(keep_tag or ())
    wanted = params.filter_of(
        state=state,
        recipe=None,
        executor=None,
        experiment=None,
        tag=None,
        since=None,
        now=ports.clock(),
    )
    rule = gc.Rule(
        older_than=_age(older_than),
        states=wanted.states,
        keep_tags=tuple(keep_tag or ()),
    )
    found = gc.find(rule, ports=ports)
    for problem in found.problems:
        output.warn(problem)
    acting = yes and not dry_run
    done = gc.collect(found, ports=ports) if acting else found
    for problem in done.problems if acting else ():
        output.warn(problem)
    if json:
        output.document(_document(done, deleted=acting))
    else:
        _print(done)
    _tell(done, acting=acting, older_than=older_than)
    return 17 if acting and done.problems else 0


def _age(text: str | None) -> float | None:
    if text is not None and text.strip().isdecimal():
        raise UsageError(
            f"--older-than: {text} of what?", hint=f"for example {text}d; {params.UNITS}"
        )
    return params.seconds("--older-than", text)


def _print(found: "Garbage") -> None:
    person = output.terminal(sys.stdout)
    rows = [_run_row(each, person=person) for each in found.runs]
    left = [
        *((each.kind.value, each.name, "", each.bytes) for each in found.left),
        *(("code", each.hash, each.place, each.bytes) for each in found.far_code),
    ]
    if person:
        left = [*_together(left)]
    rows += [
        (
            what,
            name[:_SHOWN] if person else name,
            "",
            "",
            size(amount) if person else str(amount),
            "",
            "",
            place,
        )
        for what, name, place, amount in left
    ]
    output.table(HEAD, rows, shrink=(6, 7, 5))


def _together(left: list[tuple[str, str, str, int]]) -> Iterator[tuple[str, str, str, int]]:
    """The same, with all caches as one, and so the remnants: there may be thousands."""
    yield from (each for each in left if each[0] not in _MANY)
    for kind in _MANY:
        sizes = [size for what, _, _, size in left if what == kind]
        if sizes:
            yield kind, f"{len(sizes)} in all", "", sum(sizes)


def _run_row(each: "OldRun", *, person: bool) -> tuple[str, ...]:
    from nemorun_cli.cli.documents import iso

    run = each.run
    ended = run.status.ended_at or run.record.created_at
    unknown = each.job_bytes is None
    return (
        "run",
        tail(run.id) if person else run.id,
        run.state.value,
        f"{output.ago(ended)} ago" if person else iso(ended) or "",
        (size(each.bytes) + " + ?" * unknown) if person else str(each.bytes),
        run.record.recipe,
        run.record.name or "",
        "",
    )


def _document(found: "Garbage", *, deleted: bool) -> dict[str, Any]:
    from nemorun_cli.cli.documents import document, iso

    return document(
        deleted=deleted,
        bytes=found.bytes,
        runs=[
            {
                "id": each.run.id,
                "state": each.run.state.value,
                "ended_at": iso(each.run.status.ended_at),
                "record_bytes": each.record_bytes,
                "job_bytes": each.job_bytes,
            }
            for each in found.runs
        ],
        code=[
            *(
                {"hash": each.name, "place": None, "bytes": each.bytes}
                for each in found.left
                if each.kind.value == "code"
            ),
            *(
                {"hash": each.hash, "place": each.place, "bytes": each.bytes}
                for each in found.far_code
            ),
        ],
        **{
            several: [
                {"name": each.name, "bytes": each.bytes}
                for each in found.left
                if each.kind.value == kind
            ]
            for kind, (_, several) in _WORDS.items()
            if kind != "code"
        },
        problems=list(found.problems),
    )


def _tell(found: "Garbage", *, acting: bool, older_than: str | None) -> None:
    kinds = [each.kind.value for each in found.left] + ["code" for _ in found.far_code]
    counted = [(len(found.runs), ("run", "runs"))]
    counted += [(kinds.count(kind), words) for kind, words in _WORDS.items()]
    listed = ", ".join(f"{count} {words[count > 1]}" for count, words in counted if count)
    hint = "" if older_than else "; --older-than 60d names old runs"
    if not listed:
        output.note(f"nothing to delete{hint}")
    elif acting:
        output.note(f"deleted {listed}: {size(found.bytes)}")
    else:
        output.note(f"{listed}: {size(found.bytes)}; nothing was deleted, --yes does that{hint}")
