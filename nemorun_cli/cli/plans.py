"""What `--dry-run` shows."""

import json
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from nemorun_cli.actions.compare import Comparison
from nemorun_cli.actions.launch import Prepared
from nemorun_cli.actions.reuse import Twin
from nemorun_cli.cli import output, repositories
from nemorun_cli.cli.documents import document
from nemorun_cli.cli.reusing import same_object
from nemorun_cli.config.diff import Difference
from nemorun_cli.core.ids import tail
from nemorun_cli.core.jobs import Code
from nemorun_cli.core.sizes import size
from nemorun_cli.packagers.skipped import Skipped

_LONG = 12


def document_of(
    prepared: Prepared,
    comparison: Comparison | None,
    twin: Twin | None = None,
    left_out: Sequence[Skipped] = (),
) -> dict[str, Any]:
    """The plan as JSON: config, files, commands, code, settings, what is new, what is not."""
    record, plan = prepared.record, prepared.plan
    return document(
        recipe=record.recipe,
        config=json.loads(prepared.spec.config) if prepared.spec.config else None,
        config_hash=record.config_hash,
        plan={
            "directory": plan.directory,
            "files": dict(plan.files),
            "links": dict(plan.links),
            "commands": [list(argv) for argv in plan.commands],
            "notices": list(plan.notices),
        },
        code=_code(prepared.spec.code, left_out) if prepared.spec.code else None,
        settings=dict(record.settings),
        environment=dict(record.environment),
        compared_with=_compared(comparison),
        same_as=same_object(twin),
    )


def _code(code: Code, left_out: Sequence[Skipped]) -> dict[str, Any]:
    return {**asdict(code), "skipped": [asdict(each) for each in left_out]}


def _compared(comparison: Comparison | None) -> dict[str, Any] | None:
    if comparison is None:
        return None
    return {
        "run": comparison.run.id,
        "config": [asdict(each) for each in comparison.config],
        "code": comparison.code,
    }


def lines_of(
    prepared: Prepared, comparison: Comparison | None, left_out: Sequence[Skipped] = ()
) -> Iterator[str]:
    """The plan for a person: what runs, on what, with which settings, config and script."""
    record, plan, code = prepared.record, prepared.plan, prepared.spec.code
    yield f"recipe     {record.recipe}"
    if record.argv:
        yield output.one_line(f"command    {shlex.join(record.argv)}")
    yield f"executor   {record.profile or record.executor}"
    yield f"directory  {plan.directory}"
    yield from _code_lines(code, left_out)
    linked = [name for name in plan.links if code is None or name not in code.entries]
    if linked:
        yield output.one_line(f"linked     {', '.join(linked)}")
    changed = {name: each for name, each in record.settings.items() if each["source"] != "default"}
    for name, each in changed.items():
        yield output.one_line(f"setting    {name} = {each['text']}  ({each['source']})")
    for name in (*record.environment["values"], *record.environment["secrets"]):
        yield f"env        {name}"
    if prepared.spec.config:
        from nemorun_cli.config.render import lines

        config = json.loads(prepared.spec.config)
        yield f"config     {config['_target_']}"
        yield from output.pairs(dict(lines(config)))
    yield from _differences(comparison)
    yield f"files      {', '.join(sorted(plan.files))}"
    for argv in plan.commands:
        yield output.one_line(f"runs       {shlex.join(argv)}")
    yield "--json shows the whole plan, every file's text included"


def _code_lines(code: Code | None, left_out: Sequence[Skipped]) -> Iterator[str]:
    if code is None:
        yield "code       none: there is no project here"
        return
    yield f"code       {code.hash[:_LONG]}  {code.files} files, {size(code.bytes)}"
    for by in dict.fromkeys(each.by for each in left_out):
        listed = ", ".join(_left_out(each) for each in left_out if each.by == by)
        yield f"skipped    {listed} ({by})"
    known = asdict(code)
    if told := repositories.own(known):
        yield f"commit     {told}"
    for place, told in repositories.others(known).items():
        yield f"with       {place}: {told}"


def _left_out(each: Skipped) -> str:
    return f"{output.one_line(each.path)} {'' if each.whole else 'at least '}{size(each.bytes)}"


def _differences(comparison: Comparison | None) -> Iterator[str]:
    """What is not as it was in the run that it comes from, or in the last run of the recipe."""
    if comparison is None:
        return
    which = "from       " if comparison.is_parent else "last run   "
    start = f"{which}{tail(comparison.run.id)}"
    if not comparison.config:
        code = "other code" if comparison.code else "the same code"
        yield f"{start}: the same config, {code}"
        return
    count = len(comparison.config)
    yield f"{start}: {count} {'value was' if count == 1 else 'values were'} different"
    yield from output.pairs(changes(comparison.config))


def changes(found: Iterable[Difference]) -> dict[str, str]:
    """Each path with what it was and what it is, for people."""
    return {each.path or "(what is called)": _change(each) for each in found}


def _change(each: Difference) -> str:
    before, after = ("(nothing)" if text is None else text for text in (each.before, each.after))
    return f"{before} -> {after}"
