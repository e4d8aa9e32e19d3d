"""Files that arrive: resumed, whole, and never outside the folder they are for."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemorun_cli import landing
from nemorun_cli.core.errors import RefusedError, UnreachableError
from nemorun_cli.core.jobs import JobFile

DATA = os.urandom(5000)
PATHS = st.lists(st.sampled_from(["a", "/", "/", ".", "..", "\n", "é", "\0"])).map("".join)


class Host:
    """The other end: what was asked for, and where it breaks off."""

    def __init__(self, data: bytes, cut: int | None = None) -> None:
        self.data, self.cut = data, cut
        self.offsets: list[int] = []

    def read(self, offset: int) -> Iterator[bytes]:
        self.offsets.append(offset)
        for start in range(offset, len(self.data), 1000):
            if self.cut is not None and start >= self.cut:
                raise UnreachableError("the connection broke")
            yield self.data[start : start + 1000]


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def file_of(data: bytes, time: int = 10**18) -> JobFile:
    return JobFile(path="ckpt/last.pt", size=len(data), modified_ns=time)


def land(target: Path, file: JobFile, host: Host) -> list[int]:
    told: list[int] = []
    landing.land(target, file, host.read, tell=told.append)
    return told


def test_a_file_that_broke_off_is_continued(tmp_path: Path) -> None:
    target, host = tmp_path / "ckpt" / "last.pt", Host(DATA, cut=3000)
    with pytest.raises(UnreachableError):
        land(target, file_of(DATA), host)
    assert not target.exists()

    host.cut = None
    told = land(target, file_of(DATA), host)

    assert (host.offsets, told) == ([0, 3000], [4000, 5000])
    assert target.read_bytes() == DATA
    assert landing.is_there(target, file_of(DATA))
    assert not landing.is_there(target, file_of(DATA, time=5))
    assert names(target.parent) == ["last.pt"]


def test_one_that_has_changed_since_begins_anew(tmp_path: Path) -> None:
    target = tmp_path / "last.pt"
    with pytest.raises(UnreachableError):
        land(target, file_of(DATA), Host(DATA, cut=3000))
    host = Host(DATA[::-1])

    land(target, file_of(DATA, time=2 * 10**18), host)

    assert host.offsets == [0]
    assert target.read_bytes() == DATA[::-1]
    assert names(tmp_path) == ["last.pt"]


def test_what_was_there_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "last.pt"
    target.write_text("before")
    for wrong in (Host(DATA, cut=1000), Host(DATA[:100])):
        with pytest.raises((UnreachableError, RefusedError)):
            land(target, file_of(DATA), wrong)
        assert target.read_text() == "before"

    land(target, file_of(b""), Host(b""))

    assert target.read_bytes() == b""


def test_of_one_that_grows_meanwhile_what_was_listed_arrives(tmp_path: Path) -> None:
    land(tmp_path / "x", file_of(DATA[:1500]), Host(DATA))

    assert (tmp_path / "x").read_bytes() == DATA[:1500]


def test_a_link_in_its_place_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "last.pt").symlink_to("../precious")

    land(landing.place(tmp_path / "out", "last.pt"), file_of(DATA), Host(DATA))

    assert (tmp_path / "precious").read_text() == "precious"
    assert (tmp_path / "out" / "last.pt").read_bytes() == DATA


def test_a_folder_that_is_a_link_to_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "ckpt").symlink_to(tmp_path)

    with pytest.raises(RefusedError, match="leads out of"):
        landing.place(tmp_path / "out", "ckpt/last.pt")


@given(PATHS)
def test_no_path_leads_out_of_the_folder(path: str) -> None:
    folder = Path("/nowhere/out")
    try:
        target = landing.place(folder, path)
    except RefusedError:
        return

    assert os.path.normpath(target).startswith("/nowhere/out/")


def test_what_is_in_the_way_is_told_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    host = Host(DATA)

    for target in (tmp_path / "folder", tmp_path / "file" / "last.pt"):
        with pytest.raises(RefusedError, match="cannot write") as caught:
            land(target, file_of(DATA), host)
        assert "-o names another folder" in caught.value.hint

    assert host.offsets == []
    assert sorted(names(tmp_path)) == ["file", "folder"]


def test_what_grows_is_not_led_elsewhere_by_a_link(tmp_path: Path) -> None:
    target, elsewhere = tmp_path / "out" / "last.pt", tmp_path / "elsewhere"
    elsewhere.mkdir()
    with pytest.raises(UnreachableError):
        land(target, file_of(DATA), Host(DATA, cut=3000))
    (part,) = target.parent.iterdir()
    part.rename(tmp_path / "moved")
    part.symlink_to(elsewhere)

    with pytest.raises(RefusedError, match="cannot write"):
        land(target, file_of(DATA), Host(DATA))

    assert names(elsewhere) == []


def test_where_another_command_was_quicker_the_file_is_there(tmp_path: Path) -> None:
    class Overtaken(Host):
        def read(self, offset: int) -> Iterator[bytes]:
            yield from super().read(offset)
            (part,) = tmp_path.glob(".*.part/*")
            part.unlink()
            land(tmp_path / "x", file_of(DATA), Host(DATA))

    land(tmp_path / "x", file_of(DATA), Overtaken(DATA))

    assert (tmp_path / "x").read_bytes() == DATA
    assert names(tmp_path) == ["x"]


def test_two_at_once_do_not_mix(tmp_path: Path) -> None:
    class Slow(Host):
        def read(self, offset: int) -> Iterator[bytes]:
            with pytest.raises(RefusedError, match="another command is fetching"):
                land(tmp_path / "x", file_of(DATA), Host(DATA))
            yield from super().read(offset)

    land(tmp_path / "x", file_of(DATA), Slow(DATA))

    assert (tmp_path / "x").read_bytes() == DATA
