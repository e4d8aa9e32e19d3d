"""The parameters of a function or class, read from its source: nothing is imported.

Tuples with names, as dataclasses would take completion 10 ms longer to answer.
"""

import ast
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from nemorun_cli.config.sources import Definition, Module, Sources, dotted, scope_of

POSITIONAL = "positional"
PLAIN = "plain"
VARIADIC = "variadic"
KEYWORD = "keyword"
KEYWORDS = "keywords"

_ARGUMENT = re.compile(r"^\s*(?::param\s+)?\*{0,2}(\w+)(?:\s*\([^)]*\))?:\s+(\S.*)$")
_OF_FIELDS = ("dataclass", "define", "frozen")
_OF_FIELD = ("field", "Field", "ib", "attrib")
_KEEP_PARAMETERS = (
    *("staticmethod", "classmethod", "abstractmethod", "overload", "final", "runtime_checkable"),
    *("cache", "lru_cache", "no_grad", "inference_mode", "recipe", "factory", "total_ordering"),
)
_EMPTY = {"list": "[]", "dict": "{}", "tuple": "()"}


class ParameterText(NamedTuple):
    """A parameter as its source tells it."""

    name: str
    kind: str
    """`positional`, `plain`, `variadic`, `keyword` or `keywords`."""
    annotation: str
    """As written, empty if there is none."""
    default: str | None
    """As written, None if a value is required."""
    doc: str
    """The text below a dataclass's field, or of an entry of `Args:`; empty if there is none."""
    file: Path
    """Where it is written, whose imports say what the annotation means."""


class SignatureText(NamedTuple):
    """What can be given to a function or class."""

    file: Path
    line: int
    parameters: tuple[ParameterText, ...]
    is_class: bool
    open: bool
    """Whether something may be missing or different.

    That is so where a base class could not be read, or a decorator may change it.
    """


def signature_of(source: str, qualname: str, folders: Sequence[Path]) -> SignatureText | None:
    """The parameters of what `source:qualname` names; None where that is not found.

    `source` is `pkg.mod` or `path/in/folder.py`, and looked for below the folders in their order.
    A class is told by its `__init__`, its fields, or those of the class it has them from.
    """
    sources = Sources(folders)
    module = sources.module(source)
    found = sources.find(module, qualname.split(".")) if module is not None else None
    if found is None:
        return None
    is_class = isinstance(found.node, ast.ClassDef)
    parameters, unsure = _of_class(found, sources) if is_class else _of_function(found)
    return SignatureText(
        file=found.module.file,
        line=found.node.lineno,
        parameters=tuple(parameters),
        is_class=is_class,
        open=unsure or found.doubtful,
    )


_Found = tuple[list[ParameterText], bool]


def _of_function(found: Definition) -> _Found:
    names = {_last(each) for each in found.node.decorator_list}
    return _arguments(found, bound="classmethod" in names), _may_change(found)


def _of_class(found: Definition, sources: Sources) -> _Found:
    unsure = _may_change(found)
    own = _constructor(found)
    if own is not None:
        return _constructed(found, own, unsure=unsure)
    lineage = sources.lineage(found)
    for index, each in enumerate(lineage):
        if each in ("BaseModel", "BaseSettings"):
            return _fields(lineage[:index], kind=KEYWORD), unsure
        if each == "NamedTuple":
            return _fields(lineage[index - 1 : index], kind=PLAIN), unsure
        if isinstance(each, str):
            unsure = True
            continue
        if (inherited := _constructor(each)) is not None:
            return _constructed(each, inherited, unsure=unsure)
        if _field_maker(each) is not None:
            unsure = unsure or any(isinstance(other, str) for other in lineage[index:])
            made = [other for other in lineage[index:] if not _is_plain(other)]
            return _fields(made, kind=PLAIN), unsure
    return [], unsure


def _constructor(found: Definition) -> ast.stmt | None:
    names = scope_of(found.node.body).names
    bound = names.get("__init__", names.get("__new__"))
    return bound.statement if bound is not None else None


def _constructed(owner: Definition, made: ast.stmt, *, unsure: bool) -> _Found:
    if not isinstance(made, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return [], True
    method = Definition(owner.module, made)
    told = _entries(owner.node)
    parameters = [
        each._replace(doc=each.doc or told.get(each.name, ""))
        for each in _arguments(method, bound=True)
    ]
    return parameters, unsure or _may_change(method)


def _arguments(found: Definition, *, bound: bool) -> list[ParameterText]:
    """The parameters of a function, of a bound one without the first."""
    node = found.node
    assert not isinstance(node, ast.ClassDef)  # noqa: S101
    given = node.args
    told = _entries(node)
    by_place = [(each, POSITIONAL) for each in given.posonlyargs]
    by_place += [(each, PLAIN) for each in given.args]
    lacking = len(by_place) - len(given.defaults)
    rows = [
        (argument, kind, given.defaults[index - lacking] if index >= lacking else None)
        for index, (argument, kind) in enumerate(by_place)
    ][1 if bound else 0 :]
    rows += [(each, VARIADIC, None) for each in (given.vararg,) if each is not None]
    pairs = zip(given.kwonlyargs, given.kw_defaults, strict=True)
    rows += [(each, KEYWORD, default) for each, default in pairs]
    rows += [(each, KEYWORDS, None) for each in (given.kwarg,) if each is not None]
    return [
        ParameterText(
            name=argument.arg,
            kind=kind,
            annotation=_annotation(argument.annotation, found.module),
            default=None if default is None else found.module.text(default),
            doc=told.get(argument.arg, ""),
            file=found.module.file,
        )
        for argument, kind, default in rows
    ]


def _fields(lineage: Sequence[Definition | str], *, kind: str) -> list[ParameterText]:
    """The fields of these classes, the last one's first; those by keyword alone at the end."""
    found: dict[str, ParameterText | None] = {}
    for owner in reversed(lineage):
        if not isinstance(owner, str):
            found |= dict(_own_fields(owner, kind))
    known = [each for each in found.values() if each is not None]
    return sorted(known, key=lambda each: each.kind == KEYWORD)


def _own_fields(owner: Definition, kind: str) -> Iterator[tuple[str, ParameterText | None]]:
    """Name and field; None of one that is no parameter."""
    told = {**_entries(owner.node), **dict(_below_fields(owner.node))}
    options = _options(_field_maker(owner))
    if _is_true(options.get("kw_only")):
        kind = KEYWORD
    for statement in owner.node.body:
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        name = statement.target.id
        annotation = _annotation(statement.annotation, owner.module)
        outer = re.match(r"(?:\w+\.)*(\w+)", annotation)
        word = outer.group(1) if outer else ""
        if word == "KW_ONLY":
            kind = KEYWORD
        if word in ("ClassVar", "KW_ONLY") or name == "model_config":
            continue
        field = _field(statement, owner.module, kind)
        inner = re.fullmatch(r"(?:\w+\.)*InitVar\[(.*)\]", annotation)
        annotation = inner.group(1) if inner else annotation
        if field is not None:
            field = field._replace(annotation=annotation, doc=told.get(name, field.doc))
        yield name, field


def _field(statement: ast.AnnAssign, module: Module, kind: str) -> ParameterText | None:
    value = statement.value
    default = None if value is None else module.text(value)
    doc = ""
    if isinstance(value, ast.Call) and _last(value) in _OF_FIELD:
        options = _options(value)
        if _is_false(options.get("init")):
            return None
        if "kw_only" in options:
            kind = KEYWORD if _is_true(options["kw_only"]) else PLAIN
        default = _default(value, options, module)
        told = options.get("description")
        doc = str(told.value) if isinstance(told, ast.Constant) else ""
    return ParameterText(
        name=getattr(statement.target, "id", ""),
        kind=kind,
        annotation="",
        default=default,
        doc=doc,
        file=module.file,
    )


def _default(call: ast.Call, options: dict[str, ast.expr], module: Module) -> str | None:
    """The default that `field(...)` gives, as one would write it."""
    value = options.get("default", call.args[0] if call.args else None)
    if value is not None:
        required = isinstance(value, ast.Constant) and value.value is Ellipsis
        return None if required else module.text(value)
    factory = options.get("default_factory", options.get("factory"))
    if factory is None:
        return None
    if isinstance(factory, ast.Lambda):
        return module.text(factory.body)
    written = module.text(factory)
    return _EMPTY.get(written, f"{written}()")


def _annotation(node: ast.expr | None, module: Module) -> str:
    if node is None:
        return ""
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return str(node.value) if is_text else module.text(node)  # type: ignore[attr-defined]


def _entries(node: ast.AST) -> dict[str, str]:
    """Parameter to what the docstring says of it."""
    # Cleaning it would import inspect.
    text = ast.get_docstring(node, clean=False) or ""  # type: ignore[arg-type]
    found = map(_ARGUMENT.match, text.splitlines())
    return {each.group(1): each.group(2).rstrip() for each in found if each}


def _below_fields(node: ast.AST) -> Iterator[tuple[str, str]]:
    for field, below in pairwise(getattr(node, "body", ())):
        is_text = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and is_text:
            yield field.target.id, str(below.value.value).strip().partition("\n")[0]


def _may_change(found: Definition) -> bool:
    """Whether what decorates it, or makes the class, may ask for other parameters."""
    unknown = [
        name
        for name in map(_last, found.node.decorator_list)
        if name not in (*_KEEP_PARAMETERS, *_OF_FIELDS) and "register" not in name.lower()
    ]
    keywords = getattr(found.node, "keywords", ())
    return bool(unknown) or any(
        each.arg == "metaclass" and _last(each.value) != "ABCMeta" for each in keywords
    )


def _field_maker(found: Definition) -> ast.expr | None:
    """The decorator that makes a constructor of the fields."""
    for each in found.node.decorator_list:
        if _last(each) in _OF_FIELDS and not _is_false(_options(each).get("init")):
            return each
    return None


def _is_plain(each: Definition | str) -> bool:
    return isinstance(each, str) or _field_maker(each) is None


def _last(node: ast.expr) -> str:
    """`dataclass` of `dataclasses.dataclass(frozen=True)`."""
    names = dotted(node.func if isinstance(node, ast.Call) else node)
    return names[-1] if names else ""


def _options(node: ast.expr | None) -> dict[str, ast.expr]:
    keywords = node.keywords if isinstance(node, ast.Call) else []
    return {each.arg: each.value for each in keywords if each.arg is not None}


def _is_true(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def _is_false(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is False
