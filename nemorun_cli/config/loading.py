"""Importing and calling what a user has named, and telling in a few lines why that failed."""

import contextlib
import difflib
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from nemorun_cli.config.lazy import stand_in
from nemorun_cli.core.errors import UsageError
from nemorun_cli.job.builder import Builder

_UNNAMED = "nemorun_file_"
_LONGEST = 500  # characters of what somebody else's code says


class MissingModuleError(UsageError):
    """What was to be imported needs a module that is not installed here."""


class Importer:
    """Imports as the job will: the folder of the code comes first on the path."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._locate = Builder(str(folder or "")).locate
        if folder is not None and str(folder) not in sys.path[:1]:
            sys.path.insert(0, str(folder))

    def locate(self, target: str) -> Any:
        """What `pkg.mod:qualname` or `path/in/code.py:qualname` names; UsageError if nothing."""
        source, _, name = target.rpartition(":")
        found = self._guarded(lambda: self._locate(f"{source}:__dict__"), f"cannot import {source}")
        try:
            return self._locate(target)
        except ImportError:
            names = [each for each, value in found.items() if callable(value)]
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else ""
            raise UsageError(f"{source} has no {name!r}", hint=hint) from None

    def stored(self, target: str) -> Any:
        """As `locate`; what needs a module that is missing here is stood in for by its source."""
        try:
            return self.locate(target)
        except MissingModuleError:
            folders = [Path(each) for each in sys.path if each]
            return stand_in(target, folders)

    def call(
        self, function: Callable[..., Any], given: tuple[Any, ...], named: dict[str, Any]
    ) -> Any:
        """What a recipe or factory returns; UsageError if it raises."""
        name = getattr(function, "__name__", str(function))
        make = getattr(function, "as_buildable", function)  # Of fiddle's auto_config.
        return self._guarded(lambda: make(*given, **named), f"the recipe {name!r} failed")

    def files(self) -> dict[str, str]:
        """Modules that the job knows by their file alone: name to path in the code."""
        folder = (self.folder or Path()).resolve()
        return {
            name: Path(str(module.__file__)).relative_to(folder).as_posix()
            for name, module in sys.modules.items()
            if name.startswith(_UNNAMED) and module.__file__ is not None
        }

    def _guarded(self, work: Callable[[], Any], failure: str) -> Any:
        try:
            with _quietly():
                return work()
        except (Exception, SystemExit) as error:  # noqa: BLE001 # Other people's code.
            raise self._told(error, failure) from None

    def _told(self, error: BaseException, failure: str) -> UsageError:
        said = error.msg if isinstance(error, SyntaxError) else error
        reason = f"{type(error).__name__}: {said}"[:_LONGEST].rstrip(": ")
        place = self._place(error)
        message = f"{failure}: {reason}{f' ({place})' if place else ''}"
        if not isinstance(error, ModuleNotFoundError) or not error.name:
            return UsageError(message)
        missing = f"{failure}: No module named {error.name!r}{f' ({place})' if place else ''}"
        return MissingModuleError(
            missing,
            hint="install it here, import it inside the function that uses it, or name what is"
            f' needed of it: lazy("{error.name}:NAME")',
        )

    def _place(self, error: BaseException) -> str:
        """The innermost line of the user's own code: `recipes/gpt.py:12`."""
        frames = traceback.extract_tb(error.__traceback__)
        lines = [(frame.filename, frame.lineno) for frame in frames]
        if isinstance(error, SyntaxError):
            lines.append((error.filename or "", error.lineno))
        here = str(Path(__file__).parents[1])
        known = [
            each
            for each in lines
            if each[0] and not each[0].startswith(("<", here)) and "/importlib/" not in each[0]
        ]
        own = [each for each in known if self.folder and Path(each[0]).is_relative_to(self.folder)]
        if not known:
            return ""
        file, line = (own or known)[-1]
        shown = Path(file).relative_to(self.folder) if own and self.folder else file
        return f"{shown}:{line}"


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """What a recipe prints, or a process that it starts, is no part of the command's answer."""
    try:
        before = os.dup(1)
    except OSError:  # There is no standard output.
        yield
        return
    with contextlib.redirect_stdout(sys.stderr):
        with contextlib.suppress(OSError):  # Nor is there a standard error, perhaps.
            os.dup2(2, 1)
        try:
            yield
        finally:
            os.dup2(before, 1)
            os.close(before)
