"""What a recipe's function returns, read from its source: nothing is imported, nothing runs.

It follows names, the attributes set on them, and calls of other functions that can be read. Of
branches it takes each, the later over the earlier, and of several returns the first config.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from nemorun_cli.config.sources import Definition, Function, Module, Sources, dotted

_KINDS = ("Config", "Partial", "ArgFactory")
_COPIES = ("copy_with", "deepcopy_with", "replace")
_PASS = ("deepcopy", "copy", "cast", "as_buildable", "deepcopy_with", "copy_with", "replace")
_AUTO = "auto_config"
_MOST_CALLS = 500
_DEEPEST = 12


class Call:
    """A node of the config: what it calls, as named in a module, and with what."""

    def __init__(
        self, module: Module, names: Sequence[str], arguments: dict[str | int, "Value"]
    ) -> None:
        self.module = module
        self.names = tuple(names)
        self.arguments = arguments


class Items:
    """A list, tuple or dict: position or key to value."""

    def __init__(self, parts: dict[str, "Value"]) -> None:
        self.parts = parts


Value = Call | Items | str | None
"""A text is the source of a plain value; None is not known."""


class _Place(NamedTuple):
    """Where an expression stands."""

    module: Module
    local: dict[str, Value]
    auto: bool
    """Whether calls make nodes, as they do under auto_config."""
    depth: int


class Reader:
    """Reads functions; what it has to give up is left out."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._calls = 0

    def returned(self, source: str, names: Sequence[str]) -> Value:
        """What the function of this name in a module or file returns."""
        module = self._sources.module(source)
        found = self._sources.find(module, names) if module is not None else None
        return self._of_function(found, {}, 0) if found is not None else None

    def _of_function(self, found: Definition, given: Mapping[str, Value], depth: int) -> Value:
        self._calls += 1
        if not isinstance(found.node, Function) or depth > _DEEPEST or self._calls > _MOST_CALLS:
            return None
        auto = any(_last(each) == _AUTO for each in found.node.decorator_list)
        place = _Place(found.module, {}, auto, depth)
        for name, default in _defaults(found.node):
            place.local[name] = self._value(default, place)
        place.local.update(given)
        return self._of_body(found.node.body, place)

    def _of_body(self, body: Sequence[ast.stmt], place: _Place) -> Value:
        """What the first return of a config in these statements returns."""
        for statement in body:
            value = self._after(statement, place)
            if isinstance(value, (Call, Items)):
                return value
        return None

    def _after(self, statement: ast.stmt, place: _Place) -> Value:
        if isinstance(statement, ast.Return):
            return self._value(statement.value, place)
        if isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value is not None:
            targets = getattr(statement, "targets", [getattr(statement, "target", None)])
            value = self._value(statement.value, place)
            for target in targets:
                self._assign(target, value, place)
        for inner in ("body", "orelse", "finalbody"):
            found = None
            if not isinstance(statement, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)):
                found = self._of_body(getattr(statement, inner, ()), place)
            if found is not None:
                return found
        return None

    def _assign(self, target: ast.expr, value: Value, place: _Place) -> None:
        if isinstance(target, ast.Name):
            place.local[target.id] = value
            return
        name = _step(target)
        if name is None or not isinstance(target, (ast.Attribute, ast.Subscript)):
            return
        owner = self._value(target.value, place)
        if isinstance(owner, Call):
            owner.arguments[name] = value
        elif isinstance(owner, Items):
            owner.parts[name] = value

    def _value(self, node: ast.expr | None, place: _Place) -> Value:
        if isinstance(node, ast.Name):
            return self._named(node, place)
        if isinstance(node, (ast.Attribute, ast.Subscript)):
            return self._part(node, place)
        if isinstance(node, ast.Call):
            return self._called(node, place)
        if isinstance(node, ast.IfExp):
            either = (self._value(node.body, place), self._value(node.orelse, place))
            return next((each for each in either if isinstance(each, (Call, Items))), None)
        if isinstance(node, (ast.Constant, ast.UnaryOp)):
            return _plain(node)
        return self._items(node, place)

    def _items(self, node: ast.expr | None, place: _Place) -> Value:
        if isinstance(node, ast.ListComp):
            return Items({"0": self._value(node.elt, place)})
        if isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            keyed = [(key.value, each) for key, each in pairs if isinstance(key, ast.Constant)]
            return Items({str(key): self._value(each, place) for key, each in keyed})
        if isinstance(node, (ast.List, ast.Tuple)):
            each = enumerate(node.elts)
            return Items({str(index): self._value(part, place) for index, part in each})
        return None

    def _named(self, node: ast.Name, place: _Place) -> Value:
        if node.id in place.local:
            return place.local[node.id]
        bound = place.module.scope.names.get(node.id)
        value = getattr(bound.statement, "value", None) if bound is not None else None
        if not isinstance(value, ast.Call) or place.depth > _DEEPEST:
            return None
        return self._value(value, _Place(place.module, {}, auto=False, depth=place.depth + 1))

    def _part(self, node: ast.Attribute | ast.Subscript, place: _Place) -> Value:
        owner, name = self._value(node.value, place), _step(node)
        if name is not None and isinstance(owner, Call):
            return owner.arguments.get(name)
        return owner.parts.get(name) if name is not None and isinstance(owner, Items) else None

    def _called(self, node: ast.Call, place: _Place) -> Value:
        names = dotted(node.func)
        last = names[-1] if names else getattr(node.func, "attr", "")
        if last in _KINDS and node.args:
            return self._of_kind(node.args[0], node, place)
        if last in _PASS:
            return self._copied(node, last, place)
        if place.auto and last == "partial" and node.args:
            return self._node(dotted(node.args[0]), node, place, skip=1)
        found = self._sources.find(place.module, names) if names else None
        if found is None or not isinstance(found.node, Function):
            is_named = bool(names) and names[0] in place.module.scope.names
            return self._node(names, node, place, skip=0) if place.auto and is_named else None
        if place.auto and not any(_last(each) == _AUTO for each in found.node.decorator_list):
            return self._node(names, node, place, skip=0)
        given = self._arguments(node, place, skip=0)
        bound = dict(zip(_places(found.node), [given[k] for k in given if isinstance(k, int)]))  # noqa: B905
        bound |= {key: value for key, value in given.items() if isinstance(key, str)}
        return self._of_function(found, bound, place.depth + 1)

    def _node(self, names: Sequence[str], node: ast.Call, place: _Place, *, skip: int) -> Value:
        if not names:
            return None
        if names[0] in place.local:
            return place.local[names[0]] if skip and len(names) == 1 else None
        return Call(place.module, names, self._arguments(node, place, skip=skip))

    def _of_kind(self, target: ast.expr, node: ast.Call, place: _Place) -> Value:
        """The node of `fdl.Config(Name, ...)` or `fdl.Config(lazy("pkg.mod:Name"), ...)`."""
        if not isinstance(target, ast.Call):
            return self._node(dotted(target), node, place, skip=1)
        text = target.args[0] if target.args else None
        if _last(target.func) != "lazy" or not isinstance(text, ast.Constant):
            return None
        source, _, name = str(text.value).rpartition(":")
        module = self._sources.module(source) if source else None
        if module is None:
            return None
        return Call(module, name.split("."), self._arguments(node, place, skip=1))

    def _copied(self, node: ast.Call, last: str, place: _Place) -> Value:
        """What `copy.deepcopy(x)`, `fdl.copy_with(x, a=1)` and `f.as_buildable()` return."""
        if last == "as_buildable" and isinstance(node.func, ast.Attribute):
            inner = ast.Call(node.func.value, node.args, node.keywords)
            return self._value(inner, place)
        value = self._value(node.args[-1 if last == "cast" else 0], place) if node.args else None
        if not isinstance(value, Call) or last not in _COPIES:
            return value
        changed = dict(value.arguments)
        for each in node.keywords:
            if each.arg is not None:
                changed[each.arg] = self._value(each.value, place)
        return Call(value.module, value.names, changed)

    def _arguments(self, node: ast.Call, place: _Place, *, skip: int) -> dict[str | int, Value]:
        given: dict[str | int, Value] = {}
        for index, each in enumerate(node.args[skip:]):
            if isinstance(each, ast.Starred):
                break
            given[index] = self._value(each, place)
        for keyword in node.keywords:
            if keyword.arg is not None:
                given[keyword.arg] = self._value(keyword.value, place)
        return given


def _defaults(node: Function) -> Iterator[tuple[str, ast.expr]]:
    by_place = [*node.args.posonlyargs, *node.args.args]
    given = node.args.defaults
    yield from ((each.arg, value) for each, value in zip(by_place[-len(given) :], given))  # noqa: B905
    for each, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
        if default is not None:
            yield each.arg, default


def _places(node: Function) -> list[str]:
    return [each.arg for each in (*node.args.posonlyargs, *node.args.args)]


def _step(node: ast.expr) -> str | None:
    """The name or position in `config.name`, `items[0]` or `table["key"]`."""
    if isinstance(node, ast.Attribute):
        return node.attr
    inner = node.slice if isinstance(node, ast.Subscript) else None
    return str(inner.value) if isinstance(inner, ast.Constant) else None


def _plain(node: ast.expr) -> str | None:
    """A plain value as it would be typed."""
    if isinstance(node, ast.Constant):
        value = node.value
        return str(value).lower() if value is None or isinstance(value, bool) else str(value)
    return ast.unparse(node)


def _last(node: ast.expr) -> str:
    return (dotted(node.func if isinstance(node, ast.Call) else node) or [""])[-1]
