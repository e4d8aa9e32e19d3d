"""The files that a run has left, and those of them that are to come out the same."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from nemorun_cli.actions.wiring import Ports
from nemorun_cli.core.errors import UsageError
from nemorun_cli.core.jobs import JobHandle
from nemorun_cli.core.ports import Executor, HasFiles
from nemorun_cli.core.runs import Run
from nemorun_cli.store import layout, origins, reading

RESULTS = "results.json"
"""What is told of the files of an imported run, which are not here."""
Digests = dict[str, dict[str, str]]
"""By pattern the SHA-256 of each file that it means."""


def declared(run: Run) -> Mapping[str, tuple[str, ...]] | None:
    """The `metrics` and `files` that the run's recipe declared when it was launched, if any."""
    told = (run.record.recipe_source or {}).get("reproduces")
    if not isinstance(told, Mapping):
        return None
    return {name: _texts(told.get(name)) for name in ("metrics", "files")}


def digests(run: Run, patterns: Iterable[str], *, ports: Ports) -> Digests:
    """The files of a run that these patterns mean; of an imported one as its exporter told.

    UsageError where the files of such a run cannot be read; UnreachableError where the host that
    has them does not answer.
    """
    wanted = list(patterns)
    if not wanted or run.handle is None:
        return {pattern: {} for pattern in wanted}
    if origins.imported(ports.store.home, run.id):
        known = _imported(run, ports)
        return {pattern: known.get(pattern, {}) for pattern in wanted}
    executor = ports.executor_of(run.record)
    return {pattern: _found(executor, run.handle, pattern) for pattern in wanted}


def document(run: Run, *, ports: Ports) -> str | None:
    """The text of RESULTS for a run that is exported; None if its recipe declared no files."""
    patterns = (declared(run) or {}).get("files")
    if not patterns:
        return None
    return json.dumps({"files": digests(run, sorted(patterns), ports=ports)}, sort_keys=True)


def _found(executor: Executor, handle: JobHandle, pattern: str) -> dict[str, str]:
    if not isinstance(executor, HasFiles):
        raise UsageError(f"the files of a run on {executor.name} cannot be read")
    found = {}
    for file in executor.files(handle, pattern):
        digest = hashlib.sha256()
        for piece in executor.read(handle, file.path):
            digest.update(piece)
        found[file.path] = digest.hexdigest()
    return found


def _imported(run: Run, ports: Ports) -> Digests:
    try:
        told = reading.load(layout.folder_of(ports.store.home, run.id) / RESULTS)
        return {
            str(pattern): {str(path): str(digest) for path, digest in files.items()}
            for pattern, files in told["files"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _texts(told: Any) -> tuple[str, ...]:  # noqa: ANN401
    return tuple(each for each in told if isinstance(each, str)) if isinstance(told, list) else ()
