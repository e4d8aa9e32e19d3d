"""Keeps modules that fiddle imports and seldom uses from being loaded until they are used."""

import importlib.util
import os
import sys
from abc import ABCMeta
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any

DEFERRED = ("libcst", "absl.logging")
"""Most of what `import fiddle` costs: they serve lambdas, the writing of code, and warnings."""
SWITCH = "NEMORUN_NO_LIBCST_STUB"
"""Set to 1 in the environment, everything is imported at once."""


@contextmanager
def deferred() -> Iterator[None]:
    """While fiddle is imported: what it seldom uses then loads on its first use."""
    if os.environ.get(SWITCH) == "1":
        yield
        return
    for name in DEFERRED:
        if name not in sys.modules:
            _defer(name)
    libcst = sys.modules.get("libcst")
    if isinstance(libcst, _Deferred):
        # The one class that fiddle derives from it at once, to find the source of a lambda.
        vars(libcst).update(_PLACEHOLDERS)
    try:
        yield
    finally:
        if isinstance(libcst, _Deferred):
            for name in _PLACEHOLDERS:
                vars(libcst).pop(name, None)


def _defer(name: str) -> None:
    try:
        spec = importlib.util.find_spec(name)
    except ImportError:
        return
    if spec is None or spec.loader is None:
        return
    module = importlib.util.module_from_spec(spec)
    module.__class__ = _Deferred
    sys.modules[name] = module


class _Deferred(ModuleType):
    """The module itself, before it was executed."""

    def __getattr__(self, name: str) -> Any:
        # The import system asks for such names, and so would load it at once.
        if name.startswith("__") or self.__spec__ is None or self.__spec__.loader is None:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        self.__class__ = ModuleType  # type: ignore[assignment]
        self.__spec__.loader.exec_module(self)
        return getattr(self, name)


class _Late(ABCMeta):
    """Makes a class that has `Visitor` as its base one of libcst's when it is first used."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        import libcst
        from libcst import metadata

        if Visitor in cls.__bases__:
            cls.__bases__ = (libcst.CSTVisitor,)
            cls.METADATA_DEPENDENCIES = tuple(
                getattr(metadata, name) for name in vars(cls).get("METADATA_DEPENDENCIES", ())
            )
        return super().__call__(*args, **kwargs)


class Visitor(metaclass=_Late):
    """Stands in for libcst.CSTVisitor."""


_PLACEHOLDERS: dict[str, Any] = {
    "CSTVisitor": Visitor,
    "metadata": SimpleNamespace(PositionProvider="PositionProvider"),
}
