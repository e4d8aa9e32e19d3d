"""Lists and mappings out of text: what YAML says of a file, or of a value that was typed.

A value is written as in YAML or Python: `[1, 2]`, `(1, 2)`, `{a: 1, b: [x, y]}`. What stands in
round brackets is one item of it: `[(1, 2), adamw(lr=1, eps=2)]`.
"""

import re
from typing import Any

from nemorun_cli.config.items import Bare, Item

_DEEPEST = 50
_MOST = 1_000_000
"""Parts of one text, those that aliases repeat counted each time."""
TOO_DEEP = "it is nested too deeply"
_MORE = "there is more behind its end"
_TOLD = {
    "<stream end>": "it ends too early",
    "<document start>": _MORE,
    "end of stream": "a quote is not closed",
    "the node content": "a value is missing",
}
"""Words of what the library for YAML says, and what is meant by that here."""
_YAML = "tag:yaml.org,2002:"
_TAGS = ("str", "int", "float", "bool", "null", "timestamp", "merge", "value", "seq", "map")
_DOUBLE = r'"(?:[^"\\]|\\.)*"'
_ITEM = re.compile(rf"(?:[\[{{,]|:(?=\s))\s*(?:{_DOUBLE}|'(?:[^']|'')*'|([\w.]*)\()", re.DOTALL)
_ROUND = re.compile(rf"(?<=[=,(\[{{:\s])(?:{_DOUBLE}|'(?:[^'\\]|\\.)*')|[()]", re.DOTALL)
_OPEN = re.compile(r"[\w.]*\(")
_AFTER = re.compile(r"\s*(?:[,\]})]|:\s|\s#|$)")


class UnreadableError(ValueError):
    """The text is no list or mapping; where and why."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.message = message
        self.at = at


def structured(text: str, at: int = 0) -> Item:
    """The list, mapping or quoted text that is written here; UnreadableError if it is none."""
    if _depth(text, "[({", "])}") > _DEEPEST:
        raise UnreadableError(TOO_DEEP, at)
    if text.startswith("("):
        end = _closing(text, 0)
        if end is None:
            raise UnreadableError("expects ')' at the end", at + len(text))
        if end < len(text):
            raise UnreadableError(_MORE, at + end)
        # YAML has no such brackets, and a comma is enough to see one in Python.
        text = f"[{text[1:-1]}]"
    try:
        return _composed(_joined(text), text, at)
    except UnreadableError as error:
        message = next((told for word, told in _TOLD.items() if word in error.message), "")
        raise UnreadableError(message or error.message, min(error.at, at + len(text))) from None


def of_file(text: str) -> Item:
    """What a file of YAML holds.

    Aliases and merge keys are followed, tags refused. UnreadableError for what is no YAML, for a
    key that is there twice, and for what is too deep or too large.
    """
    if _depth(text, "[{", "]}") > _DEEPEST:
        raise UnreadableError(TOO_DEEP, 0)
    return _composed(text, text, 0, is_file=True)


def _joined(text: str) -> str:
    """The text with each item that has round brackets as one word, of the same length.

    YAML knows no such brackets, and would end the item at a comma, or take quotes for its own.
    """
    parts, done, at = [], 0, 0
    while (found := _ITEM.search(text, at)) is not None:
        at = found.end()
        if found.group(1) is None:
            continue
        end = _closing(text, at - 1)
        if end is None:
            break
        if _AFTER.match(text, end):
            start = found.start(1)
            parts += [text[done:start], "x" * (end - start)]
            done = at = end
    return "".join([*parts, text[done:]])


def _closing(text: str, at: int) -> int | None:
    """Where the round bracket that opens here has its end; None if it has none."""
    depth = 0
    for found in _ROUND.finditer(text, at):
        depth += {"(": 1, ")": -1}.get(found.group(), 0)
        if depth == 0:
            return found.end()
    return None


def _composed(text: str, original: str, at: int, *, is_file: bool = False) -> Item:
    import yaml

    # The one in C is for what is long.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader) if is_file else yaml.SafeLoader
    try:
        found = yaml.compose(text, Loader=loader)
        if found is None:
            raise UnreadableError("there is nothing in it", at)
        return _Composer(text, original, at, is_file=is_file).item(found)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = mark.index if mark is not None else getattr(error, "position", 0)
        message = getattr(error, "problem", None) or getattr(error, "reason", "")
        raise UnreadableError(str(message), at + place) from None
    except RecursionError:
        raise UnreadableError(TOO_DEEP, at) from None


def _depth(text: str, opening: str, closing: str) -> int:
    """How many of these brackets are open at once, at most."""
    deepest = depth = 0
    for sign in text:
        depth += (sign in opening) - (sign in closing)
        deepest = max(deepest, depth)
    return deepest


class _Composer:
    """Turns the nodes of YAML into items."""

    def __init__(self, text: str, original: str, at: int, *, is_file: bool) -> None:
        self._text, self._original = text, original
        self._at = at
        self._is_file = is_file
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
            return Item(self._scalar(node), start, end, quoted=bool(node.style)), 1
        if self._is_file and node.flow_style:
            inner = node.value if node.id == "sequence" else [pair[1] for pair in node.value]
            for each in inner:
                if each.id == "scalar":
                    self._require_closed(each)
        if node.id == "sequence":
            parts = [self._sized(each) for each in node.value]
            return Item(tuple(each for each, _ in parts), start, end), _total(parts)
        merged = [each for key, value in node.value if _merges(key) for each in _merged(value)]
        own = [(key, value) for key, value in node.value if not _merges(key)]
        pairs, sizes = self._pairs(own)
        for each in merged:
            known = {key.value for key in pairs}
            more, size = self._sized(each)
            inside: Any = more.value
            pairs |= {key: value for key, value in inside.items() if key.value not in known}
            sizes.append((more, size))
        return Item(pairs, start, end), _total(sizes)

    def _require_closed(self, node: Any) -> None:
        """In a file YAML alone counts, and ends an item at a comma, in round brackets too."""
        found = None if node.style else _OPEN.match(node.value)
        if found and _closing(node.value, found.end() - 1) is None:
            message = f"{node.value!r} ends at the comma: give it a line of its own"
            raise UnreadableError(message, self._at + node.end_mark.index)

    def _scalar(self, node: Any) -> str:
        if node.style:
            return str(node.value)
        if self._is_file and node.tag == f"{_YAML}null":
            return Bare(node.value and "null")
        part = slice(node.start_mark.index, node.end_mark.index)
        is_joined = self._text is not self._original and self._text[part] != self._original[part]
        return self._original[part] if is_joined else node.value or Bare("")

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
