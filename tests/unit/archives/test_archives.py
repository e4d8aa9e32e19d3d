"""One file holds a run, gives it back as it was, and shows every change of a byte."""

import errno
import os
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nemorun_cli import executors
from nemorun_cli.actions import verify
from nemorun_cli.archives import reading, unpacking
from nemorun_cli.archives.reading import Archive
from nemorun_cli.core.errors import (
    CorruptError,
    NotFoundError,
    RefusedError,
    StoreError,
    UnreachableError,
    UsageError,
)
from nemorun_cli.core.jobs import JobHandle, JobState, LogLine
from nemorun_cli.fakes import FakeExecutor, FakeWorld
from nemorun_cli.packagers import trees
from nemorun_cli.packagers.rows import Entry
from tests.unit.archives.conftest import KEY, NOW, RUN, Place

NAMES = st.binary(min_size=1, max_size=8).filter(
    lambda name: not set(name) & set(b"\0/") and name not in (b".", b"..", b"__pycache__")
)
FILES = st.dictionaries(NAMES, st.tuples(st.binary(max_size=40), st.booleans()), max_size=4)
anew = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None
)


def code_of(place: Place) -> dict[str, Entry]:
    (folder,) = place.home.glob("code/[0-9a-f]*")
    return dict(trees.stored(folder).entries)


def test_what_is_imported_is_what_was_exported(archive: Path, mine: Place, yours: Place) -> None:
    done = yours.import_(archive)

    assert done.runs == (RUN,)
    assert code_of(yours) == code_of(mine)
    for name in ("run.json", "plan.json", "submitted-1.json", "verdict.json"):
        assert (yours.run / name).read_bytes() == (mine.run / name).read_bytes()
    run = yours.ports.store.read(RUN)
    assert run.state is JobState.SUCCEEDED
    assert run.problems == ()


def test_the_same_run_gives_the_same_bytes_wherever_it_is(
    archive: Path, mine: Place, yours: Place, tmp_path: Path
) -> None:
    mine.export(tmp_path / "again.nrz")
    yours.import_(archive)
    yours.export(tmp_path / "theirs.nrz")

    assert (tmp_path / "again.nrz").read_bytes() == archive.read_bytes()
    assert (tmp_path / "theirs.nrz").read_bytes() == archive.read_bytes()


@anew
@given(top=FILES, below=FILES, logs=st.binary(max_size=300), note=st.text(max_size=20))
def test_any_code_and_any_output_come_back(
    place: Callable[[], Place], top: object, below: object, logs: bytes, note: str
) -> None:
    mine, yours = place(), place()
    project = mine.home / "project"
    for folder, files in ((project, top), (project / "below", below)):
        folder.mkdir(mode=0o755)
        assert isinstance(files, dict)
        for name, (content, executable) in files.items():
            path = folder / os.fsdecode(name)
            if not path.exists():
                path.write_bytes(content)
                path.chmod(0o755 if executable else 0o644)
    (project / "link\udcff").symlink_to("below")
    mine.launch(project, name=note)
    (mine.job / "logs" / "1" / "0.log").write_bytes(logs)

    mine.export(mine.home / "x.nrz")
    yours.import_(mine.home / "x.nrz")
    yours.export(yours.home / "y.nrz")

    assert code_of(yours) == code_of(mine)
    assert (yours.run / KEY / "logs" / "1" / "0.log").read_bytes() == logs
    assert yours.ports.store.read(RUN).record == mine.ports.store.read(RUN).record
    assert (yours.home / "y.nrz").read_bytes() == (mine.home / "x.nrz").read_bytes()


@pytest.fixture
def small(mine: Place, project: Path, tmp_path: Path) -> Path:
    mine.launch(project)
    mine.export(tmp_path / "small.nrz", logs=False)
    return tmp_path / "small.nrz"


@settings(parent=anew, max_examples=200)
@given(data=st.data())
def test_one_changed_byte_is_found_wherever_it_is(
    small: Path, yours: Place, data: st.DataObject
) -> None:
    whole = small.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    bits = data.draw(st.integers(1, 255))
    damaged = small.with_name("damaged.nrz")
    damaged.write_bytes(whole[:at] + bytes([whole[at] ^ bits]) + whole[at + 1 :])

    assert list(reading.damage(small)) == []
    assert list(reading.damage(damaged)) != []
    with pytest.raises(CorruptError, match="damaged"):
        yours.import_(damaged)
    assert yours.files() == []


@anew
@given(data=st.data())
def test_an_archive_that_ends_early_is_found(small: Path, data: st.DataObject) -> None:
    whole = small.read_bytes()
    cut = small.with_name("cut.nrz")
    cut.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])

    assert list(reading.damage(cut)) != []


def test_what_was_appended_is_found(small: Path) -> None:
    small.write_bytes(small.read_bytes() + b"\n")

    assert list(reading.damage(small)) != []


@pytest.mark.parametrize("name", ["plan.json", "0.log", "train.py"])
def test_the_file_that_was_damaged_is_named(archive: Path, name: str) -> None:
    with zipfile.ZipFile(archive) as container:
        (info,) = [each for each in container.infolist() if each.filename.endswith(name)]
    data = bytearray(archive.read_bytes())
    data[info.header_offset + 30 + len(info.filename) + info.compress_size // 2] ^= 0x10
    archive.write_bytes(data)

    wrong = [each.what for each in verify.archive(archive) if not each.fine]

    assert wrong == [info.filename]


def test_any_tool_for_zip_files_reads_it(archive: Path) -> None:
    with zipfile.ZipFile(archive) as container:
        assert container.testzip() is None
        names = container.namelist()
        assert container.read(f"runs/{RUN}/{KEY}/logs/1/0.log") == b"first\nlast"

    assert names[0] == "manifest.json"
    assert any(name.endswith("/train.py") for name in names)


def test_a_second_import_changes_nothing(archive: Path, yours: Place) -> None:
    yours.import_(archive)
    yours.ports.store.label(RUN, add=["mine"])
    before = {path: path.read_bytes() for path in yours.run.rglob("*") if path.is_file()}

    assert yours.import_(archive).present == (RUN,)

    after = {path: path.read_bytes() for path in yours.run.rglob("*") if path.is_file()}
    assert after == before


def test_a_second_import_brings_back_code_that_was_lost(archive: Path, mine: Place) -> None:
    (folder,) = mine.home.glob("code/[0-9a-f]*")
    folder.rename(mine.home / "away")

    assert mine.import_(archive).present == (RUN,)

    assert trees.stored(folder).hash == folder.name


def test_an_import_that_breaks_off_leaves_no_run(
    archive: Path, yours: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(archive: Archive, run_id: str, stage: Path) -> None:
        (stage / "run.json").write_bytes(
            archive.content(archive.manifest.of_run(run_id)["run.json"])
        )
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(unpacking, "unpack_run", full)
    with pytest.raises(StoreError, match="no space left"):
        yours.import_(archive)
    monkeypatch.undo()

    assert not [each for each in yours.files() if each.startswith("runs")]
    assert yours.import_(archive).present == ()


def test_what_is_imported_is_the_users_alone_whatever_the_umask(
    archive: Path, yours: Place
) -> None:
    before = os.umask(0)
    try:
        yours.import_(archive)
    finally:
        os.umask(before)

    found = [path.stat().st_mode & 0o077 for path in yours.home.rglob("*") if not path.is_symlink()]
    assert not any(found)


def test_another_run_of_the_same_id_is_refused(archive: Path, yours: Place, project: Path) -> None:
    yours.launch(project, name="another")
    before = (yours.run / "run.json").read_bytes()

    with pytest.raises(RefusedError, match=r"another run .* its run.json"):
        yours.import_(archive)

    assert (yours.run / "run.json").read_bytes() == before


def test_a_run_without_its_code_says_so_for_ever(
    archive: Path, mine: Place, yours: Place, tmp_path: Path
) -> None:
    (folder,) = mine.home.glob("code/[0-9a-f]*")
    folder.rename(mine.home / "away")
    with pytest.raises(NotFoundError, match="not in the store"):
        mine.export(archive)

    mine.export(tmp_path / "bare.nrz", code=False, logs=False)
    yours.import_(tmp_path / "bare.nrz")
    again = yours.export(tmp_path / "again.nrz")

    assert again.left_out == ("abcdefgh: its logs", "abcdefgh: its code")
    assert (tmp_path / "again.nrz").read_bytes() == (tmp_path / "bare.nrz").read_bytes()


def test_the_end_of_a_long_log_is_exported(mine: Place, yours: Place, project: Path) -> None:
    mine.launch(project)

    done = mine.export(mine.home / "x.nrz", log_limit=4)
    yours.import_(mine.home / "x.nrz")

    assert done.left_out == ("abcdefgh: the first 6 bytes of logs/1/0.log",)
    assert (yours.run / KEY / "logs" / "1" / "0.log").read_bytes() == b"last"


def test_code_that_was_changed_in_the_store_is_not_exported(
    mine: Place, project: Path, tmp_path: Path
) -> None:
    mine.launch(project)
    (path,) = mine.home.glob("code/*/train.py")
    path.chmod(0o600)
    path.write_text("print('stolen')\n")

    with pytest.raises(CorruptError, match="not what it was"):
        mine.export(tmp_path / "x.nrz")

    assert not (tmp_path / "x.nrz").exists()
    assert [each.what for each in verify.run(RUN, ports=mine.ports) if not each.fine] == ["code"]


def test_a_folder_that_is_not_there_is_told(mine: Place, project: Path, tmp_path: Path) -> None:
    mine.launch(project)
    folder = tmp_path / "not" / "there"

    with pytest.raises(UsageError, match="there is no folder"):
        mine.export(folder / "x.nrz")

    assert not folder.exists()


def test_a_place_where_no_file_can_be_is_told(archive: Path, mine: Place) -> None:
    with pytest.raises(StoreError, match=r"cannot write .*file name too long"):
        mine.export(archive.with_name("x" * 256))


def test_a_file_is_only_written_anew_when_asked_to(archive: Path, mine: Place) -> None:
    from nemorun_cli.actions import export
    from nemorun_cli.actions.gathering import Extent

    before, run = archive.stat(), mine.ports.store.read(RUN)
    with pytest.raises(UsageError, match="there already"):
        export.to_file([run], Extent(), archive, ports=mine.ports, force=False)

    assert archive.stat() == before
    assert archive.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["run.json", "plan.json", "verdict.json", f"{KEY}/metrics.jsonl"])
def test_one_changed_byte_of_an_imported_run_is_found(
    archive: Path, yours: Place, name: str
) -> None:
    yours.import_(archive)
    path = yours.run / name
    data = bytearray(path.read_bytes())
    data[data.rindex(b"e")] ^= 1
    path.write_bytes(data)

    wrong = [each.what for each in verify.run(RUN, ports=yours.ports) if not each.fine]

    assert name in wrong


def test_a_run_of_the_store_that_is_whole_is_told_to_be(mine: Place, project: Path) -> None:
    mine.launch(project)
    mine.ports.store.event(RUN, "seen", now=NOW)

    assert all(each.fine for each in verify.run(RUN, ports=mine.ports))


@pytest.mark.parametrize("name", ["run.json", "plan.json", "verdict.json", "events.jsonl"])
def test_what_cannot_be_read_of_a_run_is_named(mine: Place, project: Path, name: str) -> None:
    mine.launch(project)
    mine.ports.store.event(RUN, "seen", now=NOW)
    (mine.run / name).write_bytes(b"\0" + (mine.run / name).read_bytes()[1:])

    assert name in [each.what for each in verify.run(RUN, ports=mine.ports) if not each.fine]


@dataclass(frozen=True, kw_only=True)
class FarExecutor(FakeExecutor):
    """A back-end that hands out lines and metrics, and whose folders nobody here can see."""

    name: ClassVar[str] = "far"
    output: ClassVar[tuple[LogLine, ...]] = (
        LogLine(text="starting", rank=None),
        LogLine(text="of rank 0", rank=0),
        LogLine(text="a byte: \udcff", rank=0, stream="stdout", attempt=2),
        LogLine(text="a warning", rank=0, stream="stderr", attempt=2),
        LogLine(text="of rank 1", rank=1, attempt=2),
        LogLine(text="of rank 3", rank=3, attempt=2),
    )

    def logs(
        self,
        handle: JobHandle,  # noqa: ARG002
        *,
        follow: bool = False,  # noqa: ARG002
        tail: int | None = None,  # noqa: ARG002
        rank: int | None = None,
    ) -> Iterator[LogLine]:
        if self.state.unreachable:
            raise UnreachableError("the host does not answer")
        shown = (None, 0, 3) if rank is None else (rank,)
        return (line for line in self.output if line.rank in shown)

    def metrics(self, handle: JobHandle, *, tail: int | None = None) -> Iterator[dict[str, Any]]:  # noqa: ARG002
        if self.state.unreachable:
            raise UnreachableError("the host does not answer")
        return iter([{"step": 7, "rank": 0, "metrics": {"loss": float("nan")}}])


@pytest.fixture
def world(mine: Place, project: Path, monkeypatch: pytest.MonkeyPatch) -> FakeWorld:
    monkeypatch.setitem(executors.BUILT_IN, "far", f"{__name__}:FarExecutor")
    monkeypatch.setattr(executors, "import_module", lambda name: sys.modules[name])
    FarExecutor.worlds.clear()
    mine.launch(project, executor="far", target={"world": "w"}, resources={"nodes": 2, "nproc": 2})
    (mine.home / "jobs").rename(mine.home / "away")
    return FarExecutor(world="w").state


def test_the_output_of_all_ranks_is_fetched_from_where_it_is(
    world: FakeWorld, mine: Place, yours: Place
) -> None:
    mine.export(mine.home / "x.nrz")
    yours.import_(mine.home / "x.nrz")

    logs = yours.run / KEY / "logs"
    found = {str(each.relative_to(logs)): each.read_bytes() for each in logs.glob("*/*")}
    assert world.cancelled == []
    assert found == {
        "1/launcher.log": b"starting\n",
        "1/0.log": b"of rank 0\n",
        "2/0.log": b"a byte: \xff\n",
        "2/0.err": b"a warning\n",
        "2/1.log": b"of rank 1\n",
        "2/3.log": b"of rank 3\n",
    }
    assert "NaN" in (yours.run / KEY / "metrics.jsonl").read_text()


def test_a_host_that_does_not_answer_leaves_no_file(
    world: FakeWorld, mine: Place, tmp_path: Path
) -> None:
    world.unreachable = True

    with pytest.raises(UnreachableError) as caught:
        mine.export(tmp_path / "x.nrz")

    assert "--no-logs" in caught.value.hint
    assert not list(tmp_path.glob("*.nrz"))
    left_out = mine.export(tmp_path / "x.nrz", logs=False).left_out
    assert left_out == ("abcdefgh: its metrics", "abcdefgh: its logs")
