"""`nemorun show`."""

import sys
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nemorun_cli.cli import output, params, repositories

if TYPE_CHECKING:
    from nemorun_cli.actions.show import Details
    from nemorun_cli.actions.wiring import Ports
    from nemorun_cli.core.runs import Run


def command(  # noqa: PLR0913
    run: params.RunArg = "last",
    *,
    config: Annotated[
        bool,
        typer.Option("--config", help="Print the config alone, as YAML."),
    ] = False,
    script: Annotated[
        bool,
        typer.Option("--script", help="Print the job's script alone, as submitted."),
    ] = False,
    environment: Annotated[
        bool,
        typer.Option("--environment", help="Print alone what the job ran with: Python, packages."),
    ] = False,
    patch: Annotated[
        bool,
        typer.Option("--patch", help="Print the patch alone that makes the code of the commit."),
    ] = False,
    repository: Annotated[
        str,
        typer.Option(
            "--repository", metavar="PLACE", help="With --patch: of that part of the code."
        ),
    ] = "",
    json: params.JsonOption = False,
) -> None:
    """Show all that is known of a run: its state, code, config, overrides, attempts, metrics."""
    from nemorun_cli.actions import show, wiring
    from nemorun_cli.actions.select import run_of

    parts = {
        "--config": config,
        "--script": script,
        "--environment": environment,
        "--patch": patch,
    }
    params.refuse_together(parts)
    params.refuse_together({"--json": json, "--config": config, "--script": script})
    params.refuse_without("--patch", {"--repository": repository and not patch})
    ports = wiring.ports()
    if patch:
        _print_patch(run_of(run, ports=ports), repository, ports, json=json)
        return
    found = show.details(run_of(run, ports=ports), ports=ports)
    for problem in found.problems:
        output.warn(problem)
    if environment:
        from nemorun_cli.cli import environments

        environments.show(found, json=json)
    elif json:
        output.document(_document(found))
    elif config:
        from nemorun_cli.config.render import to_yaml

        output.text(to_yaml(found.config or {}).rstrip("\n"))
    elif script:
        output.text(((found.plan or {}).get("files") or {}).get("job.sh", "").rstrip("\n"))
    else:
        for line in _lines(found):
            output.answer(line)


def _print_patch(run: "Run", place: str, ports: "Ports", *, json: bool) -> None:
    from nemorun_cli.actions.stored import patch_of
    from nemorun_cli.cli.documents import document

    text = patch_of(run, place, ports=ports)
    if json:
        output.document(document(repository=place, patch=text))
    elif text:
        output.text(text.removesuffix("\n"))
    else:
        output.note("its code is as committed")


def _document(found: "Details") -> dict[str, Any]:
    from dataclasses import asdict

    from nemorun_cli.cli.documents import attempt_object, document, run_object
    from nemorun_cli.cli.environments import recorded

    record = found.run.record
    return document(
        run={
            **run_object(found.run),
            "config": found.config,
            "argv": record.argv,
            "overrides": list(record.overrides),
            "files": list(record.files),
            "settings": dict(record.settings),
            "environment": {**record.environment, **recorded(found.environment)},
            "after": list(record.after),
            "code": record.code,
            "recipe_source": record.recipe_source,
            "plan": found.plan,
            "attempts": [attempt_object(each) for each in found.run.status.attempts],
            "events": [dict(event) for event in found.events],
            "metrics": dict(found.metrics),
            "changes": [asdict(each) for each in found.changes],
            "imported": _imported(found.origin),
        },
    )


def _imported(origin: Mapping[str, Any] | None) -> dict[str, Any] | None:
    from nemorun_cli.cli.documents import iso

    if origin is None:
        return None
    told = {name: origin.get(name) for name in ("on", "archive", "digest", "left_out")}
    return {"at": iso(origin.get("at")), **told}


def _lines(found: "Details") -> Iterator[str]:
    from nemorun_cli.cli.documents import iso

    run, record, status = found.run, found.run.record, found.run.status
    yield f"{output.paint(run.id, '1', sys.stdout)}  {output.paint_state(run.state)}"
    yield from output.pairs(_facts(found))
    if len(status.attempts) > 1:
        yield output.head("attempts")
        for each in status.attempts:
            ended = iso(each.ended_at) or "now"
            code = "" if each.exit_code is None else f"  exit {each.exit_code}"
            told = each.reason not in (None, "exit")
            why = f"  {(each.reason or '').replace('_', ' ')}" if told else ""
            yield f"  {each.number}  {iso(each.started_at)} to {ended}{code}{why}"
    if parts := repositories.others(record.code or {}):
        yield output.head("repositories")
        yield from output.pairs(parts)
    if found.metrics:
        yield output.head("metrics")
        yield from output.pairs(
            {name: output.number(value) for name, value in found.metrics.items()}
        )
    if found.changes:
        from nemorun_cli.cli.plans import changes

        yield output.head(f"from {record.parent}")
        yield from output.pairs(changes(found.changes))
    if record.overrides or record.files:
        yield output.head("overrides")
        yield from (f"  --file {output.one_line(name)}" for name in record.files)
        yield from (f"  {output.one_line(text)}" for text in record.overrides)
    if found.config:
        yield output.head(f"config  {found.config['_target_']}")
        yield from _config(found.config)


def _facts(found: "Details") -> dict[str, str]:
    import shlex

    from nemorun_cli.actions.leftbehind import left_behind
    from nemorun_cli.cli.documents import iso
    from nemorun_cli.cli.environments import brief
    from nemorun_cli.cli.listing import why

    run, record, status = found.run, found.run.record, found.run.status
    code = record.code or {}
    known = code.get("repositories") or ()
    environment = record.environment
    facts = {
        "why": why(run, time.time()),
        "hint": left_behind(run),
        "name": record.name,
        "recipe": record.recipe,
        "command": shlex.join(record.argv) if record.argv else None,
        "executor": f"{record.profile} ({record.executor})" if record.profile else record.executor,
        "experiment": record.experiment,
        "tags": ", ".join(run.tags),
        "notes": run.notes,
        "launched": f"{iso(record.created_at)} by {record.user} on {record.host}",
        "imported": _import_told(found.origin),
        "started": iso(status.started_at),
        "ended": iso(status.ended_at),
        "after": ", ".join(record.after),
        "parent": record.parent,
        "code": f"{code['hash'][:12]} ({code['files']} files)" if code else None,
        "commit": repositories.own(code),
        "remote": next((each["remote"] for each in known if not each["place"]), None),
        "not frozen": ", ".join(code.get("live") or ()),
        "config hash": (record.config_hash or "")[:12],
        "environment": ", ".join([*environment.get("values", {}), *environment.get("secrets", ())]),
        "python": brief(found.environment),
        "job": run.handle.native_id if run.handle else None,
        "directory": record.directory,
    }
    return {name: value for name, value in facts.items() if value}


def _import_told(origin: Mapping[str, Any] | None) -> str | None:
    told = _imported(origin)
    if told is None:
        return None
    without = f", without {'; '.join(told['left_out'])}" if told["left_out"] else ""
    return f"{told['at']} from {told['archive']}{without}"


def _config(config: Mapping[str, Any]) -> Iterator[str]:
    from nemorun_cli.config.render import lines

    yield from output.pairs(dict(lines(config)))
