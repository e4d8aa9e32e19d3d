"""What is handed to Slurm, word for word: `make golden` writes it, the diff is for reading."""

import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemorun_cli.core.errors import SpecError
from nemorun_cli.core.jobs import Code, Dependency, JobHandle, JobSpec, Plan
from nemorun_cli.executors.slurm import SlurmExecutor
from nemorun_cli.payload import recorder_files
from nemorun_cli.slurm import script
from nemorun_cli.slurm.asking import SlurmResources
from nemorun_cli.testing import HOSTILE
from tests.conftest import require

GOLDEN = Path(__file__).parent / "golden"
WRITE = os.environ.get("NEMORUN_GOLDEN") == "write"
RUN = "20261125-101112-abcdefgh"
PARENT = "20261125-101000-hgfedcba"
SHELLS = ("dash", "bash", "busybox")
TRAIN = ("python", "train.py", "--name", 'it\'s a "name" of $5')
EVERYTHING: dict[str, Any] = {
    "nodes": 4,
    "gpus_per_node": 8,
    "time": 2 * 86400 + 3 * 3600,
    "grace": 600,
    "signal": "SIGHUP",
    "auto_resume": 9,
    "retry": ("preempted=inf", "node_failure=3", "oom=0"),
    "retry_window": 86400,
    "account": "deep learning",
    "partition": "gpu,big",
    "qos": "high",
    "constraint": "a100&nvlink",
    "reservation": "maint",
    "ntasks": 32,
    "ntasks_per_node": 8,
    "cpus_per_task": 12,
    "cpus_per_gpu": 12,
    "gpus": "h100:32",
    "gpus_per_task": "1",
    "gres": "gpu:h100:8,nvme:1",
    "mem": "0",
    "mem_per_cpu": "4G",
    "mem_per_gpu": "64G",
    "exclusive": True,
    "exclude": "n[3,7-9]",
    "nodelist": "n[10-13]",
    "begin": "now+1hour",
    "dependency": "singleton",
    "licenses": "matlab:2",
    "nice": 100,
    "open_mode": "truncate",
    "mail_type": "END,FAIL",
    "mail_user": "me@example.org",
    "comment": "paper: table 3",
    "job_name_prefix": "team/",
    "clusters": "alpha",
    "setup": "ulimit -n 65536\nexport OMP_NUM_THREADS=12",
    "modules": ("cuda/12.4", "nccl"),
    "split_streams": True,
    "requeue": True,
    "sbatch": "--switches=1 --propagate 'STACK,CORE' -H",
    "srun": "--cpu-bind=cores --mpi=pmix",
}
CASES: dict[str, dict[str, Any]] = {
    "one node": {},
    "four tasks": {"nproc": 4},
    "torchrun on two nodes": {"nodes": 2, "gpus_per_node": 8, "launcher": "torchrun"},
    "Ray on two nodes": {"nodes": 2, "cpus_per_task": 8, "ray": True, "ray_timeout": 60},
    "a virtual environment": {"runtime": "venv", "venv": "/home/me/my env"},
    "pyxis": {
        "runtime": "pyxis",
        "image": "nvcr.io#nvidia/pytorch:25.01-py3",
        "mounts": ("/data:/data:ro", "/scratch/me"),
        "nproc": 8,
    },
    "apptainer": {
        "runtime": "apptainer",
        "image": "/images/torch.sif",
        "mounts": ("/data:/data:ro",),
        "gpus_per_node": 1,
    },
    "modules and setup": {
        "modules": ("cuda/12.4", "nccl"),
        "setup": "export OMP_NUM_THREADS=4\nulimit -c 0",
    },
    "streams in files of their own": {"split_streams": True},
    "never again": {"requeue": False, "time": 90},
    "everything": EVERYTHING,
}


def spec_of(*argv: str, **asked: Any) -> JobSpec:
    return JobSpec(
        run_id=RUN,
        key=f"{RUN}-1",
        name="a name\nof two lines",
        argv=argv or TRAIN,
        env={"WANDB_MODE": "offline"},
        secrets={"TOKEN": "canary"},
        resources=SlurmResources(**asked),
        code=Code(hash="c0de", path="/store/code/c0de", root="/project", entries=("src", "a b")),
        links={"data": "/big/data"},
        workdir="src",
    )


def plan_of(spec: JobSpec) -> Plan:
    return SlurmExecutor(job_dir="/scratch/me/jobs", machine="m").plan(spec)


def shown(plan: Plan) -> str:
    """The call of sbatch, an option a line, and what of job.sh is not the same in every job."""
    call = "\n    ".join(shlex.quote(word) for word in plan.commands[0])
    head, _, _ = plan.files["job.sh"].partition("# What follows is the same in every job.")
    links = "".join(f"work/{name} -> {target}\n" for name, target in plan.links.items())
    files = "".join(f"{name}\n" for name in plan.files)
    return f"{call}\n\n{files}{links}\n{head.rstrip()}\n"


def check(name: str, text: str) -> None:
    path = GOLDEN / f"{name.replace(' ', '-')}.txt"
    if WRITE:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert path.read_text() == text, f"{path.name}: `make golden` and read the diff"


@pytest.mark.parametrize("case", CASES)
def test_a_job_is_handed_over_like_this(case: str) -> None:
    plan = plan_of(spec_of(**CASES[case]))

    check(case, shown(plan))
    assert "canary" not in repr(plan)
    assert "set -x" not in plan.files["job.sh"]


def test_a_recipe_is_handed_over_like_this() -> None:
    spec = replace(spec_of(launcher="torchrun", nproc=2), argv=None, config="{}")

    check("a recipe", shown(plan_of(spec)))


def test_a_job_that_follows_another_is_handed_over_like_this() -> None:
    handle = JobHandle(executor="slurm", target="m:x", key=f"{PARENT}-1", native_id="41;alpha")
    parents = tuple(
        Dependency(run_id=PARENT, condition=each, handle=handle, directory="/x")
        for each in ("ok", "any", "notok")
    )

    plan = plan_of(replace(spec_of(dependency="singleton"), after=parents))

    assert "--dependency=afterok:41,afterany:41,afternotok:41,singleton" in plan.commands[0]
    assert "after ok" not in plan.files["job.sh"]


def test_everything_is_everything() -> None:
    left = {"launcher", "nproc", "link", "python", "retries", "runtime", "venv", "image", "mounts"}
    left |= {"exclude_bad", "ray", "ray_timeout"}

    assert {each.name for each in fields(SlurmResources)} - EVERYTHING.keys() == left


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("case", CASES)
def test_every_shell_can_read_it(case: str, shell: str, tmp_path: Path) -> None:
    require(shell, there=shutil.which(shell) is not None, why="it is not installed")
    path = tmp_path / "job.sh"
    path.write_text(plan_of(spec_of(**CASES[case])).files["job.sh"])
    words = [shell, "sh", "-n"] if shell == "busybox" else [shell, "-n"]

    done = subprocess.run([*words, str(path)], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


def test_what_is_not_set_is_not_asked_for() -> None:
    (command,) = plan_of(spec_of()).commands

    names = {word.partition("=")[0] for word in command[1:-1]}
    assert names == {
        *("--parsable", "--job-name", "--comment", "--output", "--export", "--requeue"),
        *("--signal", "--nodes", "--open-mode"),
    }


def test_whether_slurm_may_start_a_job_again_is_always_said() -> None:
    words = {
        "--requeue": ((), ("node_failure=0",), ("preempted=0", "node_failure=2", "exit=1")),
        "--no-requeue": (("preempted=0", "node_failure=0"), ("node_failure=0", "preempted=0")),
    }
    for word, asked in words.items():
        for retry in asked:
            (command,) = plan_of(spec_of(retry=retry)).commands
            assert [each for each in command if "requeue" in each] == [word]
    (command,) = plan_of(spec_of(retry=words["--no-requeue"][0], auto_resume=1)).commands
    assert "--requeue" in command


@pytest.mark.parametrize(
    ("asked", "complaint"),
    [
        ({"retry": ("nodefail=3",)}, "'nodefail' is no cause"),
        ({"retry": ("oom",)}, "oom expects a count or inf, got ''"),
        ({"retry": ("oom=-1",)}, "oom expects a count or inf, got '-1'"),
        ({"retry": ("time_limit=2",), "auto_resume": 1}, "mean the same"),
        ({"retry": ("node_failure=3",), "requeue": False}, "node_failure needs requeue=true"),
        ({"retry": ("time_limit=3",), "requeue": False}, "time_limit needs requeue=true"),
    ],
)
def test_retries_that_cannot_be_meant_are_refused(asked: dict[str, Any], complaint: str) -> None:
    with pytest.raises(SpecError, match=complaint):
        plan_of(spec_of(**asked))


TEXTS = {
    "account": "--account=",
    "partition": "--partition=",
    "constraint": "--constraint=",
    "gres": "--gres=",
    "mem": "--mem=",
    "nodelist": "--nodelist=",
    "begin": "--begin=",
    "licenses": "--licenses=",
    "mail_user": "--mail-user=",
    "clusters": "--clusters=",
    "comment": f"--comment=nemorun:{RUN}-1 ",
}
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)


@given(st.sampled_from(sorted(TEXTS)), TEXT | st.sampled_from([*filter(None, HOSTILE)]))
def test_any_text_of_a_setting_is_one_argument_of_sbatch(name: str, text: str) -> None:
    plain, hostile = plan_of(spec_of()), plan_of(spec_of(**{name: text}))

    given_words = [word for word in hostile.commands[0] if word not in plain.commands[0]]

    assert given_words == [f"{TEXTS[name]}{text}"]
    assert hostile.commands[0][-1] == plain.commands[0][-1] == f"{plain.directory}/job.sh"
    assert shown(hostile).partition("#!/bin/sh")[2] == shown(plain).partition("#!/bin/sh")[2]


@given(st.lists(TEXT, min_size=1, max_size=3))
def test_options_pass_through_as_a_shell_reads_them(values: list[str]) -> None:
    words = [f"--switches={value}" for value in values]

    plan = plan_of(spec_of(sbatch=shlex.join(words), srun=shlex.join(words)))

    assert list(plan.commands[0][-1 - len(words) : -1]) == words
    assert shlex.join(words) in plan.files["job.sh"]


OURS = [
    *("--wrap=true", "--array=1-3", "--job-name=x", "--output=x", "--output x", "-o x", "-ox"),
    *("-J x", "-Jx", "-D/tmp", "-a1-3", "-W", "--wait", "--comm=x", "--arr=1-3", "--wra=true"),
    *("--signal=USR1", "--no-requeue", "--requeue", "--export=NONE", "--nodes=2", "-N2", "-N 2"),
    *("--test-only", "--par", "-- other.sh", "other.sh", "--hold other.sh", "--switches=1 x y"),
]


@pytest.mark.parametrize("text", OURS)
def test_what_nemorun_relies_on_does_not_pass_through(text: str) -> None:
    for asked in ({"sbatch": text}, {"sbatch": f"--hold {text}"}):
        with pytest.raises(SpecError, match="sbatch") as found:
            plan_of(spec_of(**asked))
        assert found.value.hint


@pytest.mark.parametrize(
    "text", ["--output=x", "--label", "-l", "-K0", "--kill-on-bad-exit=0", "-n 3", "--ntasks=3"]
)
def test_what_the_logs_rely_on_does_not_pass_through_to_srun(text: str) -> None:
    with pytest.raises(SpecError, match="srun"):
        plan_of(spec_of(srun=text))


@pytest.mark.parametrize(
    "text",
    [
        *("--hold", "-H", "--gpus=2", "--mem=3G", "-p gpu", "-pgpu", "--time=5", "--nice=3"),
        *("--wait-all-nodes=1", "--no-kill", "--switches 1", "--exclusive", "-x n3"),
    ],
)
def test_other_options_pass_through(text: str) -> None:
    (command,) = plan_of(spec_of(sbatch=text, gpus_per_node=2)).commands

    assert list(command[-1 - len(text.split()) : -1]) == text.split()


def test_a_setting_does_not_pass_through_besides() -> None:
    for asked in ({"time": 60, "sbatch": "-t5"}, {"account": "a", "sbatch": "--account=b"}):
        with pytest.raises(SpecError, match="is set by nemorun itself"):
            plan_of(spec_of(**asked))


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        ({"runtime": "pyxis"}, "image"),
        ({"runtime": "apptainer"}, "image"),
        ({"runtime": "venv"}, "venv"),
        ({"runtime": "pyxis", "image": "a.sqsh"}, "absolute"),
        ({"launcher": "torchrun", "ntasks": 4}, "ntasks"),
        ({"ntasks_per_node": 4, "nproc": 4}, "nproc"),
        ({"ray": True, "launcher": "torchrun"}, "launcher=torchrun does not go with ray"),
        ({"ray": True, "nproc": 2}, "nproc=2 does not go with ray"),
        ({"ray": True, "ntasks": 2}, "ntasks=2 does not go with ray"),
        ({"ray": True, "ntasks_per_node": 2}, "ntasks_per_node=2 does not go with ray"),
        ({"auto_resume": 1, "requeue": False}, "requeue"),
        ({"sbatch": "--comment='"}, "sbatch"),
        ({"launcher": "mpirun"}, "mpirun"),
        ({"signal": "USR2@60"}, "signal"),
        ({"signal": "SIGFOO"}, "signal"),
    ],
)
def test_what_cannot_be_meant_is_said_before_anything_is_sent(
    asked: dict[str, Any], word: str
) -> None:
    with pytest.raises(SpecError, match=word):
        plan_of(spec_of(**asked))


@pytest.mark.parametrize(("text", "name"), [("usr1", "USR1"), ("SIGTERM", "TERM"), ("12", "12")])
def test_a_signal_may_be_written_as_it_is_elsewhere(text: str, name: str) -> None:
    assert f"\nwarning={name}\n" in plan_of(spec_of(signal=text)).files["job.sh"]


@pytest.mark.parametrize(
    ("time", "grace", "lead"),
    [(None, 180, 180), (3600, 180, 180), (600, 180, 150), (60, 180, 15), (2, 180, 1)],
)
def test_of_a_short_time_not_all_is_grace(time: int | None, grace: int, lead: int) -> None:
    assert f"--signal=B:USR2@{lead}" in plan_of(spec_of(time=time, grace=grace)).commands[0]


@pytest.mark.parametrize("process", ["0", "1"])
def test_a_container_is_recorded_from_within_by_its_first_task(
    process: str, tmp_path: Path
) -> None:
    (tmp_path / "environment.py").write_text(recorder_files()["environment.py"])
    ask = SlurmResources(runtime="apptainer", image="/images/torch.sif", python=sys.executable)
    command = script._command(replace(spec_of("echo", "begun"), resources=ask), ask, str(tmp_path))
    known = {"SLURM_PROCID": process, "SLURM_NODEID": "0", "NEMORUN_RUN_DIR": str(tmp_path)}

    done = subprocess.run(
        command, env={**os.environ, **known}, capture_output=True, text=True, check=True
    )

    assert (done.stdout, done.stderr) == ("begun\n", "")
    assert (tmp_path / "environment.json").exists() == (process == "0")
