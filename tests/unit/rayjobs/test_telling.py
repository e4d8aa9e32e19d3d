"""A log is taken apart into what the payload wrote and what the job told of itself."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemorun_cli.core.errors import UnreachableError
from nemorun_cli.jobfiles import attempts_of, first_failure, verdict_of
from nemorun_cli.rayjobs import logs
from nemorun_cli.rayjobs.dashboard import Dashboard
from nemorun_cli.rayjobs.telling import Listener, files_of, lines_of_tail, metrics_in
from tests.unit.rayjobs.fakedashboard import FakeDashboard

KEY = "k-1"


def told(**values: object) -> str:
    return f"\n::nemorun:: {json.dumps({'key': KEY, **values})}\n"


BEFORE = "Ray sets something up\nRunning entrypoint\n"
END = told(state="FAILED", reason="exit", exit_code=1, signal=None, attempt=2)
END = END.replace('"attempt": 2', '"attempt": 2, "started_at": 5, "ended_at": 6')
TRACKED = '\n::nemorun:: {"time": 1, "step": 1, "rank": 0, "metrics": {"loss": 0.5}}\n'
WHOLE = "".join(
    [
        BEFORE,
        told(attempt=1, started_at=1),
        "one\n",
        TRACKED,
        "par",
        told(attempt=1, ended_at=2, exit_code=1, signal=None, reason="exit"),
        told(attempt=1, failure={"rank": 0, "message": "bad"}),
        told(attempt=2, started_at=5),
        "two\n\n",
        told(attempt=2, ended_at=6, exit_code=1, signal=None, reason="exit"),
        END,
        "what Ray adds",
    ]
)
LINES = [(1, "one"), (1, "par"), (2, "two"), (2, "")]


def listened(text: str) -> list[tuple[int, str]]:
    listener = Listener(key=KEY)
    found = [*listener.lines(text.removesuffix("\n").split("\n")), *listener.last()]
    return [(line.attempt, line.text) for line in found]


def test_the_payloads_lines_are_what_is_left() -> None:
    assert listened(WHOLE) == LINES


def test_the_small_files_are_what_is_told() -> None:
    files = files_of(WHOLE, KEY)

    verdict = verdict_of(files)
    assert verdict is not None
    assert (verdict.attempt, verdict.exit_code, verdict.started_at) == (2, 1, 5)
    assert [(each.number, each.started_at) for each in attempts_of(files.history)] == [
        (1, 1),
        (2, 5),
    ]
    assert (first_failure(files, 1) or {})["message"] == "bad"
    assert [each["step"] for each in metrics_in(WHOLE.splitlines(), KEY)] == [1]


def test_where_nothing_began_rays_own_words_are_given() -> None:
    assert [text for _, text in listened(BEFORE)] == ["Ray sets something up", "Running entrypoint"]


@pytest.mark.parametrize(
    "line",
    [
        "::nemorun:: {",
        '::nemorun:: {"key": "other", "attempt": 1}',
        "::nemorun:: []",
        "x ::nemorun:: {}",
    ],
)
def test_what_only_looks_like_ours_is_the_payloads(line: str) -> None:
    text = f"{told(attempt=1, started_at=1)}\n{line}\n"

    assert listened(text) == [(1, ""), (1, line)]


@given(st.lists(st.text(st.characters(exclude_characters="\n"), max_size=5), max_size=8))
def test_any_lines_come_through(lines: list[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    whole = told(attempt=1, started_at=1) + text + END

    assert [line for _, line in listened(whole)] == lines


@pytest.mark.parametrize("count", range(1, 25))
def test_the_last_part_of_a_log_gives_the_last_lines(count: int) -> None:
    part = WHOLE.split("\n")[-count:]

    found = [(line.attempt, line.text) for line in lines_of_tail(part, KEY)]

    # At its very beginning an empty line may be one of ours.
    assert found in (
        LINES[len(LINES) - len(found) :],
        [(found or [(0, "")])[0], *LINES[len(LINES) - len(found) + 1 :]],
    )


def test_a_connection_that_breaks_loses_and_doubles_nothing(fake: FakeDashboard) -> None:
    fake.knows(KEY, "RUNNING", driver_node_id="n")
    data = WHOLE.encode()
    fake.log = [data[:60], data[60:170], b"", data[170:200], b"", data[200:]]
    dashboard = Dashboard(address=fake.address)

    found = list(logs.Follower(dashboard=dashboard, key=KEY).lines(tail=None))

    assert [(line.attempt, line.text) for line in found] == LINES


def test_rays_own_line_may_be_late() -> None:
    late = f"Running entrypoint for job {KEY}: sh\n"
    text = told(attempt=1, started_at=1) + f"one\n{late}two\n"

    assert listened(text) == [(1, "one"), (1, "two")]


@pytest.mark.parametrize(
    ("body", "shown"), [("A file is not found at: /x", True), ("Too many requests", False)]
)
def test_a_log_that_is_not_there_is_empty_and_no_other(
    fake: FakeDashboard, body: str, *, shown: bool
) -> None:
    fake.knows(KEY, "RUNNING", driver_node_id="n")
    fake.says("GET /api/v0/logs/file", body, status=500)
    dashboard = Dashboard(address=fake.address)

    for tail in (None, 3):
        if shown:
            assert list(logs.read(dashboard, KEY, tail=tail)) == []
        else:
            with pytest.raises(UnreachableError, match="Too many"):
                list(logs.read(dashboard, KEY, tail=tail))


def test_following_ends_with_a_job_that_tells_nothing(fake: FakeDashboard) -> None:
    fake.knows(KEY, "FAILED", driver_node_id="n")
    fake.log = [told(attempt=1, started_at=1).encode(), b"killed"]
    dashboard = Dashboard(address=fake.address)

    found = list(logs.Follower(dashboard=dashboard, key=KEY).lines(tail=None))

    assert [line.text for line in found] == ["killed"]


@pytest.mark.parametrize("tail", [0, 1, 2, 3, 4, 9])
def test_a_tail_is_the_last_lines(fake: FakeDashboard, tail: int) -> None:
    fake.knows(KEY, "RUNNING", driver_node_id="n")
    fake.log = [WHOLE.encode()]
    dashboard = Dashboard(address=fake.address)

    read = list(logs.read(dashboard, KEY, tail=tail))
    followed = list(logs.Follower(dashboard=dashboard, key=KEY).lines(tail=tail))

    wanted = LINES[max(0, len(LINES) - tail) :]
    assert [(line.attempt, line.text) for line in read] == wanted
    assert [(line.attempt, line.text) for line in followed] == wanted


def test_a_stand_in_goes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util
    import sys

    from nemorun_cli.job import shims

    shim = tmp_path / "nemorun-job" / "shim"
    shim.mkdir(parents=True)
    (tmp_path / "nemorun_shims.py").write_text(Path(shims.__file__).read_text())
    spec = importlib.util.spec_from_file_location("nemorun_shims", tmp_path / "nemorun_shims.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(sys, "path", ["first"])

    module.append()
    module.append()

    assert sys.path == ["first", str(shim)]
