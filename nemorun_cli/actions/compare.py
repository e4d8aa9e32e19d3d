"""What a launch changes against the run it comes from, or the last run of its recipe."""

import json
from dataclasses import dataclass

from nemorun_cli.actions.launch import Prepared
from nemorun_cli.actions.stored import config_of
from nemorun_cli.actions.wiring import Ports
from nemorun_cli.config.diff import Difference, differences
from nemorun_cli.core.errors import NemorunError
from nemorun_cli.core.runs import Filter, Run


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A launch beside an earlier run: the one it comes from, or the last of the same recipe."""

    run: Run
    config: tuple[Difference, ...]
    """From the run's config to the one that would be launched."""
    code: bool
    """Whether the code differs."""
    is_parent: bool = False
    """Whether the run is what is launched again."""


def with_earlier_run(prepared: Prepared, *, ports: Ports) -> Comparison | None:
    """Beside its parent, else the last run of its recipe. Changes nothing.

    None if there is no such run, or its config cannot be read.
    """
    if prepared.spec.config is None:
        return None
    record = prepared.record
    if record.parent is not None:
        last = ports.store.read(record.parent)
    else:
        page = ports.index.select(Filter(recipe=record.recipe), limit=1)
        if not page.runs:
            return None
        last = page.runs[0]
    try:
        before = config_of(last, ports=ports)
    except NemorunError:
        return None
    if before is None:
        return None
    code = record.code
    return Comparison(
        run=last,
        config=differences(before, json.loads(prepared.spec.config)),
        code=(code or {}).get("hash") != (last.record.code or {}).get("hash"),
        is_parent=record.parent is not None,
    )
