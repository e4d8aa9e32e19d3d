"""Who set what: the recipe, the files, the arguments, each in its turn."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from nemorun_cli.config import nodes
from nemorun_cli.config.assignments import Assignment
from nemorun_cli.config.items import Item
from nemorun_cli.config.values import as_text
from nemorun_cli.core.overrides import Step, format_path

Origin = dict[str, str | None]
"""`kind`: default, recipe, file or argument; `place`: where; `value`: as typed, None if removed."""
Origins = dict[str, list[Origin]]
"""Path to what set it, the last one winning. What nobody set is left out."""


class _Event(NamedTuple):
    node: Any
    """Kept, so that no other one gets its id."""
    before: Any
    after: Any
    text: str | None
    assignment: Assignment

    @property
    def origin(self) -> Origin:
        """As it is stored."""
        kind = "argument" if self.assignment.is_argument else "file"
        return {"kind": kind, "place": self.assignment.place, "value": self.text}


@dataclass
class Trail:
    """What overrides have changed, by node and argument; a node that two places share has one."""

    _events: dict[int, dict[str | int, list[_Event]]] = field(default_factory=dict)
    _replaced: dict[int, tuple[Any, _Event]] = field(default_factory=dict)
    """A new node by its id: the one that stood there before, and what replaced it."""
    _written: dict[tuple[int, str | int], tuple[Any, Assignment, Item]] = field(
        default_factory=dict
    )
    """An argument of a new node, as a mapping has it, and what assigns the mapping."""

    def wrote(self, assignment: Assignment, node: Any, key: str | int, item: Item) -> None:
        """A mapping has given an argument to a new node."""
        self._written[id(node), key] = (node, assignment, item)

    def written(self, node: Any, key: str | int) -> Origin | None:
        """What a mapping has set, and where; None if none has set this."""
        found = self._written.get((id(node), key))
        if found is None:
            return None
        _, assignment, item = found
        if assignment.is_argument:
            return {"kind": "argument", "place": assignment.place}
        return {"kind": "file", "place": assignment.item_source.place(item.start)}

    def note(
        self, node: Any, key: str | int, before: Any, after: Any, assignment: Assignment
    ) -> None:
        """An argument of a node has been changed."""
        text = None if isinstance(after, nodes.Missing) else as_text(after)
        event = _Event(node, before, after, text, assignment)
        self._events.setdefault(id(node), {}).setdefault(key, []).append(event)
        self.replaced(before, after, assignment)

    def replaced(self, before: Any, after: Any, assignment: Assignment) -> None:
        """A value has taken the place of another one."""
        if nodes.is_node(after):
            self._replaced[id(after)] = (before, _Event(after, before, after, None, assignment))

    def origins(self, config: Any, *, root: Path | None, earlier: Mapping[str, Any]) -> Origins:
        """What set each path of a config: what is known from earlier, the recipe, the overrides."""
        story = _Story(self, root, earlier)
        return {
            path: told
            for path, node, key in self._arguments(config)
            if (told := story.of(node, key, path))
        }

    def events(self, node: Any, key: str | int) -> list[_Event]:
        """What has changed an argument, in order."""
        return self._events.get(id(node), {}).get(key, [])

    def predecessor(self, node: Any) -> tuple[Any, _Event] | None:
        """The node that stood in the place of this one, and what replaced it."""
        found = self._replaced.get(id(node))
        return found if found is not None and found[1].node is node else None

    def _arguments(self, config: Any) -> Iterator[tuple[str, Any, str | int]]:
        """What is set or was; also what an override has put back to its default."""
        for path, node in nodes.walk(config):
            places = nodes.places_of(node)
            for key in {**nodes.arguments(node), **self._events.get(id(node), {})}:
                name = places.get(key, key) if isinstance(key, str) else key
                yield format_path((*path, Step(name=name))), node, key


class _Story:
    """Puts together what is known of an argument."""

    def __init__(self, trail: Trail, root: Path | None, earlier: Mapping[str, Any]) -> None:
        self._trail = trail
        self._root = root
        self._earlier = earlier

    def of(self, node: Any, key: str | int, path: str) -> list[Origin]:
        """What set it, in order."""
        events = self._trail.events(node, key)
        first = events[0].before if events else nodes.given(node, key)
        told = self._begun(node, key, path, first)
        return [*told, *(event.origin for event in events)]

    def _begun(self, node: Any, key: str | int, path: str, first: Any) -> list[Origin]:
        """What set it before any override of its own, and what it was then."""
        found, written = self._trail.predecessor(node), self._trail.written(node, key)
        value = None if isinstance(first, nodes.Missing) else as_text(first)
        if found is not None:
            before, event = found
            told = self.of(before, key, path) if nodes.has(before, key) else []
            return [*told, {**(written or event.origin), "value": value}]
        if written is not None:
            return [{**written, "value": value}]
        if path in self._earlier:
            return list(self._earlier[path])
        place = nodes.set_at(node, key)
        if place is not None:
            return [{"kind": "recipe", "place": self._shown(*place), "value": value}]
        if value is None or not self._trail.events(node, key):
            return []
        return [{"kind": "default", "place": nodes.callee(node), "value": value}]

    def _shown(self, file: str, line: int) -> str:
        path = Path(file)
        if self._root is not None and path.is_relative_to(self._root):
            path = path.relative_to(self._root)
        return f"{path}:{line}"
