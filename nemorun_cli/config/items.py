"""What was typed or read from a file, before its types are known: texts, lists and mappings.

A list or mapping is written as in YAML or Python: `[1, 2]`, `(1, 2)`, `{a: 1, b: [x, y]}`.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_BRACKETS = {"[": "]", "(": ")", "{": "}"}
_DEEPEST = 50
_MOST = 1_000_000
"""Parts of one text, those that aliases repeat counted each time."""
_PLAIN = re.compile(r"[^\W\d][\w./-]*(?: [\w./-]+)*")
_WORDS = ("none", "null", "true", "false", "inf", "nan", "infinity", "yes", "no", "on", "off")
_YAML = "tag:yaml.org,2002:"
_TAGS = ("str", "int", "float", "bool", "null", "timestamp", "merge", "value", "seq", "map")


class UnreadableError(ValueError):
    """The text is no list or mapping; where and why."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.message = message
        self.at = at


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
    return text if is_plain else json.dumps(text, ensure_ascii=False)


def looks_structured(text: str) -> bool:
    """Whether it can only be meant as a list or mapping."""
    return text[:1] in _BRACKETS


def looks_quoted(text: str) -> bool:
    """Whether the whole text stands in quotes."""
    return len(text) > 1 and text[0] in "'\"" and text[-1] == text[0]


def structured(text: str, at: int = 0) -> Item:
    """The list, mapping or quoted text that is written here; UnreadableError if it is none."""
    if text.startswith("("):
        if not text.endswith(")"):
            raise UnreadableError("expects ')' at the end", at + len(text))
        # YAML has no such brackets, and a comma is enough to see one in Python.
        text = f"[{text[1:-1]}]"
    try:
        return composed(text, at)
    except UnreadableError as error:
        raise UnreadableError(error.message, min(error.at, at + len(text))) from None


def composed(text: str, at: int = 0, *, quick: bool = False) -> Item:
    """What a text in YAML holds. `quick`: by the library in C, if it is there.

    Aliases and merge keys are followed, tags refused. UnreadableError for what is no YAML, for a
    key that is there twice, and for what is too deep or too large.
    """
    import yaml

    if _depth(text) > _DEEPEST:
        raise UnreadableError("it is nested too deeply", at)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader) if quick else yaml.SafeLoader
    try:
        found = yaml.compose(text, Loader=loader)
        if found is None:
            raise UnreadableError("there is nothing in it", at)
        return _Composer(at).item(found)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = mark.index if mark is not None else getattr(error, "position", 0)
        message = getattr(error, "problem", None) or getattr(error, "reason", "")
        raise UnreadableError(str(message), at + place) from None
    except RecursionError:
        raise UnreadableError("it is nested too deeply", at) from None


def _depth(text: str) -> int:
    """How many brackets are open at once, at most."""
    deepest = depth = 0
    for sign in text:
        depth += (sign in "[{") - (sign in "]}")
        deepest = max(deepest, depth)
    return deepest


class _Composer:
    """Turns the nodes of YAML into items."""

    def __init__(self, at: int) -> None:
        self._at = at
        self._made: dict[int, tuple[Item, int] | None] = {}

    def item(self, node: Any) -> Item:
        """The item of a whole document."""
        return self._sized(node)[0]

    def _sized(self, node: Any) -> tuple[Item, int]:
        """The item, and how many parts it has. An alias shares the item of what it stands for."""
        start = self._at + node.start_mark.index
        if id(node) in self._made:
            known = self._made[id(node)]
            if known is None:
                raise UnreadableError("it contains itself", start)
            return known
        if node.tag.removeprefix(_YAML) not in _TAGS:
            raise UnreadableError(f"the tag {node.tag} has no meaning here", start)
        self._made[id(node)] = None
        made, size = self._new(node, start, self._at + node.end_mark.index)
        if size > _MOST:
            raise UnreadableError(f"it has more than {_MOST} parts", start)
        self._made[id(node)] = made, size
        return made, size

    def _new(self, node: Any, start: int, end: int) -> tuple[Item, int]:
        if node.id == "scalar":
            text = node.value if node.style or node.value else Bare("")
            return Item(text, start, end, quoted=bool(node.style)), 1
        if node.id == "sequence":
            parts = [self._sized(each) for each in node.value]
            return Item(tuple(each for each, _ in parts), start, end), _total(parts)
        merged = [each for key, value in node.value if _merges(key) for each in _merged(value)]
        own = [(key, value) for key, value in node.value if not _merges(key)]
        pairs, sizes = self._pairs(own)
        for each in merged:
            known = {key.value for key in pairs}
            more, extra = self._pairs(each.value)
            pairs |= {key: value for key, value in more.items() if key.value not in known}
            sizes += extra
        return Item(pairs, start, end), _total(sizes)

    def _pairs(self, nodes: list[tuple[Any, Any]]) -> tuple[dict[Item, Item], list[Any]]:
        pairs: dict[Item, Item] = {}
        sizes = []
        seen: set[Any] = set()
        for key, value in nodes:
            name, _ = self._sized(key)
            if isinstance(name.value, str):
                if name.value in seen:
                    raise UnreadableError(f"the key {name.value!r} is there twice", name.start)
                seen.add(name.value)
            sized = self._sized(value)
            pairs[name] = sized[0]
            sizes.append(sized)
        return pairs, sizes


def _merges(key: Any) -> bool:
    return bool(key.tag == f"{_YAML}merge")


def _merged(value: Any) -> list[Any]:
    """The mappings that a merge key names, the first of them winning."""
    found = value.value if value.id == "sequence" else [value]
    if any(each.id != "mapping" for each in found):
        raise UnreadableError("'<<' expects a mapping, or a list of them", value.start_mark.index)
    return list(found)


def _total(parts: list[tuple[Item, int]]) -> int:
    return 1 + sum(size for _, size in parts)


def of_data(value: object) -> Item:
    """The item of what was parsed already; numbers and the like are given as Bare."""
    if isinstance(value, Mapping):
        return Item({Item(str(key), quoted=True): of_data(each) for key, each in value.items()})
    if isinstance(value, Iterable) and not isinstance(value, str):
        return Item(tuple(map(of_data, value)))
    if isinstance(value, str):
        return Item(str(value), quoted=not isinstance(value, Bare))
    is_word = value is None or isinstance(value, bool)
    return Item(str(value).lower() if is_word else str(value))
