"""What a job on the cluster has measured and written comes back, and goes when it is old."""

import json
import os
from pathlib import Path

from tests.slurm.users import User

WORK = r"""
for step in 1 2 3; do
    echo "{\"step\": $step, \"metrics\": {\"loss\": 0.$step}}" >>"$NEMORUN_METRICS"
done
mkdir ckpt
head -c 20000000 /dev/urandom >ckpt/last.pt
echo odd >"ckpt/$(printf 'odd\n name')"
"""


def test_results_come_back_over_any_way_and_go_when_they_are_old(user: User) -> None:
    (user.cwd / "code.py").write_text("code")
    run_id = user.sh(WORK)
    assert user.ended(run_id)["state"] == "SUCCEEDED"
    work = user.folder(run_id) / "work"

    rows = [line.split("\t") for line in user.ok("metrics", run_id).splitlines()]
    assert [(row[0], row[4]) for row in rows] == [("1", "0.1"), ("2", "0.2"), ("3", "0.3")]
    assert user.show(run_id)["metrics"] == {"step": 3, "loss": 0.3}
    listed = [line.split("\t")[:2] for line in user.ok("pull", run_id).splitlines()]
    assert listed == [["ckpt/last.pt", "20000000"], ["ckpt/odd\\n name", "4"]]
    user.ok("pull", run_id, "ckpt", "-o", "out")
    out = Path(user.cwd, "out", "ckpt")
    assert (out / "last.pt").read_bytes() == (work / "ckpt" / "last.pt").read_bytes()
    assert (out / "odd\n name").read_text() == "odd\n"
    again = json.loads(user.ok("pull", run_id, "ckpt", "-o", "out", "--json"))
    assert [each["fetched"] for each in again["files"]] == [False, False]

    found = json.loads(user.ok("gc", "--older-than", "0s", "--json"))
    assert [each["id"] for each in found["runs"]] == [run_id]
    assert found["runs"][0]["job_bytes"] > 20_000_000
    user.ok("gc", "--older-than", "0s", "--yes")
    assert not user.folder(run_id).exists()
    assert user("show", run_id).code == 4


def test_code_that_was_sent_to_a_cluster_goes_when_no_job_there_names_it(far: User) -> None:
    (far.cwd / "code.py").write_text("code")
    kept, gone = far.sh("true"), far.sh("true")
    (far.cwd / "code.py").write_text("other code")
    alone = far.sh("true")
    for run_id in (kept, gone, alone):
        far.ended(run_id)
    for path in (far.jobs / "code").iterdir():
        os.utime(path, (10**9, 10**9))
    far.ok("rm", gone, alone)

    found = json.loads(far.ok("gc", "--yes", "--json"))

    assert [each["place"] for each in found["code"]] == [f"login:{far.jobs}"]
    (left,) = (far.jobs / "code").iterdir()
    assert left.name == far.show(kept)["code_hash"]
