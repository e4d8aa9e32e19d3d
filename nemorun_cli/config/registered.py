"""What overrides can name: registered factories, and what the config itself is made of."""

import difflib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nemorun_cli.config import annotations, discover, names, nodes, scalars
from nemorun_cli.config.finding import found_at
from nemorun_cli.config.loading import Importer
from nemorun_cli.core.errors import UsageError
from nemorun_cli.core.overrides import parse_call

_SHOWN = 12  # names in a hint
_WORD = re.compile(r"\w+")


class Registered:
    """The factories of a project, and the code that a recipe's config names. Read when asked for.

    Nothing is imported for the sake of a value: a function or class can be named only if a module
    that the recipe has loaded anyway defines it, a target only if the config or a factory has it.
    """

    def __init__(self, root: Path | None, importer: Importer) -> None:
        self.importer = importer
        self._root = root
        self._factories: dict[str, discover.RecipeSource] | None = None
        self._config: Any = None
        self._module = ""
        self._learnt = False
        self._targets: dict[str, Any] = {}
        self._named: dict[str, Any] = {}
        self._values: dict[tuple[str | None, str | int], set[str]] = {}
        self._misfits: set[str | None] = set()

    def begin(self, config: Any, module: str) -> None:
        """Take this config, and the module of its recipe, for what can be named."""
        self._config, self._module, self._learnt = config, module, False
        self._factories = None

    def factories(self) -> dict[str, discover.RecipeSource]:
        """Those that win their name."""
        if self._factories is None:
            self._factories = self.found(entry_points=False)
        return self._factories

    def found(self, *, entry_points: bool) -> dict[str, discover.RecipeSource]:
        """The first of each name; those beside the recipe before all others."""
        home = self._home()
        is_near = home.partition(".")[0] in ("", "recipes", discover.SHIPPED)
        installed = entry_points or not is_near
        found = discover.catalogue(self._root, entry_points=installed).factories
        beside = [each for each in found if each.module == home]
        first = [each for each in found if not each.shadowed]
        return {each.name: each for each in (*first, *beside)}

    def _home(self) -> str:
        """The module of the recipe; of a stored config, that of what it calls."""
        target = nodes.target_of(self._config) if nodes.is_node(self._config) else None
        return self._module or str(getattr(target, "__module__", ""))

    def make(self, name: str, arguments: tuple[str, ...]) -> Any:
        """What a factory returns for these arguments."""
        from nemorun_cli.config.calls import called  # It applies overrides, which name things.

        target = found_at(self.factories()[name], self._root).target
        return called(self.importer.locate(target), arguments, name, self)

    def named(self, text: str, annotation: Any) -> Any:
        """What `adamw`, `adamw(lr=1e-3)` or the name of a function or class stands for.

        LookupError, with what there is, if nothing has the name; UsageError for wrong arguments.
        """
        name, arguments = parse_call(text)
        classes = annotations.classes_of(annotation)
        factories = {} if classes == (type,) else self.factories()
        if name in factories:
            return self.make(name, arguments)
        named = set(classes) & set(annotations.NAMED)
        defined = dict(self._defined(annotation)) if named else {}
        if name == text and name in defined:
            return defined[name]
        if factories and name.isidentifier() and name.lower() not in scalars.WORDS:
            # Looking through what is installed takes long.
            factories = self._factories = self.found(entry_points=True)
            if name in factories:
                return self.make(name, arguments)
        near = difflib.get_close_matches(name, [*factories, *defined], n=1)
        meant = f"did you mean {near[0]!r}? " if near else ""
        functions = [each for each, value in defined.items() if not isinstance(value, type)]
        known = [*self.fitting(annotation), *(functions or defined)]
        if not known and not (classes and all(each.__module__ == "builtins" for each in classes)):
            known = list(factories)  # One may make what is derived from what is declared.
        if not known:
            raise LookupError(f"{meant}it cannot be given as text")
        word = "known here" if defined else "registered factories"
        raise LookupError(f"{meant}{word}: {', '.join(known[:_SHOWN])}")

    def fitting(self, annotation: Any, value: Any = None) -> tuple[str, ...]:
        """The factories that say that they make what is declared, or what is there already."""
        wanted = {getattr(each, "__name__", "") for each in annotations.classes_of(annotation)}
        if nodes.is_node(value):
            wanted.add(nodes.callee(value))
        found = self.factories().values() if wanted else ()
        return tuple(each.name for each in found if wanted & set(_WORD.findall(each.returns)))

    def target(self, name: str, annotation: Any) -> Any:
        """What a stored config calls by this name; LookupError unless it is called anyway.

        The recipe's config calls it, or what a factory makes, or it is the record that is declared.
        """
        for each in filter(annotations.is_record, annotations.classes_of(annotation)):
            if self.name_of(each) == name:
                return each
        self._learn_all()
        if name not in self._targets:
            self._learn_factories(name)
        if name not in self._targets:
            raise LookupError("it has to be what the recipe calls, or what a factory makes")
        return self._targets[name]

    def value(self, name: str, annotation: Any) -> Any:
        """The function, class, member of an enum or tag that a stored config names.

        LookupError unless the recipe's config holds it, or its name alone would do where this type
        is declared.
        """
        for each in self._implied(annotation):
            if self.name_of(each) == name:
                return each
        self._learn_all()
        if name not in self._named:
            raise LookupError("it has to be what the recipe's config holds")
        return self._named[name]

    def holds(self, target: str, argument: str | int, value: Any) -> bool:
        """Whether the recipe itself, or a factory, gives an argument this very value."""
        self._learn_all()
        return _spelled(value) in self._values.get((target, argument), ())

    def accepts(self, node: Any, annotation: Any) -> bool:
        """Whether a node may stand where a type is declared: it fits, or the recipe does so too."""
        self._learn_all()
        return nodes.fits(node, annotation) or self._target(node) in self._misfits

    def name_of(self, value: Any) -> str | None:
        """The name under which a stored config has a function, class or member of an enum."""
        return names.stored_name(value, self.importer.files())

    def _target(self, node: Any) -> str | None:
        return self.name_of(nodes.target_of(node))

    def _defined(self, annotation: Any) -> Iterator[tuple[str, Any]]:
        """The public functions and classes of the modules that the config is made of."""
        targets = [nodes.target_of(node) for _, node in nodes.walk(self._config)]
        modules = [self._module, *(getattr(each, "__module__", "") for each in targets)]
        factories = self.factories()
        for module in dict.fromkeys(modules):
            for name, value in getattr(sys.modules.get(module), "__dict__", {}).items():
                own = getattr(value, "__module__", None) == module and not name.startswith("_")
                if own and name not in factories and annotations.is_named_by(value, annotation):
                    yield name, value

    def _implied(self, annotation: Any) -> Iterator[Any]:
        """Members of enums, functions and classes that the declared type allows."""
        for kind in annotations.enums_of(annotation):
            yield from kind
        if set(annotations.classes_of(annotation)) & set(annotations.NAMED):
            yield from (value for _, value in self._defined(annotation))

    def _learn_all(self) -> None:
        if not self._learnt:
            self._learnt = True
            self._learn(self._config)

    def _learn(self, config: Any) -> None:
        """Remember what a config is made of."""
        for _, node in nodes.walk(config):
            target = self._target(node)
            if target is not None:
                self._targets[target] = nodes.target_of(node)
            for tag in (each for tags in nodes.tags(node).values() for each in tags):
                self._learn_named(tag)
            for key, value in nodes.values(node):
                self._values.setdefault((target, key), set()).add(_spelled(value))
                self._learn_named(value)
                self._learn_fit(node, key, value)

    def _learn_fit(self, node: Any, key: str | int, value: Any) -> None:
        parameter = nodes.parameters(node).get(str(key))
        if not nodes.is_node(value) or parameter is None:
            return
        if not nodes.fits(value, nodes.declared(node, parameter)):
            self._misfits.add(self._target(value))

    def _learn_named(self, value: Any) -> None:
        if isinstance(value, (list, tuple, set, frozenset)):
            for each in value:
                self._learn_named(each)
        elif isinstance(value, dict):
            for each in value.values():
                self._learn_named(each)
        elif not isinstance(value, annotations.SCALARS) and not nodes.is_node(value):
            name = self.name_of(value)
            if name is not None:
                self._named[name] = value

    def _learn_factories(self, wanted: str) -> None:
        """Ask the factories, the likely ones first, until one makes what is wanted."""
        short = wanted.rpartition(":")[2].rpartition(".")[2]
        sources = sorted(self.factories().values(), key=lambda each: short not in each.returns)
        for source in sources:
            try:
                made = self.make(source.name, ())
            except UsageError:
                continue  # It needs arguments, or its module something that is not here.
            self._learn(made)
            if wanted in self._targets:
                return


def _spelled(value: Any) -> str:
    """A text that tells a value from others, types included."""
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 # Other people's code.
        return f"{type(value)} at {id(value)}"
