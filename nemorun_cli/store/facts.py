"""What a condition may ask of each run: its fields, and what the index keeps of other files."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nemorun_cli.core.fieldnames import PLACES
from nemorun_cli.core.fields import Plain
from nemorun_cli.core.runs import Filter, Run
from nemorun_cli.store import documents
from nemorun_cli.store.database import NEWEST, Database
from nemorun_cli.store.tables import where_of

KEEP = "INSERT OR REPLACE INTO facts SELECT id, ?, ? FROM runs WHERE id = ?"
OBSERVED = "observed_at"
"""The field that only the index knows to the last."""
_EXTRACT = "json_extract(documents.document, {})"
_KEPT = "LEFT JOIN facts AS {name} ON {name}.id = runs.id AND {name}.kind = ?"


@dataclass(kw_only=True, slots=True)
class Facts:
    """One run: the fields asked for, and by its kind all else that is known of it."""

    run_id: str
    live: bool
    fields: Mapping[str, Plain | tuple[str, ...]]
    known: dict[str, Mapping[str, Plain]] = field(default_factory=dict)


def select(
    database: Database, wanted: Filter, fields: Sequence[str], kinds: Sequence[str]
) -> list[Facts]:
    """The runs that the filter accepts, newest first, without a look at their files."""
    where, values = where_of(wanted)
    stored = [name for name in fields if name != OBSERVED]
    # As one JSON array, in which any text is what it was.
    places = ["$.none", "$.none", *(f"$.{'.'.join(PLACES[name])}" for name in stored)]
    kept = [f"kept{number}" for number in range(len(kinds))]
    columns = ["runs.id", "live", "runs.observed_at", _EXTRACT.format(", ".join("?" * len(places)))]
    query = (
        f"SELECT {', '.join([*columns, *(f'{each}.document' for each in kept)])} FROM runs "  # noqa: S608
        "CROSS JOIN documents ON documents.id = runs.id "
        f"{' '.join(_KEPT.format(name=each) for each in kept)} {where} {NEWEST}"
    )
    rows = database.connection.execute(query, (*places, *kinds, *values))
    return [
        Facts(
            run_id=run_id,
            live=bool(live),
            fields={
                OBSERVED: observed_at,
                **dict(zip(stored, map(_plain, json.loads(found)[2:]), strict=True)),
            },
            known={
                kind: dict(json.loads(text))
                for kind, text in zip(kinds, texts, strict=True)
                if text is not None
            },
        )
        for run_id, live, observed_at, found, *texts in rows
    ]


def of_run(run: Run, fields: Sequence[str]) -> Facts:
    """The same of a run that was read from its files; nothing else is known of it."""
    document = documents.run_to_json(run)
    found: dict[str, Any] = {OBSERVED: run.observed_at}
    for name in fields:
        if name != OBSERVED:
            value: Any = document
            for step in PLACES[name]:
                value = value.get(step) if isinstance(value, Mapping) else None
            found[name] = _plain(value)
    return Facts(run_id=run.id, live=run.live, fields=found)


def _plain(value: Any) -> Any:  # noqa: ANN401
    """Nobody has given a text that is empty, and so there is none."""
    if isinstance(value, (list, tuple)):
        return tuple(value)
    if isinstance(value, str):
        return str(value) or None
    return value if isinstance(value, (int, float)) else None
