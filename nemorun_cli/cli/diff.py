"""`nemorun diff`."""

import re
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nemorun_cli.actions.sides import HERE, Section
from nemorun_cli.cli import output, params

if TYPE_CHECKING:
    from nemorun_cli.actions.difference import Change, Comparison
    from nemorun_cli.actions.sides import Side

DIFFERENT = 1
_BACK = re.compile(r"@-\d+")
_SIGNS = {"added": ("+", "32"), "removed": ("-", "31"), "changed": ("~", "33"), "mode": ("~", "33")}


def command(  # noqa: PLR0913
    before: Annotated[str, typer.Argument(metavar="RUN|RECIPE", help="A run, a recipe, or `.`.")],
    after: Annotated[
        str,
        typer.Argument(
            metavar="[RUN|RECIPE]",
            help="The same; unless given `.`: the other one as a launch from here would make it.",
            show_default=False,
        ),
    ] = HERE,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PATH=VALUE]...", help="Overrides of the second, if it is no run."),
    ] = None,
    *,
    only: Annotated[
        list[Section] | None,
        typer.Option("--only", help="This section alone; may be repeated."),
    ] = None,
    patch: Annotated[
        bool, typer.Option("--patch", help="Print the code's unified diff alone.")
    ] = False,
    as_overrides: Annotated[
        bool,
        typer.Option(
            "--as-overrides", help="Print, as YAML for --file, what makes the second of the first."
        ),
    ] = False,
    json: params.JsonOption = False,
) -> int:
    """Show what differs between two runs, or a run and what would be launched here.

    Compared are the config, the code, the environment, the settings, and the results. Exit 0 if
    there is no difference, 1 if there is one; results never count. Quote a recipe with arguments:
    `nemorun diff last 'gpt(size=medium)' optim.lr=3e-4`.
    """
    from nemorun_cli.actions import sides, wiring
    from nemorun_cli.actions.difference import compare
    from nemorun_cli.actions.requests import surroundings

    params.refuse_together({"--as-overrides": as_overrides, "--patch": patch, "--only": only})
    after, typed = _split(after, overrides or [])
    sections = _sections(only, patch=patch, as_overrides=as_overrides)
    hashed = [Section.CONFIG, Section.CODE] if json and not as_overrides else []
    wanted = [each for each in Section if each in {*sections, *hashed}]
    both = sides.sides(before, after, typed, wanted, surroundings(), ports=wiring.ports())
    for problem in dict.fromkeys(text for side in both for text in side.problems):
        output.warn(problem)
    if as_overrides:
        return _print_overrides(*both, json=json)
    found = compare(*both, sections)
    if patch and not json:
        _print_patch(*both)
    elif json:
        output.document(_document(both, found, patch=patch))
    elif output.terminal(sys.stdout):
        for line in _lines(both, found):
            output.answer(line)
    else:
        output.table((), _rows(found))
    return DIFFERENT if found.different else 0


def _split(after: str, overrides: list[str]) -> tuple[str, list[str]]:
    """A second word that sets something is an override of `.`."""
    name, given, _ = after.partition("(")[0].partition("=")
    sets = bool(given) or (name[:1] in "~@" and _BACK.fullmatch(name) is None)
    return (HERE, [after, *overrides]) if sets else (after, overrides)


def _sections(only: list[Section] | None, *, patch: bool, as_overrides: bool) -> list[Section]:
    if as_overrides:
        return [Section.CONFIG]
    if patch:
        return [Section.CODE]
    return [each for each in Section if not only or each in only]


def _print_overrides(before: "Side", after: "Side", *, json: bool) -> int:
    from nemorun_cli.cli.documents import document
    from nemorun_cli.config.between import overrides_between
    from nemorun_cli.config.render import to_yaml
    from nemorun_cli.core.errors import UsageError

    for side in (before, after):
        for each in side.unfit:
            output.warn(f"{each.text} does not fit here: {each.message}")
        if side.unmade:
            raise UsageError(f"{_name(side)} cannot be launched here, and so has no config")
        if side.config is None:
            raise UsageError(f"{_name(side)} is a command line: it has no config")
    found = overrides_between(dict(before.config or {}), dict(after.config or {}))
    if json:
        output.document(document(overrides=found.overrides, unknown=found.unknown))
        return DIFFERENT if found.overrides else 0
    if found.unknown:
        output.warn(f"only a registered factory can make these: {', '.join(found.unknown)}")
    if found.overrides:
        output.text(to_yaml(found.overrides).rstrip("\n"))
    return DIFFERENT if found.overrides else 0


def _print_patch(before: "Side", after: "Side") -> None:
    if lines := _patch(before, after):
        output.text("".join(lines).removesuffix("\n"))


def _patch(before: "Side", after: "Side") -> list[str]:
    from nemorun_cli.actions.codediff import patch

    if before.code_hash == after.code_hash:
        return []
    told = patch(before.files(), after.files())
    return [line.decode("utf-8", "surrogateescape") for line in told]


def _document(both: "tuple[Side, Side]", found: "Comparison", *, patch: bool) -> dict[str, Any]:
    from dataclasses import asdict

    from nemorun_cli.cli.documents import document

    return document(
        before=_subject(both[0]),
        after=_subject(both[1]),
        different=found.different,
        **asdict(found),
        patch="".join(_patch(*both)) if patch else None,
    )


def _subject(side: "Side") -> dict[str, Any]:
    config_hash = None
    if side.config is not None:
        from nemorun_cli.config.canonical import config_hash as hash_of

        config_hash = hash_of(dict(side.config))
    return {
        "run": None if side.run is None else side.run.id,
        "recipe": side.recipe,
        "config_hash": config_hash,
        "code_hash": side.code_hash,
    }


def _rows(found: "Comparison") -> Iterator[tuple[str, str, str, str]]:
    """Section, name, before, after, for programs."""
    for misfit in found.unfit:
        yield "unfit", misfit.text, "", misfit.message
    for each in found.config or ():
        yield "config", each.path, each.before or "", each.after or ""
    for file in found.code or ():
        yield "code", file.path, file.change, ""
    for section in (Section.ENVIRONMENT, Section.SETTINGS, Section.RESULTS):
        for change in getattr(found, section) or ():
            yield section.value, change.name, change.before or "", change.after or ""


def _lines(both: "tuple[Side, Side]", found: "Comparison") -> Iterator[str]:
    yield f"from  {_title(both[0])}"
    yield f"to    {_title(both[1])}"
    if found.unfit:
        yield output.head("does not fit here any more, and is left out")
        yield from output.pairs({each.text: each.message for each in found.unfit})
    if found.config:
        yield output.head("config")
        yield from output.pairs(
            {each.path or "(what is called)": _config_line(each) for each in found.config}
        )
    if found.code:
        yield output.head("code")
        for file in found.code:
            sign, colour = _SIGNS[file.change]
            mode = "  (mode)" if file.change == "mode" else ""
            yield output.paint(f"  {sign} {output.one_line(file.path)}{mode}", colour, sys.stdout)
    for section in (Section.ENVIRONMENT, Section.SETTINGS, Section.RESULTS):
        changes = getattr(found, section)
        if changes:
            yield output.head(section.value)
            yield from output.pairs({each.name: _change(each) for each in changes})
    if not any(vars(found).values()):
        yield "no difference"


def _title(side: "Side") -> str:
    if side.run is None:
        return f"{_name(side)}, as it would be launched here"
    return f"{_name(side)}  {output.one_line(side.recipe)}  {output.paint_state(side.run.state)}"


def _name(side: "Side") -> str:
    from nemorun_cli.core.ids import tail

    return output.one_line(side.recipe) if side.run is None else tail(side.run.id)


def _config_line(each: Any) -> str:  # noqa: ANN401
    from nemorun_cli.cli.explain import place

    origin = each.after_origin if each.after is not None else each.before_origin
    by = "" if origin is None else f"  ({place(origin)})"
    return f"{_change(each)}{by}"


def _change(each: "Change") -> str:
    before, after = (text or "(nothing)" for text in (each.before, each.after))
    return f"{before} -> {after}"
