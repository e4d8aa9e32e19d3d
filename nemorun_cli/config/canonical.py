"""The text and the hash of a stored config. Knows JSON alone."""

import json
from typing import Any

Document = dict[str, Any]
_NO_IDENTITY = ("path", "timedelta", "frozenset")
"""Typed values that are the same whether they are one object or two."""


def text_of(document: Document) -> str:
    """The text of config.json, as people may read it."""
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    try:
        text.encode()
    except UnicodeEncodeError:  # A byte of an argument that was no UTF-8.
        return json.dumps(document, indent=1, allow_nan=False) + "\n"
    return text


def config_hash(document: Document) -> str:
    """The same for configs that do the same, in every process and order of arguments."""
    import hashlib

    return hashlib.sha256(_dumps(_Canonical(document).value(document)).encode()).hexdigest()


def definitions(document: Any) -> dict[int, Any]:
    """Each part of a document that has an id, under it."""
    found: dict[int, Any] = {}
    waiting = [document]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            if "_id_" in part:
                found[part["_id_"]] = part
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)
    return found


class _Canonical:
    """Writes a document with sorted keys, and each definition where that order meets it first."""

    def __init__(self, document: Document) -> None:
        self._definitions = definitions(document)
        self._numbers: dict[int, int] = {}

    def value(self, part: Any) -> Any:
        """A part in its canonical form."""
        if isinstance(part, list):
            return [self.value(each) for each in part]
        if not isinstance(part, dict):
            return part
        number = part.get("_ref_", part.get("_id_"))
        if number is None:
            return self._inside(part)
        definition = self._definitions[number]
        if definition.get("_type_") in _NO_IDENTITY:
            return self._inside(definition)
        if number in self._numbers:
            return {"_ref_": self._numbers[number]}
        self._numbers[number] = len(self._numbers) + 1
        return {**self._inside(definition), "_id_": self._numbers[number]}

    def _inside(self, part: Document) -> Document:
        if part.get("_type_") == "dict":
            pairs = sorted(part["value"], key=_dumps)
            return {"_type_": "dict", "value": [self.value(pair) for pair in pairs]}
        return {key: self.value(part[key]) for key in sorted(part) if key != "_id_"}


def _dumps(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
