"""Parts of a config as a file or an argument writes them: by name, as mappings, as stored."""

import base64
import binascii
import contextlib
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from nemorun_cli.config import annotations, nodes
from nemorun_cli.config.coerce import is_document
from nemorun_cli.config.containers import Read, items_of
from nemorun_cli.config.items import Item, members
from nemorun_cli.config.registered import Registered
from nemorun_cli.config.scalars import MismatchError, near, within
from nemorun_cli.core.errors import UsageError

_ORDERED: dict[str, Any] = {"tuple": tuple, "list": list, "set": set, "frozenset": frozenset}
Wrote = Callable[[Any, str | int, Item], None]
"""Told of each argument that a source gives to a new node: the node, the argument, its value."""
_OWN = ("_target_", "_kind_", "_args_", "_tags_", "_id_")


class CallError(UsageError):
    """What stands in the brackets of a factory is wrong; the problems are those of its parts."""

    def __init__(self, item: Item, error: UsageError) -> None:
        super().__init__(error.message, hint=error.hint, problems=error.problems)
        self.item = item


class Forms:
    """What one source can name; what it uses twice is one object."""

    def __init__(self, registered: Registered, root: Item, wrote: Wrote) -> None:
        self._registered = registered
        self._root = root
        self._wrote = wrote
        self._definitions: dict[str, Item] | None = None
        self._made: dict[str, Any] = {}
        self._begun: set[str] = set()

    def named(self, item: Item, annotation: Any) -> Any:
        """What a text such as `adamw(lr=1e-3)` asks for; LookupError if nothing has the name."""
        text = str(item.value)
        try:
            made = self._registered.named(text, annotation)
        except UsageError as error:
            raise CallError(item, error) from None
        if nodes.is_node(made) and not nodes.fits(made, annotation):
            hint = f"{text.partition('(')[0]!r} makes {nodes.callee(made)}"
            raise MismatchError(annotations.name_of(annotation), item, hint)
        return made

    def record(self, kind: Any, item: Item, read: Read) -> Any:
        """The node that calls a class with what a mapping holds."""
        node = nodes.make("config", annotations.kind_of(kind), [], {})
        self._fill(node, kind, item, read, lambda value, declared, _: read(value, declared))
        return node

    def document(self, item: Item, annotation: Any, read: Read) -> Any:
        """What a mapping with `_target_`, `_type_` or `_ref_` stands for."""
        fields = members(item)
        number = fields.get("_ref_", fields.get("_id_"))
        if number is None:
            made = self._new(item, annotation, read)
        else:
            made = self._shared(str(number.value), number, annotation, read)
        if nodes.is_node(made) and not self._registered.accepts(made, annotation):
            got = Item(nodes.callee(made), item.start, item.end)
            raise MismatchError(annotations.name_of(annotation), got)
        return made

    def _shared(self, number: str, at: Item, annotation: Any, read: Read) -> Any:
        if self._definitions is None:
            self._definitions = dict(_defined(self._root))
        if number not in self._definitions or number in self._begun:
            hint = "it contains itself" if number in self._begun else ""
            raise MismatchError("the _id_ of another part", at, hint)
        if number not in self._made:
            self._begun.add(number)
            self._made[number] = self._new(self._definitions[number], annotation, read)
            self._begun.remove(number)
        return self._made[number]

    def _new(self, item: Item, annotation: Any, read: Read) -> Any:
        fields = members(item)
        if "_target_" in fields:
            return self._node(item, fields, annotation, read)
        kind, value = fields.get("_type_"), fields.get("value")
        if kind is None or value is None:
            raise MismatchError("'_target_', or '_type_' and 'value'", item)
        return self._typed(kind, value, annotation, read)

    def _node(self, item: Item, fields: Mapping[str, Item], annotation: Any, read: Read) -> Any:
        name = fields["_target_"]
        target = self._known(name, annotation, self._registered.target)
        kind = fields.get("_kind_", Item("config"))
        if kind.value not in nodes.KINDS:
            raise MismatchError(f"one of {', '.join(nodes.KINDS)}", kind)
        node = nodes.make(str(kind.value), target, [], {})

        def value_of(value: Item, declared: Any, key: str | int) -> Any:
            return self._value(str(name.value), key, value, declared, read)

        if "_args_" in fields:
            node = self._placed(node, annotation, fields["_args_"], value_of)
        self._fill(node, annotation, item, read, value_of)
        for argument, tags in members(fields.get("_tags_", Item({}))).items():
            value = self._registered.value
            found = [self._known(tag, Any, value) for tag in items_of(tags, list)]
            try:
                nodes.set_tags(node, argument, found)
            except (AttributeError, LookupError, TypeError, ValueError):
                message = f"the tags of {nodes.callee(node)}, which has no {argument!r}"
                raise MismatchError(message, fields["_tags_"]) from None
        return node

    def _placed(
        self, node: Any, place: Any, item: Item, value_of: Callable[[Item, Any, str | int], Any]
    ) -> Any:
        """The node with arguments by their position."""
        known = list(nodes.parameters(node).values())
        items = items_of(item, list)
        given, keys = [], []
        for index, each in enumerate(items):
            parameter = known[min(index, len(known) - 1)] if known else None
            declared = nodes.declared(node, parameter, place) if parameter else Any
            with within(index):
                given.append(value_of(each, declared, index))
            named = parameter and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
            keys.append(parameter.name if parameter and named else index)
        try:
            made = nodes.make(nodes.kind_of(node) or "", nodes.target_of(node), given, {})
        except TypeError:
            raise MismatchError(f"what {nodes.callee(node)} takes", item) from None
        for key, each in zip(keys, items, strict=True):
            self._wrote(made, key, each)
        return made

    def _fill(
        self,
        node: Any,
        place: Any,
        item: Item,
        read: Read,
        value_of: Callable[[Item, Any, str | int], Any],
    ) -> None:
        """Set what a mapping holds for the parameters of a node; `place` is declared there."""
        known = {each.name: each for each in nodes.fields(node)}
        others = nodes.catch_all(node)
        pairs: Any = item.value
        for key, value in pairs.items():
            name = str(read(key, str))
            if name in _OWN and is_document(item):
                continue
            parameter = known.get(name, others)
            if parameter is None:
                hint = near(name, known) or f"there are: {', '.join(known)}"
                raise MismatchError(f"a parameter of {nodes.callee(node)}", key, hint)
            with within(name):
                made = value_of(value, nodes.declared(node, parameter, place), name)
            nodes.put(node, name, made)
            self._wrote(node, name, value)

    def _value(self, target: str, key: str | int, item: Item, declared: Any, read: Read) -> Any:
        """What the recipe itself has there is taken as it is; anything else by its type."""
        if annotations.is_untyped(declared) or _holds_parts(item):
            return read(item, declared)
        with contextlib.suppress(MismatchError):
            exact = read(item, Any)
            if exact is None or self._registered.holds(target, key, exact):
                return exact
        return read(item, declared)

    def _typed(self, kind: Item, value: Item, annotation: Any, read: Read) -> Any:
        word = str(kind.value)
        if word in _ORDERED:
            return read(value, _typed_collection(_ORDERED[word], annotation))
        if word == "dict":
            return self._dict(value, annotation, read)
        if word in ("enum", "import"):
            return self._known(value, annotation, self._registered.value)
        if word not in _SCALARS:
            raise MismatchError(f"one of {', '.join([*_ORDERED, 'dict', *_SCALARS])}", kind)
        try:
            return _SCALARS[word](read(value, Any))
        except (ValueError, TypeError, OverflowError, binascii.Error):
            raise MismatchError(f"the value of a {word}", value) from None

    def _dict(self, value: Item, annotation: Any, read: Read) -> dict[Any, Any]:
        inner = annotations.item_type(annotation)
        found: dict[Any, Any] = {}
        for pair in items_of(value, list):
            both = items_of(pair, list)
            if len(both) != 2:  # noqa: PLR2004
                raise MismatchError("a pair of key and value", pair)
            try:
                found[read(both[0], Any)] = read(both[1], inner)
            except TypeError:
                raise MismatchError("what can be a key", both[0]) from None
        return found

    def _known(self, name: Item, annotation: Any, find: Callable[[str, Any], Any]) -> Any:
        try:
            return find(str(name.value), annotation)
        except LookupError as unknown:
            raise MismatchError("code that is known here", name, str(unknown)) from None


def _defined(item: Item) -> Iterator[tuple[str, Item]]:
    """Each part with an `_id_`, under it."""
    waiting, seen = [item], set()
    while waiting:
        part = waiting.pop()
        if isinstance(part.value, str) or id(part) in seen:
            continue
        seen.add(id(part))
        number = members(part).get("_id_")
        if number is not None:
            yield str(number.value), part
        waiting.extend(part.value.values() if isinstance(part.value, dict) else part.value)


def _holds_parts(item: Item) -> bool:
    """Whether there is a node in it."""
    if isinstance(item.value, dict):
        names = members(item)
        own = "_target_" in names or "_ref_" in names or "_id_" in names
        return own or any(map(_holds_parts, item.value.values()))
    return isinstance(item.value, tuple) and any(map(_holds_parts, item.value))


def _typed_collection(kind: Any, annotation: Any) -> Any:
    """The declared type, if it is one of this kind; else the kind with the declared items."""
    annotation = annotations.bare(annotation)
    for each in (annotation, *map(annotations.bare, annotations.members(annotation))):
        if annotations.kind_of(each) is kind:
            return each
    inner = annotations.item_type(annotation)
    return kind[inner, ...] if kind is tuple else kind[inner]


def _timedelta(value: Any) -> timedelta:
    return timedelta(*value) if isinstance(value, list) else timedelta(seconds=value)


_SCALARS: Mapping[str, Callable[[Any], Any]] = {
    "bytes": lambda text: base64.b64decode(text, validate=True),
    "path": lambda text: Path(str(text)),
    "timedelta": _timedelta,
    "float": float,
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
}
