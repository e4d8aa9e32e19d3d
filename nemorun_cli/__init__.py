"""Configure, launch and keep track of machine-learning experiments."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar, overload

__version__ = "0.1.0"

_Function = TypeVar("_Function", bound=Callable[..., Any])


class Reproduces(NamedTuple):
    """What is to come out the same when a run of a recipe is launched anew."""

    metrics: Mapping[str, float | str] | Sequence[str] = ()
    """By their last values: names, bit by bit, or `{"loss": 1e-6, "accuracy": "1%"}`, so far apart
    at most."""
    files: Sequence[str] = ()
    """By their content: paths or patterns in the run's working folder."""


@overload
def recipe(function: _Function) -> _Function: ...
@overload
def recipe(*, reproduces: Reproduces | None = None) -> Callable[[_Function], _Function]: ...
def recipe(function: Any = None, *, reproduces: Reproduces | None = None) -> Any:
    """Register a function that returns a Fiddle config under its own name.

    The function is returned as it is: recipes are found by reading their files, not by running
    them. `reproduces` is what `nemorun reproduce` compares unless it is told what.
    """

    def registered(given: Any) -> Any:  # noqa: ANN401
        if reproduces is not None:  # Fiddle's auto_config has the function inside.
            getattr(given, "func", given).__reproduces__ = reproduces
        return given

    return registered if function is None else registered(function)


@overload
def factory(function: _Function) -> _Function: ...
@overload
def factory() -> Callable[[_Function], _Function]: ...
def factory(function: Any = None) -> Any:
    """Register a function that returns a part of a config, to be chosen by name: `optim=adamw`."""
    return function if function is not None else lambda given: given


def lazy(target: str) -> Callable[..., Any]:
    """What stands in a config for `pkg.mod:Name`, which is imported in the job alone.

    `fdl.Config(lazy("mymodel.net:Net"), width=4)` works where `mymodel.net`, or what it imports,
    is not installed. Its parameters are read from its source where that is at hand; else it takes
    anything. ValueError for a text that can be no target.
    """
    from nemorun_cli.config.lazy import stand_in

    return stand_in(target)
