"""The page on executors says what each of them can do, as the code has it."""

import dataclasses
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nemorun_cli import executors
from nemorun_cli.core import ports
from nemorun_cli.core.errors import SpecError
from nemorun_cli.core.jobs import Dependency, JobHandle, JobSpec, Plan
from nemorun_cli.core.ports import Executor

PAGE = Path(__file__).parents[2] / "docs" / "executors.md"
TABLE = re.compile(r"^\| *\|.*\n(?:\|.*\n)*", re.MULTILINE)
WRITE = os.environ.get("NEMORUN_GOLDEN") == "write"
HOME = Path("/home/you/.local/state/nemorun")
CLUSTER = {"ray": {"address": "http://head:8265"}}
"""Settings without which an executor is not what the page speaks of."""
FAR = {
    "docker": {"docker_host": "ssh://elsewhere"},
    "slurm": {"host": "elsewhere", "job_dir": "/scratch"},
    "ray": {"address": "http://elsewhere:8265"},
}
NEEDED = {"docker": {"image": "python"}}
PARENT = Dependency(
    run_id="20260101-000000-aaaaaaaa",
    condition="ok",
    handle=JobHandle(executor="e", target="t", key="k", native_id="n"),
    directory="/jobs/k",
)
Cell = Callable[[Executor], str]


def spec_for(executor: Executor, fields: dict[str, Any], asked: dict[str, Any]) -> JobSpec:
    """A recipe for this executor that asks for these things."""
    ask = executor.Resources(**{**NEEDED.get(executor.name, {}), **asked})
    key = "20260101-000000-bbbbbbbb-1"
    plain = JobSpec(run_id=key[:-2], key=key, name="n", config="{}", resources=ask)
    return dataclasses.replace(plain, **fields)


def told(plan: Plan) -> str:
    """What a plan tells the back-end and the job; the job's own environment does not count."""
    text = repr((sorted(plan.files.items()), plan.commands))
    return re.sub(r"NEMORUN_[A-Z_]+=[^\\]*", "", text)


def asking(**asked: Any) -> Cell:
    """Whether an executor takes these settings, and does something with them."""

    def cell(executor: Executor) -> str:
        try:
            plan = executor.plan(spec_for(executor, {}, asked))
        except SpecError:
            return ""
        return "yes" if told(plan) != told(executor.plan(spec_for(executor, {}, {}))) else ""

    return cell


def given(**fields: Any) -> Cell:
    """Whether an executor takes a job that has this."""

    def cell(executor: Executor) -> str:
        try:
            executor.plan(spec_for(executor, fields, {}))
        except SpecError:
            return ""
        return "yes"

    return cell


def having(*names: str) -> Cell:
    """Which of these settings an executor has."""

    def cell(executor: Executor) -> str:
        known = {each.name for each in dataclasses.fields(executor.Resources)}
        return ", ".join(f"`{name}`" for name in names if name in known)

    return cell


def able(protocol: type) -> Cell:
    """Whether an executor has the ability."""
    return lambda executor: "yes" if isinstance(executor, protocol) else ""


def far(executor: Executor) -> str:
    """The setting that names another machine."""
    if executor.name not in FAR:
        return ""
    place = FAR[executor.name]
    there = type(executor).here(HOME, **place)
    try:
        there.plan(spec_for(there, {}, {}))
    except SpecError:
        return ""
    return f"`{next(iter(place))}`"


def asked(executor: Executor) -> str:
    """How often the back-end is asked for states."""
    if executor.instant:
        return "each time"
    floor = executor.floor() if isinstance(executor, ports.AsksRarely) else 30
    return f"every {floor:.0f} s"


ABILITIES = {
    "HasMetrics": "Metrics: `metrics`, `compare`, `show`",
    "HasFiles": "Files that a run has left: `pull`, `reproduce --file`",
    "HasEnvironment": "What a run ran with: `show --environment`",
    "ForeseesEnvironment": "`launch` sees whether an earlier run had the same environment",
    "CanMeasure": "`gc` tells the size of jobs' folders",
    "KeepsCode": "`gc` also collects code that was sent to another host",
    "BlamesNodes": "New jobs are kept off nodes that have failed lately",
    "CanExamine": "`doctor`",
    "CanRemove": "`rm` deletes the job's folder",
    "CanCancelTogether": "`cancel` of many by few requests",
    "CanWait": "`wait` sleeps until there is news",
    "LaysOutCode": "Of a large project a launch stores only what is new",
    "CanGlance": "Some ends are seen without asking",
    "CanPollNow": "`--refresh now` asks in any case",
}
"""What users know the optional protocols by; one that is not here is shown by its own words."""
ROWS: dict[str, Cell] = {
    "Several nodes: `nodes=2`": asking(nodes=2),
    "`launcher=torchrun nproc=2`": asking(launcher="torchrun", nproc=2),
    "torchrun on several nodes": asking(launcher="torchrun", nproc=2, nodes=2),
    "Several processes on a node without torchrun: `nproc=2`": asking(nproc=2),
    "GPUs kept for the job: `gpus_per_node=1`": asking(gpus_per_node=1),
    "CPUs and memory kept for the job": having(
        "cpus", "cpus_per_task", "memory", "mem", "mem_per_cpu"
    ),
    "Time limit and grace: `time=1h grace=1m`": asking(time=3600, grace=60),
    "Failed attempts again: `retries=2`": asking(retries=2),
    "On in a new attempt after the time limit": having("auto_resume"),
    "Container image": having("image"),
    "Folders for the container": having("mounts"),
    "Standard error apart: `split_streams=true`": asking(split_streams=True),
    "Another interpreter: `python=PATH`": asking(python="/opt/python"),
    "`--secret`": given(secrets={"TOKEN": "word"}),
    "`--after`": given(after=(PARENT,)),
    "Whatever else the back-end takes": having("create", "sbatch", "srun", "runtime_env"),
    "Jobs on another machine": far,
    "States are asked for": asked,
}


def abilities() -> dict[str, Cell]:
    """A row for each optional protocol but the one that says how often to ask."""
    found = {
        name: each
        for name, each in vars(ports).items()
        if getattr(each, "_is_runtime_protocol", False) and each is not ports.AsksRarely
    }
    return {ABILITIES.get(name) or own_words(each): able(each) for name, each in found.items()}


def own_words(protocol: type) -> str:
    """What the first line of a protocol says of an executor that has it."""
    words = (protocol.__doc__ or "").splitlines()[0].removeprefix("An executor that ")
    return words.rstrip(".").capitalize()


def table() -> str:
    """Rows of what there is, columns of who has it."""
    names, rows = list(executors.BUILT_IN), {**ROWS, **abilities()}
    each = [executors.load(name).here(HOME, **CLUSTER.get(name, {})) for name in names]
    lines = [f"| | {' | '.join(f'`{name}`' for name in names)} |", "|---" * (len(names) + 1) + "|"]
    lines += [f"| {what} | {' | '.join(map(cell, each))} |" for what, cell in rows.items()]
    return "".join(f"{line}\n" for line in lines)


def test_the_page_says_what_each_executor_can_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.delenv("DOCKER_CONTEXT", raising=False)
    before, found = PAGE.read_text(), table()

    after = TABLE.sub(lambda _: found, before)

    if WRITE:
        PAGE.write_text(after)
    assert found in after
    assert before == after or WRITE, "`make golden` and read the diff"


@pytest.mark.parametrize("what", [*ROWS, *abilities()])
def test_some_executor_can_do_it_and_the_page_has_a_row_for_it(what: str) -> None:
    row = next(line for line in table().splitlines() if line.startswith(f"| {what} |"))

    assert any(cell.strip() for cell in row.split("|")[2:-1])
