"""What was typed or read from a file, before its types are known: texts, lists and mappings.

A list or mapping is written as in YAML or Python: `[1, 2]`, `(1, 2)`, `{a: 1, b: [x, y]}`.
"""

from dataclasses import dataclass
from typing import Any

_BRACKETS = {"[": "]", "(": ")", "{": "}"}

_DEEPEST = 50
_YAML = "tag:yaml.org,2002:"
_TAGS = ("str", "int", "float", "bool", "null", "timestamp", "merge", "value", "seq", "map")


class UnreadableError(ValueError):
    """The text is no list or mapping; where and why."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.message = message
        self.at = at


@dataclass(frozen=True)
class Item:
    """One text, list or mapping, and where it stands in what was typed."""

    value: "str | tuple[Item, ...] | dict[Item, Item]"
    start: int = 0
    end: int = 0
    quoted: bool = False
    """Whether it was in quotes, and so is text whatever it looks like."""

    def __hash__(self) -> int:
        """By the text: keys of mappings are texts."""
        return hash(self.value if isinstance(self.value, str) else id(self))


def plain(text: str) -> Item:
    """A text as it was typed, brackets and quotes and all."""
    return Item(text, 0, len(text))


def looks_structured(text: str) -> bool:
    """Whether it can only be meant as a list or mapping."""
    return text[:1] in _BRACKETS


def looks_quoted(text: str) -> bool:
    """Whether the whole text stands in quotes."""
    return len(text) > 1 and text[0] in "'\"" and text[-1] == text[0]


def structured(text: str) -> Item:
    """The list, mapping or quoted text that is written here; UnreadableError if it is none."""
    if text.startswith("("):
        if not text.endswith(")"):
            raise UnreadableError("expects ')' at the end", len(text))
        # YAML has no such brackets, and a comma is enough to see one in Python.
        text = f"[{text[1:-1]}]"
    return _composed(text)


def _composed(text: str) -> Item:
    import yaml

    if _depth(text) > _DEEPEST:
        raise UnreadableError("it is nested too deeply", 0)
    try:
        found = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = mark.index if mark is not None else getattr(error, "position", 0)
        message = getattr(error, "problem", None) or getattr(error, "reason", "")
        raise UnreadableError(str(message), min(at, len(text))) from None
    if found is None:
        raise UnreadableError("there is nothing in it", 0)
    return _item(found)


def _depth(text: str) -> int:
    """How many brackets are open at once, at most."""
    deepest = depth = 0
    for sign in text:
        depth += (sign in "[{") - (sign in "]}")
        deepest = max(deepest, depth)
    return deepest


def _item(node: Any) -> Item:
    start, end = node.start_mark.index, node.end_mark.index
    if node.tag.removeprefix(_YAML) not in _TAGS:
        raise UnreadableError(f"the tag {node.tag} has no meaning here", start)
    if node.id == "scalar":
        return Item(node.value, start, end, quoted=node.style is not None)
    if node.id == "sequence":
        return Item(tuple(map(_item, node.value)), start, end)
    pairs: dict[Item, Item] = {}
    for key, value in node.value:
        pairs[_item(key)] = _item(value)
    return Item(pairs, start, end)
