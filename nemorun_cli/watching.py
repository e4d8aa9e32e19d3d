"""Sleeping until a folder changes: inotify where there is one, short naps elsewhere."""

import ctypes
import os
import select
import time
from pathlib import Path
from types import TracebackType
from typing import Self

_NAP = 0.2
_NONBLOCK = os.O_NONBLOCK | os.O_CLOEXEC
# inotify(7): modify, close after writing, moved in, created, deleted.
_EVENTS = 0x002 | 0x008 | 0x080 | 0x100 | 0x200


class Watcher:
    """Watches folders, not what lies below them. Use it in a `with` block."""

    def __init__(self) -> None:
        self._watched: set[Path] = set()
        self._libc = ctypes.CDLL(None, use_errno=True)
        try:
            self._fd: int = self._libc.inotify_init1(_NONBLOCK)
        except AttributeError:
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._fd >= 0:
            os.close(self._fd)

    def add(self, folder: Path) -> None:
        """Watch this folder too. A second call does nothing; a missing folder is not watched."""
        if folder in self._watched or self._fd < 0:
            return
        if self._libc.inotify_add_watch(self._fd, os.fsencode(folder), _EVENTS) >= 0:
            self._watched.add(folder)

    def wait(self, timeout: float) -> None:
        """Return when something has changed since the last call, or after `timeout` seconds."""
        if self._fd < 0 or not self._watched:
            nap(min(timeout, _NAP))
            return
        ready, _, _ = select.select([self._fd], [], [], timeout)
        if ready:
            os.read(self._fd, 65536)


def nap(seconds: float) -> None:
    """Sleep where there is nothing to watch."""
    time.sleep(seconds)  # noqa: TID251 - the one place that may
