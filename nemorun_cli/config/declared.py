"""What a recipe declares of its results."""

from collections.abc import Mapping
from typing import Any

from nemorun_cli import Reproduces
from nemorun_cli.core.errors import UsageError
from nemorun_cli.core.metrics import tolerance


def reproduces(function: Any, recipe: str) -> dict[str, list[str]] | None:
    """What is to come out the same, as `--metric` and `--file` of `reproduce` take it.

    None for a recipe that declares nothing. UsageError for what can be no such declaration.
    """
    told = getattr(getattr(function, "func", function), "__reproduces__", None)
    if told is None:
        return None
    try:
        checked = _checked(told)
        metrics = [_metric(each) for each in _pairs(checked.metrics)]
        found = {"metrics": metrics, "files": _texts(checked.files)}
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"the recipe {recipe!r} declares what it reproduces in a way that cannot be meant",
            hint=f'such as Reproduces(metrics={{"loss": 1e-6}}, files=["model.pt"]): {error}',
        ) from None
    return found if any(found.values()) else None


def _checked(told: Any) -> Reproduces:
    if not isinstance(told, Reproduces):
        raise TypeError(f"expects Reproduces(...), got {told!r}")
    return told


def _pairs(metrics: Any) -> list[tuple[str, Any]]:
    if isinstance(metrics, Mapping):
        return list(zip(_texts(list(metrics)), metrics.values(), strict=True))
    return [(name, 0) for name in _texts(metrics)]


def _metric(pair: tuple[str, Any]) -> str:
    name, allowed = pair
    tolerance(str(allowed), 1.0)
    return f"{name}:{allowed}" if allowed else name


def _texts(names: Any) -> list[str]:
    listed = [names] if isinstance(names, str) else list(names)
    if not all(isinstance(each, str) and each for each in listed):
        raise ValueError(f"expects names, got {names!r}")
    return listed
