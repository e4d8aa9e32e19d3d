"""One node's part in a cluster of Ray that begins and ends with the job.

worker.py starts it on every node: `--ray SECONDS COMMAND...`. The first node has Ray's head, and
the command as its driver once all nodes have joined, for which they have so many seconds; the
others stay as long as it does. It is copied into the job: standard library only, Python 3.8.
"""

from __future__ import annotations

import importlib.util
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Listener, answer_challenge, deliver_challenge
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from multiprocessing.connection import Connection

NO_RAY = 70
"""The exit code of a node that has no Ray."""
START = (
    "import sys; sys.path[:] = filter(None, sys.path); from ray.scripts.scripts import main; main()"
)
"""`ray start`, wherever the program of that name may be, and not a module of the user's."""
STARTED = "Ray runtime started"
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
PAUSE, PATIENCE = 0.1, 10


class NoRayError(Exception):
    """There is no cluster; the text says why."""


class ToldToEndError(Exception):
    """The job is to end, before it has begun."""


def main(rank: Any, machine: Any, argv: Sequence[str]) -> int:  # noqa: ANN401
    """The exit code of the driver, on the first node; 0 on the others, once the first has ended.

    `rank` is worker.py's word for this process, `machine` the module raymachine.
    """
    if importlib.util.find_spec("ray") is None:
        return told(rank, "import_error", f"{sys.executable} has no ray: set `python` or `venv`")
    machine.adopt_orphans()
    node = Node(machine, int(rank.attempt), time.monotonic() + float(argv[0]))
    for number in SIGNALS:
        signal.signal(number, node.notice)
    try:
        return node.lead(argv[1:]) if rank.node == 0 else node.follow(rank.node)
    except NoRayError as error:
        return told(rank, "exit", str(error))
    except (OSError, EOFError) as error:  # A disk is full, or the first node is gone.
        return told(rank, "exit", f"this node's part of Ray: {error}")
    except ToldToEndError:
        # A failure of one that is told a moment earlier would have Slurm kill the first node.
        return 0 if rank.node else 128 + signal.SIGTERM
    finally:
        node.end()


def told(rank: Any, kind: str, message: str) -> int:  # noqa: ANN401
    """The exit code of a node that says why there is no Ray."""
    sys.stderr.write(f"nemorun: {message}\n")
    rank.failed(kind, NO_RAY, message)
    return NO_RAY


class Node:
    """What runs on this node for the job."""

    def __init__(self, machine: Any, attempt: int, deadline: float) -> None:  # noqa: ANN401
        self.machine, self.attempt, self.deadline = machine, attempt, deadline
        self.token = Path(os.environ["RAY_AUTH_TOKEN_PATH"]).read_bytes()
        self.job = int(os.environ["SLURM_JOB_ID"])
        self.meeting = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        self.folder = self.own_folder = ""
        self.ray: subprocess.Popen[bytes] | None = None
        self.driver: subprocess.Popen[bytes] | None = None
        self.begun = self.told_to_end = False
        self.last_signal: int = signal.SIGTERM

    def lead(self, command: Sequence[str]) -> int:
        """Start the head, wait for the other nodes, and run the command."""
        others = Others(self.meeting[1], self.token)
        expected = set(range(1, int(os.environ["NEMORUN_NUM_NODES"])))
        try:
            # Ray's sockets lie in it, whose paths must be short; and Ray opens its own to all.
            self.folder = self.own_folder = self.machine.new_folder(self.job)
            address = self.machine.own_address(self.meeting[0])
            port = self._start(address, "--head", f"--temp-dir={self.folder}/r")
            others.tell({"address": f"{address}:{port}", "folder": self.folder})
            while expected - others.ready:
                missing = ", ".join(map(str, sorted(expected - others.ready)))
                self._wait(f"not all nodes have joined Ray in time; missing: {missing}")
            return self._drive(command, f"{address}:{port}")
        finally:
            others.dismiss()

    def follow(self, number: int) -> int:
        """Join the head, and stay until it lets go."""
        head = self._meet()
        head.send_bytes(str(number).encode())
        word = json.loads(self._word(head) or b"{}")
        if not word:
            return 0  # The first node tells what is wrong.
        self.folder = word["folder"]
        try:
            self.machine.sweep(self.job, self.folder)
            self.own_folder = self.machine.made_private(self.folder)
        except OSError as error:
            raise NoRayError(f"{self.folder}: {error.strerror}") from None
        with socket.socket(fileno=os.dup(head.fileno())) as connection:
            address = connection.getsockname()[0]
        self._start(address, f"--address={word['address']}")
        self.begun = True
        head.send_bytes(b"ready")
        self._word(head)
        self.end()
        head.close()
        return 0

    def notice(self, number: int, _: object) -> None:
        """Pass a signal on to the driver; before there is one, any is the end."""
        self.told_to_end, self.last_signal = True, number
        if self.driver is not None and self.driver.returncode is None:
            self.driver.send_signal(number)

    def end(self) -> None:
        """End whatever is left of Ray and of the driver, and remove what Ray has written."""
        if self.ray is not None and self.ray.poll() is None:
            self.ray.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.ray.wait(PATIENCE)
        self.machine.kill_descendants()
        if self.own_folder:
            shutil.rmtree(self.own_folder, ignore_errors=True)

    def _meet(self) -> Connection:
        while True:
            try:
                return Client(self.meeting, authkey=self.token)
            except (OSError, EOFError, AuthenticationError):  # It does not listen yet.
                self._wait(f"the first node, {self.meeting[0]}, cannot be reached")

    def _word(self, head: Connection) -> bytes:
        """What the first node says; empty when it lets go or has gone."""
        while not head.poll():
            self._wait("Ray's head has not started in time")
        try:
            return head.recv_bytes(1000)
        except (EOFError, OSError):
            return b""

    def _wait(self, lacking: str) -> None:
        """A moment, while there is time and Ray."""
        if not self.begun and self.told_to_end:
            raise ToldToEndError
        if self.ray is not None and self.ray.poll() is not None and not self.told_to_end:
            raise NoRayError(f"Ray has ended on this node: {self._said()}")
        if not self.begun and time.monotonic() > self.deadline:
            raise NoRayError(lacking)
        select.select([], [], [], PAUSE)

    def _start(self, address: str, *options: str) -> int:
        """The port of the head, once Ray runs here; a port that is lost meanwhile costs one try."""
        blocks = self.machine.free_ports(self.job, self.attempt)
        for last in (False, True):
            ports: dict[str, int] = next(blocks)
            self.ray = self._begin(address, ports, options)
            try:
                while STARTED not in self._output():
                    self._wait(f"Ray has not started in time: {self._said()}")
            except NoRayError:
                if last or self.ray.poll() is None:
                    raise
                self.machine.kill_descendants()
            else:
                break
        return ports["port"]

    def _begin(
        self, address: str, ports: Mapping[str, int], options: Sequence[str]
    ) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-c", START, "start", "--block", *options]
        argv += [f"--node-ip-address={address}", "--min-worker-port=0", "--max-worker-port=0"]
        names = self.machine.NODE_PORTS
        if "--head" in options:
            argv.append("--include-dashboard=false")
            names += self.machine.HEAD_PORTS
        argv += [f"--{name}={ports[name]}" for name in names]
        known = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
        with open(self._log, "wb") as log:  # noqa: PTH123
            return subprocess.Popen(
                [*argv, *self.machine.amounts(os.environ)],
                env=known,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=self.machine.of_this_process,  # noqa: PLW1509
            )

    def _drive(self, command: Sequence[str], address: str) -> int:
        self.driver = subprocess.Popen(list(command), env={**os.environ, "RAY_ADDRESS": address})
        self.begun = True
        if self.told_to_end:  # While it was started.
            self.driver.send_signal(self.last_signal)
        while self.driver.poll() is None:
            self._wait("")
        code: int = self.driver.returncode
        return code if code >= 0 else 128 - code

    @property
    def _log(self) -> str:
        return f"{self.folder}/start.{socket.gethostname()}"

    def _output(self) -> str:
        return Path(self._log).read_text(errors="replace")

    def _said(self) -> str:
        lines = [line.strip() for line in self._output().splitlines()]
        return " ".join(filter(None, lines[-20:]))[-1000:] or "it says nothing"


class Others:
    """The first node's connections to the others, which show that they have the job's token."""

    def __init__(self, port: int, token: bytes) -> None:
        self.ready: set[int] = set()
        """The numbers of those that have joined."""
        self._token, self._word = token, b""
        self._told, self._over = threading.Event(), threading.Event()
        self._guests: list[threading.Thread] = []
        try:
            self._listener = Listener(("", port), backlog=1024)
        except OSError as error:
            raise NoRayError(f"port {port} on the first node: {error.strerror}") from None
        threading.Thread(target=self._listen, daemon=True).start()

    def tell(self, word: Mapping[str, str]) -> None:
        """Tell all nodes where the head is, those that come later too."""
        self._word = json.dumps(word).encode()
        self._told.set()

    def dismiss(self) -> None:
        """Let all go, and give them a moment for it."""
        self._told.set()
        self._over.set()
        end = time.monotonic() + PATIENCE
        for guest in self._guests:
            guest.join(max(0.0, end - time.monotonic()))

    def _listen(self) -> None:
        while True:
            with suppress(OSError):
                connection = self._listener.accept()
                guest = threading.Thread(target=self._receive, args=(connection,), daemon=True)
                self._guests.append(guest)
                guest.start()

    def _receive(self, connection: Connection) -> None:
        # Anybody may come to this port, and say anything.
        with connection, suppress(Exception):
            deliver_challenge(connection, self._token)
            answer_challenge(connection, self._token)
            number = int(connection.recv_bytes(100))
            self._told.wait()
            connection.send_bytes(self._word)
            if self._word and connection.recv_bytes(100):
                self.ready.add(number)
                self._over.wait()
                connection.send_bytes(b"")
                connection.recv_bytes(100)
