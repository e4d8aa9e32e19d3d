"""Names that lead back to a value: `torch:bfloat16`."""

import enum
import functools
import sys
import typing
from collections.abc import Mapping
from types import FunctionType, MethodType, ModuleType
from typing import Any

from nemorun_cli.config import lazy


def name_of(value: Any) -> tuple[str, str] | None:
    """Module and qualified name, if they lead back to this very value."""
    module, qualname = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if module is None and callable(value):
        module = "builtins"
    if not isinstance(module, str) or not isinstance(qualname, str):
        # Such as torch.bfloat16, whose text is its name.
        module, _, qualname = repr(value).rpartition(".") if _is_opaque(value) else ("", "", "")
    found: Any = sys.modules.get(module)
    for part in qualname.split("."):
        found = getattr(found, part, None)
    same = found is value or (isinstance(value, MethodType) and found == value)
    return (module, qualname) if same and value is not None else None


def stored_name(value: Any, files: Mapping[str, str]) -> str | None:
    """The name that a stored config has for it: `pkg.mod:qualname`, `path.py:Class.MEMBER`.

    `files`: modules that are known by their file, name to path. None for what has no name.
    """
    if isinstance(value, enum.Enum):
        cls = stored_name(type(value), files)
        is_member = type(value).__members__.get(value.name) is value
        return f"{cls}.{value.name}" if cls is not None and is_member else None
    target = lazy.target_of(value)
    found = name_of(value) if target is None else None
    if found is None:
        return target
    module, qualname = found
    return f"{files.get(module, module)}:{qualname}"


def why_nameless(value: Any) -> tuple[str, str]:
    """Why a value has none, and what to do."""
    kind = type(value).__qualname__
    if isinstance(typing.get_origin(value), type):
        what, hint = repr(value), f"use {typing.get_origin(value).__name__} alone"
    elif isinstance(value, (FunctionType, type)):
        word = "function" if isinstance(value, FunctionType) else "class"
        named = f"the local {word} {value.__name__!r}"
        what = "a lambda" if value.__name__ == "<lambda>" else named
        hint = "define it by name at the top of a module"
    elif isinstance(value, ModuleType):
        what, hint = f"the module {value.__name__!r}", "name what is used of it"
    elif isinstance(value, (int, float, str)):
        base = next(each for each in (int, float, str) if isinstance(value, each))
        what, hint = f"a value of class {kind}", f"write {base.__name__}(...) of it"
    elif hasattr(value, "read"):
        what, hint = f"an open file ({kind})", "give its path"
    elif isinstance(value, functools.partial):
        what, hint = "a functools.partial", "use fdl.Partial(...)"
    else:
        what, hint = f"a value of class {kind}", f"use fdl.Config({kind}, ...)"
    return f"{what} cannot be stored", hint


def _is_opaque(value: Any) -> bool:
    """Whether its text may be its name."""
    has_text = any("__repr__" in vars(each) for each in type(value).__mro__[:-1])
    return has_text and not isinstance(value, (str, int, float))
