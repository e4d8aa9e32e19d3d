"""Pending reasons in words: each of Slurm's has some, and the kind that decides what to do."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemorun_cli.slurm.limits import limit
from nemorun_cli.slurm.pending import explain

PLAIN = """
None Prolog Priority Dependency Resources PartitionNodeLimit PartitionTimeLimit PartitionDown
PartitionInactive JobHeldAdmin JobHeldUser BeginTime Licenses AssociationJobLimit
AssociationResourceLimit AssociationTimeLimit Reservation ReqNodeNotAvail FrontEndDown SchedDefer
NodeDown BadConstraints SystemFailure JobLaunchFailure NonZeroExitCode RaisedSignal TimeLimit
InactiveLimit InvalidAccount InvalidQOS QOSUsageThreshold QOSJobLimit QOSResourceLimit QOSTimeLimit
Cleaning QOSNotAllowed AccountNotAllowed DependencyNeverSatisfied JobHoldMaxRequeue
JobArrayTaskLimit BurstBufferResources BurstBufferStageIn BurstBufferOperation PowerNotAvail
PowerReserved DeadLine PartitionConfig AccountingPolicy FedJobLock OutOfMemory MaxMemPerLimit
ReservationDeleted ReservationInvalid Constraints WaitingForScheduling
"""
LIMITS = """
QOSGrpCpuLimit QOSGrpCPUMinutesLimit QOSGrpCPURunMinutesLimit QOSGrpJobsLimit QOSGrpMemLimit
QOSGrpNodeLimit QOSGrpSubmitJobsLimit QOSGrpWallLimit QOSMaxCpuPerJobLimit
QOSMaxCpuMinutesPerJobLimit QOSMaxNodePerJobLimit QOSMaxWallDurationPerJobLimit
QOSMaxCpuPerUserLimit QOSMaxJobsPerUserLimit QOSMaxNodePerUserLimit QOSMaxSubmitJobPerUserLimit
QOSMinCpuNotSatisfied QOSMinMemory QOSMinNode QOSMinUnknown AssocGrpMemMinutes AssocMaxJobsLimit
AssocMaxSubmitJobLimit AssocMaxWallDurationPerJobLimit AssocMaxCpuPerJobLimit
AssocMaxCpuMinutesPerJobLimit AssocMaxNodePerJobLimit AssocGrpWallLimit MaxJobsPerAccount
MaxSubmitJobsPerAccount QOSMaxMemoryMinutesPerJob QOSGrpMemoryRunMinutes AssocGrpCPURunMinsLimit
"""
THINGS = ("CPU", "Mem", "Memory", "Node", "GRES", "License", "BB", "Energy", "Billing", "Unknown")
FAMILIES = [
    *(f"{owner}Grp{thing}{end}" for owner, thing, end in product(
        ("Assoc", "QOS"), THINGS, ("", "Minutes", "RunMinutes"))),
    *(f"{owner}Max{thing}{end}" for owner, thing, end in product(
        ("Assoc", "QOS"), THINGS, ("PerJob", "PerNode", "MinutesPerJob"))),
    *(f"QOSMax{thing}PerUser" for thing in THINGS),
    *(f"Max{thing}PerAccount" for thing in THINGS),
    *(f"QOSMin{thing}" for thing in THINGS),
]  # fmt: skip
SENTENCES = (
    "launch failed requeued held",
    "job requeued in held state",
    "user env retrieval failed requeued held",
    "Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions",
    "ReqNodeNotAvail, UnavailableNodes:",
    "ReqNodeNotAvail, May be reserved for other job",
    "ReqNodeNotAvail, Reserved for maintenance",
    "User's group not permitted to use this partition",
    "Job's account not permitted to use this partition (gpu allows ml not vision)",
    "Job's QOS not permitted to use this partition (gpu allows high not normal)",
    "burst buffer stage_in error",
)
REASONS = [*PLAIN.split(), *LIMITS.split(), *FAMILIES, *SENTENCES]
WAIT = """
Priority Resources Dependency BeginTime Licenses Reservation None AssocGrpGRES QOSGrpCpuLimit
QOSMaxGRESPerUser QOSMaxJobsPerUserLimit AssocMaxJobsLimit MaxGRESPerAccount JobArrayTaskLimit
QOSGrpGRESRunMinutes ReqNodeNotAvail QOSMaxSubmitJobPerUserLimit AssocGrpJobsLimit
"""
NEVER = """
PartitionTimeLimit AssocMaxWallDurationPerJobLimit QOSMaxWallDurationPerJobLimit
DependencyNeverSatisfied BadConstraints PartitionNodeLimit InvalidAccount InvalidQOS MaxMemPerLimit
QOSMinGRES QOSMaxGRESPerJob AssocMaxGRESPerNode QOSMaxNodePerJobLimit ReservationDeleted DeadLine
QOSMaxGRESMinutesPerJob JobHeldUser
"""
ADMIN = """
JobHeldAdmin NodeDown PartitionDown JobLaunchFailure AssocGrpGRESMinutes AssocGrpCPUMinutesLimit
AssocGrpWallLimit SystemFailure
"""


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_of_slurm_is_said_in_words(reason: str) -> None:
    for shown in (reason, f"({reason})", reason.replace(" ", "_")):
        text = explain(shown).text

        assert text != reason
        assert len(text.split()) > 3
        assert not text.endswith(".")


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        *((reason, "wait") for reason in WAIT.split()),
        *((reason, "never") for reason in NEVER.split()),
        *((reason, "admin") for reason in ADMIN.split()),
    ],
)
def test_the_kind_says_whether_waiting_helps(reason: str, kind: str) -> None:
    found = explain(reason)

    assert found.kind == kind
    assert found.text.startswith("never starts: ") is (kind == "never")
    assert ("wait" in found.text) or kind != "wait"
    assert ("ask the administrators" in found.text) or kind != "admin"


@pytest.mark.parametrize(
    "reason",
    [
        "PartitionTimeLimit",
        "AssocMaxWallDurationPerJobLimit",
        "QOSMaxWallDurationPerJobLimit",
        "AssocMaxCpuMinutesPerJobLimit",
    ],
)
def test_too_long_a_time_names_the_setting(reason: str) -> None:
    assert "`-x time=`" in explain(reason).text


def test_unavailable_nodes_are_for_the_administrators_but_an_empty_list_is_harmless() -> None:
    down = explain("(ReqNodeNotAvail, UnavailableNodes:gpu[1-3,7],big_1)")

    assert down.kind == "admin"
    assert "gpu[1-3,7],big_1" in down.text
    assert explain("ReqNodeNotAvail, UnavailableNodes:").kind == "wait"
    assert explain("ReqNodeNotAvail,_UnavailableNodes:").kind == "wait"
    assert explain("(ReqNodeNotAvail, UnavailableNodes:)").kind == "wait"


def test_a_job_held_by_slurm_names_the_way_out() -> None:
    for reason in ("JobHeldUser", "job requeued in held state", "(launch failed requeued held)"):
        assert "scontrol release ID" in explain(reason).text


def test_an_unknown_reason_is_shown_as_it_is() -> None:
    assert explain("(NextYearsReason)").text == "NextYearsReason"
    assert explain("(NextYearsReason)").kind == "wait"


@pytest.mark.parametrize("word", ["", "max", "maxcpu", "maxmem", "priority", "qos", "grpnode"])
def test_what_names_no_limit_is_none(word: str) -> None:
    assert limit(word) == []


@given(st.text())
def test_no_reason_is_too_strange(text: str) -> None:
    found = explain(text)

    assert found.kind in {"wait", "never", "admin"}


@given(st.sampled_from(REASONS), st.text(max_size=5))
def test_no_tail_of_a_reason_is_too_strange(reason: str, tail: str) -> None:
    assert explain(reason + tail).text
