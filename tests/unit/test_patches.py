"""Patches: the commit and the patch give the snapshot, whatever was changed and however."""

import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nemorun_cli import packagers
from nemorun_cli.core.jobs import Code
from nemorun_cli.packagers import again, fitting, patches, trees
from nemorun_cli.packagers.trees import stored

NOW = 4e9
# Of an empty file in a folder whose name ends in a space, git cannot read its own patch.
NAMES = st.text(st.sampled_from('ab\n"\t é\udcff\\-*'), min_size=1, max_size=4).filter(
    lambda name: name == name.strip(" ")
)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
FILES = st.tuples(
    st.one_of(
        st.binary(max_size=30),
        st.lists(st.sampled_from([b"one", b"two", b"", b"\r"]), max_size=6).map(b"\n".join),
    ),
    st.sampled_from(["plain", "program", "link"]),
)
TREES = st.dictionaries(PATHS, FILES, max_size=6)
Files = Mapping[str, tuple[bytes, str]]
FOLDER: Files = {f"folder/{name}": (b"folder", "plain") for name in "abc"}
FEW = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map("/".join)
SHAPES = st.dictionaries(
    FEW,
    st.tuples(
        st.sampled_from([b"folder", b"../folder"]), st.sampled_from(["plain", "program", "link"])
    ),
    max_size=5,
)


def git(folder: Path, *arguments: str) -> bytes:
    env = {"PATH": os.environ["PATH"], "HOME": "/nowhere", "GIT_CONFIG_NOSYSTEM": "1"}
    who = ("-c", "user.name=n", "-c", "user.email=e@example.com")
    allowed = ("-c", "protocol.file.allow=always")
    argv = ["git", *who, *allowed, *arguments]
    return subprocess.run(argv, cwd=folder, env=env, check=True, capture_output=True).stdout


def take(root: Path, home: Path, *, now: float = NOW) -> Code:
    return packagers.take(root, home / "code", home=home, workdir=".", now=now)


def patch_of(code: Code, home: Path, number: int = 0) -> bytes:
    name = code.repositories[number].patch
    return (home / "code/.patches" / name).read_bytes() if name else b""


def wrong_with(code: Code, patch: bytes, number: int = 0) -> str | None:
    """What verification says of such a patch for this code."""
    tree = stored(Path(code.path))

    def read(path: str) -> bytes:
        return patches.content(Path(code.path, path), tree.entries[path])

    return fitting.misfit(patch, list(fitting.made(asdict(code), tree, read))[number])


def fill(root: Path, files: Files) -> None:
    """Make the files, as far as none of them is in the way of another."""
    for name, (content, kind) in files.items():
        path = root / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir() or path.is_symlink():
                continue
            if kind == "link":
                path.unlink(missing_ok=True)
                path.symlink_to(os.fsdecode(content.replace(b"\0", b"") or b"x"))
            else:
                path.write_bytes(content)
                path.chmod(0o755 if kind == "program" else 0o644)
        except (FileExistsError, NotADirectoryError):
            continue


def rebuilt(root: Path, code: Code, patch: bytes, folder: Path) -> str:
    """The hash of what the commit and the patch give."""
    folder.mkdir()
    git(root, "worktree", "add", "-q", "--detach", str(folder), code.commit or "")
    if patch:
        (folder.parent / "patch").write_bytes(patch)
        git(folder, "apply", "--check", str(folder.parent / "patch"))
        git(folder, "apply", str(folder.parent / "patch"))
    (folder / ".git").unlink()
    return stored(folder).hash


@given(before=TREES, after=TREES, removed=st.integers(0, 3), staged=st.sampled_from("01aN"))
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_commit_and_the_patch_give_the_snapshot(
    tmp_path_factory: pytest.TempPathFactory,
    before: Files,
    after: Files,
    removed: int,
    staged: str,
) -> None:
    folder = tmp_path_factory.mktemp("any")
    root, home = folder / "project", folder / "home"
    root.mkdir()
    git(root, "init", "-q")
    fill(root, before)
    git(root, "add", "-A")
    git(root, "commit", "-q", "--allow-empty", "-m", "one")
    for name in list(before)[:removed]:
        if (root / name).is_symlink() or (root / name).is_file():
            (root / name).unlink()
    fill(root, {"always": (b"here", "plain"), **after})
    if staged == "a":
        git(root, "add", "-A")
    elif staged == "1":
        git(root, "add", "always")
    elif staged == "N":
        git(root, "add", "-N", ".")

    code = take(root, home)

    assert code.repositories[0].dirty
    assert wrong_with(code, patch_of(code, home)) is None
    assert rebuilt(root, code, patch_of(code, home), folder / "again") == code.hash


@given(before=SHAPES, after=SHAPES, staged=st.booleans(), now=st.sampled_from([0, NOW]))
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_files_folders_and_links_that_become_each_other_are_in_the_patch(
    tmp_path_factory: pytest.TempPathFactory,
    before: Files,
    after: Files,
    staged: bool,  # noqa: FBT001
    now: float,
) -> None:
    folder = tmp_path_factory.mktemp("any")
    root, home = folder / "project", folder / "home"
    root.mkdir()
    git(root, "init", "-q")
    fill(root, {**FOLDER, **before})
    git(root, "add", "-A")
    git(root, "commit", "-q", "--allow-empty", "-m", "one")
    for each in [path for path in root.iterdir() if path.name != ".git"]:
        each.rename(folder / f"was-{each.name}")
    fill(root, {**FOLDER, **after})
    if staged:
        git(root, "add", "-A")

    code = take(root, home, now=now)

    if code.repositories[0].patch:
        assert wrong_with(code, patch_of(code, home)) is None
    assert rebuilt(root, code, patch_of(code, home), folder / "again") == code.hash


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir(mode=0o755)
    git(folder, "init", "-q", "-b", "trunk")
    (folder / "a.py").write_text("one\n")
    (folder / "b.py").write_text("one\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "one")
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "state"


def test_what_is_as_committed_has_no_patch_and_is_clean(root: Path, home: Path) -> None:
    for now in (NOW, (root / "a.py").stat().st_mtime):
        (found,) = take(root, home, now=now).repositories

        assert (found.dirty, found.patch, found.changed, found.untracked) == (False, None, (), ())
        assert found.branch == "trunk"
        assert found.commit == git(root, "rev-parse", "HEAD").decode().strip()


def test_a_folder_that_was_moved_away_and_linked_to_is_told_as_git_does(
    root: Path, home: Path, tmp_path: Path
) -> None:
    (root / "data").mkdir()
    (root / "data/set.csv").write_text("1,2\n")
    git(root, "add", ".")
    git(root, "commit", "-qm", "two")
    (root / "data").rename(tmp_path / "large-disk")
    (root / "data").symlink_to(tmp_path / "large-disk")

    code = take(root, home)

    assert (code.repositories[0].changed, code.repositories[0].untracked) == (
        ("data/set.csv",),
        ("data",),
    )
    assert (Path(code.path) / "data").is_symlink()
    assert rebuilt(root, code, patch_of(code, home), tmp_path / "again") == code.hash


def test_what_was_changed_and_what_is_new_is_told(root: Path, home: Path) -> None:
    (root / "a.py").write_text("two\n")
    (root / "b.py").unlink()
    (root / "new.py").write_text("new\n")
    (root / "staged.py").write_text("new\n")
    git(root, "add", "staged.py")

    (found,) = take(root, home).repositories

    assert (found.changed, found.untracked) == (("a.py", "b.py", "staged.py"), ("new.py",))


def test_a_file_that_was_only_touched_is_clean(root: Path, home: Path) -> None:
    os.utime(root / "a.py", (1, 1))

    assert not take(root, home).repositories[0].dirty


def test_a_change_at_which_git_does_not_look_is_in_the_patch(
    root: Path, home: Path, tmp_path: Path
) -> None:
    git(root, "update-index", "--assume-unchanged", "a.py")
    (root / "a.py").write_text("two\n")

    code = take(root, home)

    assert rebuilt(root, code, patch_of(code, home), tmp_path / "again") == code.hash
    assert (code.repositories[0].dirty, code.repositories[0].changed) == (True, ("a.py",))
    (root / "a.py").write_text("one\n")
    assert not take(root, home).repositories[0].dirty


def test_line_ends_that_were_repaired_are_as_on_the_disk(root: Path, home: Path) -> None:
    """Git takes both for unchanged, each under the conversion of its day."""
    for conversion, expected in (("true", b"one\r\n"), ("false", b"one\n")):
        git(root, "config", "core.autocrlf", conversion)
        (root / "a.py").unlink()
        git(root, "checkout", "--", "a.py")
        (root / f"other{conversion}").touch()
        git(root, "add", ".")

        code = take(root, home, now=time.time() + 60)

        assert (Path(code.path) / "a.py").read_bytes() == expected


def test_a_patch_holds_the_bytes_of_the_snapshot_and_not_what_a_filter_makes_of_them(
    root: Path, home: Path
) -> None:
    git(root, "config", "filter.odd.clean", "tr a-z A-Z")
    (root / ".gitattributes").write_text("*.py filter=odd\n*.txt text\n")
    for name in ("new.py", "new.txt"):
        (root / name).write_bytes(b"lines\r\n")

    patch = patch_of(take(root, home), home)

    assert patch.count(b"+lines\r\n") == 2


def test_no_hook_of_a_repository_is_started(root: Path, home: Path, tmp_path: Path) -> None:
    hook = root / ".git/hooks/post-index-change"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    hook.chmod(0o755)
    (root / "a.py").write_text("two\n")

    assert b"+two" in patch_of(take(root, home), home)
    assert not (tmp_path / "started").exists()


def test_what_is_edited_after_git_has_looked_is_in_the_patch(
    root: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = trees.scan

    def edit_then_scan(*given: object, **named: object) -> object:
        (root / "a.py").write_text("edited\n")
        return scan(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(again, "scan", edit_then_scan)

    code = take(root, home, now=(root / "a.py").stat().st_mtime)

    assert b"+edited" in patch_of(code, home)
    assert rebuilt(root, code, patch_of(code, home), tmp_path / "again") == code.hash


def test_a_patch_is_stored_once(root: Path, home: Path) -> None:
    (root / "a.py").write_text("two\n")

    names = {take(root, home).repositories[0].patch for _ in range(3)}
    git(root, "add", "-A")
    names.add(take(root, home).repositories[0].patch)

    assert len(names) == 1
    assert len(list((home / "code/.patches").iterdir())) == 1
    assert not list((home / "code").glob(".new*"))


def test_nothing_is_written_to_the_repository(root: Path, home: Path) -> None:
    (root / "a.py").write_text("two\n")
    (root / "empty.py").touch()

    def state() -> set[tuple[str, int]]:
        return {(str(path), path.stat().st_mtime_ns) for path in (root / ".git").rglob("*")}

    before = state()
    assert take(root, home).repositories[0].patch
    assert state() == before


def test_in_a_folder_of_a_repository_the_patch_fits_the_whole(root: Path, home: Path) -> None:
    (root / "part").mkdir()
    (root / "part/c.py").write_text("c\n")
    (root / "a.py").write_text("not part of it\n")

    code = take(root / "part", home)

    patch = patch_of(code, home)

    assert b"+++ b/part/c.py" in patch
    assert wrong_with(code, patch) is None
    assert b"a.py" not in patch


def test_what_nemorunignore_leaves_out_and_takes_is_so_in_the_patch(root: Path, home: Path) -> None:
    (root / ".gitignore").write_text("data/\n")
    (root / ".nemorunignore").write_text("/b.py\nlarge.bin\n!data/small.csv\n")
    (root / "b.py").write_text("left out\n")
    (root / "large.bin").write_text("left out\n")
    (root / "data").mkdir()
    for name in ("small.csv", "large.csv"):
        (root / "data" / name).write_text("data\n")

    code = take(root, home)

    (found,) = code.repositories
    assert (found.changed, found.untracked) == (
        (),
        (".gitignore", ".nemorunignore", "data/small.csv"),
    )
    assert b"b/data/small.csv" in patch_of(code, home)
    assert b"b/b.py" not in patch_of(code, home)


def test_each_repository_has_a_patch_of_its_own(root: Path, home: Path, tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    git(library, "init", "-q")
    (library / "lib.py").write_text("one\n")
    git(library, "add", ".")
    git(library, "commit", "-qm", "one")
    git(root, "submodule", "add", "-q", str(library), "module")
    git(root, "commit", "-qm", "two")
    (root / "module/lib.py").write_text("two\n")

    code = take(root, home)

    own, module = code.repositories
    assert (own.place, module.place) == ("", "module")
    assert own.patch is None
    assert module.changed == ("lib.py",)
    assert module.commit == git(library, "rev-parse", "HEAD").decode().strip()
    assert b"+two" in patch_of(code, home, 1)
    assert wrong_with(code, patch_of(code, home, 1)) is None
    (root / "module/other.py").touch()
    (root / "new.py").touch()
    code = take(root, home)
    assert [wrong_with(code, patch_of(code, home, each), each) for each in (0, 1)] == [None] * 2
    assert wrong_with(code, patch_of(code, home, 0), 1) is not None


def test_a_submodule_at_another_commit_is_in_no_patch_but_its_own(
    root: Path, home: Path, tmp_path: Path
) -> None:
    library = tmp_path / "library"
    library.mkdir()
    git(library, "init", "-q")
    (library / "lib.py").write_text("one\n")
    git(library, "add", ".")
    git(library, "commit", "-qm", "one")
    git(root, "submodule", "add", "-q", str(library), "module")
    git(root, "commit", "-qm", "two")
    git(root / "module", "commit", "-qm", "three", "--allow-empty")
    (root / "module/lib.py").write_text("two\n")
    alone = take(root, home)
    (root / "a.py").write_text("changed\n")

    both = take(root, home)

    assert (alone.repositories[0].changed, alone.repositories[0].patch) == (("module",), None)
    assert b"a/a.py" in patch_of(both, home)
    assert b"module" not in patch_of(both, home)
    assert b"+two" in patch_of(both, home, 1)


def test_what_replaces_a_commit_here_is_not_asked(root: Path, home: Path, tmp_path: Path) -> None:
    (root / "a.py").write_text("second\n")
    git(root, "commit", "-qam", "two")
    git(root, "replace", "HEAD", "HEAD~1")
    (root / "a.py").write_text("third\n")

    code = take(root, home)

    git(root, "replace", "-d", code.commit or "")
    assert rebuilt(root, code, patch_of(code, home), tmp_path / "again") == code.hash


def test_without_a_commit_there_is_no_patch(tmp_path: Path, home: Path) -> None:
    root = tmp_path / "young"
    root.mkdir()
    git(root, "init", "-q")
    (root / "a.py").touch()
    git(root, "add", ".")

    (found,) = take(root, home).repositories

    assert (found.commit, found.dirty, found.changed, found.patch) == (None, True, ("a.py",), None)


def test_where_git_is_not_installed_the_code_is_taken_all_the_same(
    root: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    code = take(root, home)

    assert (code.files, code.commit, code.repositories) == (2, None, ())


def test_very_much_that_is_new_is_in_the_snapshot_alone(
    root: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patches, "MOST_BYTES", 1000)
    (root / "large.bin").write_bytes(bytes(1001))

    (found,) = take(root, home).repositories

    assert (found.dirty, found.untracked, found.patch) == (True, ("large.bin",), None)


def test_a_repository_starts_no_program_for_a_patch(root: Path, home: Path, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch '{tmp_path}/canary'\n")
    program.chmod(0o755)
    (root / ".gitattributes").write_text("*.py diff=odd\n")
    for name in ("diff.external", "diff.odd.command", "diff.odd.textconv", "core.pager"):
        git(root, "config", name, str(program))
    (root / "a.py").write_text("two\n")

    assert b"+two" in patch_of(take(root, home), home)
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("diff.noprefix", "true"),
        ("diff.mnemonicPrefix", "true"),
        ("color.ui", "always"),
        ("diff.context", "0"),
        ("core.quotePath", "false"),
        ("diff.renames", "copies"),
    ],
)
def test_what_the_user_likes_of_diffs_changes_no_patch(
    root: Path, home: Path, tmp_path: Path, name: str, value: str
) -> None:
    (root / "a.py").rename(root / "ä.py")
    git(root, "config", name, value)

    code = take(root, home)

    assert rebuilt(root, code, patch_of(code, home), tmp_path / "again") == code.hash


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://user:s3cret@example.com/a/b.git", "https://example.com/a/b.git"),
        ("https://s3cret@example.com/a?token=s3cret", "https://example.com/a"),
        ("ssh://git:s3cret@example.com:22/a", "ssh://git@example.com:22/a"),
        ("git@example.com:a/b.git", "git@example.com:a/b.git"),
        ("hg::https://user:s3cret@example.com/a", "hg::https://example.com/a"),
        ("ssh://git:s3cret@[::1]/a", "ssh://git@[::1]/a"),
        ("/srv/a.git", "/srv/a.git"),
    ],
)
def test_the_remote_is_told_without_credentials(
    root: Path, home: Path, url: str, told: str
) -> None:
    git(root, "remote", "add", "other", "https://example.com/other")
    git(root, "remote", "add", "origin", url)

    code = take(root, home)

    assert code.repositories[0].remote == told
    assert "s3cret" not in str(code)


def test_the_remote_is_the_one_that_the_branch_follows(root: Path, home: Path) -> None:
    git(root, "remote", "add", "origin", "/srv/origin.git")
    git(root, "remote", "add", "mine", "/srv/mine.git")
    git(root, "config", "branch.trunk.remote", "mine")

    assert take(root, home).repositories[0].remote == "/srv/mine.git"
