"""Reading what sbatch, squeue and sacct print: what the corpus of outputs does not show."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemorun_cli.slurm import complaints
from nemorun_cli.slurm.reading import (
    SACCT_FIELDS,
    SQUEUE_FORMAT,
    Accounted,
    JobId,
    parse_exit,
    parse_sacct,
    parse_squeue,
    parse_submitted,
)

PIECES = st.sampled_from(
    [
        *("|", "\n", " ", "12", "12_3", "12_[4-9%2]", "14+0", "12.batch", "12.0", "RUNNING", "0:0"),
        *("PENDING", "CANCELLED by 1", "CLUSTER: a", "N/A", "Unknown", "1795590000", "(null)", "+"),
        *("2026-01-01T00:00:00", "2026-01-01T00:00:00+01:00", "Submitted batch job 7", ";", "\r"),
        *("0:125", "9999999999", "\x1b[1m", "sbatch: error: ", "Batch job submission failed: "),
    ]
)
OUTPUTS = st.text() | st.lists(PIECES).map("".join) | st.lists(PIECES).map("|".join)


@pytest.mark.parametrize(
    ("text", "code", "signal"),
    [
        ("0:0", 0, None),
        ("3:0", 3, None),
        ("0:9", None, 9),
        ("1:9", 1, 9),
        ("0:64", None, 64),
        ("0:125", None, None),
        (" 7:0 ", 7, None),
        ("7", 7, None),
        ("", None, None),
        ("x:y", None, None),
        ("-1:0", None, None),
    ],
)
def test_exit_codes_and_signals(text: str, code: int | None, signal: int | None) -> None:
    assert parse_exit(text) == (code, signal)


def test_colours_and_carriage_returns_are_no_part_of_an_id() -> None:
    assert parse_submitted("\x1b[32mSubmitted batch job 4242\x1b[0m\r\n") == JobId(id="4242")


def test_an_id_is_written_as_sbatch_does() -> None:
    for text in ("12", "12;alpha"):
        assert str(parse_submitted(text)) == text


@pytest.mark.parametrize("text", ["N/A", "Unknown", "None", "", "2026-01-01T00:00:00", "0", "-5"])
def test_a_time_that_could_be_any_is_none(text: str) -> None:
    row = parse_squeue(f"12|RUNNING|None|{text}|{text}|n1|name|comment")["12"]

    assert (row.start, row.submit) == (None, None)


@pytest.mark.parametrize("text", ["1795590000", "2026-11-25T07:00:00Z", "2026-11-25T08:00:00+0100"])
def test_a_time_with_its_zone_is_seconds(text: str) -> None:
    row = parse_squeue(f"12|RUNNING|None|{text}|{text}|n1|name|comment")["12"]

    assert (row.start, row.submit) == (1795590000.0, 1795590000.0)


def test_no_value_of_slurm_is_a_time() -> None:
    for text in ("4294967294", "4294967295"):
        assert parse_squeue(f"12|PENDING|None|{text}|N/A||n|c")["12"].start is None


def test_what_was_asked_for_is_what_is_read() -> None:
    columns = {"i", "T", "r", "S", "V", "N", "j", "k"}

    assert {part.removeprefix("%") for part in SQUEUE_FORMAT.split("|")} == columns
    assert SQUEUE_FORMAT.endswith("%k")
    assert len(SACCT_FIELDS.split(",")) == 9
    assert SACCT_FIELDS.endswith("JobName,Comment")


def test_the_cluster_that_was_asked_is_part_of_the_key() -> None:
    rows = parse_sacct("12|RUNNING|0:0|1|2|Unknown|n1|name|c", cluster="alpha")

    assert list(rows) == ["12;alpha"]
    assert rows["12;alpha"].id == "12"


def test_starts_of_another_job_with_the_same_id_are_left_out() -> None:
    text = "9|COMPLETED|0:0|100|101|102|n1|old|\n9|RUNNING|0:0|200|201|Unknown|n1|new|\n"

    def mine(found: Accounted) -> bool:
        return found.submit is not None and found.submit >= 150

    found = parse_sacct(text, mine=mine)["9"]
    assert found.name == "new"
    assert found.earlier == ()
    assert parse_sacct(text.partition("\n")[0], mine=mine) == {}


def test_starts_are_put_in_order() -> None:
    text = "9|RUNNING|0:0|200|201|Unknown|n1|a|\n9|PREEMPTED|0:0|100|101|102|n1|a|\n"

    found = parse_sacct(text)["9"]
    assert found.state == "RUNNING"
    assert found.earlier_words == ("PREEMPTED",)


def test_steps_belong_to_the_start_above_them() -> None:
    text = "9|PREEMPTED|0:0|100|101|102|n1|a|\n9.0|FAILED|1:0|1|1|1|n1|a|\n9|RUNNING|0:0|200|||||\n"

    found = parse_sacct(text)["9"]
    assert found.steps == ()
    assert [step.name for step in found.earlier[0].steps] == ["0"]


@given(OUTPUTS)
def test_no_output_is_too_strange(text: str) -> None:
    for row in parse_squeue(text).values():
        assert row.id
    for found in parse_sacct(text).values():
        assert found.id
    job = parse_submitted(text)
    assert job is None or job.id.isdecimal()


@given(OUTPUTS)
def test_no_complaint_is_too_strange(text: str) -> None:
    assert complaints.controller_busy(text) in {True, False}
    assert not (complaints.accounting_disabled(text) and complaints.accounting_down(text))
    refusal = complaints.refusal(text)
    assert "\n" not in refusal
    assert "\n" not in complaints.advice(refusal)


@given(st.integers(1, 2**32 - 3), st.from_regex(r"\A[A-Za-z][\w.-]{0,8}\Z") | st.none(), OUTPUTS)
def test_an_id_on_the_last_line_is_found_behind_any_banner(
    number: int, cluster: str | None, banner: str
) -> None:
    job = JobId(id=str(number), cluster=cluster)

    assert parse_submitted(f"{banner}\n{job}\n") == job
