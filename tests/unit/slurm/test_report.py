"""What all sources mean together: never better than what is known, never an end from silence."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemorun_cli.core.jobs import JobState, JobStatus, Reason
from nemorun_cli.slurm.reading import Accounted, QueueRow, Step, parse_exit
from nemorun_cli.slurm.report import (
    BACKLOG,
    PATIENCE,
    SETTLING,
    Report,
    files_of,
    is_missing,
    read_report,
    status_in,
)
from nemorun_cli.slurm.states import WORDS, is_live, may_be_requeued

RUN = "20261125-101112-abcdefgh"
KEY = f"{RUN}-1"
OTHER = "20250101-000000-zzzzzzzz"
TOKEN = "@0123456789abcdef"  # noqa: S105
NOW = 1_800_000_000.0
MINE = {"name": f"nemorun-{RUN}", "comment": f"nemorun:{KEY}"}
THEIRS = {"name": f"nemorun-{OTHER}", "comment": f"nemorun:{OTHER}-1"}
DISABLED = "Slurm accounting storage is disabled"
DOWN = "sacct: error: slurm_persist_conn_open_without_init: failed to open persistent connection"


def verdict(state: str, reason: str | None = None, code: int | None = None) -> str:
    told = {"state": state, "reason": reason, "exit_code": code, "signal": None, "attempt": 1}
    return json.dumps({**told, "started_at": 100, "ended_at": 200})


STARTED = '{"attempt":1,"started_at":100,"session":7,"session_start":5}\n'


def row(state: str, reason: str = "", **whose: str) -> QueueRow:
    name, comment = (whose or MINE).values()
    return QueueRow(id="12", state=state, reason=reason, name=name, comment=comment)


def accounted(state: str, text: str = "0:0", *steps: Step, **whose: str) -> Accounted:
    code, signal = parse_exit(text)
    known = {"exit": text, "exit_code": code, "signal": signal}
    return Accounted(id="12", state=state, steps=steps, **{**known, **(whose or MINE)})  # type: ignore[arg-type]


def seen(
    queued: QueueRow | None = None,
    known: Accounted | None = None,
    files: Mapping[str, str] | None = None,
    **more: Any,
) -> Report:
    """The report of an enquiry in which everybody answered, unless it is said otherwise."""
    report = Report(
        whole=True,
        cluster="fake",
        answered=frozenset({"-"}),
        queue={"12": queued} if queued else {},
        accounting={"12": known} if known else {},
        folders={} if files is None else {KEY: files},
    )
    return replace(report, **more)


def told(report: Report, since: float = PATIENCE, native: str = "12") -> JobStatus:
    return status_in(report, KEY, native, missing=NOW - since, now=NOW)


@pytest.mark.parametrize(
    ("report", "state", "reason"),
    [
        # The job's own verdict counts, whatever Slurm says.
        (seen(files={"exit.json": verdict("SUCCEEDED")}), "SUCCEEDED", None),
        (
            seen(row("RUNNING"), files={"exit.json": verdict("FAILED", "oom", 1)}),
            "FAILED",
            Reason.OOM,
        ),
        (
            seen(None, accounted("COMPLETED"), {"exit.json": verdict("FAILED", "exit", 1)}),
            "FAILED",
            Reason.EXIT,
        ),
        # What waits and what runs.
        (seen(row("PENDING", "Priority")), "PENDING", Reason.WAITING),
        (seen(row("PENDING", "Dependency")), "PENDING", Reason.DEPENDENCY),
        (seen(row("CONFIGURING")), "PENDING", Reason.WAITING),
        (seen(row("RUNNING")), "RUNNING", None),
        (seen(row("RUNNING"), files={"attempts.jsonl": STARTED}), "RUNNING", None),
        (seen(row("COMPLETING"), files={"attempts.jsonl": STARTED}), "RUNNING", None),
        (seen(row("PENDING", "BeginTime"), files={"attempts.jsonl": STARTED}), "PENDING", None),
        # Ends that only Slurm tells of.
        (seen(None, accounted("COMPLETED"), {"attempts.jsonl": STARTED}), "SUCCEEDED", None),
        (seen(row("COMPLETED"), files={"attempts.jsonl": STARTED}), "SUCCEEDED", None),
        (seen(row("COMPLETED"), accounted("COMPLETED", "3:0")), "FAILED", Reason.EXIT),
        (seen(None, accounted("FAILED", "1:0")), "FAILED", Reason.EXIT),
        (seen(None, accounted("FAILED", "0:9")), "FAILED", Reason.SIGNAL),
        (seen(None, accounted("TIMEOUT")), "FAILED", Reason.TIME_LIMIT),
        (seen(None, accounted("OUT_OF_MEMORY", "0:125")), "FAILED", Reason.OOM),
        (seen(None, accounted("NODE_FAIL", "1:0")), "FAILED", Reason.NODE_FAILURE),
        (seen(None, accounted("PREEMPTED", "0:15")), "FAILED", Reason.PREEMPTED),
        (seen(None, accounted("CANCELLED by 501")), "CANCELLED", Reason.CANCELLED),
        (seen(None, accounted("NEXT_YEARS_STATE")), "UNKNOWN", None),
        # Nobody knows it.
        (seen(files={}), "LOST", Reason.LOST),
        (seen(), "LOST", Reason.LOST),
        (seen(unaccounted={"-": DISABLED}), "LOST", Reason.LOST),
        (seen(files={"last_words.json": verdict("FAILED", "signal")}), "FAILED", Reason.SIGNAL),
        # Nobody can say.
        (seen(silent={"-": "timeout"}, answered=frozenset()), "UNKNOWN", Reason.UNREACHABLE),
        (seen(answered=frozenset()), "UNKNOWN", None),
        (seen(unaccounted={"-": DOWN}), "UNKNOWN", None),
        (seen(unaccounted={"-": ""}), "UNKNOWN", None),
        (seen(folders=None), "UNKNOWN", None),
        (seen(files={"cluster": "other\n"}), "UNKNOWN", None),
        (seen(None, accounted("RUNNING")), "UNKNOWN", None),
        # The number is another job's.
        (seen(row("RUNNING", **THEIRS)), "LOST", Reason.LOST),
        (seen(None, accounted("COMPLETED", **THEIRS)), "LOST", Reason.LOST),
    ],
)
def test_what_all_say_together(report: Report, state: str, reason: Reason | None) -> None:
    status = told(report)

    assert status.state is JobState(state)
    assert status.reason is (reason or status.reason)
    assert status.reason_detail or status.state in (JobState.RUNNING, JobState.SUCCEEDED) or reason


def test_an_end_that_only_slurm_tells_of_is_not_believed_at_once() -> None:
    for word in ("COMPLETED", "FAILED", "TIMEOUT", "CANCELLED by 0", "NODE_FAIL"):
        report = seen(None, accounted(word), {"attempts.jsonl": STARTED})

        early, late = told(report, SETTLING - 1), told(report, SETTLING)

        assert early.state is JobState.UNKNOWN
        assert word in early.reason_detail
        assert late.state.terminal


def test_a_job_that_was_cancelled_before_it_began_needs_no_time_to_settle() -> None:
    assert told(seen(None, accounted("CANCELLED by 0")), 0).state is JobState.CANCELLED
    assert told(seen(row("CANCELLED")), 0).state is JobState.CANCELLED
    assert told(seen(row("COMPLETED")), 0).state is JobState.UNKNOWN


def test_a_job_that_was_asked_to_end_and_was_cancelled_is_cancelled_at_once() -> None:
    files = {"attempts.jsonl": STARTED, "cancel": ""}

    assert told(seen(None, accounted("CANCELLED by 0"), files), 0).state is JobState.CANCELLED
    assert told(seen(None, accounted("FAILED"), files), 0).state is JobState.UNKNOWN


def test_what_slurm_may_start_again_has_not_ended_until_it_stays_so() -> None:
    for word in WORDS:
        for report in (seen(None, accounted(word.name)), seen(row(word.name))):
            if may_be_requeued(word.name):
                assert not told(report, SETTLING - 1).state.terminal


def test_a_job_that_was_requeued_waits_with_its_attempts() -> None:
    history = STARTED + '{"attempt":1,"ended_at":null,"reason":"preempted"}\n'

    status = told(seen(row("PENDING", "BeginTime"), files={"attempts.jsonl": history}))

    assert (status.state, status.attempt) == (JobState.PENDING, 1)
    assert [each.reason for each in status.attempts] == ["preempted"]


def test_a_failure_is_told_in_the_words_of_the_rank_that_failed_first() -> None:
    failure = json.dumps({"rank": 3, "kind": "exit", "message": "exit code 7", "exit_code": 7})
    files = {
        "attempts.jsonl": STARTED,
        "logs/1/first_failure.json": failure,
        "logs/1/0.log": "",
        "logs/1/1.log": "",
    }

    status = told(seen(None, accounted("FAILED", "7:0"), files))
    own = told(seen(files={**files, "exit.json": verdict("FAILED", "exit", 7)}))

    assert (status.failing_rank, own.failing_rank) == (3, 3)
    assert "exit code 7" in status.reason_detail
    assert "exit code 7" in own.reason_detail


def test_a_job_that_is_nowhere_is_given_up_after_a_while() -> None:
    assert told(seen(files={}), PATIENCE - 1).state is JobState.UNKNOWN
    assert told(seen(files={}), PATIENCE).state is JobState.LOST
    assert "its folder is gone" in told(seen()).reason_detail


def test_accounting_that_is_behind_is_waited_for_longer() -> None:
    behind = seen(None, accounted("RUNNING"))

    assert told(behind, BACKLOG - 1).state is JobState.UNKNOWN
    assert told(behind, BACKLOG).state is JobState.LOST


def test_a_number_that_was_used_before_tells_of_the_last_job_of_that_name() -> None:
    before = accounted("COMPLETED", **THEIRS)
    own = replace(accounted("FAILED", "4:0"), earlier=(before,))
    after = replace(accounted("COMPLETED", **THEIRS), earlier=(accounted("FAILED", "4:0"),))

    for known in (own, after):
        assert told(seen(None, known)).exit_code == 4


def test_a_job_whose_name_the_site_has_changed_is_known_by_its_comment() -> None:
    renamed = {"name": "site-prefix", "comment": f"nemorun:{KEY} and the user's own"}

    assert told(seen(row("RUNNING", **renamed))).state is JobState.RUNNING
    assert told(seen(row("RUNNING", name="x", comment=f"nemorun:{KEY}2"))).state is JobState.LOST


def test_each_cluster_answers_for_its_own_jobs() -> None:
    report = seen(answered=frozenset({"b"}), silent={"a": "down"}, queue={"12;b": row("RUNNING")})

    assert told(report, native="12;a").reason is Reason.UNREACHABLE
    assert told(report, native="12;b").state is JobState.RUNNING
    assert told(report, native="12").state is JobState.UNKNOWN


def test_only_who_was_looked_for_everywhere_is_missing() -> None:
    assert is_missing(seen(), KEY, "12")
    assert is_missing(seen(row("COMPLETED")), KEY, "12")
    assert is_missing(seen(row("RUNNING", **THEIRS)), KEY, "12")
    assert is_missing(seen(unaccounted={"-": DISABLED}), KEY, "12")
    assert not is_missing(seen(row("RUNNING")), KEY, "12")
    assert not is_missing(seen(unaccounted={"-": DOWN}), KEY, "12")
    assert not is_missing(seen(answered=frozenset()), KEY, "12")
    assert not is_missing(seen(), KEY, "12;b")


NAMES = st.sampled_from([word.name for word in WORDS] + ["", "FOO", "CANCELLED by 1"])
WHOSE = st.sampled_from([MINE, THEIRS])
ROWS = st.none() | st.builds(lambda name, whose: row(name, **whose), NAMES, WHOSE)
STEPS = st.lists(st.builds(Step, name=st.sampled_from(["batch", "0"]), state=NAMES), max_size=2)
STARTS = st.none() | st.builds(
    lambda name, text, steps, whose: accounted(name, text, *steps, **whose),
    NAMES,
    st.sampled_from(["", "0:0", "1:0", "0:9", "0:125"]),
    STEPS,
    WHOSE,
)
VERDICTS = st.sampled_from(
    [
        *("", "{", "null", "[]", '{"state": "SUCCEEDED"}', '"SUCCEEDED"', verdict("RUNNING")[:40]),
        *(verdict("SUCCEEDED"), verdict("FAILED", "exit", 1), verdict("CANCELLED", "cancelled")),
    ]
)
FOLDERS = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "exit.json": VERDICTS,
        "attempts.jsonl": st.sampled_from(["", STARTED, "{torn", STARTED * 2]),
        "last_words.json": st.sampled_from(["", "{", verdict("FAILED", "signal")]),
        "cancel": st.just(""),
        "cluster": st.sampled_from(["fake\n", "other\n", ""]),
        "logs/1/first_failure.json": st.sampled_from(["", "{", "[]", '{"rank": "x"}']),
    },
)
COMPLAINTS = st.sampled_from([{}, {"-": DOWN}, {"-": DISABLED}, {"-": ""}])
SILENCE = st.sampled_from([{}, {"-": "it does not answer"}])
AGES = st.sampled_from([0.0, SETTLING - 1, SETTLING, PATIENCE - 1, PATIENCE, BACKLOG])


@settings(max_examples=700, deadline=None)
@given(ROWS, STARTS, FOLDERS, COMPLAINTS, SILENCE, st.booleans(), AGES)
def test_no_mixture_of_words_ends_a_job_too_well_or_too_soon(
    queued: QueueRow | None,
    known: Accounted | None,
    files: dict[str, str] | None,
    complaints: dict[str, str],
    silence: dict[str, str],
    answered: bool,  # noqa: FBT001
    since: float,
) -> None:
    reached = answered and not silence
    if complaints or (queued is not None and queued.state != "COMPLETED"):
        known = None  # It says nothing of this job, or is asked about others alone.
    report = seen(
        queued if reached else None,
        known if reached else None,
        files,
        unaccounted=complaints if reached else {},
        silent=silence,
        answered=frozenset({"-"} if reached else ()),
    )

    status = told(report, since)

    own = json.loads(text) if (text := (files or {}).get("exit.json", "")).endswith("200}") else {}
    if own:
        assert status.state is JobState(own["state"])
        return
    mine = [each for each in (queued, known) if each is not None and each.name == MINE["name"]]
    words = {each.state for each in mine} if reached else set()
    if status.state is JobState.SUCCEEDED:
        assert "COMPLETED" in words
        assert since >= SETTLING
        ended = [each for each in mine if each is not queued and not is_live(each.state)]
        assert [getattr(each, "exit", "") for each in ended] in ([], ["0:0"])
    if status.state.terminal:
        assert reached
        assert since >= SETTLING or mine
        assert not [each for each in mine if each is queued and is_live(each.state)]
    if status.state is JobState.LOST:
        assert since >= PATIENCE
        assert complaints in ({}, {"-": DISABLED})
        assert (files or {}).get("cluster", "").strip() in ("", "fake")
    if any(may_be_requeued(word) for word in words):
        assert since >= SETTLING or not status.state.terminal
    if status.state is JobState.UNKNOWN:
        assert status.reason_detail


def output(
    queue: str = f"13|RUNNING|None|0|0|n1|{THEIRS['name']}|(null)\n",
    accounting: str = "",
    *,
    codes: tuple[int, int] = (0, 0),
) -> str:
    """What an enquiry prints of one job that has left the queue, verdict and all."""
    files = f"{KEY}/:\n{KEY}/exit.json:{verdict('SUCCEEDED')}\n{KEY}/attempts.jsonl:{STARTED}"
    parts = {
        "cluster": "fake\n",
        "queue -": queue,
        f"queue-code - {codes[0]}": "",
        "accounting -": accounting,
        f"accounting-code - {codes[1]}": "",
        "files": files,
        "end": "",
    }
    return "".join(f"\n{TOKEN} {what}\n{text}" for what, text in parts.items())


def test_a_whole_answer_is_read_in_its_parts() -> None:
    report = read_report(output(), token=TOKEN)

    assert report.whole
    assert report.cluster == "fake"
    assert set(report.answered) == {"-"}
    assert list(report.queue) == ["13"]
    assert files_of((report.folders or {})[KEY]).history == STARTED
    assert told(report).state is JobState.SUCCEEDED


def test_wherever_an_answer_is_cut_nothing_is_made_up_for_the_rest() -> None:
    whole = output()

    for length in range(len(whole)):
        report = read_report(whole[:length], token=TOKEN)

        assert not report.whole or told(report).state is JobState.SUCCEEDED


def test_a_queue_without_any_of_the_jobs_asked_for_has_answered() -> None:
    report = read_report(
        output("slurm_load_jobs error: Invalid job id specified\n", codes=(1, 0)), token=TOKEN
    )

    assert set(report.answered) == {"-"}
    assert report.silent == {}


def test_what_was_complained_of_is_kept() -> None:
    complaint = "slurm_load_jobs error: Unable to contact slurm controller"

    report = read_report(output(complaint, DISABLED, codes=(1, 1)), token=TOKEN)

    assert report.silent == {"-": complaint}
    assert report.unaccounted == {"-": DISABLED}
    assert not report.answered


@given(st.text())
def test_no_answer_is_too_strange(text: str) -> None:
    report = read_report(text, token=TOKEN)

    assert told(report).state is JobState.UNKNOWN


PIECES = st.sampled_from(
    [
        *(f"\n{TOKEN} ", "queue", "queue-code", "accounting", "accounting-code", "files", "end"),
        *("cluster", " - ", "0", "\n", "|", ":", "/", KEY, "exit.json", "attempts.jsonl", "12"),
        *("RUNNING", "COMPLETED", "0:0", "0", "logs/1/first_failure.json", "{", "[", "null", "\0"),
        *(verdict("FAILED"), '{"attempt": 1, "started_at": "x"}', '{"attempt": [1]}', "\udcff"),
        *('{"state":"FAILED","reason":null,"exit_code":[],"signal":{},"attempt":[1],', "٣"),
        '"started_at":1e999,"ended_at":"x"}',
    ]
)


@settings(max_examples=500)
@given(st.lists(PIECES).map("".join))
def test_no_answer_made_of_the_right_pieces_is_too_strange(text: str) -> None:
    report = read_report(text, token=TOKEN)

    for key in (KEY, *(report.folders or {})):
        status = told(replace(report, folders={KEY: (report.folders or {}).get(key, {})}))

        assert status.state is not JobState.SUCCEEDED or "COMPLETED" in text
        assert isinstance(status.exit_code, int | None)
        assert isinstance(status.attempt, int)
        assert isinstance(status.started_at, int | float | None)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["state", "reason", "exit_code", "signal", "attempt", "started_at", "ended_at", "rank", "message", "kind"]), inner)))  # fmt: skip  # noqa: E501
def test_no_file_of_a_job_is_too_strange(value: Any) -> None:
    text = json.dumps(value)
    files = {"exit.json": text, "attempts.jsonl": text, "logs/1/first_failure.json": text}

    status = told(seen(None, accounted("FAILED", "1:0"), files))

    assert status.state in (JobState.FAILED, JobState.LOST, JobState.CANCELLED, JobState.SUCCEEDED)
