"""What a launch would change against the last run of its recipe."""

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
    """A launch beside the last run of the same recipe."""

    run: Run
    config: tuple[Difference, ...]
    """From the run's config to the one that would be launched."""
    code: bool
    """Whether the code differs."""


def with_last_run(prepared: Prepared, *, ports: Ports) -> Comparison | None:
    """None if the recipe has no run yet, or its config cannot be read. Changes nothing."""
    if prepared.spec.config is None:
        return None
    recipe = prepared.record.recipe
    page = ports.index.select(Filter(recipe=recipe), limit=1)
    if not page.runs:
        return None
    last = page.runs[0]
    try:
        before = config_of(last, ports=ports)
    except NemorunError:
        return None
    if before is None:
        return None
    code = prepared.record.code
    return Comparison(
        run=last,
        config=differences(before, json.loads(prepared.spec.config)),
        code=(code or {}).get("hash") != (last.record.code or {}).get("hash"),
    )
