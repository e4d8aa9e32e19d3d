"""Our own master connection to a host, which all calls share and which ends when it is idle."""

import fcntl
import os
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# unix(7) allows 107 bytes, some systems 103; ssh first binds to the path with 17 more (mux.c).
_LONGEST = 103 - 17
_NAP = 0.02


@dataclass(frozen=True, kw_only=True)
class Failed:
    """Why there is no master."""

    code: int | None
    """What ssh returned; None if its time was up."""
    messages: str


def socket_for(digest: str) -> Path | None:
    """Where the socket of our master is to be; None where there is no private place for it."""
    for parent, name in _places():
        folder = parent / name
        path = folder / digest
        if len(os.fsencode(path)) <= _LONGEST and "%" not in str(path) and _private(folder):
            return path
    return None


def ensure(path: Path, argv: Sequence[str], env: Mapping[str, str], *, end: float) -> Failed | None:
    """See to it that a master listens at `path`, started with `argv` if need be.

    None when there is one, or when somebody else has been starting one for too long: ssh connects
    directly where there is none. What nobody listens at any more is removed.
    """
    if alive(path):
        return None
    with _locked(path.with_suffix(".lock"), (time.monotonic() + end) / 2) as held:
        # A second master would find the socket taken, and would stay in the background for ever.
        if not held or alive(path):
            return None
        path.unlink(missing_ok=True)
        return _start(argv, env, end)


def alive(path: Path) -> bool:
    """Whether somebody listens there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def _start(argv: Sequence[str], env: Mapping[str, str], end: float) -> Failed | None:
    # A pipe would end only with the master: some versions keep standard error (ssh before 8.5).
    with tempfile.TemporaryFile() as messages:
        try:
            code: int | None = subprocess.run(
                argv,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=messages,
                start_new_session=True,
                timeout=max(end - time.monotonic(), 0),
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            code = None
        messages.seek(0)
        told = messages.read().decode(errors="replace")
    return Failed(code=code, messages=told) if code != 0 else None


def _places() -> Iterator[tuple[Path, str]]:
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        yield Path(runtime), "nemorun"
    for folder in (tempfile.gettempdir(), "/tmp"):  # noqa: S108 - _private() looks at it
        yield Path(folder), f"nemorun-{os.getuid()}"


def _private(folder: Path) -> bool:
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError:
        return False
    return (
        stat.S_ISDIR(status.st_mode)
        and status.st_uid == os.getuid()
        and not stat.S_IMODE(status.st_mode) & 0o077
    )


@contextmanager
def _locked(path: Path, end: float) -> Iterator[bool]:
    from nemorun_cli.watching import nap

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        held = False
        while not held and time.monotonic() < end:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                held = True
            except BlockingIOError:
                nap(_NAP)
        yield held
    finally:
        os.close(descriptor)
