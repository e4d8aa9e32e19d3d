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


def main() -> None:
    number, _, kind = sys.argv.pop(1).partition(":")
    limit = int(number)
    seen = 0

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal seen
        writing = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING
        if event not in CHANGES and not writing:
            return
        if kind not in ("", event):
            return
        seen += 1
        if seen == limit:
            os.kill(os.getpid(), signal.SIGKILL)

    from nemorun_cli.cli import main as nemorun

    sys.addaudithook(count)
    try:
        nemorun()
    finally:
        if limit == 0:
            os.write(2, f"steps: {seen}\n".encode())


if __name__ == "__main__":
    main()
