"""What a launch here pays for a snapshot of very many files, of which one has changed."""

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from nemorun_cli.job.layingout import discard

if TYPE_CHECKING:
    from tests.benchmarks.bench import Bench

FOLDERS, FILES = 200, 100
NOTHING = """import time; from nemorun_cli import packagers
from nemorun_cli.packagers.companions import Also"""
TAKE = f"""{NOTHING}
from pathlib import Path
root, home = Path("tree").resolve(), Path("snapshots").resolve()
(root / "folder0/file0.py").write_text(str(time.time()))
packagers.take(root, home / "code", home=home, workdir=".", now=time.time(), also=Also(later=True))
"""


def snapshots(bench: "Bench") -> None:
    """A tree of 20,000 files, of which one has changed since the snapshot before."""
    tree = bench.project / "tree"
    for each in range(FOLDERS):
        (tree / f"folder{each}").mkdir(parents=True)
        for number in range(FILES):
            path = tree / f"folder{each}/file{number}.py"
            path.write_text(f"NUMBER = {each * FILES + number}\n" * 20)
            os.utime(path, (1, 1))
    who = ("-c", "user.name=bench", "-c", "user.email=bench@example.com")
    for argv in (("init", "-q"), ("add", "."), (*who, "commit", "-qm", "one")):
        subprocess.run(["git", *argv], cwd=tree, env=bench.env(), check=True)
    bench.cost("git", "-C", "tree", "status")
    bench.python(TAKE)
    status = bench.cost("git", "-C", "tree", "status")
    changed = bench.cost(sys.executable, "-c", TAKE)
    imported = bench.python(NOTHING)
    ours = changed.cpu - imported.cpu
    bench.row("snapshot of 20,000 files, 1 changed", ours, 2 * status.cpu, of="2 x git status")
    for folder in (tree, bench.project / "snapshots"):  # The project is that of other parts, too.
        discard(folder)
