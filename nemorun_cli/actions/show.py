"""All that is known of a run."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nemorun_cli.actions.observe import refresh
from nemorun_cli.actions.wiring import Ports
from nemorun_cli.core.errors import NemorunError
from nemorun_cli.core.ports import HasMetrics
from nemorun_cli.core.runs import Run


@dataclass(frozen=True, kw_only=True)
class Details:
    """A run with everything that is kept beside it; what is not there is None or empty."""

    run: Run
    config: Mapping[str, Any] | None
    plan: Mapping[str, Any] | None
    events: tuple[Mapping[str, Any], ...]
    metrics: Mapping[str, Any]
    """The last value of each metric that the run tracked."""
    problems: tuple[str, ...] = ()


def details(run: Run, *, ports: Ports) -> Details:
    """The run as it stands now. Executes nothing that was stored."""
    seen = refresh([run], ports=ports)
    return Details(
        run=seen.runs[0],
        config=_document(run, "config.json", ports),
        plan=_document(run, "plan.json", ports),
        events=tuple(ports.store.events(run.id)),
        metrics=metrics(seen.runs[0], ports=ports),
        problems=seen.problems,
    )


def metrics(run: Run, *, ports: Ports) -> dict[str, Any]:
    """The last value of each metric, and the last step, that the run tracked."""
    if run.handle is None:
        return {}
    try:
        executor = ports.executor_of(run.record)
    except NemorunError:
        return {}
    last: dict[str, Any] = {}
    if isinstance(executor, HasMetrics):
        for entry in executor.metrics(run.handle):
            if entry.get("step") is not None:
                last["step"] = entry["step"]
            if isinstance(values := entry.get("metrics"), dict):
                last |= values
    return last


def _document(run: Run, name: str, ports: Ports) -> dict[str, Any] | None:
    try:
        found = json.loads(ports.store.document(run.id, name))
    except (NemorunError, ValueError):
        return None
    return found if isinstance(found, dict) else None
