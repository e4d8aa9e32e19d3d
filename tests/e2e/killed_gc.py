"""Has `gc` delete all of a store again and again, killed before each thing it does; then once more.

    python -m tests.e2e.killed_gc STORE COPY

Tells before how many things it was killed. COPY is a place in which to keep the store meanwhile.
"""

import os
import shutil
import sys
from pathlib import Path

from nemorun_cli.actions import gc, wiring
from nemorun_cli.core.runs import Filter
from tests.e2e.killed_nemorun import Fate

KILLED = -9


def main() -> None:
    store, copy = map(Path, sys.argv[1:])
    shutil.copytree(store, copy, symlinks=True)
    whole = _runs(store)
    at, ended = 0, KILLED
    collect(0)  # Imports everything.
    while ended == KILLED:
        at += 1
        shutil.rmtree(store)
        shutil.copytree(copy, store, symlinks=True)
        ended = in_child(at)
        shown = wiring.ports().index.select(Filter(), limit=None)
        found = _runs(store)
        assert {run.id for run in shown.runs} == set(found), at
        assert not shown.problems, at
        for run_id, names in found.items():
            assert names == whole[run_id], (at, run_id)
        assert in_child(0) == 0, at
        assert not (left := _left(store)), (at, left)
    sys.stdout.write(f"{at - 1}\n")


def collect(at: int) -> None:
    sys.addaudithook(Fate(str(at)))
    ports = wiring.ports()
    gc.collect(gc.find(gc.Rule(older_than=0), ports=ports), ports=ports)


def in_child(at: int) -> int:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            collect(at)
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _runs(store: Path) -> dict[str, set[str]]:
    """The files of each run, and of its job's folder."""
    return {
        folder.name: {
            str(path.relative_to(store))
            for top in (folder, store / "jobs" / f"{folder.name}-1")
            for path in top.rglob("*")
        }
        for folder in store.glob("runs/2*/*")
    }


def _left(store: Path) -> set[str]:
    """The files that are neither journal nor index nor a lock."""
    found = {str(path.relative_to(store)) for path in store.rglob("*") if not path.is_dir()}
    return {
        name
        for name in found
        if not name.startswith(("journal/", "index/")) and not name.endswith(".lock")
    }


if __name__ == "__main__":
    main()
