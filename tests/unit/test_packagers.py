"""Snapshots: what is in them, under which name they are stored, and what cannot harm them."""

import errno
import os
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nemorun_cli import packagers, roots
from nemorun_cli.core.errors import RefusedError, StoreError
from nemorun_cli.core.jobs import Code
from nemorun_cli.job.layingout import discard
from nemorun_cli.packagers import again, copying, trees

NOW = 4e9
"""So late that every file is old enough for its digest to be remembered."""
NAMES = st.binary(min_size=1, max_size=12).filter(
    lambda name: not set(name) & set(b"\0/") and name not in (b".", b"..", b"__pycache__")
)
CONTENTS = st.tuples(st.binary(max_size=40), st.booleans())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir(mode=0o755)
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "state" / "nemorun"


def take(root: Path, home: Path, *, workdir: str = ".", now: float = NOW) -> Code:
    return packagers.take(root, home / "code", home=home, workdir=workdir, now=now)


def measure(root: Path, home: Path) -> Code:
    return packagers.measure(root, home / "code", home=home, workdir=".", now=NOW)


def write(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)


def git(root: Path, *arguments: str) -> None:
    env = {"PATH": os.environ["PATH"], "HOME": str(root.parent)}
    who = (
        "-c",
        "user.name=n",
        "-c",
        "user.email=e@example.com",
        "-c",
        "protocol.file.allow=always",
    )
    subprocess.run(["git", *who, *arguments], cwd=root, env=env, check=True, capture_output=True)


def files_of(code: Code) -> set[str]:
    found = Path(code.path).rglob("*")
    return {str(each.relative_to(code.path)) for each in found if not each.is_dir()}


def test_with_git_it_holds_what_is_tracked_or_neither_tracked_nor_ignored(
    root: Path, home: Path
) -> None:
    write(root, "a.py", "sub/b.py", "gone.py", "data/big.bin", "pkg/__pycache__/m.pyc")
    (root / ".gitignore").write_text("data/\n")
    git(root, "init", "-q")
    git(root, "add", "a.py", "gone.py")
    (root / "gone.py").unlink()

    code = take(root, home)

    assert files_of(code) == {".gitignore", "a.py", "sub/b.py"}
    assert code.files == 3
    assert code.bytes == len("data/\na.pysub/b.py")


def test_without_git_it_holds_all_but_what_was_made(root: Path, home: Path) -> None:
    write(root, "a.py", ".env", "docs/build/page.md", "pkg/dist/m.py")
    write(root, "pkg/__pycache__/m.pyc", "old.pyc", ".hidden/x", "build/y", "dist/z")
    write(root, "env/pyvenv.cfg", "env/lib.py", "node_modules/m.js", "p.egg-info/PKG-INFO")

    code = take(root, home)

    assert files_of(code) == {"a.py", ".env", "docs/build/page.md", "pkg/dist/m.py"}


def test_a_repository_around_the_project_tells_what_is_ignored(root: Path, home: Path) -> None:
    write(root, "member/a.py", "member/data/big.bin", "other/b.py")
    (root / ".gitignore").write_text("data/\n")
    git(root, "init", "-q")

    assert files_of(take(root / "member", home)) == {"a.py"}


def test_a_project_that_the_repository_around_it_ignores_is_not_empty(
    root: Path, home: Path
) -> None:
    write(root, "mine/a.py")
    (root / ".gitignore").write_text("*\n")
    git(root, "init", "-q")

    assert files_of(take(root / "mine", home)) == {"a.py"}


def test_repositories_inside_are_part_of_it(root: Path, home: Path, tmp_path: Path) -> None:
    library = tmp_path / "library"
    write(library, "lib.py")
    git(library, "init", "-q")
    git(library, "add", ".")
    git(library, "commit", "-qm", "one")
    write(root, "a.py", "clone/c.py", "clone/skip.log")
    git(root, "init", "-q")
    git(root, "submodule", "add", "-q", str(library), "module")
    (root / "clone" / ".gitignore").write_text("*.log\n")
    git(root / "clone", "init", "-q")

    code = take(root, home)

    assert files_of(code) == {
        ".gitmodules",
        "a.py",
        "module/lib.py",
        "clone/.gitignore",
        "clone/c.py",
    }


def test_a_submodule_that_is_not_checked_out_is_no_error(
    root: Path, home: Path, tmp_path: Path
) -> None:
    library, clone = tmp_path / "library", tmp_path / "clone"
    for folder in (root, library):
        write(folder, "a.py")
        git(folder, "init", "-q")
        git(folder, "add", ".")
        git(folder, "commit", "-qm", "one")
    git(root, "submodule", "add", "-q", str(library), "module")
    git(root, "commit", "-qm", "two")
    git(tmp_path, "clone", "-q", str(root), str(clone))

    assert files_of(take(clone, home)) == {".gitmodules", "a.py"}


def test_the_commit_is_told_also_in_a_worktree_and_after_packing(root: Path, home: Path) -> None:
    write(root, "a.py")
    git(root, "init", "-q")
    assert take(root, home).commit is None
    git(root, "add", ".")
    git(root, "commit", "-qm", "one")
    git(root, "worktree", "add", "-q", "-b", "side", "../side")
    commit = (root / ".git/refs/heads/side").read_text().strip()

    assert take(root, home).commit == commit
    assert take(root.parent / "side", home).commit == commit
    git(root, "pack-refs", "--all")
    assert take(root, home).commit == commit
    assert take(root.parent / "side", home).commit == commit
    git(root, "checkout", "-q", "--detach")
    assert take(root, home).commit == commit


def test_a_commit_that_only_git_can_tell_is_told(root: Path, home: Path) -> None:
    write(root, "a.py")
    git(root, "init", "-q", "-b", "main")
    assert (take(root, home).repositories[0].branch, take(root, home).commit) == ("main", None)
    git(root, "add", ".")
    git(root, "commit", "-qm", "one")
    commit = take(root, home).commit
    git(root, "symbolic-ref", "refs/heads/other", "refs/heads/main")
    git(root, "symbolic-ref", "HEAD", "refs/heads/other")

    (found,) = take(root, home).repositories

    assert (found.commit, found.branch) == (commit, "main")


def test_a_git_that_cannot_be_started_is_none(
    root: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(root, "a.py")
    git(root, "init", "-q")
    (root.parent / "git").touch(mode=0o644)
    monkeypatch.setenv("PATH", str(root.parent))

    assert (take(root, home).files, take(root, home).commit) == (1, None)


def test_where_git_refuses_all_of_its_words_are_told(root: Path, home: Path) -> None:
    write(root, "a.bin")
    git(root, "init", "-q")
    (root / ".gitattributes").write_text("*.bin filter=lost\n")
    git(root, "add", ".")
    git(root, "config", "filter.lost.clean", "no-such-filter %f")
    git(root, "config", "filter.lost.required", "true")
    os.utime(root / "a.bin", (1, 1))

    with pytest.raises(
        RefusedError, match=r"no-such-filter.*; fatal: a.bin: clean filter 'lost' failed"
    ):
        take(root, home)


def test_a_head_that_names_a_file_elsewhere_does_not_give_it_away(root: Path, home: Path) -> None:
    git(root, "init", "-q")
    (root / ".git/secret").write_text("hunter2")
    (root / ".git/refs/heads/x").write_text("hunter2")
    (root / ".git/HEAD").write_text("ref: refs/heads/x")

    assert take(root, home).commit is None


def test_a_repository_starts_no_program_of_its_own(root: Path, home: Path) -> None:
    write(root, "a.py")
    git(root, "init", "-q")
    program = root / "monitor"
    program.write_text(f"#!/bin/sh\ntouch '{root.parent}/canary'\n")
    program.chmod(0o755)
    git(root, "config", "core.fsmonitor", str(program))

    take(root, home)

    assert not (root.parent / "canary").exists()


def test_variables_of_git_do_not_lead_it_elsewhere(
    root: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(root, "a.py")
    git(root, "init", "-q")
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_WORK_TREE", "/nowhere")

    assert files_of(take(root, home)) == {"a.py"}


def test_a_damaged_repository_is_refused_in_the_words_of_git(root: Path, home: Path) -> None:
    write(root, "a.py")
    git(root, "init", "-q")
    (root / ".git" / "index").write_text("no index")

    with pytest.raises(RefusedError, match=r"git cannot list the files of .*: \w"):
        take(root, home)


def test_an_empty_project_has_a_snapshot_too(root: Path, home: Path) -> None:
    git(root, "init", "-q")

    code = take(root, home)

    assert (code.files, code.entries) == (0, ())
    assert Path(code.path).is_dir()


def test_modes_and_links_are_kept_and_nothing_can_be_changed(root: Path, home: Path) -> None:
    write(root, "plain", "program", "sub/deep/file")
    (root / "program").chmod(0o700)
    (root / "link").symlink_to("plain")
    (root / "dangling").symlink_to("/nowhere")
    (root / "folder").symlink_to("sub")

    path = Path(take(root, home).path)

    modes = {name: (path / name).stat().st_mode & 0o777 for name in ("plain", "program")}
    assert modes == {"plain": 0o400, "program": 0o500}
    assert all(each.stat().st_mode & 0o777 == 0o500 for each in (path, path / "sub/deep"))
    assert (path / "link").readlink() == Path("plain")
    assert (path / "dangling").readlink() == Path("/nowhere")
    assert (path / "folder").is_symlink()


def test_pipes_are_left_out(root: Path, home: Path) -> None:
    write(root, "a.py")
    os.mkfifo(root / "pipe")

    assert files_of(take(root, home)) == {"a.py"}


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "a").write_text("other"),
        lambda root: (root / "a").rename(root / "b"),
        lambda root: (root / "a").chmod(0o755),
        lambda root: (root / "new").touch(),
        lambda root: (root / "c").unlink(),
        lambda root: ((root / "c").unlink(), (root / "c").symlink_to("c")),
    ],
    ids=["content", "name", "mode", "more", "less", "link"],
)
def test_every_change_gives_another_hash(
    root: Path, home: Path, change: Callable[[Path], object]
) -> None:
    (root / "a").write_text("a")
    (root / "c").write_text("c")
    before = take(root, home)

    change(root)

    assert take(root, home).hash != before.hash


def test_the_same_content_elsewhere_has_the_same_hash(root: Path, home: Path) -> None:
    write(root, "a.py", "sub/b.py")
    write(root.parent / "copy", "sub/b.py", "a.py")

    first, second = take(root, home), take(root.parent / "copy", home)

    assert first.hash == second.hash
    assert len(list((home / "code").glob("[0-9a-f]*"))) == 1


def test_a_measurement_has_the_same_hash_and_writes_nothing(root: Path, home: Path) -> None:
    write(root, "a.py", "sub/b.py")

    measured = measure(root, home)

    assert not home.parent.exists()
    assert measured == take(root, home)


def test_only_the_user_can_look_into_the_store(root: Path, home: Path) -> None:
    write(root, "a.py")
    before = os.umask(0o000)
    try:
        take(root, home)
    finally:
        os.umask(before)

    for folder in (home.parent, home, home / "code", home / "code" / ".cache"):
        assert folder.stat().st_mode & 0o077 == 0


def test_an_unchanged_file_is_not_read_again(
    root: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(root, "a.py", "b.py")
    first = take(root, home)
    (root / "b.py").write_text("changed")
    read: list[str] = []
    real = trees._digest_of

    def noted(path: str, *more: Any) -> Any:
        read.append(path)
        return real(path, *more)

    monkeypatch.setattr(trees, "_digest_of", noted)

    second = take(root, home)

    assert read == [str(root / "b.py")]
    assert second.hash != first.hash


def test_a_young_file_is_read_again_since_its_time_may_not_tell(
    root: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = root / "a.py"
    path.write_text("one")
    first = take(root, home, now=path.stat().st_mtime + 0.5)
    monkeypatch.setattr(trees, "_digest_of", lambda *_: "f" * 64)

    assert measure(root, home).hash != first.hash


def test_an_edit_that_is_taken_back_leaves_no_trace_in_later_snapshots(
    root: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(root, "a.py", "b.py")
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-qm", "one")
    with monkeypatch.context() as during:
        scan = trees.scan

        def scan_then_edit(*given: Any, **named: Any) -> trees.Tree:
            tree = scan(*given, **named)
            (root / "a.py").write_text("edited")
            return tree

        during.setattr(again, "scan", scan_then_edit)
        assert (Path(take(root, home).path) / "a.py").read_text() == "edited"
    git(root, "checkout", "-q", "a.py")
    (root / "b.py").write_text("new")

    code = take(root, home)

    assert (Path(code.path) / "a.py").read_text() == "a.py"
    assert packagers.verify(Path(code.path), code.hash)


@pytest.mark.parametrize(
    ("name", "value"),
    [("core.autocrlf", "input"), ("core.fileMode", "false"), ("attributes", "* text=auto\n")],
)
def test_where_git_may_convert_files_its_word_is_not_enough(
    root: Path, home: Path, name: str, value: str
) -> None:
    write(root, "a.py")
    git(root, "init", "-q")
    if name == "attributes":
        (root / ".gitattributes").write_text(value)
    else:
        git(root, "config", name, value)
    git(root, "add", ".")
    git(root, "commit", "-qm", "one")
    first = take(root, home)

    (root / "a.py").write_bytes(b"a.py\r\n" if name != "core.fileMode" else b"a.py")
    if name == "core.fileMode":
        (root / "a.py").chmod(0o755)
    git(root, "add", ".")
    git(root, "commit", "-q", "--allow-empty", "-m", "two")

    second = take(root, home)
    assert second.hash != first.hash
    assert packagers.verify(Path(second.path), second.hash)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"a.py": 3}', '{"a.py": []}', "[" * 10**5]
)
def test_a_damaged_cache_is_passed_over(root: Path, home: Path, text: str) -> None:
    write(root, "a.py")
    code = take(root, home)
    for cache in (home / "code" / ".cache").iterdir():
        cache.write_text(text)

    assert take(root, home) == code


def test_what_is_stored_is_what_was_copied(
    root: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(root, "a.py", "b.py", "c/d.py")
    scan = trees.scan

    def scan_then_edit(*given: Path, **named: object) -> trees.Tree:
        tree = scan(*given, **named)  # type: ignore[arg-type]
        (root / "a.py").write_text("edited meanwhile")
        (root / "b.py").unlink()
        return tree

    monkeypatch.setattr(again, "scan", scan_then_edit)

    code = take(root, home)

    assert files_of(code) == {"a.py", "c/d.py"}
    assert (Path(code.path) / "a.py").read_text() == "edited meanwhile"
    assert packagers.verify(Path(code.path), code.hash)
    assert code.files == 2


def test_two_at_once_both_succeed(root: Path, home: Path) -> None:
    write(root, *(f"{number}.py" for number in range(50)))
    start = threading.Barrier(8)

    def race(_: int) -> Code:
        start.wait()
        return take(root, home, now=time.time())

    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(race, range(8)))

    assert len(set(codes)) == 1
    assert packagers.verify(Path(codes[0].path), codes[0].hash)
    assert [each.name for each in (home / "code").iterdir() if each.name.startswith(".new")] == []


def test_what_a_killed_command_left_is_swept_after_a_day(root: Path, home: Path) -> None:
    write(root, "a.py")
    old, young = home / "code/.new-old", home / "code/.new-young"
    for folder in (old, young):
        write(folder, "sub/file")
        (folder / "sub").chmod(0o500)
    os.utime(old, (0, 0))

    packagers.take(root, home / "code", home=home, workdir=".", now=young.stat().st_mtime)

    assert not old.exists()
    assert young.exists()


def test_a_full_disk_is_told_and_leaves_nothing(
    root: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(root, "a.py", "b.py")

    def full(*_: int) -> tuple[str, int]:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(copying, "pour", full)

    with pytest.raises(StoreError, match="No space left") as refusal:
        take(root, home)

    assert "NEMORUN_HOME" in refusal.value.hint
    assert "free some space" in refusal.value.hint
    assert list((home / "code").iterdir()) == []


def test_a_store_that_is_a_file_is_told(root: Path, tmp_path: Path) -> None:
    write(root, "a.py")
    (tmp_path / "home").touch()

    with pytest.raises(StoreError, match="cannot store the snapshot"):
        take(root, tmp_path / "home")


def test_a_file_that_cannot_be_read_is_named(
    root: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(root, "a.py", "locked.py")
    real = trees._digest_of

    # Root may read everything, so that modes alone would prove nothing here.
    def refuse(path: str, status: os.stat_result) -> str:
        if path.endswith("locked.py"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return real(path, status)

    monkeypatch.setattr(trees, "_digest_of", refuse)

    with pytest.raises(
        RefusedError, match=r"cannot read .*/locked\.py .*Permission denied"
    ) as told:
        take(root, home)

    assert ".nemorunignore" in told.value.hint


def test_a_tree_of_too_many_bytes_is_refused_unread_and_tells_where_they_are(
    root: Path, home: Path
) -> None:
    write(root, "a.py")
    for number in range(11):
        write(root, f"data{number}/deep/part")
        os.truncate(root / f"data{number}/deep/part", (number + 1) * 2**27)

    with pytest.raises(RefusedError, match=r"8\.25 GiB in 12 files.*largest: data10/deep/part"):
        take(root, home)
    with pytest.raises(RefusedError) as told:
        take(root, home)

    assert "data1/deep/part" in told.value.message
    assert "data0" not in told.value.message
    assert ".nemorunignore" in told.value.hint


def test_a_tree_of_too_many_files_is_refused_and_tells_where_they_are(root: Path) -> None:
    sizes = {f"many/{number}": 0 for number in range(trees.MOST_FILES)}

    trees.refuse_if_too_large(root, sizes)

    with pytest.raises(RefusedError, match=r"100,001 files.*the largest: many \("):
        trees.refuse_if_too_large(root, {"large": 1000, **sizes})


def test_the_store_is_never_part_of_it(root: Path) -> None:
    write(root, "a.py", ".runs/notes")

    for _ in range(2):
        code = take(root, root / ".runs")
    git(root, "init", "-q")
    again = take(root, root / ".runs")

    assert files_of(code) == files_of(again) == {"a.py"}
    assert packagers.ignored_entries(root, code) == ()


def test_the_project_folder_cannot_be_the_store(root: Path) -> None:
    write(root, "a.py")

    with pytest.raises(RefusedError, match="own folder"):
        take(root, root)


def test_ignored_entries_are_what_lies_at_the_top_and_was_not_taken(root: Path, home: Path) -> None:
    write(root, "a.py", "data/x", "sub/b.py", "sub/data/y", "__pycache__/a.pyc", "out.log")
    (root / ".gitignore").write_text("data/\n*.log\n")
    git(root, "init", "-q")

    assert packagers.ignored_entries(root, take(root, home)) == ("data", "out.log")


def test_a_working_folder_links_to_what_is_around_it(root: Path, home: Path) -> None:
    write(root, "top.py", "lib/x.py", "a/one.py", "a/b/two.py", "a/b/c/three.py", "a/d/four.py")

    assert take(root, home).entries == ("a", "lib", "top.py")
    assert take(root, home, workdir="a/b").entries == (
        *("a/b/c", "a/b/two.py", "a/d", "a/one.py"),
        *("lib", "top.py"),
    )


def test_a_changed_snapshot_does_not_pass_verification(root: Path, home: Path) -> None:
    write(root, "a.py", "sub/b.py")
    code = take(root, home)
    path = Path(code.path)
    assert packagers.verify(path, code.hash)

    (path / "a.py").chmod(0o600)
    (path / "a.py").write_text("tampered")

    assert not packagers.verify(path, code.hash)
    assert not packagers.verify(path.with_name("missing"), code.hash)


def test_a_missing_snapshot_is_not_an_empty_one(root: Path, home: Path) -> None:
    code = take(root, home)
    discard(Path(code.path))

    assert not Path(code.path).exists()
    assert not packagers.verify(Path(code.path), code.hash)


@given(st.dictionaries(NAMES, CONTENTS, max_size=5), st.booleans())
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_name_and_content_is_stored_as_it_is(
    tmp_path_factory: pytest.TempPathFactory,
    files: dict[bytes, tuple[bytes, bool]],
    with_git: bool,  # noqa: FBT001
) -> None:
    root, home = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("home")
    for name, (content, executable) in files.items():
        path = root / os.fsdecode(name)
        path.write_bytes(content)
        path.chmod(0o755 if executable else 0o644)
    if with_git:
        git(root, "init", "-q")
    expected = {} if any(name == b".git" for name in files) else files

    code = take(root, home)

    stored = Path(code.path)
    for name, (content, _) in expected.items():
        if with_git or not name.endswith((b".pyc", b".pyo")):
            assert (stored / os.fsdecode(name)).read_bytes() == content
    assert packagers.verify(stored, code.hash)
    assert replace(take(root, home), path="") == replace(code, path="")


class TestProjectRoot:
    """Where a project is looked for."""

    @pytest.mark.parametrize("marker", roots.MARKERS)
    def test_it_is_the_nearest_folder_with_a_marker(self, root: Path, marker: str) -> None:
        write(root, marker, "sub/deep/a.py")

        assert roots.find_root(root / "sub/deep", home=Path("/nowhere")) == root
        assert roots.find_root(root, home=Path("/nowhere")) == root

    def test_it_is_never_the_home_folder_however_it_is_spelt(self, root: Path) -> None:
        write(root, "pyproject.toml", "sub/a.py")
        (root.parent / "link").symlink_to(root)

        assert roots.find_root(root / "sub", home=root) is None
        assert roots.find_root(root / "sub", home=root.parent / "link") is None

    def test_a_folder_that_others_may_write_to_ends_the_search(self, root: Path) -> None:
        write(root, "pyproject.toml", "open/inner/a.py")
        (root / "open").chmod(0o1777)

        assert roots.find_root(root / "open/inner", home=Path("/nowhere")) is None

    def test_a_folder_of_somebody_else_ends_the_search(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(root, "pyproject.toml")
        monkeypatch.setattr(os, "geteuid", lambda: root.stat().st_uid + 1)

        assert roots.find_root(root, home=Path("/nowhere")) is None

    def test_the_group_may_write_if_it_is_the_users_own(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import grp
        import pwd

        write(root, "pyproject.toml")
        root.chmod(0o775)
        group = grp.getgrgid(root.stat().st_gid)
        user = pwd.getpwuid(os.geteuid()).pw_name

        found = {}
        for members, name in (((), user), ((user,), user), (("eve",), user), ((), "staff")):
            entry = grp.struct_group((name, group.gr_passwd, group.gr_gid, list(members)))
            monkeypatch.setattr(grp, "getgrgid", lambda _, entry=entry: entry)
            found[members, name] = roots.find_root(root, home=Path("/nowhere"))

        assert found == {
            ((), user): root,
            ((user,), user): root,
            (("eve",), user): None,
            ((), "staff"): None,
        }

    def test_a_folder_that_has_gone_is_no_project(self, root: Path) -> None:
        assert roots.find_root(root / "gone", home=Path("/nowhere")) is None
