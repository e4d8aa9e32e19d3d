"""A snapshot that was changed starts no job, and one that was not is not read again."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nemorun_cli import packagers
from nemorun_cli.core.errors import CorruptError
from nemorun_cli.core.jobs import Code

NOW = 4e9
TAKE_AND_TELL = """
import json, sys
from pathlib import Path
from nemorun_cli import packagers

root, home = map(Path, sys.argv[1:])
opened = []
sys.addaudithook(lambda event, given: opened.append(str(given[0])) if event == "open" else None)
code = packagers.take(root, home / "code", home=home, workdir=".", now=4e9)
print(json.dumps([path for path in opened if path.startswith(code.path)]))
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "package").mkdir(parents=True)
    (folder / "train.py").write_text("print('trained')\n")
    (folder / "package/model.py").write_text("W = 1\n")
    (folder / "link").symlink_to("train.py")
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "state"


def take(root: Path, home: Path) -> Code:
    return packagers.take(root, home / "code", home=home, workdir=".", now=NOW)


def opened(root: Path, home: Path) -> list[str]:
    """The files of the snapshot that another launch opens."""
    argv = [sys.executable, "-c", TAKE_AND_TELL, str(root), str(home)]
    told = subprocess.run(argv, check=True, capture_output=True).stdout
    found: list[str] = json.loads(told)
    return found


def rewrite(path: Path) -> None:
    """Change the content of a file, and leave no trace that its owner could leave out."""
    status = path.stat()
    path.chmod(0o600)
    path.write_text(path.read_text().replace("1", "2"))
    path.chmod(status.st_mode)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def relink(path: Path) -> None:
    path.with_name("link").unlink()
    path.with_name("link").symlink_to("other")


def test_an_intact_snapshot_is_not_read_again(root: Path, home: Path) -> None:
    take(root, home)

    assert opened(root, home) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda folder: rewrite(folder / "package/model.py"), "package/model.py"),
        (lambda folder: (folder / "train.py").unlink(), "train.py"),
        (lambda folder: (folder / "train.py").chmod(0o700), "train.py"),
        (lambda folder: (folder / "package/new.py").touch(), "package/new.py"),
        (lambda folder: relink(folder / "link"), "link"),
        (lambda folder: shutil.rmtree(folder / "package"), "package/model.py"),
    ],
)
def test_a_snapshot_that_was_changed_is_refused_and_its_files_are_named(
    root: Path, home: Path, change: Callable[[Path], None], named: str
) -> None:
    folder = Path(take(root, home).path)
    for each in (folder, folder / "package"):
        each.chmod(0o700)
    change(folder)

    for _ in range(2):
        with pytest.raises(CorruptError) as caught:
            take(root, home)

        assert caught.value.message.endswith(f"not what was stored: {named}")
        assert str(folder) in caught.value.message

    shutil.rmtree(folder)
    assert packagers.verify(folder, take(root, home).hash)


def test_what_was_only_touched_or_restored_is_read_once(root: Path, home: Path) -> None:
    folder = Path(take(root, home).path)
    os.utime(folder / "train.py", (1, 1))

    assert len(opened(root, home)) == 2
    assert opened(root, home) == []

    shutil.copytree(folder, home / "backup", symlinks=True)
    folder.rename(home / "away")
    (home / "backup").rename(folder)

    assert len(opened(root, home)) == 2
    assert opened(root, home) == []


def test_where_nothing_can_be_remembered_a_launch_is_only_slower(root: Path, home: Path) -> None:
    code = take(root, home)
    (home / f"code/.cache/{code.hash}.intact").unlink()
    (home / f"code/.cache/{code.hash}.intact").mkdir()

    assert len(opened(root, home)) == 2
    assert len(opened(root, home)) == 2
