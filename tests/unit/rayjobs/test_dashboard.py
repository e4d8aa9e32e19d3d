"""What a dashboard answers, and what that means: also from one that is none, or is in a bad way."""

from pathlib import Path

import pytest

from nemorun_cli.core.errors import NotSentError, RefusedError, UnreachableError, UsageError
from nemorun_cli.core.jobs import Code, JobHandle, JobState, Reason
from nemorun_cli.executors.ray import RayExecutor
from nemorun_cli.rayjobs import packages
from nemorun_cli.rayjobs.access import headers, settled
from nemorun_cli.testing import new_spec
from tests.unit.rayjobs.fakedashboard import FakeDashboard

KEY = "20260101-000000-abcdefgh-1"
VERDICT = (
    f'\n::nemorun:: {{"key":"{KEY}","attempt":1,"ended_at":2,"exit_code":3,"signal":null,'
    f'"reason":"exit"}}\n\n::nemorun:: {{"key":"{KEY}","state":"FAILED","reason":"exit",'
    '"exit_code":3,"signal":null,"attempt":1,"started_at":1,"ended_at":2}\n'
)


def of(fake: FakeDashboard) -> RayExecutor:
    return RayExecutor.here(Path("/nowhere"), address=fake.address)


def handle(executor: RayExecutor) -> JobHandle:
    return JobHandle(executor="ray", target=executor.target, key=KEY, native_id=KEY)


def test_many_jobs_are_asked_for_by_one_request(fake: FakeDashboard) -> None:
    fake.knows(KEY, "RUNNING")
    executor = of(fake)
    other = JobHandle(executor="ray", target=executor.target, key="other", native_id="other")

    found = executor.poll([handle(executor), other])

    assert found[handle(executor)].state is JobState.RUNNING
    assert (found[other].state, found[other].reason) == (JobState.LOST, Reason.LOST)
    assert fake.asked == ["GET /api/jobs/"]


def test_the_verdict_in_what_ray_says_of_a_failure_needs_no_more(fake: FakeDashboard) -> None:
    fake.knows(KEY, "FAILED", message=f"it failed:\n{VERDICT}", driver_exit_code=3)
    executor = of(fake)

    told = executor.poll([handle(executor)])[handle(executor)]

    assert (told.state, told.exit_code, told.started_at) == (JobState.FAILED, 3, 1)
    assert fake.asked == ["GET /api/jobs/"]


@pytest.mark.parametrize(
    ("entry", "state", "reason", "code", "signal"),
    [
        ({"status": "SUCCEEDED"}, JobState.SUCCEEDED, None, 0, None),
        ({"status": "STOPPED"}, JobState.CANCELLED, Reason.CANCELLED, None, None),
        ({"status": "FAILED", "driver_exit_code": -9}, JobState.FAILED, Reason.SIGNAL, 137, 9),
        ({"status": "FAILED", "driver_exit_code": 70}, JobState.FAILED, Reason.EXIT, 70, None),
        (
            {"status": "FAILED", "error_type": "JOB_SUPERVISOR_ACTOR_DIED"},
            JobState.FAILED,
            Reason.NODE_FAILURE,
            None,
            None,
        ),
        (
            {"status": "FAILED", "error_type": "RUNTIME_ENV_SETUP_FAILURE"},
            JobState.FAILED,
            None,
            None,
            None,
        ),
        ({"status": "PENDING", "message": "waits"}, JobState.PENDING, None, None, None),
        ({"status": "DREAMING"}, JobState.UNKNOWN, None, None, None),
    ],
)
def test_without_its_own_word_the_clusters_counts(
    fake: FakeDashboard,
    entry: dict[str, object],
    state: JobState,
    reason: Reason | None,
    code: int | None,
    signal: int | None,
) -> None:
    fake.knows(KEY, str(entry.pop("status")), **{"message": "why", **entry})
    executor = of(fake)

    told = executor.poll([handle(executor)])[handle(executor)]

    assert (told.state, told.reason, told.exit_code, told.signal) == (state, reason, code, signal)
    assert told.reason_detail or state in (JobState.SUCCEEDED, JobState.CANCELLED)


@pytest.mark.parametrize(
    ("status", "text"),
    [(500, "GCS is away"), (200, "<html>hello</html>"), (200, "{}"), (401, "no token"), (404, "")],
)
def test_who_does_not_list_jobs_says_nothing_of_any(
    fake: FakeDashboard, status: int, text: str
) -> None:
    fake.says("GET /api/jobs/", text, status=status)
    fake.says(f"GET /api/jobs/{KEY}", text, status=status)
    executor = of(fake)

    with pytest.raises(UnreachableError):
        executor.poll([handle(executor)])
    if text != "{}":
        with pytest.raises(UnreachableError):
            executor.find(KEY)


@pytest.mark.parametrize("status", [400, 500])
def test_an_id_that_is_taken_is_ours(fake: FakeDashboard, status: int) -> None:
    fake.says("PUT /api/packages/gcs/nemorun_{KEY}.zip", "")
    spec = new_spec("true", key=KEY)
    fake.says(f"GET /api/packages/gcs/nemorun_{KEY}.zip", "")
    text = f"Traceback\nValueError: Job with submission_id {KEY} already exists. Please use"
    fake.says("POST /api/jobs/", text, status=status)

    assert of(fake).submit(spec).key == KEY


def test_what_a_cluster_refuses_is_told_in_its_words(fake: FakeDashboard) -> None:
    fake.says(f"GET /api/packages/gcs/nemorun_{KEY}.zip", "")
    fake.says("POST /api/jobs/", "Traceback\nTypeError: no such field", status=400)

    with pytest.raises(RefusedError, match="TypeError: no such field"):
        of(fake).submit(new_spec("true", key=KEY))


def test_a_cluster_that_breaks_down_may_have_the_job(fake: FakeDashboard) -> None:
    fake.says(f"GET /api/packages/gcs/nemorun_{KEY}.zip", "")
    fake.says("POST /api/jobs/", "out of memory", status=500)

    with pytest.raises(UnreachableError) as caught:
        of(fake).submit(new_spec("true", key=KEY))

    assert not isinstance(caught.value, NotSentError)


def test_a_cluster_that_is_not_there_has_no_job(fake: FakeDashboard) -> None:
    fake.says(f"GET /api/packages/gcs/nemorun_{KEY}.zip", "no store", status=500)
    nowhere = RayExecutor.here(Path("/nowhere"), address="http://127.0.0.1:9")

    for executor in (of(fake), nowhere):
        with pytest.raises(NotSentError):
            executor.submit(new_spec("true", key=KEY))


def test_code_too_large_is_refused_before_it_is_sent(
    fake: FakeDashboard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "big").write_bytes(bytes(range(256)) * 100)
    monkeypatch.setattr(packages, "LIMIT", 200)
    code = Code(hash="0", path=str(tmp_path), root=str(tmp_path), entries=("data",))

    with pytest.raises(RefusedError, match="Ray takes at most") as caught:
        of(fake).submit(new_spec("true", key=KEY, code=code))

    assert "data/ 25.6 kB" in caught.value.hint
    assert not any(each.startswith(("PUT", "POST")) for each in fake.asked)


def test_a_token_goes_with_every_request(
    fake: FakeDashboard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("t0\n")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setenv("RAY_JOB_HEADERS", '{"X-Team": "vision"}')
    fake.says("GET /api/jobs/", [])

    of(fake).poll([])

    assert fake.headers[0]["Authorization"] == "Bearer t0"
    assert fake.headers[0]["X-Team"] == "vision"


def test_headers_that_are_no_object_are_a_mistake() -> None:
    with pytest.raises(UsageError, match="RAY_JOB_HEADERS"):
        headers({"RAY_JOB_HEADERS": "{"})


@pytest.mark.parametrize(
    ("address", "environ", "meant"),
    [
        ("local", {"RAY_ADDRESS": "http://a:1"}, "local"),
        ("http://a:1/", {}, "http://a:1"),
        ("auto", {}, "http://127.0.0.1:8265"),
        ("auto", {"RAY_ADDRESS": "auto"}, "http://127.0.0.1:8265"),
        ("auto", {"RAY_ADDRESS": "x:6379", "RAY_API_SERVER_ADDRESS": "https://b"}, "https://b"),
    ],
)
def test_an_address_is_settled_as_ray_does(
    address: str, environ: dict[str, str], meant: str
) -> None:
    assert settled(address, environ) == meant


@pytest.mark.parametrize("address", ["head:6379", "ray://head:10001", "http://"])
def test_what_is_no_dashboard_is_a_mistake(address: str) -> None:
    with pytest.raises(UsageError, match="not the address"):
        settled(address, {})
