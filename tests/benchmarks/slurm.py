"""Measures what a launch on Slurm costs beside Slurm itself, on the test cluster.

    make bench-slurm

Times are of the wall: most of them is waiting for others.
"""

import os
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from nemorun_cli.executors.slurm import SlurmExecutor
from nemorun_cli.slurm.asking import SlurmResources
from nemorun_cli.testing import new_spec
from tests.testbed.cluster import Cluster

NEMORUN = (sys.executable, "-m", "nemorun_cli")
OURS = "bench-"
"""How the names of its jobs begin: others may use the cluster, too."""
LAUNCH = ("launch", "-e", "slurm", "-x", "begin=now+1hour", "-x", f"job_name_prefix={OURS}")
PAYLOAD = ("command", "--", "true")
JOBS = 500
TRIPS = 5


def quickest(argv: Sequence[str], env: dict[str, str], cwd: Path, repeat: int = 7) -> float:
    """Seconds that the quickest of several runs of a command took."""
    taken = []
    for _ in range(repeat):
        begun = time.monotonic()
        subprocess.run(argv, env=env, cwd=cwd, check=True, capture_output=True)
        taken.append(time.monotonic() - begun)
    return min(taken)


def counted(folder: Path, *programs: str) -> tuple[Path, Callable[[], list[str]]]:
    """A folder for PATH in which these programs note each call, and what was noted."""
    log = folder / "calls"
    folder.mkdir()
    for name in programs:
        path = folder / name
        real = f"PATH=${{PATH#{folder}:}} command -v {name}"
        path.write_text(f'#!/bin/sh\necho "{name} $*" >>{log}\nexec "$({real})" "$@"\n')
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return folder, lambda: log.read_text().splitlines() if log.exists() else []


def tell(what: str, ours: float, limit: float, *, unit: str, of: str) -> None:
    """One line of the table."""
    scale = 1000 if unit == "ms" else 1
    mark = "ok  " if ours <= limit else "OVER"
    budget = f"{limit * scale:.0f} {unit} ({of})"
    print(f"{mark}  {what:38}  {ours * scale:>7.0f} {unit}  budget {budget}", flush=True)


def launching(cluster: Cluster, folder: Path) -> None:
    """A launch on the login node, against the same command without its submission, and sbatch."""
    project = folder / "project"
    project.mkdir()
    (project / "nemorun.toml").touch()
    env = {**cluster.env(), "HOME": str(folder), "NEMORUN_HOME": str(folder / "store")}
    later = ("--begin=now+1hour", "--output=/dev/null", f"--job-name={OURS}bare", "--wrap=true")
    bare = ("sbatch", "--parsable", *later)
    sbatch = quickest(cluster.on_login(bare), env, project)
    words = (*NEMORUN, *LAUNCH)
    dry = quickest(cluster.on_login((*words, "--dry-run", *PAYLOAD)), env, project)
    launch = quickest(cluster.on_login((*words, *PAYLOAD)), env, project)
    tell("launch on the cluster", launch, dry + 2 * sbatch, unit="ms", of="dry run + 2 x sbatch")


def tripping(cluster: Cluster, folder: Path) -> None:
    """How often a launch over SSH goes there and back, its code not there yet."""
    project = folder / "far"
    project.mkdir()
    (project / "nemorun.toml").touch()
    shims, calls = counted(folder / "shims", "ssh")
    env = {**os.environ, "HOME": str(folder), "NEMORUN_HOME": str(folder / "far-store")}
    env["PATH"] = f"{shims}:{env['PATH']}"
    where = ("-x", "host=login", "-x", f"ssh_config={cluster.ssh_config}")
    place = ("-x", f"job_dir={folder / 'jobs'}")
    argv = (*NEMORUN, *LAUNCH, *where, *place, *PAYLOAD)
    first = quickest(argv, env, project, repeat=1)
    trips = [call for call in calls() if " -G " not in call and " -O " not in call]
    tell("trips of a first launch over SSH", len(trips), TRIPS, unit="", of="with a connection")
    warm = quickest(argv, env, project)
    print(f"      a first launch over SSH took {first:.2f} s, later ones {warm:.2f} s")


def asking(cluster: Cluster, folder: Path) -> None:
    """How the state of many jobs is asked for, against one bare squeue."""
    os.environ["SLURM_CONF"] = str(cluster.folder / "etc/slurm/slurm.conf")
    executor = SlurmExecutor.here(folder / "many")
    ask = SlurmResources(begin="now+1hour")
    with ThreadPoolExecutor(8) as pool:
        specs = [new_spec("true", resources=ask) for _ in range(JOBS)]
        handles = list(pool.map(executor.submit, specs))
    try:
        plain = quickest(("squeue", "--noheader"), dict(os.environ), folder)
        shims, calls = counted(folder / "counted", "squeue", "sacct")
        os.environ["PATH"] = f"{shims}:{os.environ['PATH']}"
        begun = time.monotonic()
        assert len(executor.poll(handles)) == JOBS
        taken = time.monotonic() - begun
        executor.poll(handles)
        tell(f"calls for the states of {JOBS} jobs", len(calls()), 1, unit="", of="one squeue")
        print(f"      they took {taken / plain:.1f} x a bare squeue ({plain * 1000:.0f} ms)")
    finally:
        executor.cancel_all(handles)


def main() -> None:
    """Print the table; exit with 0 whatever it says."""
    cluster = Cluster.start()
    with tempfile.TemporaryDirectory() as folder:
        for part in (launching, tripping, asking):
            part(cluster, Path(folder))
    queue = cluster.admin("squeue", "--noheader", "--state=PENDING", "--format=%i %j").splitlines()
    ours = [row.split()[0] for row in queue if row.split()[1].startswith(OURS)]
    if ours:
        cluster.admin("scancel", *ours)


if __name__ == "__main__":
    main()
