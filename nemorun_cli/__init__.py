"""Configure, launch and keep track of machine-learning experiments."""

from __future__ import annotations

TYPE_CHECKING = False  # That of `typing` takes milliseconds, in which nobody expects an interrupt.
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, TypeVar, overload

    _Function = TypeVar("_Function", bound=Callable[..., Any])

__version__ = "0.1.0"


class Reproduces:
    """What is to come out the same when a run of a recipe is launched anew."""

    def __init__(
        self, metrics: Mapping[str, float | str] | Sequence[str] = (), files: Sequence[str] = ()
    ) -> None:
        """Of metrics the last values, of files the content.

        `metrics`: names, which are to be the same bit by bit, or how far apart they may be at most:
        `{"loss": 1e-6, "accuracy": "1%"}`. `files`: paths or patterns in the run's working folder.
        """
        self.metrics, self.files = metrics, files


if TYPE_CHECKING:

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


if TYPE_CHECKING:

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
