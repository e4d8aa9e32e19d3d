"""Where a dotted name is defined, found by reading source files: nothing is imported."""

import ast
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

Function = ast.FunctionDef | ast.AsyncFunctionDef
Defining = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_IMPORTS = (ast.Import, ast.ImportFrom)
_SAY_NOTHING = ("object", "Generic", "Protocol", "ABC")
_SPECIAL = ("NamedTuple", "BaseModel", "BaseSettings")
_MOST_FILES = 256
_BOM = b"\xef\xbb\xbf"


class Bound(NamedTuple):
    """What gives a name its value."""

    statement: ast.stmt
    alias: ast.alias | None = None
    """Of an import statement, the part that binds the name."""


class Scope(NamedTuple):
    """The names that the statements of a module or class bind."""

    names: dict[str, Bound]
    stars: list[ast.ImportFrom]
    doubtful: set[str]
    """Defined in several branches, of which one will run."""


class Module(NamedTuple):
    """A file that could be read."""

    file: Path
    lines: list[bytes]
    scope: Scope

    def text(self, node: ast.expr) -> str:
        """An expression as it is written, on one line."""
        if node.lineno == node.end_lineno:
            written = self.lines[node.lineno - 1][node.col_offset : node.end_col_offset]
            if written.isascii():
                return written.decode()
        return ast.unparse(node)


class Definition(NamedTuple):
    """A function or class, and where it stands."""

    module: Module
    node: Defining
    in_class: bool = False
    doubtful: bool = False


class Sources:
    """The source files below some folders, which stand in for the path that Python searches."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = tuple(folders)

    def module(self, source: str) -> Module | None:
        """The file of `pkg.mod` or `path/in/folder.py`; None if there is none, or no Python."""
        if not source.endswith(".py"):
            return _module(source.split("."), self._folders)
        files = (folder / source for folder in self._folders)
        return next((_read(file) for file in files if file.is_file()), None)

    def find(
        self, module: Module, names: Sequence[str], seen: frozenset[tuple[Path, str]] = frozenset()
    ) -> Definition | None:
        """What a dotted name leads to in a module, through its imports and aliases."""
        key = (module.file, names[0])
        if key in seen:
            return None  # Two modules that import from each other.
        seen |= {key}
        bound = module.scope.names.get(names[0])
        if bound is None:
            return self._elsewhere(module, names, seen)
        statement, rest = bound.statement, names[1:]
        if isinstance(statement, Defining):
            found = Definition(module, statement, doubtful=names[0] in module.scope.doubtful)
            return self._inside(found, rest)
        if isinstance(statement, _IMPORTS):
            return self._imported(module, bound, rest, seen)
        value = getattr(statement, "value", None)
        alias = dotted(value) if isinstance(value, ast.expr) else []
        return self.find(module, [*alias, *rest], seen) if alias else None

    def lineage(self, found: Definition) -> list[Definition | str]:
        """A class and all it derives from, nearest first; a base that is not found by its name."""
        order = list(self._ancestors(found, frozenset()))
        last = {_identity(each): index for index, each in enumerate(order)}
        return [order[index] for index in sorted(last.values())]

    def _ancestors(self, found: Definition, above: frozenset[int]) -> Iterator[Definition | str]:
        yield found
        for base in getattr(found.node, "bases", ()):
            names = dotted(base)
            if names and names[-1] in _SAY_NOTHING:
                continue
            known = not names or names[-1] in _SPECIAL
            derived = None if known else self.find(found.module, names)
            if derived is None or not isinstance(derived.node, ast.ClassDef):
                yield names[-1] if names else ast.unparse(base)
            elif id(derived.node) not in above:
                yield from self._ancestors(derived, above | {id(derived.node)})

    def _elsewhere(
        self, module: Module, names: Sequence[str], seen: frozenset[tuple[Path, str]]
    ) -> Definition | None:
        for star in module.scope.stars:
            found = self._dotted([*_path(star), *names], module, star.level, seen)
            if found is not None:
                return found
        if module.file.stem != "__init__" or len(names) == 1:
            return None
        inner = _module(names[:1], (module.file.parent,))
        return self.find(inner, names[1:], seen) if inner is not None else None

    def _inside(self, found: Definition, rest: Sequence[str]) -> Definition | None:
        if not rest:
            return found
        for each in self.lineage(found) if isinstance(found.node, ast.ClassDef) else ():
            if isinstance(each, str):
                continue
            bound = scope_of(each.node.body).names.get(rest[0])
            if bound is not None and isinstance(bound.statement, Defining):
                inner = Definition(each.module, bound.statement, in_class=True)
                return self._inside(inner, rest[1:])
        return None

    def _imported(
        self,
        module: Module,
        bound: Bound,
        rest: Sequence[str],
        seen: frozenset[tuple[Path, str]],
    ) -> Definition | None:
        statement, alias = bound
        name = alias.name if alias is not None else ""
        if isinstance(statement, ast.ImportFrom):
            return self._dotted([*_path(statement), name, *rest], module, statement.level, seen)
        start = name if alias is not None and alias.asname else name.partition(".")[0]
        return self._dotted([*start.split("."), *rest], module, 0, seen)

    def _dotted(
        self, names: Sequence[str], module: Module, level: int, seen: frozenset[tuple[Path, str]]
    ) -> Definition | None:
        """What `a.b.Name` leads to where it is not known which part of it is a module."""
        folders = (module.file.parents[level - 1],) if level else self._folders
        for count in range(len(names) - 1, -1 if level else 0, -1):
            inner = _module(names[:count], folders)
            found = self.find(inner, names[count:], seen) if inner is not None else None
            if found is not None:
                return found
        return None


def dotted(node: ast.expr) -> list[str]:
    """The parts of `a.b.C` or `a.b.C[int]`; none of anything else."""
    if isinstance(node, ast.Subscript):
        return dotted(node.value)
    if isinstance(node, ast.Name):
        return [node.id]
    before = dotted(node.value) if isinstance(node, ast.Attribute) else []
    return [*before, node.attr] if before and isinstance(node, ast.Attribute) else []


def scope_of(body: Sequence[ast.stmt]) -> Scope:
    """The names that statements bind; of several branches that of the first, which is the rule."""
    scope = Scope({}, [], set())
    for statement in body:
        for name, bound in _bindings(statement):
            scope.names[name] = bound
        if isinstance(statement, ast.ImportFrom) and statement.names[0].name == "*":
            scope.stars.append(statement)
        _bind_branches(statement, scope)
    return scope


def _bindings(statement: ast.stmt) -> Iterator[tuple[str, Bound]]:
    if isinstance(statement, Defining):
        yield statement.name, Bound(statement)
    elif isinstance(statement, _IMPORTS):
        for alias in statement.names:
            first = alias.name.partition(".")[0]
            yield alias.asname or first, Bound(statement, alias)
    elif isinstance(statement, (ast.Assign, ast.AnnAssign)):
        targets = getattr(statement, "targets", [getattr(statement, "target", None)])
        yield from ((each.id, Bound(statement)) for each in targets if isinstance(each, ast.Name))


def _bind_branches(statement: ast.stmt, scope: Scope) -> None:
    branches = [scope_of(branch) for branch in _branches(statement)]
    defined: set[str] = set()
    for branch in reversed(branches):
        here = {n for n, bound in branch.names.items() if isinstance(bound.statement, Defining)}
        scope.doubtful.update(branch.doubtful | (here & defined))
        defined |= here
        scope.names.update(branch.names)
        scope.stars.extend(branch.stars)


def _branches(statement: ast.stmt) -> list[list[ast.stmt]]:
    if isinstance(statement, ast.If):
        # What is there for type checkers alone does not run.
        checked = "TYPE_CHECKING" in dotted(statement.test)
        both = [statement.body, statement.orelse]
        return both[::-1] if checked and statement.orelse else both
    if isinstance(statement, ast.Try):
        tried = [*statement.body, *statement.orelse, *statement.finalbody]
        return [tried, *(handler.body for handler in statement.handlers)]
    return [statement.body] if isinstance(statement, ast.With) else []


def _path(statement: ast.ImportFrom) -> list[str]:
    return statement.module.split(".") if statement.module else []


def _identity(each: Definition | str) -> int | str:
    return each if isinstance(each, str) else id(each.node)


def _module(names: Sequence[str], folders: Sequence[Path]) -> Module | None:
    """As Python would find it: the first folder that has it, a package before a module."""
    for position, name in enumerate(names):
        last = position == len(names) - 1
        for folder in folders:
            if (folder / name / "__init__.py").is_file():
                folders = (folder / name,)
                break
            if (folder / f"{name}.py").is_file():
                return _read(folder / f"{name}.py") if last else None
        else:
            folders = [folder / name for folder in folders if (folder / name).is_dir()]
    files = (folder / "__init__.py" for folder in folders)
    return next((_read(file) for file in files if file.is_file()), None)


def _read(file: Path) -> Module | None:
    try:
        status = file.stat()
        return _parsed(file, status.st_mtime_ns, status.st_size)
    except (OSError, SyntaxError, ValueError, RecursionError):
        return None


@lru_cache(maxsize=_MOST_FILES)
def _parsed(file: Path, _changed: int, _size: int) -> Module:
    content = file.read_bytes()
    scope = scope_of(ast.parse(content, filename=str(file)).body)
    return Module(file, content.removeprefix(_BOM).splitlines(), scope)
