"""Slurm's words for states: the whole of the man pages, and what no man page has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemorun_cli.core.jobs import JobState, Reason
from nemorun_cli.slurm.states import (
    WORDS,
    is_live,
    may_be_requeued,
    reason_of,
    state_of,
    word_of,
)

MAN_PAGES = """
BOOT_FAIL     BF  FAILED    node_failure requeues
CANCELLED     CA  CANCELLED cancelled    -
COMPLETED     CD  SUCCEEDED -            -
CONFIGURING   CF  PENDING   -            -
COMPLETING    CG  RUNNING   -            -
DEADLINE      DL  FAILED    time_limit   -
FAILED        F   FAILED    exit         -
NODE_FAIL     NF  FAILED    node_failure requeues
OUT_OF_MEMORY OOM FAILED    oom          -
PENDING       PD  PENDING   -            -
PREEMPTED     PR  FAILED    preempted    requeues
RUNNING       R   RUNNING   -            -
RESV_DEL_HOLD RD  PENDING   -            requeues
REQUEUE_FED   RF  PENDING   -            requeues
REQUEUE_HOLD  RH  PENDING   -            requeues
REQUEUED      RQ  PENDING   -            requeues
RESIZING      RS  RUNNING   -            -
REVOKED       RV  CANCELLED cancelled    -
SIGNALING     SI  RUNNING   -            -
SPECIAL_EXIT  SE  PENDING   -            requeues
STAGE_OUT     SO  RUNNING   -            -
STOPPED       ST  RUNNING   -            -
SUSPENDED     S   RUNNING   -            -
TIMEOUT       TO  FAILED    time_limit   -
"""
TABLE = [tuple(line.split()) for line in MAN_PAGES.split("\n") if line]
FLAGS = ("LAUNCH_FAILED", "RECONFIG_FAIL", "POWER_UP_NODE", "EXPEDITING")


@pytest.mark.parametrize(("name", "code", "state", "reason", "requeues"), TABLE)
def test_every_word_of_the_man_pages_is_known(
    name: str, code: str, state: str, reason: str, requeues: str
) -> None:
    for word in (name, code, name.lower(), f"  {name}\n", f"{name} by 501"):
        assert state_of(word) is JobState(state)
        assert reason_of(word) is (None if reason == "-" else Reason(reason))
        assert may_be_requeued(word) is (requeues == "requeues")
        assert is_live(word) is (state in {"PENDING", "RUNNING"})


def test_no_other_word_is_claimed_but_the_flags_of_the_json_output() -> None:
    assert {word.name for word in WORDS} == {row[0] for row in TABLE} | set(FLAGS)


@pytest.mark.parametrize("word", FLAGS)
def test_the_flags_of_the_json_output_are_known_too(word: str) -> None:
    assert state_of(word) in {JobState.FAILED, JobState.PENDING}


@pytest.mark.parametrize(
    ("cut", "name"),
    [
        ("OUT_OF_ME+", "OUT_OF_MEMORY"),
        ("CANCELLED+", "CANCELLED"),
        ("COMPLETED+", "COMPLETED"),
        ("CONFIGURI+", "CONFIGURING"),
        ("RESV_DEL_+", "RESV_DEL_HOLD"),
        ("SPECIAL_E+", "SPECIAL_EXIT"),
        ("NODE_F+", "NODE_FAIL"),
        ("F+", "FAILED"),
    ],
)
def test_a_word_that_was_cut_is_known_by_its_beginning(cut: str, name: str) -> None:
    found = word_of(cut)

    assert found is not None
    assert found.name == name


@pytest.mark.parametrize("word", ["", " ", "+", "++", "FOO", "COMPLET+", "RE+", "R+", "?", "RUN"])
def test_what_could_be_anything_is_unknown(word: str) -> None:
    assert state_of(word) is JobState.UNKNOWN
    assert reason_of(word) is None
    assert not may_be_requeued(word)
    assert not is_live(word)


@given(st.text())
def test_no_text_is_too_strange(text: str) -> None:
    known = {word.name for word in WORDS} | {word.code for word in WORDS}
    first = next(iter(text.split()), "").upper()

    if first not in known and "+" not in first:
        assert state_of(text) is JobState.UNKNOWN
    assert is_live(text) is (state_of(text) in {JobState.PENDING, JobState.RUNNING})
