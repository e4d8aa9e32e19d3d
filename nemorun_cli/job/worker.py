"""Runs what config.json names, beside which it lies; `-- ARGV...` runs a command line instead.

`--agent OPTION...` is torchrun's own process of a node, which starts the ranks there, and
`--ray SECONDS ARGV...` the one that has a node's part of Ray.
It is copied into the job, with builder.py alone: standard library only, Python 3.8.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
ENDING = frozenset({signal.SIGTERM, signal.SIGINT})
PASSED_ON = (signal.SIGUSR1, signal.SIGUSR2)
FORWARDED = ENDING | {signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2}
LONGEST_MESSAGE = 4000


def main(argv: Sequence[str]) -> int:
    """The exit code of this rank, once its target or command has ended."""
    if argv[:1] == ["--agent"]:
        return lead(argv[1:])
    if argv[:1] == ["--ray"]:
        return beside("raynode").main(Rank.of_environment(), beside("raymachine"), argv[1:])  # type: ignore[no-any-return]
    rank = Rank.of_environment()
    if rank.own_logs:
        rank.redirect()
    command = list(argv[1:]) if argv[:1] == ["--"] else None
    if argv and not command:
        sys.stderr.write("usage: worker.py [-- COMMAND [ARGUMENT]...]\n")
        return 2
    if rank.own_logs or command:
        code = supervise(rank)
        if code is not None:
            return code
    return execute(command, rank) if command else run(rank)


def lead(options: Sequence[str]) -> int:
    """Start the ranks of this node, and pass on to them the signals that tell them to save.

    A scheduler signals this process alone, which would end, and they with it.
    """
    ours = str(os.getpid())

    def pass_on(number: int, _: object) -> None:
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                parent = stat.read_text(errors="replace").rpartition(")")[2].split()[1]
                if parent == ours:
                    os.kill(int(stat.parent.name), number)
            except (OSError, IndexError):  # It has ended.
                continue

    for number in PASSED_ON:
        signal.signal(number, pass_on)
    sys.path[:] = [entry for entry in sys.path if entry != HERE]
    from torch.distributed.run import main as torchrun

    torchrun(list(options))
    return 0


class Rank(NamedTuple):  # A dataclass would take a job 12 ms longer to start.
    """This process among those of the job."""

    directory: str
    attempt: str
    number: int
    node: int
    own_logs: str
    """Empty: the output stays where it is; `2`: a file for each stream; else one for both."""

    @classmethod
    def of_environment(cls) -> Rank:
        """As the launcher and job.sh have told it."""
        own_logs = os.environ.get("NEMORUN_RANK_LOGS", "")
        node = os.environ.get("NEMORUN_NODE_RANK", "0")
        # Without a launcher, RANK may be left over from the shell that launched.
        number = os.environ.get("RANK", node) if own_logs else node
        return cls(
            directory=os.environ.get("NEMORUN_RUN_DIR", HERE),
            attempt=os.environ.get("NEMORUN_ATTEMPT", "1"),
            number=int(number),
            node=int(node),
            own_logs=own_logs,
        )

    @property
    def logs(self) -> Path:
        """Where this attempt's files go."""
        return Path(self.directory, "logs", self.attempt)

    def redirect(self) -> None:
        """Send the output of this process and its children to the rank's own file."""
        self.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        names = ("log", "err") if self.own_logs == "2" else ("log", "log")
        for stream, suffix in enumerate(names, start=1):
            path = self.logs / f"{self.number}.{suffix}"
            fd = os.open(str(path), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(fd, stream)
            os.close(fd)

    def failed(self, kind: str, exit_code: int, message: str) -> None:
        """Leave word of a failure, unless a rank of this attempt already has."""
        failure = {
            "rank": self.number,
            "node": self.node,
            "host": os.environ.get("SLURMD_NODENAME"),
            "kind": kind,
            "exit_code": exit_code,
            "message": message[:LONGEST_MESSAGE],
            "attempt": int(self.attempt),
            "time": time.time(),
        }
        path = self.logs / "first_failure.json"
        try:
            self.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(str(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError:  # Another rank was first, or the disk is full: the exit code stays true.
            return
        with open(fd, "w") as file:  # noqa: PTH123
            json.dump(failure, file)


def supervise(rank: Rank) -> int | None:
    """Go on in a child, where this gives None; in the parent, the exit code it came to.

    The parent outlives what no handler in the child survives, and tells of it.
    """
    signal.signal(signal.SIGCHLD, lambda *_: None)  # Else sigwait may never see it.
    signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED | {signal.SIGCHLD})
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED | {signal.SIGCHLD})
        return None
    asked_to_end = False
    while True:
        number = signal.sigwait(FORWARDED | {signal.SIGCHLD})
        if number != signal.SIGCHLD:
            asked_to_end = asked_to_end or number in ENDING
            os.kill(child, number)  # Not yet waited for, so the number is still its own.
            continue
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return _told(rank, status, asked_to_end=asked_to_end)


def _told(rank: Rank, status: int, *, asked_to_end: bool) -> int:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if not asked_to_end and number not in ENDING:
            name = signal.Signals(number).name if number < signal.SIGRTMIN else str(number)
            rank.failed("signal", 128 + number, f"ended by {name}")
        return 128 + number
    code = os.WEXITSTATUS(status)
    if code and not asked_to_end:
        rank.failed("exit", code, f"exit code {code}")
    return code


def execute(command: list[str], rank: Rank) -> int:
    """Become the command; returns only if it cannot be started."""
    for ignored_by_python in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored_by_python, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)  # noqa: S606
    except OSError as error:
        code = 127 if isinstance(error, FileNotFoundError) else 126
        message = f"cannot run {command[0]!r}: {error.strerror}"
        sys.stderr.write(f"nemorun: {message}\n")
        rank.failed("exit", code, message)
        return code


def run(rank: Rank) -> int:
    """Build the target of config.json and call it."""
    # Line by line, so that it can be followed; and any bytes that came in can go out.
    sys.stdout.reconfigure(line_buffering=True, errors="surrogateescape")  # type: ignore[union-attr]
    sys.stderr.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    code = os.environ.get("NEMORUN_CODE_DIR") or os.getcwd()  # noqa: PTH109
    arrange_path(code, str(Path(rank.directory, "shim")))
    terminated = notice_termination()
    builder = beside("builder").Builder(code)
    try:
        builder.run(read_config(Path(rank.directory, "config.json")))
    except KeyboardInterrupt:
        # So that whoever waits sees a process that was interrupted, as without us.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except SystemExit as stop:
        number = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        if number & 0xFF and not terminated():
            rank.failed("exit", number & 0xFF, _message(stop, builder.failed_at))
        raise
    except BaseException as error:  # noqa: BLE001
        report(error, builder.failed_at)
        if not terminated():
            kind = "import_error" if isinstance(error, ImportError) else "exception"
            rank.failed(kind, 1, _message(error, builder.failed_at))
        return 1
    return 0


def read_config(path: Path) -> Any:  # noqa: ANN401
    """The document that a launch has left for this job."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{str(path)!r} cannot be read: {error}") from None


def beside(name: str) -> Any:  # noqa: ANN401
    """The module in the file of this name that lies beside this one."""
    # Not by its plain name: that may be the name of a module of the user's.
    path = os.path.join(HERE, f"{name}.py")  # noqa: PTH118
    spec = importlib.util.spec_from_file_location(f"nemorun_{name}", path)
    assert spec is not None  # noqa: S101
    assert spec.loader is not None  # noqa: S101
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def arrange_path(code: str, shim: str) -> None:
    """The user's code first; stand-ins for what only a launch needs last; nothing of the job's."""
    sys.path[:] = [code, *(entry for entry in sys.path if entry not in (HERE, code))]
    if Path(shim).is_dir():
        sys.path.append(shim)


def notice_termination() -> Callable[[], bool]:
    """Whether a handler of the user's has seen SIGTERM. Without one, TERM ends the process."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    # A forked helper that is ended must not speak for this process.
    os.register_at_fork(after_in_child=lambda: signal.set_wakeup_fd(-1))

    def terminated() -> bool:
        try:
            return signal.SIGTERM in os.read(reader, 65536)
        except BlockingIOError:
            return False

    return terminated


def report(error: BaseException, failed_at: str | None) -> None:
    """Print the traceback from the user's first frame on, and where in the config it was."""
    import traceback

    frames = error.__traceback__
    while frames is not None and _ours(frames):
        frames = frames.tb_next
    traceback.print_exception(type(error), error, frames)
    if failed_at:
        sys.stderr.write(f"nemorun: this was while building {failed_at!r} of the config\n")
    sys.stderr.flush()


def _ours(frames: TracebackType) -> bool:
    name = frames.tb_frame.f_code.co_filename
    folder, base = os.path.split(name)
    return (
        (base in ("worker.py", "builder.py") and os.path.abspath(folder) == HERE)  # noqa: PTH100
        or name == importlib.__file__
        or name.startswith("<frozen importlib")
    )


def _message(error: BaseException, failed_at: str | None) -> str:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 # A user's own __str__ may do anything.
        text = "(its text cannot be shown)"
    message = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return f"{message} (while building {failed_at!r})" if failed_at else message


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
