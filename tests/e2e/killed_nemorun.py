"""Runs nemorun and kills it by SIGKILL just before the n-th thing it does to the outside world.

    python killed_nemorun.py N ARGUMENTS...

Python tells an audit hook of every file opened, renamed, linked or made, of every process started
and of every request sent. The first argument says at which of these the process dies; 0 counts them
instead. `3:http.client.send` is the third of this kind.
"""

import os
import signal
import sys

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
CHANGES = frozenset(
    {
        "os.rename",
        "os.link",
        "os.mkdir",
        "os.remove",
        "os.rmdir",
        "os.symlink",
        "os.chmod",
        "os.truncate",
        "subprocess.Popen",
        "os.posix_spawn",
        "os.fork",
        "os.kill",
        "http.client.send",
        "shutil.rmtree",
        "fcntl.flock",
    },
)


class Fate:
    """An audit hook that counts these things, and kills the process before one of them."""

    def __init__(self, at: str) -> None:
        number, _, self.kind = at.partition(":")
        self.limit = int(number)
        self.seen = 0

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        writing = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING
        if event not in CHANGES and not writing:
            return
        if self.kind not in ("", event):
            return
        self.seen += 1
        if self.seen == self.limit:
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    fate = Fate(sys.argv.pop(1))

    from nemorun_cli.cli import main as nemorun

    sys.addaudithook(fate)
    try:
        nemorun()
    finally:
        if fate.limit == 0:
            os.write(2, f"steps: {fate.seen}\n".encode())


if __name__ == "__main__":
    main()
