"""Stands in for fiddle in a job: recipes can be imported there, but not built.

Any name and any submodule is found; decorators leave a function as it is.
"""

from __future__ import annotations

import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

REFUSAL = (
    "recipes are built before launch, not in the job: fiddle is not installed here. "
    "Build configs inside the recipe's function, or install fiddle where the job runs"
)
__path__: list[str] = []


class Buildable:
    """A type to annotate with; making one is refused."""

    def __init__(self, *_: Any, **__: Any) -> None:  # noqa: ANN401
        raise RuntimeError(REFUSAL)

    def __class_getitem__(cls, _: Any) -> type[Buildable]:  # noqa: ANN401
        return cls


class Config(Buildable):
    """As Buildable."""


class Partial(Buildable):
    """As Buildable."""


class ArgFactory(Buildable):
    """As Buildable."""


class Tag:
    """A base for the user's tags; they mark nothing here."""


class Anything:
    """Whatever else fiddle may have: decorates without a change, and refuses to build."""

    def __call__(self, *given: Any, **_: Any) -> Any:  # noqa: ANN401
        if not given:
            return self  # A decorator with arguments.
        if len(given) == 1 and callable(given[0]):
            return given[0]
        raise RuntimeError(REFUSAL)

    def __getattr__(self, name: str) -> Anything:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __getitem__(self, _: Any) -> Anything:  # noqa: ANN401
        return self

    def __mro_entries__(self, _: Any) -> tuple[type, ...]:  # noqa: ANN401
        return (object,)


ANYTHING = Anything()


def __getattr__(name: str) -> Anything:
    if name.startswith("__"):
        raise AttributeError(name)
    return ANYTHING


class Finder(MetaPathFinder, Loader):
    """Finds every submodule of fiddle, empty but for anything one asks of it."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """A package, so that it has submodules in turn."""
        if not fullname.startswith(f"{__name__}."):
            return None
        return ModuleSpec(fullname, self, is_package=True)

    def exec_module(self, module: ModuleType) -> None:
        """The same names as in the package itself."""
        module.__dict__.update(
            Buildable=Buildable,
            Config=Config,
            Partial=Partial,
            ArgFactory=ArgFactory,
            Tag=Tag,
            __getattr__=__getattr__,
        )


sys.meta_path.append(Finder())
