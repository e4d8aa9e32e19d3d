"""Stand-ins for what is not imported where a run is launched: known by its source alone."""

import ast
import inspect
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FunctionType
from typing import Any

from nemorun_cli.config import signatures
from nemorun_cli.config.foreign import resolved
from nemorun_cli.config.signatures import ParameterText, SignatureText

_MARK = "__nemorun_target__"
_KINDS = {
    signatures.POSITIONAL: inspect.Parameter.POSITIONAL_ONLY,
    signatures.PLAIN: inspect.Parameter.POSITIONAL_OR_KEYWORD,
    signatures.VARIADIC: inspect.Parameter.VAR_POSITIONAL,
    signatures.KEYWORD: inspect.Parameter.KEYWORD_ONLY,
    signatures.KEYWORDS: inspect.Parameter.VAR_KEYWORD,
}


class UnreadDefault:
    """A default that only its own module can tell; never stored, the job has it anyway."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def stand_in(target: str, folders: Sequence[Path] | None = None) -> Callable[..., Any]:
    """A function with the signature of `pkg.mod:Name`, which is read from source, not imported.

    Where no source is at hand it takes anything. ValueError for a text that can be no target.
    `folders`: where to look; those that Python searches if left out.
    """
    source, _, qualname = target.rpartition(":")
    names = [*([] if source.endswith(".py") else source.split(".")), *qualname.split(".")]
    if not source or not all(name.isidentifier() for name in names):
        raise ValueError(f"lazy({target!r}): expects 'package.module:Name'")
    if folders is None:
        folders = [Path(each) for each in sys.path if each]
    found = signatures.signature_of(source, qualname, folders)

    def made(*_: Any, **__: Any) -> Any:
        raise RuntimeError(f"{target} is a stand-in: the job makes the real one")

    made.__module__, made.__qualname__ = source, qualname
    made.__name__ = qualname.rpartition(".")[2]
    known = found.parameters if found is not None else ()
    annotations = {each.name: resolved(each.annotation, each.file) for each in known}
    made.__annotations__ = {name: each for name, each in annotations.items() if each is not None}
    made.__signature__ = _signature(found, made.__annotations__)  # type: ignore[attr-defined]
    made.__doc__ = "\n".join(["Args:", *(f"    {each.name}: {each.doc}" for each in known)])
    setattr(made, _MARK, target)
    return made


def target_of(value: object) -> str | None:
    """What a stand-in stands for; None of anything else."""
    return getattr(value, _MARK, None) if isinstance(value, FunctionType) else None


def _signature(found: SignatureText | None, types: dict[str, Any]) -> inspect.Signature:
    parameters = [_parameter(each, types) for each in (found.parameters if found else ())]
    kinds = {each.kind for each in parameters}
    if found is None:
        parameters.append(inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL))
    if (found is None or found.open) and inspect.Parameter.VAR_KEYWORD not in kinds:
        parameters.append(inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD))
    try:
        return inspect.Signature(parameters)
    except ValueError:  # Such as a field without a default after one that has it.
        named = [each for each in parameters if each.kind is not inspect.Parameter.VAR_POSITIONAL]
        keyword = inspect.Parameter.KEYWORD_ONLY
        return inspect.Signature(
            [each if each.kind > keyword else each.replace(kind=keyword) for each in named]
        )


def _parameter(parameter: ParameterText, types: dict[str, Any]) -> inspect.Parameter:
    return inspect.Parameter(
        parameter.name,
        _KINDS[parameter.kind],
        default=_default(parameter.default),
        annotation=types.get(parameter.name, parameter.annotation or inspect.Parameter.empty),
    )


def _default(text: str | None) -> Any:
    if text is None:
        return inspect.Parameter.empty
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return UnreadDefault(text)
