"""The names of what is known of a run. Imports nothing, for those who complete them."""

_OF_RECORD = (
    *("id", "name", "recipe", "executor", "profile", "experiment", "created_at", "directory"),
    *("config_hash", "parent", "host", "user"),
)
_OF_STATUS = (
    *("state", "reason", "reason_detail", "exit_code", "signal", "attempt"),
    *("started_at", "ended_at", "failing_rank"),
)
_OF_RUN = ("tags", "notes", "handle", "observed_at", "stale_since")
PLACES: dict[str, tuple[str, ...]] = {
    **{name: ("record", name) for name in _OF_RECORD},
    **{name: ("status", name) for name in _OF_STATUS},
    **{name: (name,) for name in _OF_RUN},
    "code_hash": ("record", "code", "hash"),
}
"""The fields that a run has in JSON, and where a stored run has each."""
NUMBERS = frozenset({"exit_code", "signal", "attempt", "failing_rank"})
TIMES = frozenset(name for name in PLACES if name.endswith("_at")) | {"stale_since"}
"""Those that are seconds since 1970."""
