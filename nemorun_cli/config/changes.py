"""What an override makes of the value at the end of its path."""

import contextlib
import copy
from collections.abc import Callable, Iterable
from typing import Any

from nemorun_cli.config import annotations, nodes
from nemorun_cli.config.coerce import coerce
from nemorun_cli.config.items import looks_structured, plain
from nemorun_cli.config.scalars import MismatchError
from nemorun_cli.core.overrides import APPEND, REMOVE, RESET, Override

Factories = Callable[[str], Any]
"""Makes the node that a text such as `adamw(lr=1e-3)` asks for; LookupError if it names none."""
Change = Callable[[Any, Any], Any]
"""From what is there (MISSING if nothing is) and its declared type to what shall be there.

MismatchError when the text cannot become that.
"""
DELETED = nodes.Missing()
"""What a change returns to leave a place empty."""


def change_of(override: Override, factories: Factories) -> Change:
    """The change that an operation with this text makes."""
    changes: dict[str, Change] = {
        RESET: lambda value, declared: DELETED,  # noqa: ARG005
        APPEND: lambda value, declared: _appended(value, declared, override.text),
        REMOVE: lambda value, declared: _removed(value, declared, override.text),
    }
    return changes.get(
        override.operation,
        lambda value, declared: _value(value, declared, override.text, factories),
    )


def _value(value: Any, declared: Any, text: str, factories: Factories) -> Any:
    if not _asks_for_factory(text, value, declared):
        return coerce(text, declared)
    try:
        made = factories(text)
    except LookupError as unknown:
        with contextlib.suppress(MismatchError):
            found = coerce(text, declared)
            if not isinstance(found, str) or not _holds_calls(value, declared):
                return found
        raise MismatchError(_expected(value, declared), plain(text), str(unknown)) from None
    if not _fits(made, declared):
        hint = f"{text.partition('(')[0]!r} makes {nodes.callee(made)}"
        raise MismatchError(_expected(value, declared), plain(text), hint)
    return made


def _fits(node: Any, declared: Any) -> bool:
    """Whether what the node makes can be of the declared type, as far as that can be known."""
    target, wanted = nodes.target_of(node), annotations.classes_of(declared)
    if not isinstance(target, type) or not all(isinstance(each, type) for each in wanted):
        return True
    try:
        return not wanted or issubclass(target, wanted)
    except TypeError:  # Such as a protocol with attributes.
        return True


def _asks_for_factory(text: str, value: Any, declared: Any) -> bool:
    """Text is text where text is taken; elsewhere a name may stand for what a factory makes."""
    if not text.partition("(")[0].isidentifier():
        return False
    if annotations.is_untyped(declared):
        return _is_call(text) or nodes.is_node(value)
    if annotations.takes_text(declared):
        return _is_call(text) and _holds_calls(None, declared)
    return _holds_calls(value, declared)


def _holds_calls(value: Any, declared: Any) -> bool:
    return nodes.is_node(value) or bool(annotations.classes_of(declared))


def _expected(value: Any, declared: Any) -> str:
    if not annotations.is_untyped(declared):
        return annotations.name_of(declared)
    return f"a factory, as it holds {nodes.callee(value)}"


def _is_call(text: str) -> bool:
    return text.endswith(")") and "(" in text


def _appended(value: Any, declared: Any, text: str) -> Any:
    """The sum of numbers and texts; the items of both; the keys of both, the new ones winning."""
    present = _present(value, text)
    _require_open(declared, text)
    if isinstance(present, dict):
        return {**present, **_like(present, declared, text)}
    if isinstance(present, (list, tuple)):
        return type(present)([*present, *_more(present, declared, text)])
    if isinstance(present, (set, frozenset)):
        return present | type(present)(_more(present, declared, text))
    return present + _like(present, declared, text)


def _removed(value: Any, declared: Any, text: str) -> Any:
    """The difference of numbers; without the first item, the member or the key of that value."""
    present = _present(value, text)
    _require_open(declared, text)
    if isinstance(present, (int, float)):
        return present - _like(present, declared, text)
    if isinstance(present, str):
        raise MismatchError("a number, list, set or mapping for -=", plain(text))
    if isinstance(present, dict):
        wanted = [next((key for key in present if str(key) == text), text)]
    else:
        wanted = list(_more(present, declared, text))
    left = dict(present) if isinstance(present, dict) else list(present)
    for each in wanted:
        if each not in left:
            listed = ", ".join(map(str, present)) or "nothing"
            raise MismatchError("what is there", plain(text), f"it holds: {listed}")
        left.pop(each) if isinstance(left, dict) else left.remove(each)
    return left if isinstance(left, dict) else type(present)(left)


def _require_open(declared: Any, text: str) -> None:
    length = annotations.length_of(declared)
    if length is not None:
        expected = f"{annotations.name_of(declared)}, which has always {length} items"
        raise MismatchError(expected, plain(text), "set an item by its index")


def _present(value: Any, text: str) -> Any:
    """A copy of what can be added to."""
    if value is nodes.MISSING:
        raise MismatchError("a value to start from: it is not set", plain(text), "use =")
    kinds = (int, float, str, list, tuple, set, frozenset, dict)
    if isinstance(value, bool) or not isinstance(value, kinds):
        what = nodes.callee(value) if nodes.is_node(value) else repr(value)
        raise MismatchError(f"a number, text or collection to change, not {what}", plain(text))
    return copy.copy(value)


def _like(present: Any, declared: Any, text: str) -> Any:
    """The text as something that can be added to what is there."""
    typed = type(present) if annotations.is_untyped(declared) else declared
    found = coerce(text, typed)
    addable = isinstance(found, (int, float)) and isinstance(present, (int, float))
    if not addable and type(found) is not type(present):
        raise MismatchError(annotations.name_of(type(present)), plain(text))
    return found


def _more(present: Any, declared: Any, text: str) -> Iterable[Any]:
    """The text as several items of a collection, else as one."""
    if looks_structured(text.strip()):
        kind = type(present)
        inner = annotations.item_type(declared)
        several = kind[inner, ...] if kind is tuple else kind[inner]
        try:
            return coerce(text, several)  # type: ignore[no-any-return]
        except MismatchError:
            if annotations.is_untyped(inner):
                raise
    return [coerce(text, annotations.item_type(declared))]
