"""What a condition may ask of each run: its fields, and what the index keeps of other files."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nemorun_cli.core.fields import PLACES, Plain
from nemorun_cli.core.runs import Filter, Run
from nemorun_cli.store import documents
from nemorun_cli.store.database import NEWEST, Database
from nemorun_cli.store.tables import where_of

KEEP = """
INSERT OR REPLACE INTO facts SELECT id, ?, ? FROM runs WHERE id = ?
"""


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
    columns = [_column(name) for name in fields]
    columns += [f"kept{number}.document" for number in range(len(kinds))]
    joins = [
        f"LEFT JOIN facts AS kept{number} ON kept{number}.id = runs.id AND kept{number}.kind = ?"
        for number in range(len(kinds))
    ]
    query = (
        f"SELECT {', '.join(['runs.id', 'live', *columns])} FROM runs "  # noqa: S608
        f"CROSS JOIN documents ON documents.id = runs.id {' '.join(joins)} {where} {NEWEST}"
    )
    # Half characters of names typed in another encoding come out of JSON as they went in.
    database.connection.text_factory = lambda data: data.decode("utf-8", "surrogatepass")
    rows = database.connection.execute(query, (*kinds, *values))
    last = 2 + len(fields)
    return [
        Facts(
            run_id=row[0],
            live=bool(row[1]),
            fields=dict(zip(fields, map(_stored, fields, row[2:last]), strict=True)),
            known={
                kind: dict(json.loads(text))
                for kind, text in zip(kinds, row[last:], strict=True)
                if text is not None
            },
        )
        for row in rows
    ]


def of_run(run: Run, fields: Sequence[str]) -> Facts:
    """The same of a run that was read from its files; nothing else is known of it."""
    document: Any = {**documents.run_to_json(run), "observed_at": run.observed_at}
    found: dict[str, Any] = {}
    for name in fields:
        value = document
        for step in PLACES[name]:
            value = value.get(step) if isinstance(value, Mapping) else None
        found[name] = tuple(value) if isinstance(value, (list, tuple)) else _plain(value)
    return Facts(run_id=run.id, live=run.live, fields=found)


def _column(name: str) -> str:
    if name == "observed_at":
        return "runs.observed_at"
    return f"json_extract(documents.document, '$.{'.'.join(PLACES[name])}')"


def _stored(name: str, value: Any) -> Any:  # noqa: ANN401
    return tuple(json.loads(value)) if name == "tags" else _plain(value)


def _plain(value: Any) -> Any:  # noqa: ANN401
    """Nobody has given a text that is empty, and so there is none."""
    if isinstance(value, str):
        return str(value) or None
    return value if isinstance(value, (int, float)) else None
