"""Fetching what a run leaves while it is still at work."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from nemorun_cli.actions import pull
from nemorun_cli.actions.wiring import Ports
from nemorun_cli.core.errors import NotFoundError, RefusedError
from nemorun_cli.core.jobs import JobFile, JobState, JobStatus
from tests.unit.test_observe import clock, launched, more_able, ports, tell

__all__ = ["clock", "ports"]
FILES = {name: JobFile(path=name, size=1, modified_ns=10**18) for name in ("a", "b", "c")}


@pytest.fixture
def gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that deletes a file as soon as it has been listed."""

    def read(_: object, __: object, path: str, *, offset: int) -> Iterator[bytes]:
        if path == "b":
            raise NotFoundError("no file 'b'")
        yield path.encode()[offset:]

    more_able(monkeypatch, files=lambda *_: iter(FILES.values()), read=read)


@pytest.mark.usefixtures("gone")
def test_a_file_that_goes_while_others_are_fetched_hinders_none(
    ports: Ports, tmp_path: Path
) -> None:
    run = launched(ports)

    done = pull.pull(run, ["*"], tmp_path / "out", ports=ports)

    assert [file.path for file in done.fetched] == ["a", "c"]
    assert done.problems == ("b has gone while others were fetched",)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a", "c"]


@pytest.mark.usefixtures("gone")
def test_a_file_of_a_run_that_has_ended_has_to_be_there(ports: Ports, tmp_path: Path) -> None:
    run = launched(ports)
    tell(run, JobStatus(state=JobState.SUCCEEDED))
    ports.store.conclude(run.id, JobStatus(state=JobState.SUCCEEDED), now=1, evidence="a test")

    with pytest.raises(NotFoundError, match="no file 'b'"):
        pull.pull(ports.store.read(run.id), ["*"], tmp_path / "out", ports=ports)


@pytest.mark.parametrize("path", ["../a", "/etc/a", "x/../../a", "x//a", "", "x\0y"])
def test_no_back_end_can_have_a_file_written_elsewhere(
    ports: Ports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    run = launched(ports)
    file = JobFile(path=path, size=1, modified_ns=10**18)
    more_able(
        monkeypatch, files=lambda *_: iter([FILES["a"], file]), read=lambda *_, **__: iter([b"x"])
    )

    with pytest.raises(RefusedError, match="leads out of"):
        pull.pull(run, ["**"], tmp_path / "out", ports=ports)

    assert not (tmp_path / "out").exists()
