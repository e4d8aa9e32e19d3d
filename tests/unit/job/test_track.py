"""Metrics: what a line holds, and that none is lost, torn or fatal."""

import json
import os
import stat
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from nemorun_cli import track
from nemorun_cli.job import track as module


@pytest.fixture
def metrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("RANK", "NEMORUN_NODE_RANK", "NEMORUN_STREAM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NEMORUN_METRICS", str(tmp_path / "metrics.jsonl"))
    monkeypatch.setattr(module, "_warned", False)
    monkeypatch.setattr(module, "_torn", False)
    return tmp_path / "metrics.jsonl"


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_line_holds_time_step_rank_and_numbers(metrics: Path) -> None:
    more: dict[str, Any] = {"val/accuracy": 1}
    track.log(step=3, loss=0.5, **more)
    track.log(loss=0.25)

    first, second = lines(metrics)
    assert first.pop("time") > 1_600_000_000
    assert first == {"step": 3, "rank": 0, "metrics": {"loss": 0.5, "val/accuracy": 1}}
    assert second["step"] is None
    assert stat.S_IMODE(metrics.stat().st_mode) == 0o600


class Scalar:
    """As NumPy and PyTorch have them."""

    def item(self) -> float:
        return 2.5


def test_numbers_of_any_kind_are_numbers(metrics: Path) -> None:
    track.log(a=Scalar(), b=Fraction(1, 4), c=True, d=10**30)

    assert lines(metrics)[0]["metrics"] == {"a": 2.5, "b": 0.25, "c": 1, "d": 10**30}


def test_what_is_no_finite_number_is_a_word(metrics: Path) -> None:
    track.log(a=float("nan"), b=float("inf"), c=float("-inf"))

    assert lines(metrics)[0]["metrics"] == {"a": "nan", "b": "inf", "c": "-inf"}


@pytest.mark.parametrize("value", ["0.5", b"1", None, [1], 1j])
def test_what_is_no_number_is_refused_by_name(metrics: Path, value: object) -> None:
    with pytest.raises(TypeError, match="'loss'"):
        track.log(loss=value)
    assert not metrics.exists()


def test_outside_a_job_nothing_happens(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("NEMORUN_METRICS", raising=False)
    monkeypatch.delenv("NEMORUN_STREAM", raising=False)

    track.log(step=1, loss=0.5)

    assert capsys.readouterr() == ("", "")


def test_only_the_first_rank_is_heard(metrics: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "2")

    track.log(step=1, loss=0.5)
    track.log(step=2, loss=0.5, all_ranks=True)

    assert [(line["step"], line["rank"]) for line in lines(metrics)] == [(2, 2)]


def test_where_files_cannot_be_read_lines_go_to_the_log(
    metrics: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NEMORUN_STREAM", "1")

    track.log(step=1, loss=0.5)

    empty, line = capsys.readouterr().out.removesuffix("\n").split("\n")
    mark, text = line.split(" ", 1)
    assert (empty, mark) == ("", "::nemorun::")
    assert [json.loads(text)] == lines(metrics)


def test_lines_of_many_processes_never_mix(metrics: Path) -> None:
    code = (
        "from nemorun_cli import track\n"
        "for step in range(300): track.log(step=step, all_ranks=True, **{'x' * 200: step})"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "RANK": str(rank)})
        for rank in range(8)
    ]

    assert [process.wait() for process in processes] == [0] * 8

    told = sorted((line["rank"], line["step"]) for line in lines(metrics))
    assert told == [(rank, step) for rank in range(8) for step in range(300)]


def test_a_disk_that_fails_costs_one_warning_and_never_the_run(
    metrics: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NEMORUN_METRICS", "/dev/full")

    track.log(loss=1)
    track.log(loss=2)

    assert capsys.readouterr().err.count("nemorun: metrics are being lost: ") == 1
    assert not metrics.exists()


def test_a_line_cut_short_spoils_no_other(
    metrics: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:20]))
    track.log(step=1, loss=1)
    monkeypatch.setattr(os, "write", real)

    track.log(step=2, loss=2)

    assert "bytes could be written" in capsys.readouterr().err
    assert json.loads(metrics.read_text().splitlines()[1])["step"] == 2
