"""What a run has measured can be read, however it wrote it down."""

import json
import os
import pty
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.conftest import NEMORUN, Nemorun, require

MEASURE = """
from nemorun_cli import track
for step, loss in [(1, 0.5), (2, 0.25), (3, float("nan")), (2, 0.125), (3, 0.0625)]:
    track.log(step=step, loss=loss)
    track.log(step=step, **{"val/acc": 1 - loss})
    print(f"epoch {step} speed {step * 10}.5 tok/s")
"""
EVENTS = """
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.event_file_writer import EventFileWriter
for folder, value in (("tb/train", 0.5), ("tb/val", 0.75)):
    writer = EventFileWriter(folder)
    for step in range(3):
        told = summary_pb2.Summary.Value(tag="loss", simple_value=value / (step + 1))
        summary = summary_pb2.Summary(value=[told])
        writer.add_event(event_pb2.Event(wall_time=1e9 + step, step=step, summary=summary))
    writer.close()
"""


def run(nemorun: Nemorun, code: str) -> str:
    (nemorun.cwd / "measure.py").write_text(code)
    return nemorun.ok("launch", "command", "--wait", "--", sys.executable, "measure.py")


def on_a_terminal(nemorun: Nemorun, *arguments: str) -> str:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [NEMORUN, *arguments],
        cwd=nemorun.cwd,
        env=nemorun.environment(TERM="xterm"),
        stdin=theirs,
        stdout=theirs,
    ):
        os.close(theirs)
        out = b""
        try:
            while piece := os.read(ours, 65536):
                out += piece
        except OSError:  # The end of a terminal on Linux.
            pass
    os.close(ours)
    return out.decode().replace("\r\n", "\n")


def test_what_was_tracked_is_given_as_summary_rows_csv_and_json(nemorun: Nemorun) -> None:
    run(nemorun, MEASURE)

    head, *rows = on_a_terminal(nemorun, "metrics").splitlines()
    assert head.split() == [*("METRIC", "LAST", "STEP", "MIN", "AT", "MAX", "AT", "COUNT")]
    assert rows[0].split() == ["loss", "0.0625", "3", "0.0625", "3", "0.5", "1", "3"]
    lines = [line.split("\t") for line in nemorun.ok("metrics", "-m", "loss").splitlines()]
    assert [(line[0], *line[2:]) for line in lines] == [
        ("1", "0", "loss", "0.5"),
        ("2", "0", "loss", "0.25"),
        ("3", "0", "loss", "nan"),
        ("2", "0", "loss", "0.125"),
        ("3", "0", "loss", "0.0625"),
    ]
    assert on_a_terminal(nemorun, "metrics", "--all", "-m", "loss").split() == [
        word for line in lines for word in line
    ]
    assert nemorun.ok("metrics", "--last", "-m", "val/*").split("\t") == [
        *("val/acc", "0", "0.9375", "3", "0.5", "1", "0.9375", "3", "3")
    ]
    assert nemorun.ok("metrics", "--csv").splitlines()[0] == "step,time,rank,metric,value"
    found = nemorun.json("metrics", "last", "-m", "loss")
    assert found["metrics"] == [
        {
            "metric": "loss",
            "rank": 0,
            "last": 0.0625,
            "last_step": 3,
            "count": 3,
            "min": 0.0625,
            "min_step": 3,
            "max": 0.5,
            "max_step": 1,
        }
    ]
    assert json.dumps(found["points"]).count('"nan"') == 1
    assert "points" not in nemorun.json("metrics", "--last")


def test_a_pattern_reads_the_log_and_an_unknown_name_says_what_there_is(nemorun: Nemorun) -> None:
    run(nemorun, MEASURE)

    told = nemorun.ok("metrics", "--pattern", r"epoch (?P<step>\d+) speed (?P<speed>\S+)")
    assert [line.split("\t")[0::4] for line in told.splitlines()][-2:] == [
        *(["2", "20.5"], ["3", "30.5"])
    ]
    unknown = nemorun("metrics", "-m", "speed")
    assert unknown.code == 4
    assert "it has loss, val/acc" in unknown.err
    assert nemorun("metrics", "--pattern", "speed (").code == 2


def test_a_settings_file_may_hold_the_pattern(nemorun: Nemorun) -> None:
    run_id = run(nemorun, "print('step 3 loss 0.5')")
    user = nemorun.home / ".config" / "nemorun" / "config.toml"
    user.parent.mkdir(parents=True)
    user.write_text("[metrics]\npattern = 'loss (?P<theirs>.*)'\n")
    assert nemorun.ok("metrics", "--last").startswith("theirs\t0\t0.5\t")
    project = nemorun.cwd / "nemorun.toml"
    project.write_text("[metrics]\npattern = 'step (?P<step>.*) loss (?P<loss>.*)'\n")

    assert nemorun.ok("metrics", "--last") == "loss\t0\t0.5\t3\t0.5\t3\t0.5\t3\t1"
    assert nemorun.ok("metrics", "--last", "--pattern", "step (?P<at>.)").startswith("at\t0\t3")
    assert nemorun.ok("compare", run_id, "--csv").splitlines()[0].endswith(",loss")
    assert nemorun.ok("list", "-q", "--where", "metric.loss=0.5") == run_id
    # What was kept was found by another pattern.
    project.write_text("[metrics]\npattern = 'step (?P<loss>.*) loss'\n")
    assert nemorun.ok("list", "-q", "--where", "metric.loss=3") == run_id


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("pattern = 'loss ('", "[metrics] in nemorun.toml: not a regular expression"),
        ("pattern = 'loss'", "has no group that is named as a metric is"),
        ("pattern = 3", "[metrics] is a table with a `pattern`, which is a text"),
        ("patern = 'x'", "[metrics] is a table with a `pattern`, which is a text"),
    ],
)
def test_a_pattern_that_is_none_is_told_with_its_file(
    nemorun: Nemorun, text: str, told: str
) -> None:
    run(nemorun, "pass")
    (nemorun.cwd / "nemorun.toml").write_text(f"[metrics]\n{text}\n")

    done = nemorun("metrics")

    assert (done.code, done.out) == (2, "")
    assert told in done.err


def test_a_run_that_has_measured_nothing_is_no_error(nemorun: Nemorun) -> None:
    nemorun.ok("launch", "command", "--wait", "--", "true")

    done = nemorun("metrics")

    assert (done.code, done.out) == (0, "")
    assert "no metrics" in done.err
    assert nemorun.ok("metrics", "--csv") == "step,time,rank,metric,value"
    assert nemorun.ok("metrics", "--csv", "--last").startswith("metric,rank,last,")


def test_event_files_are_read_by_tensorboard_s_own_library(
    nemorun: Nemorun, tmp_path: Path
) -> None:
    there = find_spec("tensorboard") is not None
    require("tensorboard", there=there, why="the package is not installed")
    run(nemorun, EVENTS)

    told = nemorun.ok("metrics", "--last").splitlines()
    assert [line.split("\t")[0] for line in told] == ["train/loss", "val/loss"]
    rows = [line.split("\t") for line in nemorun.ok("metrics", "-m", "val/loss").splitlines()]
    assert rows[0] == ["0", "2001-09-09T01:46:40.000Z", "0", "val/loss", "0.75"]
    assert [row[4] for row in rows] == ["0.75", "0.375", "0.25"]

    (tmp_path / "without" / "tensorboard").mkdir(parents=True)
    (tmp_path / "without" / "tensorboard" / "__init__.py").write_text(
        "raise ModuleNotFoundError('not installed', name='tensorboard')"
    )
    without = str(tmp_path / "without")
    missing = nemorun("metrics", PYTHONPATH=without)
    assert (missing.code, missing.out) == (2, "")
    assert "pip install 'nemorun-cli[tensorboard]'" in missing.err
    run(nemorun, f"{MEASURE}\n{EVENTS}")
    both = nemorun("metrics", PYTHONPATH=without)
    assert both.code == 0
    assert "loss" in both.out
    assert "pip install 'nemorun-cli[tensorboard]'" in both.err
