"""What was typed or read from a file, before its types are known: texts, lists and mappings."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_BRACKETS = {"[": "]", "(": ")", "{": "}"}
_PLAIN = re.compile(r"[^\W\d][\w./-]*(?: [\w./-]+)*")
_WORDS = ("none", "null", "true", "false", "inf", "nan", "infinity", "yes", "no", "on", "off")


class Bare(str):
    """The text of a value that a file has without quotes: a number, a word such as `true`."""

    __slots__ = ()


@dataclass(frozen=True)
class Item:
    """One text, list or mapping, and where it stands in what was typed or read."""

    value: "str | tuple[Item, ...] | dict[Item, Item]"
    start: int = 0
    end: int = 0
    quoted: bool = False
    """Whether it was in quotes, and so is text whatever it looks like."""

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing after the colon of a mapping, which is none in YAML."""
        return isinstance(self.value, Bare) and not self.value

    def __hash__(self) -> int:
        """By the text: keys of mappings are texts."""
        return hash(self.value if isinstance(self.value, str) else id(self))


def plain(text: str, at: int = 0) -> Item:
    """A text as it was typed, brackets and quotes and all; it begins at this place."""
    return Item(text, at, at + len(text))


def members(item: Item) -> dict[str, Item]:
    """What a mapping holds under each of its texts; of anything else nothing."""
    if not isinstance(item.value, dict):
        return {}
    return {key.value: each for key, each in item.value.items() if isinstance(key.value, str)}


def as_member(text: str) -> str:
    """A text as it would be written in a list or mapping: in quotes unless it is plainly text."""
    is_plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS
    return text if is_plain else "".join(map(_visible, json.dumps(text, ensure_ascii=False)))


def _visible(sign: str) -> str:
    return sign if sign.isprintable() else f"\\U{ord(sign):08x}"


def looks_structured(text: str) -> bool:
    """Whether it can only be meant as a list or mapping."""
    return text[:1] in _BRACKETS


def looks_quoted(text: str) -> bool:
    """Whether the whole text stands in quotes."""
    return len(text) > 1 and text[0] in "'\"" and text[-1] == text[0]


def of_data(value: object) -> Item:
    """The item of what was parsed already; numbers and the like are given as Bare."""
    if isinstance(value, Mapping):
        return Item({Item(str(key), quoted=True): of_data(each) for key, each in value.items()})
    if isinstance(value, Iterable) and not isinstance(value, str):
        return Item(tuple(map(of_data, value)))
    if isinstance(value, str):
        return Item(str(value), quoted=not isinstance(value, Bare))
    if value is None:
        return Item(Bare("null"))
    return Item(str(value).lower() if isinstance(value, bool) else str(value))
