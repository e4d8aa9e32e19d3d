"""A snapshot after an earlier one: exactly what a look at everything gives, and little work."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nemorun_cli import packagers
from nemorun_cli.core.errors import CorruptError, RefusedError, StoreError
from nemorun_cli.core.jobs import Code
from nemorun_cli.job import layingout
from nemorun_cli.job.layingout import PENDING
from nemorun_cli.packagers import again, patches, trees
from nemorun_cli.packagers.companions import Also
from nemorun_cli.packagers.trees import stored
from nemorun_cli.store import snapshots
from nemorun_cli.watching import nap

NOW = 4e9
PATHS = st.sampled_from(
    ["a", "b.py", "f/a", "f/b", "f/g/h", "naïve \n.txt", "ignored/x", "skip.me"]
)
TEXTS = st.sampled_from(["one", "two", "three\r\n", ""])
STEPS = st.one_of(
    st.tuples(st.sampled_from(["write", "link", "mode", "delete", "touch", "add", "reset"]), PATHS),
    st.tuples(st.sampled_from(["commit", "stash", "refresh", "checkout"]), st.just("")),
    st.tuples(st.just("ignore"), PATHS),
)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tree of a few files is treated as one of very many."""
    monkeypatch.setattr(again, "FEW", 0)


def git(folder: Path, *arguments: str) -> None:
    env = {"PATH": os.environ["PATH"], "HOME": "/nowhere", "GIT_CONFIG_NOSYSTEM": "1"}
    who = ("-c", "user.name=n", "-c", "user.email=e@example.com")
    subprocess.run(["git", *who, *arguments], cwd=folder, env=env, check=False, capture_output=True)


def take(root: Path, home: Path, *, later: bool = True, now: float = NOW) -> Code:
    also = Also(later=later)
    return packagers.take(root, home / "code", home=home, workdir=".", now=now, also=also)


def laid_out(code: Code) -> Path:
    packagers.lay_out(Path(code.path))
    return Path(code.path)


def pending(code: Code) -> Path:
    return Path(code.path).with_name(f"{PENDING}{code.hash}")


def replace(path: Path, text: str) -> None:
    """As its owner can, who has the right to change the mode."""
    path.parent.chmod(0o700)
    path.unlink()
    path.write_text(text)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    for number in range(5):
        path = folder / f"folder{number % 2}/file{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"NUMBER = {number}\n")
        os.utime(path, (1, 1))
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "one")
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "state"


def do(root: Path, step: str, name: str, text: str) -> None:
    """Take this step, if it can be taken."""
    path = root / name
    edits: dict[str, Callable[[], object]] = {
        "write": lambda: path.write_text(text),
        "link": lambda: path.symlink_to(text or "nowhere"),
        "mode": lambda: path.chmod(path.stat().st_mode ^ 0o111),
        "delete": lambda: shutil.rmtree(path) if path.is_dir() else path.unlink(),
        "touch": path.touch,
        "ignore": lambda: (root / ".gitignore").write_text(f"ignored/\n/{name}\n"),
    }
    commands = {
        "add": ("add", "--", name),
        "reset": ("reset", "-q", "--", name),
        "commit": ("commit", "-qam", "more"),
        "stash": ("stash", "-u"),
        "refresh": ("update-index", "-q", "--refresh"),
        "checkout": ("checkout", "-q", "--", "."),
    }
    if step in commands:
        git(root, *commands[step])
        return
    with suppress(OSError):
        if step in {"write", "link"}:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
        edits[step]()


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None
)
@given(
    steps=st.lists(st.tuples(STEPS, TEXTS, st.booleans()), min_size=1, max_size=6),
    within=st.sampled_from([".", "project"]),
)
def test_whatever_has_happened_it_holds_what_a_look_at_everything_finds(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[tuple[str, str], str, bool]],
    within: str,
) -> None:
    place = tmp_path_factory.mktemp("any")
    repository, home, other = place / "repository", place / "state", place / "other"
    root = repository / within
    root.mkdir(parents=True)
    (repository / "outside").touch()
    (root / ".nemorunignore").write_text("skip.me\n")
    for name in ("a", "f/a", "f/b"):
        do(root, "write", name, name)
    git(repository, "init", "-q")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "one")
    take(root, home)

    for (step, name), text, looks in steps:
        do(root, step, name, text)
        if looks:
            quick, full = take(root, home), take(root, other, later=False)
            assert quick.hash == full.hash
            assert (quick.files, quick.bytes, quick.entries) == (
                full.files,
                full.bytes,
                full.entries,
            )
            assert quick.repositories[0].changed == full.repositories[0].changed
            assert quick.repositories[0].untracked == full.repositories[0].untracked
            assert quick.repositories[0].patch == full.repositories[0].patch
    last = take(root, home)
    assert stored(laid_out(last)).hash == last.hash


def test_of_a_known_tree_only_what_has_changed_is_looked_at_and_stored(
    root: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(root, home)
    (root / "folder0/file2.py").write_text("NUMBER = 22\n")
    looked: list[str] = []
    digest_of = trees._digest_of

    def noting(path: str, status: os.stat_result) -> str:
        looked.append(path)
        return digest_of(path, status)

    monkeypatch.setattr(trees, "_digest_of", noting)
    monkeypatch.setattr(again, "gather", None)  # It would list everything.

    code = take(root, home)

    assert looked == [str(root / "folder0/file2.py")]
    changed = pending(code) / "changed"
    assert [str(each.relative_to(changed)) for each in changed.rglob("*.py")] == [
        "folder0/file2.py"
    ]
    assert not Path(code.path).exists()
    assert (laid_out(code) / "folder0/file2.py").read_text() == "NUMBER = 22\n"
    assert (laid_out(code) / "folder1/file3.py").read_text() == "NUMBER = 3\n"
    assert not pending(code).exists()


def test_an_edit_after_the_launch_is_not_in_what_is_laid_out_later(root: Path, home: Path) -> None:
    take(root, home)
    (root / "folder0/file0.py").write_text("frozen")
    code = take(root, home)
    for path in root.rglob("*.py"):
        path.write_text("edited later")

    folder = laid_out(code)

    assert (folder / "folder0/file0.py").read_text() == "frozen"
    assert stored(folder).hash == code.hash
    assert all(each.stat().st_mode & 0o222 == 0 for each in folder.rglob("*"))


def test_the_next_snapshot_builds_on_the_same_whole_one(root: Path, home: Path) -> None:
    take(root, home)
    codes = []
    for number in range(3):
        (root / f"folder0/file{number * 2}.py").write_text(f"edit {number}")
        codes.append(take(root, home))

    for code in reversed(codes):
        assert stored(laid_out(code)).hash == code.hash


def test_what_somebody_changed_in_the_base_is_taken_from_the_project(
    root: Path, home: Path
) -> None:
    base = take(root, home)
    (root / "folder0/file0.py").write_text("new")
    code = take(root, home)
    replace(Path(base.path) / "folder1/file1.py", "damaged")

    assert stored(laid_out(code)).hash == code.hash


def test_content_that_is_nowhere_any_more_is_an_error_and_no_snapshot(
    root: Path, home: Path
) -> None:
    base = take(root, home)
    (root / "folder0/file0.py").write_text("new")
    code = take(root, home)
    replace(Path(base.path) / "folder1/file1.py", "damaged")
    (root / "folder1/file1.py").write_text("changed")

    with pytest.raises(CorruptError, match=r"folder1/file1\.py is not in the store any more"):
        packagers.lay_out(Path(code.path))

    assert not Path(code.path).exists()
    assert pending(code).is_dir()
    assert not list(Path(code.path).parent.glob(".new-*"))


def test_a_disk_that_is_full_leaves_no_half_snapshot(
    root: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(root, home)
    (root / "folder0/file0.py").write_text("new")
    code = take(root, home)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as during:
        during.setattr(layingout, "pour", full)
        with pytest.raises(StoreError, match="No space left"):
            packagers.lay_out(Path(code.path))

    assert not list(Path(code.path).parent.glob(".new-*"))
    assert stored(laid_out(code)).hash == code.hash


def test_many_lay_it_out_at_once_and_one_does_the_work(
    root: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(root, home)
    (root / "folder0/file0.py").write_text("new")
    code, filled = take(root, home), []
    fill = layingout._fill

    def noting(stage: str, folder: Path) -> None:
        filled.append(stage)
        fill(stage, folder)

    monkeypatch.setattr(layingout, "_fill", noting)
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(laid_out, [code] * 8))

    assert len(filled) == 1
    assert {stored(each).hash for each in folders} == {code.hash}


def test_a_job_that_lays_it_out_is_in_no_launch_s_way(
    root: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(root, home)
    (root / "folder0/file0.py").write_text("new")
    code, write = take(root, home), patches.write
    shutil.rmtree(home / "code" / patches.FOLDER)

    def late(*given: Any, **named: Any) -> bool:
        packagers.lay_out(Path(code.path))
        return write(*given, **named)

    monkeypatch.setattr(patches, "write", late)

    found = take(root, home)

    assert (found.hash, found.repositories) == (code.hash, code.repositories)
    assert found.repositories[0].patch is not None


def test_whoever_was_killed_while_laying_it_out_is_in_nobodys_way(root: Path, home: Path) -> None:
    take(root, home)
    (root / "folder0/file0.py").write_text("new")
    code = take(root, home)
    script = Path(layingout.__file__)
    stop = "import os, signal, runpy, sys; os.rename = lambda *_: os.kill(os.getpid(), 9); "
    stop += "import pathlib; pathlib.Path.rename = os.rename; "
    argv = [sys.executable, "-c", f"{stop}runpy.run_path(sys.argv.pop(1), run_name='__main__')"]

    killed = subprocess.run([*argv, script, home / "code", code.hash], check=False)

    assert killed.returncode == -signal.SIGKILL
    assert stored(laid_out(code)).hash == code.hash


def damage(path: Path, text: str | None) -> None:
    path.parent.chmod(0o700)
    path.unlink()
    if text is not None:
        path.write_text(text)


@pytest.mark.parametrize("text", ["", None, '{"base": ""}'])
@pytest.mark.parametrize("name", [layingout.MANIFEST, layingout.ORIGIN])
def test_what_a_crash_has_cut_short_is_an_error_and_stored_anew(
    root: Path, home: Path, name: str, text: str | None
) -> None:
    take(root, home)
    (root / "folder0/file0.py").write_text("new")
    code = take(root, home)
    damage(pending(code) / name, text)

    with pytest.raises(CorruptError, match="is damaged"):
        packagers.lay_out(Path(code.path))

    assert not Path(code.path).exists()
    assert stored(laid_out(take(root, home))).hash == code.hash


def test_whoever_was_killed_after_laying_it_out_leaves_nothing_for_ever(
    root: Path, home: Path
) -> None:
    take(root, home)
    (root / "folder0/file0.py").write_text("new")
    code = take(root, home)
    shutil.copytree(pending(code), home / "before")
    laid_out(code)
    (home / "before").rename(pending(code))

    assert stored(laid_out(code)).hash == code.hash
    assert not pending(code).exists()


def test_what_was_to_be_laid_out_goes_when_all_of_it_is_stored(root: Path, home: Path) -> None:
    base = take(root, home)
    (root / "folder0/file0.py").write_text("new")
    code = take(root, home)
    layingout.discard(Path(base.path))

    assert take(root, home).hash == code.hash

    assert Path(code.path).is_dir()
    assert not pending(code).exists()


def test_another_python_lays_it_out_where_that_of_the_launch_has_gone(
    root: Path, home: Path
) -> None:
    take(root, home)
    (root / "folder0/file0.py").write_text("new")
    code = take(root, home)
    script = Path(layingout.__file__).with_suffix(".sh")
    known = {"snapshot": code.path, "laid_out_by": "/gone/python", "run_dir": str(script.parent)}

    subprocess.run(["sh", "-ec", f". {script}; lay_out"], env={**os.environ, **known}, check=True)

    assert stored(Path(code.path)).hash == code.hash


def test_what_git_was_told_not_to_see_is_seen(root: Path, home: Path) -> None:
    git(root, "update-index", "--assume-unchanged", "folder0/file0.py")
    take(root, home)
    (root / "folder0/file0.py").write_text("hidden")

    assert (laid_out(take(root, home)) / "folder0/file0.py").read_text() == "hidden"


def test_git_takes_no_word_of_the_repository_for_what_is_unchanged(root: Path, home: Path) -> None:
    for setting in ("core.trustctime=false", "core.checkStat=minimal"):
        git(root, "config", *setting.split("="))
    # What is younger is looked at anyway, as git compares whole seconds.
    nap(2.1)
    take(root, home, now=time.time())
    path = root / "folder0/file0.py"
    path.write_text("NUMBER = 7\n")
    os.utime(path, (1, 1))

    code = take(root, home, now=time.time())
    whole = take(root, home / "other", later=False, now=time.time() + 9)

    assert (laid_out(code) / "folder0/file0.py").read_text() == "NUMBER = 7\n"
    for each in (code, whole):
        assert each.repositories[0].changed == ("folder0/file0.py",)
        assert each.repositories[0].patch is not None


def test_other_line_ends_are_another_content_though_git_says_they_are_not(
    root: Path, home: Path
) -> None:
    git(root, "config", "core.autocrlf", "true")
    take(root, home)
    (root / "folder0/file0.py").write_bytes(b"NUMBER = 0\r\n")

    code = take(root, home)

    assert (laid_out(code) / "folder0/file0.py").read_bytes() == b"NUMBER = 0\r\n"


def test_without_git_everything_is_looked_at(
    root: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(root, home)
    (root / "folder0/file0.py").write_text("new")
    monkeypatch.setenv("PATH", "/nowhere")

    assert (laid_out(take(root, home)) / "folder0/file0.py").read_text() == "new"


def test_too_much_that_is_new_is_stored_whole(
    root: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(root, home)
    monkeypatch.setattr(again, "MOST", 1)
    for number in range(2):
        (root / f"more{number}").write_text("more")

    assert Path(take(root, home).path).is_dir()


def test_a_tree_that_has_grown_too_large_is_refused_as_ever(root: Path, home: Path) -> None:
    take(root, home)
    (root / "large").write_bytes(bytes(2000))

    with pytest.raises(RefusedError, match="large"):
        packagers.take(
            root,
            home / "code",
            home=home,
            workdir=".",
            now=NOW,
            also=Also(later=True, limit=1000),
        )


@pytest.mark.parametrize(
    "damage", ["", "{}\n", "nonsense", '{"format": "nemorun latest 1", "files": 0}\n']
)
def test_damaged_memory_is_only_slow(root: Path, home: Path, damage: str) -> None:
    take(root, home)
    (memory,) = (home / "code/.cache").glob("*.latest")
    memory.write_text(damage)
    (root / "folder0/file0.py").write_text("new")

    assert (laid_out(take(root, home)) / "folder0/file0.py").read_text() == "new"


def test_collecting_spares_what_a_snapshot_is_to_be_laid_out_from(root: Path, home: Path) -> None:
    base = take(root, home)
    (root / "folder0/file0.py").write_text("new")
    code = take(root, home)
    later = time.time() + 2 * snapshots.DAY

    assert snapshots.unused(home / "code", {code.hash}, now=later) == []
    assert snapshots.unused(home / "code", (), now=later) == [pending(code)]
    laid_out(code)
    assert snapshots.unused(home / "code", {code.hash}, now=later) == [Path(base.path)]


def test_a_folder_that_was_moved_away_and_linked_to_is_a_link(
    root: Path, home: Path, tmp_path: Path
) -> None:
    (root / "f").mkdir()
    (root / "f/a").write_text("one")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "two")
    take(root, home)
    (root / "f").rename(tmp_path / "away")
    (root / "f").symlink_to(tmp_path / "away")

    code, whole = take(root, home), take(root, tmp_path / "other", later=False)

    assert pending(code).is_dir()
    assert (code.hash, code.repositories) == (whole.hash, whole.repositories)
    assert (laid_out(code) / "f").is_symlink()
    assert any(each.startswith("f/") for each in code.repositories[0].changed)


def test_a_snapshot_that_was_laid_out_and_changed_is_refused(root: Path, home: Path) -> None:
    take(root, home)
    (root / "b.py").write_text("new")
    folder = laid_out(take(root, home))
    assert take(root, home).path == str(folder)
    folder.chmod(0o700)
    replace(folder / "b.py", "evil")

    with pytest.raises(CorruptError, match=r"not what was stored: b\.py"):
        take(root, home)
