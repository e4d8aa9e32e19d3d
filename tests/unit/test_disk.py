"""What is told to come free is what comes free: links and holes are no room."""

import os
import shutil
from pathlib import Path

import pytest

from nemorun_cli.disk import freed, matching


def blocks(path: Path) -> int:
    return path.lstat().st_blocks * 512


def test_a_folder_counts_with_all_in_it_by_blocks(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "file").write_bytes(os.urandom(5000))
    (folder / "link").symlink_to("/usr")
    (folder / "hole").touch()
    os.truncate(folder / "hole", 2**30)
    every = [folder, folder / "inner", folder / "inner" / "file", folder / "link", folder / "hole"]

    (found,) = freed([folder])

    assert found == sum(map(blocks, every))
    assert 5000 <= found < 2**20
    assert freed([folder / "inner" / "file"]) == [blocks(folder / "inner" / "file")]
    assert freed([tmp_path / "gone"]) == [0]


def test_a_file_with_several_names_goes_with_the_last_of_them(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / name).mkdir()
    (tmp_path / "a" / "file").write_bytes(os.urandom(100_000))
    (tmp_path / "b" / "file").hardlink_to(tmp_path / "a" / "file")
    (tmp_path / "b" / "again").hardlink_to(tmp_path / "a" / "file")
    a, b, c = (tmp_path / name for name in "abc")
    file = blocks(a / "file")

    assert freed([a, b]) == [blocks(a), blocks(b) + file]
    assert freed([b]) == [blocks(b)]
    (c / "file").hardlink_to(a / "file")
    assert freed([a, b]) == [blocks(a), blocks(b)]


def test_a_folder_that_goes_while_it_is_looked_into_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / ".hidden").touch()
    scandir = os.scandir

    def late(path: str | int) -> object:
        if path == str(tmp_path / "a"):
            monkeypatch.undo()
            shutil.rmtree(tmp_path / "a")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", late)

    assert matching(tmp_path, "*/*") == [tmp_path / "b" / ".hidden"]
    assert matching(tmp_path / "gone", "*") == []
