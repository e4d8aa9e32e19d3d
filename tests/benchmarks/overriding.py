"""What overrides cost: many against one, large configs against small ones, and other tools.

The others are measured where they are installed (requirements.txt). Each does what its users do to
read the same overrides into the same dataclass, and prints one value; `launch --dry-run` besides
finds the recipe, checks, stores and shows the config, and plans the job.
"""

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.benchmarks.bench import Bench

FIELDS = 200
WIDE = (
    "from __future__ import annotations\nimport sys\n"
    "from dataclasses import dataclass, field\n\n\n@dataclass\nclass Wide:\n"
    + "\n".join(f"    f{number}: int = {number}" for number in range(FIELDS))
    + "\n\n\n@dataclass\nclass Config:\n    wide: Wide = field(default_factory=Wide)\n\n\n"
)
TYRO = WIDE + "import tyro\n\nprint(tyro.cli(Config).wide.f0)\n"
HYDRA = (
    WIDE
    + """import hydra
from hydra.core.config_store import ConfigStore

ConfigStore.instance().store(name="config", node=Config)


@hydra.main(version_base=None, config_name="config")
def main(config):
    print(config.wide.f0)


main()
"""
)
ABSL = (
    WIDE
    + """import fiddle as fdl
from absl import app
from fiddle import absl_flags


def base():
    return fdl.Config(Config, wide=fdl.Config(Wide))


HERE = sys.modules[__name__]
FLAG = absl_flags.DEFINE_fiddle_config("config", default_module=HERE, help_string="what to do")
app.run(lambda argv: print(fdl.build(FLAG.value).wide.f0))
"""
)
Typed = Callable[[int], list[str]]
PEERS: list[tuple[str, str, str, Typed]] = [
    (
        "tyro",
        "tyro",
        TYRO,
        lambda count: [each for n in range(count) for each in (f"--wide.f{n}", "7")],
    ),
    (
        "hydra",
        "hydra",
        HYDRA,
        lambda count: [
            *("hydra.run.dir=.", "hydra.output_subdir=null", "hydra/job_logging=none"),
            *(f"wide.f{n}=7" for n in range(count)),
        ],
    ),
    (
        "absl flags",
        "etils",
        ABSL,
        lambda count: [
            "--config=config:base",
            *(f"--config=set:wide.f{n}=7" for n in range(count)),
        ],
    ),
]
LEAVES = """
from dataclasses import dataclass

import fiddle as fdl
from nemorun_cli import recipe


@dataclass
class Ten:
    a: int = 0
    b: float = 0.0
    c: str = "c"
    d: tuple[int, int] = (0, 0)
    e: list[int] | None = None
    f: int = 0
    g: int = 0
    h: int = 0
    i: int = 0
    j: int = 0


def go(parts: list[Ten]) -> None:
    print(len(parts))


@recipe
def leaves(n: int = 100) -> fdl.Partial:
    return fdl.Partial(go, parts=[fdl.Config(Ten, a=k, e=[k]) for k in range(n)])
"""


def overriding(bench: "Bench") -> None:
    """All of it, as rows of the table."""
    _large(bench)
    many = [f"wide.f{number}=7" for number in range(FIELDS)]
    ours = {
        count: bench.nemorun("launch", "wide", *many[:count], "--dry-run").cpu
        for count in (1, FIELDS)
    }
    for name, module, script, typed in PEERS:
        if importlib.util.find_spec(module) is None:
            continue
        file = Path(bench.folder) / f"{module}_peer.py"
        file.write_text(script)
        for count, cpu in ours.items():
            theirs = bench.cost(sys.executable, str(file), *typed(count)).cpu
            word = "override" if count == 1 else "overrides"
            bench.row(f"{count} {word} against {name}", cpu, theirs, of=name)


def _large(bench: "Bench") -> None:
    (bench.project / "recipes" / "leaves.py").write_text(LEAVES)
    changes = ("Ten:b=0.5", "parts[-1].d=(1, 2)", "parts[0].e+=3")
    small, large = (
        bench.nemorun("launch", f"leaves(n={count})", *changes, "--dry-run", repeat=3).cpu
        for count in (100, 1000)
    )
    bench.row("a config of 10,000 leaves", large, 10 * small, of="10 x 1,000 leaves")
    read = []
    for count in (100, 1000):
        bench.nemorun("launch", f"leaves(n={count})", "--wait", repeat=1)
        file = bench.project / f"{count}.yaml"
        with file.open("w") as out:
            shown = [sys.executable, "-m", "nemorun_cli", "show", "last", "--config"]
            subprocess.run(shown, cwd=bench.project, env=bench.env(), stdout=out, check=True)
        argv = ("launch", f"leaves(n={count})", "-f", file.name, "--dry-run")
        read.append(bench.nemorun(*argv, repeat=3).cpu)
    bench.row("the same read from its export", read[1], 10 * read[0], of="10 x 1,000 leaves")
