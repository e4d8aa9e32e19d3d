"""What can be set in a recipe's config, as far as its source tells: nothing is imported.

For completion before the recipe was ever loaded. What cannot be read is left out.
"""

import ast
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from nemorun_cli.config.choices import Allowed, allowed
from nemorun_cli.config.discover import RecipeSource
from nemorun_cli.config.outline import Field, is_step
from nemorun_cli.config.returned import Call, Items, Reader, Value
from nemorun_cli.config.signatures import KEYWORD, PLAIN, ParameterText, signature_of
from nemorun_cli.config.sources import Sources

_MOST = 5000
_DEEPEST = 24
_LONGEST = 40  # characters of a value


def sketch(
    source: str, function: str, folders: Sequence[Path], factories: Sequence[RecipeSource]
) -> tuple[Field, ...]:
    """The paths of what `source:function` returns, as `of` a loaded one would name them.

    `source` is a path or a module below one of the folders; the factories are those to choose from.
    """
    value = Reader(Sources(folders)).returned(source, function.split("."))
    return tuple(islice(_Sketch(folders, factories).below(value, ""), _MOST))


def parameters(
    source: str, function: str, folders: Sequence[Path], factories: Sequence[RecipeSource]
) -> tuple[Field, ...]:
    """What can be given to a recipe or factory itself, as in `gpt(size=small)`."""
    signature = signature_of(source, function, folders)
    known = signature.parameters if signature is not None else ()
    read = _Sketch(folders, factories)
    return tuple(read.field(each, None, each.name) for each in known if _is_named(each))


class _Sketch:
    def __init__(self, folders: Sequence[Path], factories: Sequence[RecipeSource]) -> None:
        self._folders = folders
        self._sources = Sources(folders)
        self._factories = factories

    def below(self, value: Value, path: str, depth: int = 0) -> Iterator[Field]:
        """The fields of a part of the config, all paths with this beginning."""
        if depth > _DEEPEST:
            return
        if isinstance(value, Items):
            for name, each in value.parts.items():
                if is_step(name) and isinstance(each, (Call, Items)):
                    if isinstance(each, Call):
                        yield Field(f"{path}{name}", True, (), each.names[-1])  # noqa: FBT003
                    yield from self.below(each, f"{path}{name}.", depth + 1)
        elif isinstance(value, Call):
            yield from self._of_call(value, path, depth)

    def _of_call(self, call: Call, path: str, depth: int) -> Iterator[Field]:
        file = str(call.module.file)
        signature = signature_of(file, ".".join(call.names), self._folders)
        known = signature.parameters if signature is not None else ()
        given = dict(call.arguments)
        for index, parameter in enumerate(known):
            if index in given:
                given.setdefault(parameter.name, given.pop(index))
            if _is_named(parameter):
                value = given.pop(parameter.name, None)
                yield self.field(parameter, value, path + parameter.name)
                yield from self.below(value, f"{path}{parameter.name}.", depth + 1)
        for name, value in given.items():
            if isinstance(name, str):
                yield self._unknown(value, path + name)
                yield from self.below(value, f"{path}{name}.", depth + 1)

    def field(self, parameter: ParameterText, value: Value, path: str) -> Field:
        """The field of a parameter that has this value."""
        options = allowed(parameter.annotation, parameter.file, self._sources)
        names = {each.name for each in options if each.name}
        is_node = isinstance(value, Call)
        if isinstance(value, Call):
            names.add(value.names[-1])
        words = (*self._fitting(names), *_words(options))
        told = (_told(parameter, value), parameter.doc)
        return Field(path, is_node, words, ": ".join(filter(None, told)))

    def _unknown(self, value: Value, path: str) -> Field:
        is_node = isinstance(value, Call)
        names = {value.names[-1]} if isinstance(value, Call) else set()
        return Field(path, is_node, self._fitting(names), _text(value) or "")

    def _fitting(self, names: set[str]) -> tuple[str, ...]:
        """The factories that say they return one of these."""
        return tuple(
            each.name
            for each in self._factories
            if not each.shadowed and names & set(_identifiers(each.returns))
        )


def _is_named(parameter: ParameterText) -> bool:
    return parameter.kind in (PLAIN, KEYWORD)


def _words(options: Sequence[Allowed]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for each in options for word in each.words))


def _told(parameter: ParameterText, value: Value) -> str:
    """The type and, where it is plain, the value."""
    if isinstance(value, Call):
        return value.names[-1]
    text = _text(value) if value is not None else parameter.default
    if text is None or len(text) > _LONGEST:
        return parameter.annotation
    return f"{parameter.annotation} = {text}" if parameter.annotation else f"= {text}"


def _text(value: Value) -> str | None:
    if isinstance(value, Call):
        return value.names[-1]
    return value if isinstance(value, str) else None


def _identifiers(text: str) -> Iterator[str]:
    """The names in an annotation."""
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, (ast.Name, ast.Attribute)):
            yield node.id if isinstance(node, ast.Name) else node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from _identifiers(node.value)
