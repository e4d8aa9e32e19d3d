"""Finding recipes and factories by reading source files: nothing is imported, nothing runs.

Tuples with names, as dataclasses would take completion 10 ms longer to answer.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

GROUP = "nemorun.recipes"
SHIPPED = "nemorun_recipes"
RECIPE = "recipe"
FACTORY = "factory"
PROJECT = "project"


class RecipeSource(NamedTuple):
    """Where a registered function stands."""

    name: str
    function: str
    module: str
    """The name under which its file is imported."""
    file: str
    line: int
    doc: str
    """The first line of its docstring."""
    origin: str
    """`project`, `nemorun`, or the distribution it came with."""
    kind: str = RECIPE
    returns: str = ""
    """The annotation of what it returns, as written."""
    shadowed: bool = False
    """Whether another one of this name wins."""


class BrokenSource(NamedTuple):
    """A file that could not be read as Python."""

    file: str
    message: str


class Catalogue(NamedTuple):
    """All that is registered, the project's first."""

    recipes: tuple[RecipeSource, ...]
    factories: tuple[RecipeSource, ...]
    broken: tuple[BrokenSource, ...]

    def named(self, name: str) -> RecipeSource | None:
        """The recipe that wins the name."""
        found = (each for each in self.recipes if each.name == name and not each.shadowed)
        return next(found, None)


class _Module(NamedTuple):
    file: Path
    name: str
    origin: str


def catalogue(root: Path | None, *, entry_points: bool) -> Catalogue:
    """What the project, nemorun itself and, if asked for, installed packages register.

    A file with a syntax error is told as broken; the others stay usable.
    """
    sources: list[RecipeSource] = []
    broken: list[BrokenSource] = []
    for module in _modules(root, entry_points=entry_points):
        try:
            sources += _registered(module)
        except (SyntaxError, ValueError, OSError) as error:
            line = getattr(error, "lineno", None)
            place = f"{module.file}:{line}" if line else str(module.file)
            broken.append(BrokenSource(file=place, message=getattr(error, "msg", str(error))))
    marked = list(_shadowing(sources))
    return Catalogue(
        recipes=tuple(each for each in marked if each.kind == RECIPE),
        factories=tuple(each for each in marked if each.kind == FACTORY),
        broken=tuple(broken),
    )


def _modules(root: Path | None, *, entry_points: bool) -> Iterator[_Module]:
    seen: set[Path] = set()
    folders = [(root / "recipes", "recipes", PROJECT)] if root is not None else []
    for folder, package, origin in [*folders, *_shipped()]:
        for file in sorted(folder.glob("*.py")):
            # In a checkout of nemorun the project's recipes are the shipped ones.
            if file.name != "__init__.py" and file.resolve() not in seen:
                seen.add(file.resolve())
                yield _Module(file=file, name=f"{package}.{file.stem}", origin=origin)
    if entry_points:
        yield from _installed()


def _shipped() -> list[tuple[Path, str, str]]:
    from importlib.util import find_spec

    spec = find_spec(SHIPPED)
    places = spec.submodule_search_locations if spec is not None else None
    return [(Path(each), SHIPPED, "nemorun") for each in places or ()]


def _installed() -> Iterator[_Module]:
    from importlib.metadata import entry_points
    from importlib.util import find_spec

    for point in entry_points(group=GROUP):
        try:
            spec = find_spec(point.module)
        except (ImportError, ValueError):
            continue  # The package that holds it cannot be imported, which is its own affair.
        if spec is not None and spec.origin is not None:
            origin = point.dist.name if point.dist is not None else point.name
            yield _Module(file=Path(spec.origin), name=point.module, origin=origin)


def _registered(module: _Module) -> list[RecipeSource]:
    tree = ast.parse(module.file.read_bytes(), filename=str(module.file))
    found = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and (kind := _kind(node)) is not None:
            doc = (ast.get_docstring(node, clean=False) or "").strip().partition("\n")[0]
            found.append(
                RecipeSource(
                    name=node.name,
                    function=node.name,
                    module=module.name,
                    file=str(module.file),
                    line=node.lineno,
                    doc=doc,
                    origin=module.origin,
                    kind=kind,
                    returns=ast.unparse(node.returns) if node.returns is not None else "",
                ),
            )
    return found


def _kind(node: ast.FunctionDef) -> str | None:
    for decorator in node.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        name = ast.unparse(called).rpartition(".")[2]
        if name in (RECIPE, FACTORY):
            return name
    return None


def _shadowing(sources: list[RecipeSource]) -> Iterator[RecipeSource]:
    taken: set[tuple[str, str]] = set()
    for source in sources:
        yield source._replace(shadowed=(source.kind, source.name) in taken)
        taken.add((source.kind, source.name))
