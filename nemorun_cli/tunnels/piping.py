"""One program with its three standard streams, until it ends, is done, or its time is up."""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_CHUNK = 1 << 16
# Seconds for a program that has said its last word: somebody else may hold its pipes open.
_PARTING = 0.5


@dataclass(frozen=True, kw_only=True)
class Program:
    """A command line, run in a session of its own: there is no terminal to ask on, no Ctrl-C."""

    argv: Sequence[str]
    env: Mapping[str, str] | None = None
    cwd: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """What came of one program."""

    code: int | None
    """Its exit code, negative for a signal; None if its time was up."""
    out: bytearray
    err: bytearray


def exchange(
    program: Program,
    data: bytes | BinaryIO = b"",
    *,
    timeout: float,
    complete: Callable[[bytearray, bytearray, int], bool],
) -> Exchange:
    """Run the program with `data` as its standard input, for `timeout` seconds at most.

    `complete` is told both outputs and how many bytes are new, and says whether there is nothing
    more to wait for. When the time is up the whole process group is killed; otherwise what the
    program has left in the background lives on.
    """
    end = time.monotonic() + timeout
    source, payload = _input(data)
    out, err = bytearray(), bytearray()
    with subprocess.Popen(
        program.argv,
        env=program.env,
        cwd=program.cwd,
        stdin=source,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        code = None
        try:
            done = _pump(process, memoryview(payload), (out, err), end, complete)
            with suppress(subprocess.TimeoutExpired):
                code = process.wait(_PARTING if done else max(end - time.monotonic(), 0))
            if done and code is None:
                process.kill()
                code = 0
        finally:
            if code is None:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
    return Exchange(code=code, out=out, err=err)


def _input(data: bytes | BinaryIO) -> tuple[int | BinaryIO, bytes]:
    if not isinstance(data, bytes):
        try:
            data.fileno()
        except OSError:  # io.BytesIO and the like
            data = data.read()
        else:
            return data, b""
    return (subprocess.PIPE if data else subprocess.DEVNULL), data


def _pump(
    process: "subprocess.Popen[bytes]",
    rest: memoryview,
    sinks: tuple[bytearray, bytearray],
    end: float,
    complete: Callable[[bytearray, bytearray, int], bool],
) -> bool:
    """True when all is said, False when both outputs have ended or the time is up."""
    with selectors.DefaultSelector() as selector:
        for stream, sink in zip((process.stdout, process.stderr), sinks, strict=True):
            selector.register(stream, selectors.EVENT_READ, sink)  # type: ignore[arg-type]
        if process.stdin:
            os.set_blocking(process.stdin.fileno(), False)
            selector.register(process.stdin, selectors.EVENT_WRITE)
        while _reading(selector) and (left := end - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                if process.stdin and key.fileobj is process.stdin:
                    rest = _write(key.fd, rest)
                    if not rest:
                        selector.unregister(process.stdin)
                        process.stdin.close()
                elif complete(*sinks, _read(selector, key)):
                    return True
    return False


def _reading(selector: selectors.BaseSelector) -> bool:
    return any(key.events & selectors.EVENT_READ for key in selector.get_map().values())


def _read(selector: selectors.BaseSelector, key: selectors.SelectorKey) -> int:
    chunk = os.read(key.fd, _CHUNK)
    key.data.extend(chunk)
    if not chunk:
        selector.unregister(key.fileobj)
    return len(chunk)


def _write(descriptor: int, rest: memoryview) -> memoryview:
    try:
        return rest[os.write(descriptor, rest[:_CHUNK]) :]
    except BlockingIOError:
        return rest
    except BrokenPipeError:  # It does not want to read any more, which is its own affair.
        return rest[:0]
