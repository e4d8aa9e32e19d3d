"""Runs in containers of a real engine, as somebody types them."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from nemorun_cli.testing import HOSTILE
from tests.conftest import NEMORUN, Nemorun
from tests.testbed.engine import IMAGE, SH, TestEngine

SEEDED = '''
import random

import fiddle as fdl

from nemorun_cli import recipe
from nemorun_cli import track


def train(*, seed: int = 0, steps: int = 50) -> None:
    """Finds the slope of a noisy line."""
    dice, slope = random.Random(seed), 0.0
    for step in range(steps):
        x = dice.uniform(-1, 1)
        slope -= 0.1 * (slope * x - 3 * x - dice.gauss(0, 0.1)) * x
        track.log(step=step, slope=slope)
    print(repr(slope))


@recipe
def line(seed: int = 0) -> fdl.Partial:
    """Fits a line."""
    return fdl.Partial(train, seed=seed)
'''


def containers(engine: TestEngine, nemorun: Nemorun) -> list[str]:
    """The states of the containers that this user's runs have left."""
    return engine.containers(f"nemorun.jobs={nemorun.store}/jobs")


def folder_of(nemorun: Nemorun, run_id: str) -> Path:
    return nemorun.store / "jobs" / f"{run_id}-1"


def test_a_recipe_trains_as_it_does_locally(docked: Nemorun, engine: TestEngine) -> None:
    recipes = docked.cwd / "recipes"
    recipes.mkdir()
    (recipes / "line.py").write_text(SEEDED)

    here = docked.ok("launch", "line(seed=7)", "-e", "local", "--wait")
    there = docked.ok("launch", "line(seed=7)", "--wait")

    assert docked.ok("logs", there) == docked.ok("logs", here)
    one, other = ((folder_of(docked, each) / "metrics.jsonl").read_text() for each in (here, there))
    slopes = [[json.loads(line)["metrics"] for line in text.splitlines()] for text in (one, other)]
    assert slopes[0] == slopes[1]
    assert len(docked.ok("metrics", there).splitlines()) == len(slopes[0])
    assert containers(engine, docked) == []


def test_what_is_in_the_image_is_recorded_and_which_image_it_was(docked: Nemorun) -> None:
    run_id = docked.ok("launch", "--wait", "command", "--", "python3", "-V")
    bare = docked.ok("launch", "--wait", "-x", f"image={SH}", "command", "true")

    found, nothing = (
        json.loads(docked.ok("show", each, "--environment", "--json")) for each in (run_id, bare)
    )
    assert docked.ok("logs", run_id) == f"Python {found['python']['version']}"
    assert found["host"] != os.uname().nodename
    assert (nothing["python"], nothing["packages"]) == (None, [])
    assert re.search("sha256:[0-9a-f]{64}$", found["image"])
    assert re.search("sha256:[0-9a-f]{64}$", nothing["image"])
    assert found["image"] != nothing["image"]


def test_a_command_needs_nothing_but_a_shell(docked: Nemorun) -> None:
    script = 'echo "$0 $NEMORUN_ATTEMPT"; [ "$NEMORUN_ATTEMPT" = 2 ]'
    options = ("-x", f"image={SH}", "-x", "retries=1", "--follow")

    shown = docked.ok("launch", "command", *options, "--", "sh", "-c", script, "busy")

    assert shown.splitlines()[1:] == ["busy 1", "busy 2"]


def test_code_that_goes_along_is_imported(docked: Nemorun, tmp_path: Path) -> None:
    (tmp_path / "library/src").mkdir(parents=True)
    (tmp_path / "library/src/beside.py").write_text("print('from beside')\n")
    argv = ("command", "--", "python3", "-c", "import beside")

    shown = docked.ok("launch", "--include-repo", "../library", "--follow", *argv)

    assert shown.splitlines()[1:] == ["from beside"]


def test_text_arrives_as_it_is(docked: Nemorun) -> None:
    script = "import json,os,sys; print(json.dumps([sys.argv[1:], os.environ['TEXT']]))"
    text = "".join(HOSTILE)
    options = ("--env", f"TEXT={text}", "--name", text, "--wait")

    run_id = docked.ok("launch", "command", *options, "--", "python3", "-c", script, *HOSTILE)

    assert json.loads(docked.ok("logs", run_id)) == [list(HOSTILE), text]
    assert not (folder_of(docked, run_id) / "work" / "canary").exists()


def test_an_exit_code_is_passed_on(docked: Nemorun) -> None:
    run_id = docked("launch", "command", "--wait", "--", "sh", "-c", "exit 7").out.strip()

    run = docked.json("status", run_id)["run"]
    assert isinstance(run, dict)
    assert (run["state"], run["reason"], run["exit_code"]) == ("FAILED", "exit", 7)


def test_too_much_memory_is_told_as_such(docked: Nemorun, engine: TestEngine) -> None:
    options = ("-x", "memory=64m", "--wait")

    done = docked("launch", "command", *options, "--", "python3", "-c", "bytearray(10**9)")

    run = docked.json("status", done.out.strip())["run"]
    assert isinstance(run, dict)
    assert done.code == 10
    assert (run["reason"], run["exit_code"]) == ("oom", 137)
    assert containers(engine, docked) == []


def test_a_secret_is_in_no_inspection_and_no_file(docked: Nemorun, engine: TestEngine) -> None:
    script = 'echo "${#WORD}"; sleep 60'
    docked.env["WORD"] = "canary-4711"

    run_id = docked.ok("launch", "command", "--secret", "WORD", "--", "sh", "-c", script)

    seen = json.dumps(engine.api.inspect(f"nemorun-{run_id}-1"))
    mode = (folder_of(docked, run_id) / "secrets").stat().st_mode
    docked.ok("cancel", run_id)

    assert "canary" not in seen
    assert mode & 0o777 == 0o600
    assert docked.ok("logs", run_id) == "11"
    texts = [path.read_bytes() for path in docked.store.rglob("*") if path.is_file()]
    assert not any(b"canary-4711" in text for text in texts)


def test_the_home_can_be_written_and_the_code_cannot(docked: Nemorun) -> None:
    (docked.cwd / "data.txt").write_text("mine\n")
    script = "touch $HOME/x && echo home; echo no >data.txt; cat data.txt; touch new && ls; id -un"

    run_id = docked.ok("launch", "command", "--wait", "--", "sh", "-c", script)

    lines = docked.ok("logs", run_id).splitlines()
    assert "read-only file system" in lines.pop(1).lower()
    assert lines == ["home", "mine", "data.txt", "nemorun.toml", "new", "root"]
    assert (docked.cwd / "data.txt").read_text() == "mine\n"


def test_files_belong_to_whoever_launched(docked: Nemorun, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    for folder in (docked.home, docked.cwd):
        os.chown(folder, 4711, 4712)
    # May read this interpreter and use the socket, though nobody but root may; owns what it makes.
    become = ["setpriv", "--reuid=4711", "--regid=4712", "--clear-groups"]
    become += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
    launch = [*become, str(NEMORUN), "launch", "command", "--wait", "--"]

    done = subprocess.run(
        [*launch, "sh", "-c", "id -u; id -g; touch made; mkdir -p $HOME/.cache/x"],
        env=docked.environment(LOGNAME="somebody"),
        cwd=docked.cwd,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    folder = folder_of(docked, done.stdout.strip())
    assert (folder / "work" / "made").exists()
    assert (folder / "logs" / "1" / "0.log").read_text().split() == ["4711", "4712"]
    owners = {(each.lstat().st_uid, each.lstat().st_gid) for each in folder.rglob("*")}
    assert owners == {(4711, 4712)}


def test_what_root_writes_can_be_read_by_whoever_launched(docked: Nemorun) -> None:
    options = ("-x", f"user=0:{os.getgid()}", "--wait")

    run_id = docked.ok("launch", "command", *options, "--", "sh", "-c", "touch made")

    folder = folder_of(docked, run_id)
    written = [folder / "logs" / "1" / "0.log", folder / "work" / "made", folder / "attempts.jsonl"]
    assert {each.stat().st_mode & 0o444 for each in written} == {0o444}
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_container_is_as_it_was_asked_for(
    docked: Nemorun, engine: TestEngine, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    asked = {
        "mounts": f"{tmp_path}/data:/in:ro",
        "cpus": "0.5",
        "memory": "256m",
        "shm_size": "1g",
        "ulimits": "nofile=512:1024",
        "network": "none",
        "extra_hosts": "db:10.0.0.5",
        "labels": "team=vision",
        "gpus": "device=0,2",
        "workdir": "/in",
        "create": '{"cap_drop": ["ALL"], "hostname": "box"}',
    }
    options = [word for name, value in asked.items() for word in ("-x", f"{name}={value}")]

    run_id = docked.ok(
        "launch",
        *("command", *options, "--", "sh", "-c"),
        "pwd; hostname; ulimit -n; echo $NVIDIA_VISIBLE_DEVICES $NEMORUN_GPUS_PER_NODE; sleep 60",
    )

    seen = engine.api.inspect(f"nemorun-{run_id}-1") or {}
    docked.ok("cancel", run_id)
    host = seen["HostConfig"]
    assert (host["NanoCpus"], host["Memory"], host["ShmSize"]) == (5 * 10**8, 2**28, 2**30)
    assert (host["NetworkMode"], host["ExtraHosts"], host["CapDrop"]) == (
        "none",
        ["db:10.0.0.5"],
        ["ALL"],
    )
    assert seen["Config"]["Labels"]["team"] == "vision"
    assert docked.ok("logs", run_id).splitlines() == ["/in", "box", "512", "0,2 2"]


@pytest.mark.parametrize("asked", [False, True])
def test_proxies_of_dockers_settings_go_along_if_asked_for(docked: Nemorun, *, asked: bool) -> None:
    (docked.home / ".docker").mkdir()
    proxies = {"proxies": {"default": {"httpProxy": "http://proxy:3128"}}}
    (docked.home / ".docker" / "config.json").write_text(json.dumps(proxies))
    table = json.dumps({"init": False, **({"use_config_proxy": True} if asked else {})})
    script = 'echo "${HTTP_PROXY-none}"'

    run_id = docked.ok(
        *("launch", "command", "-x", f"create={table}", "--wait", "--", "sh", "-c", script)
    )

    assert docked.ok("logs", run_id) == ("http://proxy:3128" if asked else "none")


def test_the_image_is_remembered_by_what_it_was(docked: Nemorun, engine: TestEngine) -> None:
    run_id = docked.ok("launch", "command", "--wait", "--", "true")

    told = json.loads((folder_of(docked, run_id) / "started.json").read_text())
    image = engine.api.image(IMAGE) or {}
    assert (told["image"], told["image_id"]) == (IMAGE, image["Id"])


def test_a_run_waits_for_another(docked: Nemorun) -> None:
    first = docked.ok("launch", "command", "--", "sh", "-c", "sleep 1; exit 3")
    after = ("--after", f"{first}:notok", "--wait")
    second = docked.ok("launch", "command", *after, "--", "echo", "after")
    third = docked("launch", "command", "--after", first, "--", "true")

    assert docked.ok("logs", second) == "after"
    assert third.code == 3, third.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("image=nowhere.invalid/none:1",), "cannot pull it"),
        (("image=absent", "pull=never"), "docker pull absent"),
        (("image=A:b:c",), "no name of an image"),
        (("mounts=/not/there",), "has to exist"),
        (("gpus=1", "ulimits=nosuch=1"), "ulimits"),
        (("user=nobody-here",), "nobody-here"),
        (('create={"cap_ad": []}',), "cap_ad"),
        (("network=nosuch",), "nosuch"),
    ],
)
def test_what_the_engine_refuses_is_refused(
    docked: Nemorun, engine: TestEngine, options: Sequence[str], said: str
) -> None:
    set_ = [word for option in options for word in ("-x", option)]
    docked.env["WORD"] = "canary"

    done = docked("launch", "command", *set_, "--secret", "WORD", "--", "true")

    assert done.code == 3, done.err
    assert said in done.err
    runs = docked.json("list")["runs"]
    assert isinstance(runs, list)
    assert [(run["state"], run["reason"]) for run in runs] == [("FAILED", "submit_refused")]
    assert containers(engine, docked) == []
    assert not list(docked.store.rglob("secrets"))


def test_nothing_is_left_of_fifty_runs_and_cancels(docked: Nemorun, engine: TestEngine) -> None:
    kinds = {
        "quick": ("--", "true"),
        "wrong": ("--", "sh", "-c", "exit 7"),
        "slow": ("--", "sleep", "600"),
        "voluminous": ("-x", 'create={"volumes": ["/scratch"]}', "--", "true"),
        "doubled": ("-x", "nodes=2", "--", "true"),
    }
    docked.env["NEMORUN_IMAGE"] = SH
    names = [*["quick"] * 34, *["slow"] * 10, *["wrong"] * 4, "voluminous", "doubled"]

    def launch(name: str) -> str:
        return docked.ok("launch", "command", "--name", name, *kinds[name])

    with ThreadPoolExecutor(20) as pool:
        ids = list(pool.map(launch, names))
    by_name = {name: ids[number] for number, name in enumerate(names)}
    mounts = (engine.api.inspect(f"nemorun-{by_name['voluminous']}-1") or {})["Mounts"]
    (volume,) = [each["Name"] for each in mounts if each["Type"] == "volume"]
    slow = [run_id for name, run_id in zip(names, ids, strict=True) if name == "slow"]
    docked.ok("cancel", *slow)
    docked("wait", *ids)

    docked.ok("list")

    runs = docked.json("list")["runs"]
    assert isinstance(runs, list)
    ended = Counter((run["state"], run["exit_code"]) for run in runs if run["name"] != "slow")
    assert ended == {("SUCCEEDED", 0): 36, ("FAILED", 7): 4}
    assert {run["state"] for run in runs if run["name"] == "slow"} == {"CANCELLED"}
    assert len(runs) == 50
    assert containers(engine, docked) == []
    assert engine.networks(f"nemorun.jobs={docked.store}/jobs") == []
    assert engine.api._known(f"/volumes/{volume}") is None


@pytest.mark.torch
def test_digits_trains_as_it_does_locally(docked: Nemorun) -> None:
    venv = Path(sys.prefix)
    docked = replace(docked, cwd=Path(__file__).parents[2])
    there = ("-x", f"mounts={venv}:{venv}:ro", "-x", f"python={venv}/bin/python")
    # More threads than free processors take very long.
    launch = ("launch", "digits(epochs=2)", "--env", "OMP_NUM_THREADS=1", "--wait")

    runs = [docked.ok(*launch, *where, timeout=200) for where in (("-e", "local"), there)]

    one, other = (docked.ok("logs", each).splitlines()[-1] for each in runs)
    assert "accuracy" in one
    assert one == other


LOADING = """
import torch
from torch.utils.data import DataLoader


class Big(torch.utils.data.Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        return torch.full((10_000_000,), float(index))


for batch in DataLoader(Big(), num_workers=2):
    print(int(batch.mean()))
"""


@pytest.mark.torch
def test_workers_of_a_data_loader_have_shared_memory(docked: Nemorun) -> None:
    """What they hand over is more than the 64 MB that an engine gives unless told otherwise."""
    venv = Path(sys.prefix)
    launch = ("launch", "command", "-x", f"mounts={venv}:{venv}:ro", "--wait", "--")

    run_id = docked.ok(*launch, f"{venv}/bin/python", "-c", LOADING, timeout=200)

    assert docked.ok("logs", run_id).split() == ["0", "1", "2", "3"]


@pytest.mark.torch
def test_torchrun_starts_ranks_in_one_container(docked: Nemorun) -> None:
    venv = Path(sys.prefix)
    python = ("-x", f"mounts={venv}:{venv}:ro", "-x", f"python={venv}/bin/python")
    options = (*python, "-x", "launcher=torchrun", "-x", "nproc=2", "--wait")

    script = "echo $RANK/$WORLD_SIZE"
    run_id = docked.ok("launch", "command", *options, "--", "sh", "-c", script, timeout=200)

    assert docked.ok("logs", run_id, "--rank", "0") == "0/2"
    assert docked.ok("logs", run_id, "--rank", "1") == "1/2"


def test_a_run_comes_out_the_same_in_another_container(docked: Nemorun) -> None:
    recipes = docked.cwd / "recipes"
    recipes.mkdir()
    (recipes / "line.py").write_text(SEEDED)
    run_id = docked.ok("launch", "line(seed=7)", "--wait")

    done = docked("reproduce", run_id, "--json")

    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found["reproduced"]
    assert found["run"]["executor"] == "docker"
    assert found["environment_changes"] == []
    assert "docker uses what is installed there: nothing is rebuilt" in done.err
