"""What a run ran with: its interpreter, its packages, its machine."""

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from nemorun_cli.actions.wiring import Ports
from nemorun_cli.core import environments
from nemorun_cli.core.errors import NemorunError, NotFoundError, StoreError
from nemorun_cli.core.ports import HasEnvironment
from nemorun_cli.core.runs import Run

NAME = "environment.json"


def environment_of(run: Run, *, ports: Ports) -> Mapping[str, Any] | None:
    """What the run has recorded, with all the keys that `core.environments` names.

    None while there is no record. Once read it is kept in the store, and needs the job's folder no
    more. UnreachableError when that is on a host which does not answer. Executes nothing that was
    stored.
    """
    return kept(run, ports=ports) or keep(run, ports=ports)


def kept(run: Run, *, ports: Ports) -> dict[str, Any] | None:
    """What the store has of it; asks nobody."""
    try:
        found = json.loads(ports.store.document(run.id, NAME))
    except (NemorunError, ValueError, RecursionError):
        return None
    return environments.checked(found) if isinstance(found, dict) else None


def keep(run: Run, *, ports: Ports) -> dict[str, Any] | None:
    """What the job's folder has of it, which is then in the store too; None if there is nothing."""
    if run.handle is None:
        return None
    executor = ports.executor_of(run.record)
    found = executor.environment(run.handle) if isinstance(executor, HasEnvironment) else None
    if found is None:
        return None
    whole = environments.checked(found)
    if whole["image"] is None and isinstance(image := run.record.resources.get("image"), str):
        whole["image"] = image
    if whole["python"] is not None or not run.live:  # An image alone may be all that comes.
        with suppress(StoreError, NotFoundError):  # It may have been deleted meanwhile.
            ports.store.keep(run.id, NAME, json.dumps(whole))
    return whole


def keep_at_end(run: Run, *, ports: Ports) -> None:
    """The same for a run that has just ended, where that costs no request; never an error."""
    with suppress(NemorunError, OSError):
        if ports.executor_of(run.record).instant:
            keep(run, ports=ports)
