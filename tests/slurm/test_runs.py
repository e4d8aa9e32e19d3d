"""Runs on the cluster: which tasks they are, how they end, and what is told of them."""

import json
import re
import time
from pathlib import Path

import pytest

from nemorun_cli.testing import HOSTILE
from nemorun_cli.watching import nap
from tests.conftest import require
from tests.slurm.users import User, having

WHO = 'echo "$(hostname) $RANK/$WORLD_SIZE $LOCAL_RANK $NEMORUN_NODE_RANK $MASTER_ADDR"'


def test_a_run_without_wishes_is_one_task_on_one_node(user: User) -> None:
    run_id = user.sh('echo "$(hostname) $SLURM_NTASKS $NEMORUN_NODE_RANK"; exit 0')

    run = user.ended(run_id)
    (line,) = user.lines(run_id)
    assert (run["state"], run["exit_code"], run["attempt"]) == ("SUCCEEDED", 0, 1)
    assert re.fullmatch("n[1-4] 1 0", line)


def test_what_the_tasks_run_with_is_recorded_on_their_node(user: User) -> None:
    run_id = user.launch(*having(nodes=2), "--env", "LOADEDMODULES=gcc/12", "command", "hostname")

    assert user.ended(run_id)["state"] == "SUCCEEDED"
    found = json.loads(user.ok("show", run_id, "--environment", "--json"))
    assert found["host"] == user.lines(run_id, "--rank", "0")[0]
    assert (found["modules"], found["python"]["implementation"]) == (["gcc/12"], "cpython")


def test_four_nodes_are_four_ranks_that_know_each_other(user: User) -> None:
    run_id = user.sh(WHO, *having(nodes=4))

    assert user.ended(run_id)["state"] == "SUCCEEDED"
    for rank in range(4):
        assert user.lines(run_id, "--rank", str(rank)) == [f"n{rank + 1} {rank}/4 0 {rank} n1"]


def test_tasks_are_dealt_out_to_the_nodes(user: User) -> None:
    run_id = user.sh(WHO, *having(nodes=2, ntasks=4, ntasks_per_node=2, nodelist="n[2-3]"))

    assert user.ended(run_id)["state"] == "SUCCEEDED"
    lines = [user.lines(run_id, "--rank", str(rank)) for rank in range(4)]
    assert lines == [["n2 0/4 0 0 n2"], ["n2 1/4 1 0 n2"], ["n3 2/4 0 1 n2"], ["n3 3/4 1 1 n2"]]


def test_the_rank_that_fails_is_named_and_the_others_end_with_it(user: User) -> None:
    script = 'echo up; [ "$RANK" = 3 ] && sleep 4 && exit 5; sleep 600'  # The others come first.
    run_id = user.sh(script, *having(nodes=4))

    start = time.monotonic()
    done = user("wait", run_id)

    assert time.monotonic() - start < 20
    assert done.code == 10
    assert "rank 3 on n4: exit code 5" in done.err
    run = user.show(run_id)
    assert (run["exit_code"], run["failing_rank"], run["reason"]) == (5, 3, "exit")
    assert user.lines(run_id, "--rank", "1") == ["up"]


def test_a_rank_that_a_signal_ends_is_named_too(here: User) -> None:
    run_id = here.sh('[ "$RANK" = 1 ] && kill -SEGV $$; sleep 600', *having(nodes=2))

    run = here.ended(run_id)
    assert run["reason_detail"] == "rank 1 on n2: ended by SIGSEGV"
    assert (run["state"], run["signal"], run["failing_rank"]) == ("FAILED", 11, 1)


@pytest.mark.parametrize("nodes", [1, 2])
def test_who_needs_too_much_memory_is_told_so(user: User, nodes: int) -> None:
    limits = user.cluster.limits_memory
    require("memory limits", there=limits, why="there are no control groups of version 1")
    greedy = "python3 -c 'bytearray(2**30)'; exit $?"

    run_id = user.sh(greedy, *having(nodes=nodes, mem="200M"))

    run = user.ended(run_id)
    assert (run["state"], run["reason"]) == ("FAILED", "oom")


def test_a_program_that_is_not_there_is_told_so(user: User) -> None:
    run_id = user.launch("command", "--", "/no/such/program")

    run = user.ended(run_id)
    assert (run["state"], run["exit_code"]) == ("FAILED", 127)
    assert any("not found" in line for line in user.lines(run_id))


def test_each_cause_has_a_count_of_its_own(here: User) -> None:
    script = '[ "$NEMORUN_ATTEMPT" -gt 2 ] || exit 4; kill -KILL $$'

    run = here.ended(here.sh(script, *having(retries=9, retry="exit=2,signal=1")))

    reasons = [each["reason"] for each in run["attempts"]]
    assert (run["state"], run["reason"]) == ("FAILED", "signal")
    assert reasons == ["exit", "exit", "signal", "signal"]


def test_a_setup_that_fails_is_told_and_nothing_is_run(far: User) -> None:
    run_id = far.sh("echo ran", *having(setup="export A=1\ncd /no/such/folder\ntrue"))

    run = far.ended(run_id)
    assert (run["state"], run["reason"]) == ("FAILED", "exit")
    assert run["reason_detail"].startswith("line 2 of setup ended with exit code")
    assert "ran" not in far.lines(run_id)


def test_hostile_text_arrives_byte_for_byte(far: User) -> None:
    text = "".join(HOSTILE)
    script = "import json, os, sys; print(json.dumps([sys.argv[1:], os.environ['TEXT']]))"
    words = ("command", "--", "python3", "-c", script, *HOSTILE)

    run_id = far.launch("--env", f"TEXT={text}", "--name", text, "--tag", "canary", *words)

    assert far.ended(run_id)["state"] == "SUCCEEDED"
    (line,) = far.lines(run_id)
    assert json.loads(line) == [list(HOSTILE), text]
    assert not list(far.home.parent.rglob("canary"))


def test_code_that_goes_along_is_there(far: User) -> None:
    library = far.cwd.parent / "library"
    library.mkdir()
    (library / "beside.txt").write_text("from beside\n")

    run_id = far.sh('cat "${PYTHONPATH%%:*}/beside.txt"', "--include-repo", str(library))

    assert far.ended(run_id)["state"] == "SUCCEEDED"
    assert far.lines(run_id) == ["from beside"]


def test_what_a_dry_run_shows_is_what_slurm_gets(user: User) -> None:
    words = (*having(nodes=2, time="5m", comment="it's mine"), "--env", "A=$b", "command", "--")
    words = (*words, "echo", "a 'b'")

    planned = user.json("launch", "-e", user.executor, "--dry-run", *words)["plan"]
    run_id = user.launch(*words)

    run = user.ended(run_id)
    assert isinstance(planned, dict)
    other = Path(planned["directory"]).name.removesuffix("-1")
    assert json.loads(json.dumps(planned).replace(other, run_id)) == run["plan"]
    for name, text in run["plan"]["files"].items():
        assert (user.folder(run_id) / name).read_text() == text
    (command,) = run["plan"]["commands"]
    assert accounted(user, run_id, "-X", "--format=submitline") == " ".join(command)
    assert accounted(user, run_id, "--batch-script").endswith(
        run["plan"]["files"]["job.sh"].strip()
    )
    assert user.ok("show", run_id, "--script") == run["plan"]["files"]["job.sh"].strip("\n")


def test_a_run_that_was_removed_leaves_nothing_on_the_cluster(user: User) -> None:
    run_id = user.sh("echo here")
    user.ended(run_id)
    folder = user.folder(run_id)
    assert folder.is_dir()

    user.ok("rm", run_id)

    assert not folder.exists()
    assert user("show", run_id).code == 4


def test_a_rerun_is_a_job_of_its_own(user: User) -> None:
    first = user.sh("echo $NEMORUN_RUN_ID", *having(nodes=2, comment="again"))
    user.ended(first)

    second = user.ok("rerun", first)

    run = user.ended(second)
    assert (run["state"], run["parent"]) == ("SUCCEEDED", first)
    assert run["settings"]["comment"]["value"] == "again"
    assert user.lines(second, "--rank", "1") == [second]
    assert user.job(second) != user.job(first)


def test_the_doctor_finds_nothing_amiss(user: User) -> None:
    done = user("doctor", user.executor)

    assert done.code == 0, done.out
    assert "a node sees the job folder" in done.out


def test_a_profile_tells_its_settings_and_where_they_come_from(far: User) -> None:
    found: list[dict[str, object]] = far.json("executors", "cw", *having(nodes=3))["settings"]  # type: ignore[assignment]

    settings = {each["name"]: (each["text"], each["source"]) for each in found}
    source = "profile cw (the user's config.toml)"
    assert settings["host"] == ("login", source)
    assert settings["poll_interval"] == ("1s", source)
    assert settings["nodes"] == ("3", "-x")
    assert settings["account"] == ("", "default")


def accounted(user: User, run_id: str, *options: str) -> str:
    """What accounting, which lags, says of a run's job."""
    asked = ("sacct", "--noheader", "--parsable2", f"--jobs={user.job(run_id)}", *options)
    for _ in range(100):
        if said := user.cluster.admin(*asked):
            return said
        nap(0.1)
    raise AssertionError(asked)
