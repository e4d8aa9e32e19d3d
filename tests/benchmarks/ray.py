"""Measures what a launch on Ray costs beside Ray's own submission, on the test cluster.

    make bench-ray

Times are of the wall: a part of them is waiting for the cluster.
"""

import os
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.slurm import NEMORUN, quickest, tell
from tests.testbed.raycluster import RayCluster

# As `ray job submit --no-wait --working-dir .` does.
BARE = """
import sys

from ray.job_submission import JobSubmissionClient

client = JobSubmissionClient(sys.argv[1])
client.submit_job(entrypoint="true", runtime_env={"working_dir": "."})
"""
FILES = 50


def launching(cluster: RayCluster, folder: Path) -> None:
    """A launch whose code the cluster has, against the same submission by Ray's own client."""
    project = folder / "project"
    project.mkdir()
    (project / "nemorun.toml").touch()
    for number in range(FILES):
        (project / f"module{number}.py").write_text(f"VALUE = {number}\n" * 100)
    env = {**os.environ, "HOME": str(folder), "NEMORUN_HOME": str(folder / "store")}
    env |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(cluster.token)}
    where = ("-e", "ray", "-x", f"address={cluster.address}", "-x", f"job_dir={folder / 'jobs'}")
    command = ("command", "--", "true")
    dry = quickest((*NEMORUN, "launch", *where, "--dry-run", *command), env, project)
    bare = quickest((sys.executable, "-c", BARE, cluster.address), env, project)
    launch = quickest((*NEMORUN, "launch", *where, *command), env, project)
    limit = dry + 1.5 * bare
    tell("launch on a Ray cluster", launch, limit, unit="ms", of="dry run + 1.5 x Ray's client")
    print(f"      a dry run took {dry * 1000:.0f} ms, Ray's client {bare * 1000:.0f} ms")
    print(f"      a launch is {launch / bare:.2f} x Ray's client")


def main() -> None:
    """Print the table; exit with 0 whatever it says."""
    cluster = RayCluster.start()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:  # Jobs may still run.
        launching(cluster, Path(folder))


if __name__ == "__main__":
    main()
