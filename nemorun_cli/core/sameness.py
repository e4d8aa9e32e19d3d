"""What makes two runs the same, as far as their records tell."""

import hashlib
import json

from nemorun_cli.core.runs import RunRecord

_NO_MATTER = frozenset({"time", "grace", "retries", "split_streams"})
"""What a job may ask for without that its result can depend on it."""


def mark_of(record: RunRecord) -> str | None:
    """A hash that runs share which execute the same, of the same code, asking for the same.

    None for a run without a snapshot: what its code was is not known. It covers the config or the
    command line, the code and the folder in it, the kind of executor and what was asked of it,
    variables, and the names of secrets; not where the executor is, nor any environment.
    """
    if record.code is None:
        return None
    asked = {name: each for name, each in record.resources.items() if name not in _NO_MATTER}
    covered = {
        "config": record.config_hash,
        "argv": record.argv,
        "code": record.code.get("hash"),
        "workdir": record.workdir,
        "executor": record.executor,
        "asked": asked,
        "values": record.environment.get("values"),
        "secrets": record.environment.get("secrets"),
    }
    text = json.dumps(covered, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
