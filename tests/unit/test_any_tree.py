"""Any tree is stored, once and once more, and sent as exactly what it is."""

import os
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nemorun_cli import packagers
from nemorun_cli.core.jobs import Code
from nemorun_cli.packagers.trees import stored
from nemorun_cli.sending import send
from nemorun_cli.tunnels.local import LocalTunnel

NOW = 4e9
NAMES = st.one_of(
    st.binary(min_size=1, max_size=3).filter(lambda name: not set(name) & set(b"\0/")),
    st.sampled_from(["naïve 漢字".encode(), b"new\nline", b"-rf", b" a ", b"long" * 50]),
).filter(lambda name: name not in (b".", b".."))
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(b"/".join)
LINKS = st.sampled_from([b"/nowhere", b".", b"..", b"itself", b"../../..", b"/etc/passwd", b"\xff"])
FILES = st.one_of(
    st.tuples(st.just("link"), LINKS),
    st.tuples(st.sampled_from(["plain", "program"]), st.binary(max_size=50)),
    st.tuples(st.just("plain"), st.just(bytes(200_000))),
)
FEW = st.lists(st.sampled_from([b"a", b"b"]), min_size=1, max_size=3).map(b"/".join)
SHAPES = st.dictionaries(
    FEW,
    st.one_of(
        st.tuples(st.just("link"), st.sampled_from([b"a", b"../b", b"b/a"])),
        st.tuples(st.sampled_from(["plain", "program"]), st.just(b"a")),
    ),
    max_size=4,
)
TREES = st.dictionaries(PATHS, FILES, max_size=8)
Files = Mapping[bytes, tuple[str, bytes]]
Found = dict[bytes, tuple[str, bytes]]


def fill(root: Path, files: Files) -> None:
    """Make the files, as far as none of them is in the way of another."""
    for name, (kind, content) in files.items():
        path = os.fsencode(root) + b"/" + name
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
            if os.path.lexists(path):
                continue
            if kind == "link":
                os.symlink(content, path)  # noqa: PTH211
            else:
                with open(path, "wb") as file:  # noqa: PTH123
                    file.write(content)
                os.chmod(path, 0o755 if kind == "program" else 0o644)  # noqa: PTH101
        except (FileExistsError, NotADirectoryError, OSError):
            continue


def contents(root: Path) -> Found:
    """What lies in a folder, read by nothing of ours."""
    found: Found = {}
    top = os.fsencode(root)
    for at, folders, files in os.walk(top):
        folders[:] = [name for name in folders if name != b".git"]
        for name in [*files, *folders]:
            path = os.path.join(at, name)  # noqa: PTH118
            status = os.lstat(path)
            if stat.S_ISLNK(status.st_mode):
                found[path[len(top) :]] = ("link", os.readlink(path))  # noqa: PTH115
            elif stat.S_ISREG(status.st_mode):
                with open(path, "rb") as file:  # noqa: PTH123
                    kind = "program" if status.st_mode & stat.S_IXUSR else "plain"
                    found[path[len(top) :]] = (kind, file.read())
    return found


def take(root: Path, home: Path) -> Code:
    return packagers.take(root, home / "code", home=home, workdir=".", now=NOW)


@given(first=TREES, second=TREES, gone=st.integers(0, 4))
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_is_stored_and_sent_is_the_tree(
    tmp_path_factory: pytest.TempPathFactory, first: Files, second: Files, gone: int
) -> None:
    folder = tmp_path_factory.mktemp("any")
    root, home, there = folder / "project", folder / "home", folder / "there"
    root.mkdir()
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    fill(root, first)
    for part in (1, 2):
        code = take(root, home)

        assert contents(Path(code.path)) == contents(root), part
        assert packagers.verify(Path(code.path), code.hash)
        send(code, str(there), LocalTunnel())
        assert stored(there / code.hash).hash == code.hash
        assert contents(there / code.hash) == contents(root)

        for name in list(contents(root))[:gone]:
            os.unlink(os.fsencode(root) + name)  # noqa: PTH108
        fill(root, second)


@given(trees=st.lists(SHAPES, min_size=2, max_size=3))
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_files_folders_and_links_that_become_each_other_are_taken_as_they_are(
    tmp_path_factory: pytest.TempPathFactory, trees: list[Files]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    root, home, there = folder / "project", folder / "home", folder / "there"
    root.mkdir()
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    for number, files in enumerate(trees):
        for each in [path for path in root.iterdir() if path.name != ".git"]:
            each.rename(folder / f"{number}-{each.name}")
        fill(root, files)

        code = take(root, home)

        assert contents(Path(code.path)) == contents(root)
        send(code, str(there), LocalTunnel())
        assert contents(there / code.hash) == contents(root)
        subprocess.run(["git", "add", "-A"], cwd=root, check=True)


def test_who_writes_into_one_snapshot_damages_no_other(tmp_path: Path) -> None:
    root, home = tmp_path / "project", tmp_path / "home"
    fill(root, {b"same": ("plain", b"1"), b"a/other": ("plain", b"1")})
    before = Path(take(root, home).path)
    (root / "a/other").write_text("2")
    after = Path(take(root, home).path)

    (after / "same").chmod(0o600)
    (after / "same").write_text("evil")

    assert (before / "same").read_text() == "1"
    (root / "a/other").write_text("3")
    assert (Path(take(root, home).path) / "same").read_text() == "1"


def test_a_snapshot_that_was_removed_is_missed_by_nobody(tmp_path: Path) -> None:
    root, home = tmp_path / "project", tmp_path / "home"
    fill(root, {b"same": ("plain", b"1"), b"other": ("plain", b"1")})
    before = take(root, home)
    Path(before.path).chmod(0o700)
    (Path(before.path) / "same").unlink()
    (root / "other").write_text("2")

    after = take(root, home)

    assert contents(Path(after.path)) == contents(root)
