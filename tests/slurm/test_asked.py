"""What a run asks Slurm for, what its job is told, and what nobody is told."""

import hashlib
import os
import re
import secrets
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import NEMORUN
from tests.slurm.users import User, having

LATER = having(begin="now+1hour")


def facts(user: User, run_id: str) -> dict[str, str]:
    """What the controller says of a run's job: name to value."""
    text = user.cluster.admin("scontrol", "--oneliner", "show", "job", user.job(run_id))
    return dict(re.findall(r"([A-Za-z/:]+)=(.*?)(?= +[A-Za-z/:]+=| *$)", text))


def test_every_setting_reaches_slurm(user: User) -> None:
    run_id = user.sh(
        "true",
        *having(account="vision", partition="short", qos="one", time="7m", requeue="false"),
        *having(nodes=2, ntasks_per_node=4, cpus_per_task=2, gpus_per_node=8, mem="64G"),
        *having(exclusive="true", nodelist="n1,n3", exclude="n4", nice=7, begin="now+1hour"),
        *having(comment="a paper", job_name_prefix="me-", mail_type="END", mail_user="me@there"),
        *having(open_mode="truncate", sbatch="--mincpus=3 --switches=1 --deadline=now+9hours"),
    )

    told = facts(user, run_id)
    assert told["JobState"] == "PENDING"
    assert told["JobName"] == f"me-nemorun-{run_id}"
    assert told["Comment"] == f"nemorun:{run_id}-1 a paper"
    assert (told["Account"], told["Partition"], told["QOS"]) == ("vision", "short", "one")
    assert (told["TimeLimit"], told["Requeue"]) == ("00:07:00", "0")
    assert (told["NumNodes"], told["NumTasks"], told["CPUs/Task"]) == ("2-2", "8", "2")
    assert (told["TresPerNode"], told["MinMemoryNode"]) == ("gres:gpu:8", "64G")
    assert told["NtasksPerN:B:S:C"].startswith("4:")
    assert told["OverSubscribe"] == "NO"
    assert (told["ReqNodeList"], told["ExcNodeList"]) == ("n[1,3]", "n4")
    assert (told["MailUser"], told["MailType"]) == ("me@there", "END")
    assert (told["Nice"], told["MinCPUsNode"]) == ("7", "8")
    assert "Switches" in told
    assert told["Deadline"] != "Unknown"


def test_what_was_not_asked_for_is_left_to_the_site(here: User) -> None:
    run_id = here.sh("true", *LATER)

    told = facts(here, run_id)
    assert (told["Account"], told["Partition"], told["QOS"]) == ("ml", "batch", "normal")
    assert (told["TimeLimit"], told["Requeue"]) == ("UNLIMITED", "1")
    assert (told["MinMemoryCPU"], told["Nice"]) == ("4000M", "0")


def test_a_job_gets_the_gpus_it_asked_for(user: User) -> None:
    script = 'echo "$CUDA_VISIBLE_DEVICES $NEMORUN_GPUS_PER_NODE"'
    run_id = user.sh(script, *having(nodes=2, gpus_per_node=8))

    assert user.ended(run_id)["state"] == "SUCCEEDED"
    for rank in "01":
        assert user.lines(run_id, "--rank", rank) == ["0,1,2,3,4,5,6,7 8"]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"account": "nosuch"}, "account"),
        ({"partition": "nosuch"}, "partition"),
        ({"gpus_per_node": 9}, "not available"),
        ({"constraint": "nosuch"}, "feature"),
        ({"licenses": "nosuch:1"}, "license"),
        ({"sbatch": "--no-such-option"}, "no-such-option"),
    ],
)
def test_what_slurm_refuses_is_told_and_recorded(
    user: User, asked: dict[str, str], words: str
) -> None:
    done = user("launch", "-e", user.executor, *having(**asked), "command", "--", "true")

    assert done.code == 3
    assert words in done.err.lower()
    run = user.show("last")
    assert (run["state"], run["reason"]) == ("FAILED", "submit_refused")


def test_a_list_tells_in_words_why_runs_wait(user: User) -> None:
    begin = user.sh("true", *LATER)
    limit = user.sh("true", *having(partition="short", time="1h"))
    many = user.sh("true", *having(nodes=99))
    user("list", "--refresh", "now")

    listed: list[dict[str, Any]] = user.json("list", "--refresh", "now")["runs"]  # type: ignore[assignment]
    why = {run["id"]: run["reason_detail"] for run in listed}
    assert "its time to begin has not come" in why[begin]
    assert re.search(r"not before 20\d\d-", why[begin])
    # Slurm gives PartitionTimeLimit and PartitionNodeLimit, or, of both, PartitionConfig.
    assert re.match(r"never starts: it asks for .* its partition (does not )?allow", why[limit])
    assert re.match(r"never starts: it asks for .* its partition (does not )?allow", why[many])
    assert {run["state"] for run in listed} == {"PENDING"}


def test_a_job_inherits_nothing_but_who_and_where(here: User, tmp_path: Path) -> None:
    names = [f"{kind}_{number}" for kind in ("SLURM_X", "PMI", "PMIX_Y") for number in range(20)]
    outer = dict.fromkeys((*names, "CANARY", "PYTHONPATH", "LD_LIBRARY_PATH"), "leaked")
    outer |= {"SLURM_JOB_ID": "1", "SLURM_NTASKS": "64", "SBATCH_PARTITION": "leaked"}
    outer |= {"SLURM_TIMELIMIT": "leaked", "SQUEUE_FORMAT": "leaked", "SRUN_CPUS_PER_TASK": "9"}
    outer |= {"VIRTUAL_ENV": str(tmp_path), "PATH": f"{tmp_path}/bin:{here.env['PATH']}"}

    run_id = here.launch("--env", "GREETING=a b", "command", "--", "env", "-0", **outer)

    assert here.ended(run_id)["state"] == "SUCCEEDED"
    text = (here.folder(run_id) / "logs/1/0.log").read_text()
    told = dict(line.split("=", 1) for line in text.split("\0") if line)
    assert "leaked" not in told.values()
    assert (told["HOME"], told["PATH"]) == (str(here.home), here.env["PATH"])
    assert (told["GREETING"], told["SLURM_NTASKS"]) == ("a b", "1")
    assert told["SLURM_JOB_ID"] == here.job(run_id)
    others = {name for name in told if not re.match("SLURM|NEMORUN_", name)}
    assert others <= {
        *("HOME", "USER", "LOGNAME", "SHELL", "PATH", "LANG", "LC_CTYPE", "PWD", "OLDPWD"),
        *("GREETING", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "HOSTNAME", "TMPDIR"),
        *("ENVIRONMENT", "SRUN_DEBUG", "SRUN_CPUS_PER_TASK", "MASTER_ADDR", "MASTER_PORT", "_"),
    }


def test_a_job_may_launch_another_one_that_inherits_nothing_of_it(here: User) -> None:
    own = f"HOME={here.home} NEMORUN_HOME={here.store} {NEMORUN}"
    inner = 'echo "$NEMORUN_RUN_ID $SLURM_JOB_ID $SLURM_NTASKS $RANK/$WORLD_SIZE"'
    outer = f"{own} launch -e slurm command -- sh -c '{inner}'"

    first = here.sh(f'[ "$RANK" != 1 ] || {outer}', *having(nodes=2))
    assert here.ended(first)["state"] == "SUCCEEDED", here.lines(first)

    (second,) = here.lines(first, "--rank", "1")
    assert here.ended(second)["state"] == "SUCCEEDED"
    assert here.lines(second) == [f"{second} {here.job(second)} 1 /"]


def test_a_site_with_a_configuration_of_its_own_is_found(here: User) -> None:
    # Not on the login node, where Slurm finds its configuration by itself.
    conf = str(here.cluster.folder / "etc/slurm/slurm.conf")
    words = ("launch", "-e", "slurm", "command", "--", "true")

    def launch(**env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*here.command(*words)[len(here.cluster.on_login([])) :]],
            env=here.environment(PATH=os.environ["PATH"], **env),
            cwd=here.cwd,
            capture_output=True,
            text=True,
            check=False,
            timeout=90,
        )

    assert launch(SLURM_CONF=conf, SLURM_JOB_ID="1").returncode == 0
    without = launch()
    assert without.returncode == 3
    assert "configuration" in without.stderr


def test_a_secret_reaches_the_job_and_nothing_else(user: User) -> None:
    value = f"s3cret-{secrets.token_hex(12)}'\"$(id)\n"
    script = (
        'printf %s "$TOKEN" >there; printf %s "$API_KEY" >too; sha256sum there too; rm there too'
    )

    run_id = user.launch(
        *("--secret", "TOKEN", "--env", f"API_KEY={value}", *having(nodes=2, ntasks=2)),
        *("command", "--", "sh", "-c", f'[ "$RANK" = 1 ] || {{ {script}; }}'),
        TOKEN=value,
    )

    assert user.ended(run_id)["state"] == "SUCCEEDED"
    digest = hashlib.sha256(value.encode()).hexdigest()
    assert user.lines(run_id) == [f"{digest}  there", f"{digest}  too"]
    core = value[:31]
    job = user.job(run_id)
    told = user.cluster.admin("scontrol", "show", "job", "--details", job)
    told += user.cluster.admin("sacct", "--batch-script", "--jobs", job)
    told += user.cluster.admin("sacct", "--env-vars", "--jobs", job)
    told += user.cluster.admin("sacct", "--parsable2", "--format=ALL", "--jobs", job)
    told += user.ok("show", "--json") + user.ok("show", "--script")
    assert core not in told
    kept = [user.cluster.folder / each for each in ("log", "spool", "state")]
    assert holding(core, user.home.parent, *kept) == []


def holding(text: str, *folders: Path) -> list[str]:
    """The files in which a text stands."""
    asked = ["grep", "-rlF", "-e", text, *map(str, folders)]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=60)
    return done.stdout.splitlines()
