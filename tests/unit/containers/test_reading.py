"""The verdict on a container that has ended; states as engine 20.10 and 28 tell them."""

import json
from typing import Any

import pytest

from nemorun_cli.containers.engine import unframed
from nemorun_cli.containers.reading import last_words, seconds
from nemorun_cli.jobfiles import JobFiles, verdict_of

EXITED_3: dict[str, Any] = {
    "Status": "exited",
    "Running": False,
    "OOMKilled": False,
    "Dead": False,
    "Pid": 0,
    "ExitCode": 3,
    "Error": "",
    "StartedAt": "2026-03-02T10:38:46.389744453Z",
    "FinishedAt": "2026-03-02T10:38:47.388643141Z",
}
KILLED = {**EXITED_3, "ExitCode": 137}
OOM = {**KILLED, "OOMKilled": True}
UNSEEN = {**EXITED_3, "ExitCode": 255}
NOT_STARTED = {
    **EXITED_3,
    "ExitCode": 127,
    "Error": 'exec: "sh": executable file not found in $PATH: unknown',
    "StartedAt": "0001-01-01T00:00:00Z",
}
BEGUN = '{"attempt":2,"started_at":1700000000,"session":7,"session_start":1}\n'


def words(reason: str, code: int, signal: int | None, state: str = "FAILED") -> str:
    known = {"attempt": 1, "started_at": 1, "ended_at": 2}
    told = {"state": state, "reason": reason, "exit_code": code, "signal": signal}
    return json.dumps({**told, **known})


def told(state: dict[str, Any], printed: str = "", **files: Any) -> dict[str, Any]:
    text = last_words({"State": state}, JobFiles(**files), printed)
    assert verdict_of(JobFiles(verdict=text)) is not None, "nobody could read it"
    found: dict[str, Any] = json.loads(text)
    return found


def test_what_the_job_said_stands() -> None:
    said = words("exit", 3, None)

    assert told(EXITED_3, last_words=said) == json.loads(said)


def test_a_kill_for_memory_is_one_though_the_job_saw_a_signal() -> None:
    found = told(OOM, last_words=words("signal", 137, 9))

    assert (found["reason"], found["signal"]) == ("oom", 9)


@pytest.mark.parametrize("said", [words("exit", 1, None), words("cancelled", 137, 9, "CANCELLED")])
def test_not_every_kill_for_memory_is_what_ended_the_job(said: str) -> None:
    assert told(OOM, last_words=said) == json.loads(said)


@pytest.mark.parametrize(
    ("state", "files", "expected"),
    [
        (KILLED, {}, ("FAILED", "signal", 137, 9)),
        (OOM, {}, ("FAILED", "oom", 137, 9)),
        (KILLED, {"cancelled": True}, ("CANCELLED", "cancelled", 137, 9)),
        (UNSEEN, {}, ("LOST", "lost", None, None)),
        (EXITED_3, {}, ("FAILED", "exit", 3, None)),
        ({**EXITED_3, "ExitCode": 0}, {}, ("FAILED", "exit", 1, None)),
    ],
)
def test_a_container_that_says_nothing_is_judged_by_what_the_engine_saw(
    state: dict[str, Any], files: dict[str, Any], expected: tuple[object, ...]
) -> None:
    found = told(state, **files)

    assert tuple(found[name] for name in ("state", "reason", "exit_code", "signal")) == expected


def test_the_attempt_is_the_last_that_began() -> None:
    found = told(KILLED, history=BEGUN)

    assert (found["attempt"], found["started_at"]) == (2, 1700000000)
    assert found["ended_at"] == seconds("2026-03-02T10:38:47Z")


def test_why_a_shell_did_not_run_is_told() -> None:
    assert "executable file not found" in told(NOT_STARTED)["detail"]
    assert told(EXITED_3, printed="banner\nno licence\n")["detail"] == "no licence"
    assert told(NOT_STARTED)["started_at"] is None


def test_torn_words_count_as_none() -> None:
    assert told(KILLED, last_words='{"state":"SUCC')["reason"] == "signal"


def test_frames_are_taken_off_and_plain_streams_left() -> None:
    assert unframed(b"\2\0\0\0\0\0\0\3hi\n\1\0\0\0\0\0\0\4you\n") == "hi\nyou\n"
    assert unframed(b"a terminal's") == "a terminal's"
    assert unframed(b"") == ""
