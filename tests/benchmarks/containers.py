"""Measures what a launch in a container costs beside `docker run`, on the test engine.

    make bench-docker

Times are of the wall, the shortest of several runs: most of them is waiting for the engine.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.testbed.engine import SH, TestEngine

NEMORUN = (sys.executable, "-m", "nemorun_cli")
LAUNCH = ("launch", "-e", "docker", "-x", f"image={SH}")
RUN = ("docker", "run", "--detach", "--label", "nemorun-bench", SH, "true")
REPEAT = 9


def taken(argv: Sequence[str], env: dict[str, str], cwd: Path) -> float:
    """Seconds that a command took."""
    begun = time.monotonic()
    subprocess.run(argv, env=env, cwd=cwd, check=True, capture_output=True)
    return time.monotonic() - begun


def main() -> None:
    """Print the table; exit with 0 whatever it says."""
    engine = TestEngine.start()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "nemorun.toml").touch()
        env = {**os.environ, "DOCKER_HOST": engine.address, "NEMORUN_HOME": str(folder / "store")}
        dry = (*NEMORUN, *LAUNCH, "--dry-run", "command", "--", "true")
        launch = (*NEMORUN, *LAUNCH, "command", "--", "true")
        # In turn, so that all of them meet the same machine.
        rounds = [[taken(each, env, folder) for each in (RUN, dry, launch)] for _ in range(REPEAT)]
        bare, start, ours = map(min, zip(*rounds, strict=True))
        taken((*NEMORUN, "list"), env, folder)
    for each in engine.api.containers("nemorun-bench"):
        engine.api.remove(each["Id"], running=True)
    limit = 1.5 * bare + start
    mark = "ok  " if ours <= limit else "OVER"
    of = f"1.5 x docker run ({bare * 1000:.0f} ms) + a dry run ({start * 1000:.0f} ms)"
    print(
        f"{mark}  launch in a container  {ours * 1000:.0f} ms  budget {limit * 1000:.0f} ms ({of})"
    )


if __name__ == "__main__":
    main()
