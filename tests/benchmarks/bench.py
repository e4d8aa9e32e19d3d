"""Measures the budgets of the design, each as a ratio against a baseline of the same minute.

    make bench

CPU is user and system time of a command and of all its children that it waited for, the smallest
of several runs. Nothing here is a test: a busy machine must not fail anybody's build.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

NEMORUN = (sys.executable, "-m", "nemorun_cli")
LINE = b"step 000000  loss 0.123456  tokens/s 123456\n"


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a command took: seconds of CPU, seconds on the wall, KiB of memory at most."""

    cpu: float
    wall: float
    memory: int


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table."""

    what: str
    ours: str
    budget: str
    met: bool


def cost(argv: Sequence[str], env: dict[str, str], cwd: Path, repeat: int = 7) -> Cost:
    """The cheapest of several runs of this command."""
    costs = []
    for _ in range(repeat):
        start = time.monotonic()
        process = subprocess.Popen(
            argv,
            env=env,
            cwd=cwd,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise RuntimeError(f"{argv} failed: {process.returncode}")
        costs.append(
            Cost(
                cpu=usage.ru_utime + usage.ru_stime,
                wall=time.monotonic() - start,
                memory=usage.ru_maxrss,
            ),
        )
    return min(costs, key=lambda each: each.cpu)


class Bench:
    """A store and a project of its own, and the commands measured in them."""

    def __init__(self, folder: Path, *, many: int, log_megabytes: int) -> None:
        self.folder = folder
        self.many = many
        self.log_megabytes = log_megabytes
        self.project = folder / "project"
        self.rows: list[Row] = []

    def env(self, store: str = "store") -> dict[str, str]:
        """An environment with this store."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "NEMORUN_HOME": str(self.folder / store),
            "NO_COLOR": "1",
        }

    def cost(self, *argv: str, store: str = "store", repeat: int = 7) -> Cost:
        """What a command costs in the project."""
        return cost(argv, self.env(store), self.project, repeat)

    def nemorun(self, *arguments: str, store: str = "store", repeat: int = 7) -> Cost:
        """What nemorun costs in the project."""
        return self.cost(*NEMORUN, *arguments, store=store, repeat=repeat)

    def completion(self, *words: str, store: str = "store") -> float:
        """Seconds of CPU that a shell waits for when TAB is pressed after these words."""
        env = {**self.env(store), "_NEMORUN_COMPLETE": "1"}
        return cost((*NEMORUN, *words), env, self.project).cpu

    def python(self, code: str) -> Cost:
        """What this line of Python costs."""
        return self.cost(sys.executable, "-c", code)

    def row(self, what: str, ours: float, limit: float, *, unit: str = "ms", of: str) -> None:
        """Add a line: our figure, and the limit that the baseline gives it."""
        scale = 1000 if unit == "ms" else 1
        self.rows.append(
            Row(
                what=what,
                ours=f"{ours * scale:.0f} {unit}",
                budget=f"{limit * scale:.0f} {unit} ({of})",
                met=ours <= limit,
            ),
        )

    def prepare(self) -> None:
        """A project with 200 files under git, and one run."""
        self.project.mkdir(parents=True)
        recipes = self.project / "recipes"
        recipes.mkdir()
        fields = "\n".join(f"    f{number}: int = {number}" for number in range(200))
        (recipes / "wide.py").write_text(
            "from dataclasses import dataclass\nimport fiddle as fdl\n"
            "from nemorun_cli import recipe\n\n\n@dataclass\nclass Wide:\n"
            f"{fields}\n\n\ndef go(wide: Wide) -> None:\n    print(wide.f0)\n\n\n"
            "@recipe\ndef wide() -> fdl.Partial:\n"
            '    """Two hundred fields."""\n    return fdl.Partial(go, wide=fdl.Config(Wide))\n',
        )
        for number in range(200):
            (self.project / f"module_{number}.py").write_text(f"NUMBER = {number}\n" * 50)
        for argv in (["git", "init", "-q"], ["git", "add", "."]):
            subprocess.run(argv, cwd=self.project, env=self.env(), check=True)
        self.nemorun("launch", "wide", "--wait", repeat=1)
        self.nemorun("recipes", "wide", repeat=1)

    def starting(self) -> None:
        """Help and list against importing Typer alone; launch against fiddle and a second."""
        typer = self.python("import typer").cpu
        fiddle = self.python("import fiddle").cpu
        limit = typer + 0.05
        of = "import typer + 50 ms"
        self.row("nemorun --help", self.nemorun("--help").cpu, limit, of=of)
        self.row("nemorun list", self.nemorun("list").cpu, limit, of=of)
        self.row("completion of recipes", self.completion("launch", ""), 0.05, of="50 ms")
        warm = self.completion("launch", "wide", "wide.")
        self.row("completion of 200 paths", warm, 0.05, of="50 ms")
        cold = self.completion("launch", "wide", "wide.", store="none")
        self.row("the same of a recipe never loaded", cold, 1.0, of="1 s")
        overrides = [f"wide.f{number}={number + 1}" for number in range(200)]
        dry = self.nemorun("launch", "wide", *overrides, "--dry-run").cpu
        self.row("launch --dry-run, 200 overrides", dry, fiddle, of="import fiddle")
        one = self.nemorun("launch", "wide", "wide.f0=1", "--dry-run").cpu
        self.row("the same against 1 override", dry, 1.5 * one, of="1.5 x 1 override")
        detached = self.nemorun("launch", "wide")
        self.row("detached local launch", detached.cpu, 0.30, of="0.30 s")

    def resident(self) -> None:
        """What a running job keeps in memory beside its payload."""
        argv = [*NEMORUN, "launch", "command", "--", "sleep", "60"]
        found = subprocess.run(
            argv,
            cwd=self.project,
            env=self.env(),
            check=True,
            capture_output=True,
            text=True,
        )
        run_id = found.stdout.strip()
        process = self.folder / "store" / "jobs" / f"{run_id}-1" / "process.json"
        pid = json.loads(process.read_text())["pid"]
        private = _private_kilobytes(pid)
        self.row("private memory of a live run", private, 2048, unit="KiB", of="2 MiB")
        subprocess.run([*NEMORUN, "cancel", run_id], cwd=self.project, env=self.env(), check=True)

    def listing(self) -> None:
        """A list of many runs against one of a hundred."""
        for name, count in (("hundred", 100), ("many", self.many)):
            _fill(self.folder / name, count)
            self.nemorun("list", store=name, repeat=1)
        hundred = self.nemorun("list", store="hundred").cpu
        many = self.nemorun("list", store="many").cpu
        of = f"1.5 x 100 runs ({hundred * 1000:.0f} ms)"
        self.row(f"list over {self.many} runs", many, 1.5 * hundred, of=of)

    def querying(self) -> None:
        """A list by values of ten thousand configs against a plain one of the same runs."""
        count = 10_000
        _fill(self.folder / "configs", count, rates=True)
        asked = ("list", "--where", "state=succeeded and optim.lr>0.5", "--sort", "-optim.lr")
        for arguments in (("list",), asked):
            self.nemorun(*arguments, store="configs", repeat=1)
        plain = self.nemorun("list", store="configs").cpu
        ours = self.nemorun(*asked, store="configs").cpu
        self.row(f"list --where over {count} runs", ours, 1.0, of="1 s")
        of = f"4 x list ({plain * 1000:.0f} ms)"
        self.row("the same against a plain list", ours, 4 * plain, of=of)

    def tailing(self) -> None:
        """The end of a large log against tail(1)."""
        run_id = self._finished_run()
        log = self.folder / "store" / "jobs" / f"{run_id}-1" / "logs" / "1" / "0.log"
        with log.open("wb") as file:
            for _ in range(self.log_megabytes):
                file.write(LINE * (2**20 // len(LINE)))
        tail = self.cost("tail", "-n", "10", str(log)).cpu
        start = self.nemorun("list").cpu
        ours = self.nemorun("logs", run_id, "--tail", "10")
        size = f"{self.log_megabytes} MB"
        self.row(f"last 10 lines of {size}", ours.cpu, 2 * tail + start, of="2 x tail + list")
        plain = self.nemorun("list").memory
        self.row("memory for that", ours.memory, plain + 4096, unit="KiB", of="list + 4 MiB")

    def following(self) -> None:
        """How soon a line that a job writes comes out of `logs --follow`."""
        script = "import time\nfor _ in range(20): print(time.time(), flush=True); time.sleep(.05)"
        run_id = subprocess.run(
            [*NEMORUN, "launch", "command", "--", sys.executable, "-c", script],
            cwd=self.project,
            env=self.env(),
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        follow = subprocess.Popen(
            [*NEMORUN, "logs", run_id, "--follow"],
            cwd=self.project,
            env=self.env(),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert follow.stdout is not None
        delays = sorted(time.time() - float(line) for line in follow.stdout)
        follow.wait()
        self.row("delay of a followed line, median", delays[10], 0.05, of="50 ms")

    def sweep(self) -> None:
        """A hundred launches one after the other against a hundred bare interpreters."""
        count = 20
        bare = self.python("pass").wall
        start = time.monotonic()
        for _ in range(count):
            self.nemorun("launch", "command", "--", "true", repeat=1)
        ours = (time.monotonic() - start) / count
        self.row("one of 20 launches in a loop", ours, 0.3 + bare, of="0.3 s + python")

    def _finished_run(self) -> str:
        found = subprocess.run(
            [*NEMORUN, "launch", "command", "--", "true"],
            cwd=self.project,
            env=self.env(),
            check=True,
            capture_output=True,
            text=True,
        )
        run_id = found.stdout.strip()
        self.nemorun("wait", run_id, repeat=1)
        return run_id


def _private_kilobytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))


def _fill(home: Path, count: int, *, rates: bool = False) -> None:
    """A store with this many finished runs, made from copies of one record.

    With `rates`, each has a config of thirty fields and a rate of its own.
    """
    from dataclasses import replace

    from nemorun_cli import processes
    from nemorun_cli.config.canonical import config_hash
    from nemorun_cli.core.ids import new_id
    from nemorun_cli.core.jobs import JobState, JobStatus
    from nemorun_cli.core.runs import RunRecord
    from nemorun_cli.store.files import Store

    store = Store(home=home, host="bench")
    record = RunRecord(
        id="",
        recipe="wide",
        executor="local",
        target={"job_dir": str(home / "jobs"), "machine": processes.machine()},
        resources={},
        directory="/nowhere",
        created_at=0,
        submitter=processes.describe(os.getpid()),
        host="bench",
        user="bench",
    )
    done = JobStatus(state=JobState.SUCCEEDED, exit_code=0, started_at=1, ended_at=2)
    for number in range(count):
        seconds = 1_700_000_000 + number * 60
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(seconds))
        run_id = new_id(stamp, os.urandom(8))
        known, files = replace(record, id=run_id, created_at=float(seconds)), {}
        if rates:
            optim = {"_target_": "a:adam", "_kind_": "config", "lr": number / count}
            fields = {f"f{each}": each for each in range(30)}
            config = {"_target_": "a:train", "_kind_": "partial", "optim": optim, **fields}
            known = replace(known, config_hash=config_hash(config))
            files = {"config.json": json.dumps(config)}
        store.create(known, files)
        store.conclude(run_id, done, now=seconds, evidence="bench")


def main() -> None:
    """Print the table; exit with 0 whatever it says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--many", type=int, default=100_000, help="runs in the large store")
    parser.add_argument("--log-megabytes", type=int, default=1024)
    options = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from tests.benchmarks.overriding import overriding
    from tests.benchmarks.snapshots import snapshots

    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), many=options.many, log_megabytes=options.log_megabytes)
        bench.prepare()
        parts: list[Callable[[], None]] = [
            bench.starting,
            lambda: overriding(bench),
            lambda: snapshots(bench),
            bench.resident,
            bench.tailing,
            bench.following,
            bench.sweep,
            bench.listing,
            bench.querying,
        ]
        for part in parts:
            shown = len(bench.rows)
            part()
            for row in bench.rows[shown:]:
                mark = "ok  " if row.met else "OVER"
                print(f"{mark}  {row.what:38}  {row.ours:>10}  budget {row.budget}", flush=True)


if __name__ == "__main__":
    main()
