"""Configure, launch and keep track of machine-learning experiments."""

from collections.abc import Callable
from typing import Any, TypeVar, overload

__version__ = "0.1.0"

_Function = TypeVar("_Function", bound=Callable[..., Any])


@overload
def recipe(function: _Function) -> _Function: ...
@overload
def recipe() -> Callable[[_Function], _Function]: ...
def recipe(function: Any = None) -> Any:
    """Register a function that returns a Fiddle config under its own name.

    The function is returned as it is: recipes are found by reading their files, not by running
    them.
    """
    return function if function is not None else lambda given: given


@overload
def factory(function: _Function) -> _Function: ...
@overload
def factory() -> Callable[[_Function], _Function]: ...
def factory(function: Any = None) -> Any:
    """Register a function that returns a part of a config, to be chosen by name: `optim=adamw`."""
    return function if function is not None else lambda given: given
