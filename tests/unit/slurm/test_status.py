"""From Slurm's words to a status: never better than what is known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemorun_cli.core.jobs import JobState, Reason
from nemorun_cli.slurm.reading import Accounted, QueueRow, Step, parse_exit
from nemorun_cli.slurm.states import WORDS
from nemorun_cli.slurm.status import status_from_accounting, status_from_queue

NAMES = st.sampled_from([word.name for word in WORDS] + ["", "FOO", "OUT_OF_ME+", "CANCELLED by 1"])
EXITS = st.sampled_from(["", "0:0", "1:0", "0:9", "0:53", "0:125", "137:0"])


def accounted(state: str, text: str = "0:0", *steps: tuple[str, str]) -> Accounted:
    code, signal = parse_exit(text)
    return Accounted(
        id="12",
        state=state,
        exit=text,
        exit_code=code,
        signal=signal,
        start=100.0,
        end=200.0,
        steps=tuple(Step(name=name, state=word) for name, word in steps),
    )


@pytest.mark.parametrize(
    ("found", "state", "reason"),
    [
        (accounted("COMPLETED"), "SUCCEEDED", None),
        (accounted("COMPLETED", "0:0", ("batch", "COMPLETED")), "SUCCEEDED", None),
        (accounted("COMPLETED", "1:0"), "FAILED", Reason.EXIT),
        (accounted("COMPLETED", "0:9"), "FAILED", Reason.SIGNAL),
        (accounted("COMPLETED", ""), "UNKNOWN", None),
        (accounted("COMPLETED", "0:0", ("batch", "FAILED")), "FAILED", Reason.EXIT),
        (accounted("COMPLETED", "0:0", ("0", "OUT_OF_MEMORY")), "FAILED", Reason.OOM),
        (accounted("COMPLETED", "0:0", ("0", "NODE_FAIL")), "FAILED", Reason.NODE_FAILURE),
        (accounted("COMPLETED", "0:0", ("0", "FAILED"), ("1", "COMPLETED")), "SUCCEEDED", None),
        (accounted("COMPLETED", "0:0", ("0", "CANCELLED")), "SUCCEEDED", None),
        (accounted("COMPLETED", "0:0", ("extern", "OUT_OF_MEMORY")), "SUCCEEDED", None),
        (accounted("FAILED", "0:125"), "FAILED", Reason.OOM),
        (accounted("FAILED", "1:0", ("0", "OUT_OF_ME+")), "FAILED", Reason.OOM),
        (accounted("FAILED", "1:0", ("0", "FAILED")), "FAILED", Reason.EXIT),
        (accounted("FAILED", "0:9"), "FAILED", Reason.SIGNAL),
        (accounted("OUT_OF_MEMORY", "0:0"), "FAILED", Reason.OOM),
        (accounted("TIMEOUT"), "FAILED", Reason.TIME_LIMIT),
        (accounted("CANCELLED by 501"), "CANCELLED", Reason.CANCELLED),
        (accounted("CANCELLED by 501", "0:0", ("0", "OUT_OF_MEMORY")), "CANCELLED", None),
        (accounted("NODE_FAIL", "1:0"), "FAILED", Reason.NODE_FAILURE),
        (accounted("RUNNING"), "RUNNING", None),
        (accounted("PENDING"), "PENDING", Reason.WAITING),
        (accounted("FOO"), "UNKNOWN", None),
    ],
)
def test_accounting_is_read_with_its_steps(
    found: Accounted, state: str, reason: Reason | None
) -> None:
    status = status_from_accounting(found)

    assert status.state is JobState(state)
    assert status.reason is (reason or status.reason)


def test_slurms_own_word_is_kept() -> None:
    for state in ("CANCELLED by 501", "TIMEOUT", "FAILED", "PREEMPTED", "OUT_OF_ME+", "FOO"):
        assert state in status_from_accounting(accounted(state, "1:0")).reason_detail
        assert state in status_from_queue(QueueRow(id="12", state=state)).reason_detail


def test_a_node_failure_has_no_exit_code() -> None:
    assert status_from_accounting(accounted("NODE_FAIL", "1:0")).exit_code is None


def test_a_signal_has_no_exit_code() -> None:
    status = status_from_accounting(accounted("FAILED", "0:9"))

    assert (status.exit_code, status.signal) == (None, 9)


def test_fifty_three_is_no_signal_but_a_file_that_could_not_be_opened() -> None:
    told = status_from_accounting(accounted("FAILED", "0:53"))
    queued = status_from_queue(
        QueueRow(id="12", state="FAILED", reason="RaisedSignal:53(Real-time_signal_19)")
    )

    for status in (told, queued):
        assert status.signal is None
        assert "output file" in status.reason_detail


@pytest.mark.parametrize(
    ("state", "reason", "expected"),
    [
        ("CANCELLED", "DependencyNeverSatisfied", Reason.DEPENDENCY),
        ("CANCELLED", "JobHeldUser", Reason.CANCELLED),
        ("FAILED", "NonZeroExitCode", Reason.EXIT),
        ("FAILED", "JobLaunchFailure", Reason.EXIT),
        ("FAILED", "OutOfMemory", Reason.OOM),
        ("FAILED", "RaisedSignal:9(Killed)", Reason.SIGNAL),
        ("TIMEOUT", "TimeLimit", Reason.TIME_LIMIT),
        ("NODE_FAIL", "NodeDown", Reason.NODE_FAILURE),
    ],
)
def test_the_queue_tells_how_a_job_ended(state: str, reason: str, expected: Reason) -> None:
    status = status_from_queue(QueueRow(id="12", state=state, reason=reason))

    assert status.reason is expected


def test_only_a_start_that_lies_ahead_is_told_and_as_an_estimate() -> None:
    row = QueueRow(id="12", state="PENDING", reason="Resources", start=1795600000.0)

    assert "Slurm estimates a start at 2026-11-25T09:46:40Z" in (
        status_from_queue(row, now=1795599999.0).reason_detail
    )
    assert "estimate" not in status_from_queue(row, now=1795600001.0).reason_detail
    assert "estimate" not in status_from_queue(row).reason_detail
    assert status_from_queue(row).started_at is None


def test_a_begin_time_is_no_estimate() -> None:
    row = QueueRow(id="12", state="PENDING", reason="BeginTime", start=1795600000.0)

    detail = status_from_queue(row, now=0.0).reason_detail
    assert "not before 2026-11-25T09:46:40Z" in detail
    assert "estimate" not in detail


def test_a_job_that_never_starts_has_no_estimate() -> None:
    row = QueueRow(id="12", state="PENDING", reason="PartitionTimeLimit", start=1795600000.0)

    detail = status_from_queue(row, now=0.0).reason_detail
    assert detail.startswith("never starts: ")
    assert "2026" not in detail


def test_a_held_job_names_the_command_that_releases_it() -> None:
    row = QueueRow(id="12_3", state="PENDING", reason="JobHeldUser", cluster="alpha")

    assert "`scontrol -M alpha release 12_3`" in status_from_queue(row).reason_detail


def test_the_earlier_starts_are_attempts() -> None:
    earlier = (accounted("PREEMPTED"), accounted("NODE_FAIL", "1:0"))
    found = Accounted(
        id="12", state="RUNNING", exit="0:0", exit_code=0, start=300.0, earlier=earlier
    )

    status = status_from_accounting(found)

    assert status.attempt == 3
    assert [each.reason for each in status.attempts] == ["preempted", "node_failure", None]
    assert [each.number for each in status.attempts] == [1, 2, 3]


def test_a_requeued_job_that_waits_is_no_attempt_yet() -> None:
    found = Accounted(id="12", state="PENDING", earlier=(accounted("REQUEUED"),))

    status = status_from_accounting(found)

    assert status.state is JobState.PENDING
    assert len(status.attempts) == status.attempt == 1


@given(NAMES, EXITS, st.lists(st.tuples(st.sampled_from(["batch", "extern", "0", "1"]), NAMES)))
def test_success_is_only_what_slurm_completed_with_nothing(
    state: str, text: str, steps: list[tuple[str, str]]
) -> None:
    status = status_from_accounting(accounted(state, text, *steps))

    if status.state is JobState.SUCCEEDED:
        assert (state, text, status.exit_code) == ("COMPLETED", "0:0", 0)
        assert ("batch", "FAILED") not in steps
    if status.state is JobState.FAILED:
        assert status.exit_code != 0
        assert status.reason is not None


@given(st.text(), st.text(), st.floats(0, 2**32) | st.none())
def test_no_row_is_too_strange(state: str, reason: str, start: float | None) -> None:
    row = QueueRow(id="12", state=state, reason=reason, start=start)

    assert status_from_queue(row, now=0.0).state in JobState


@pytest.mark.parametrize("name", ["PENDING", "RUNNING"])
@pytest.mark.parametrize("reason", ["", "None", "(null)"])
def test_no_reason_is_no_noise(name: str, reason: str) -> None:
    detail = status_from_queue(QueueRow(id="12", state=name, reason=reason)).reason_detail

    assert "None" not in detail
    assert "null" not in detail
