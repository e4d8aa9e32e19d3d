"""`.nemorunignore`: the last word on what a snapshot holds, with git and without."""

import subprocess
from pathlib import Path

import pytest

from nemorun_cli import packagers
from nemorun_cli.core.errors import UsageError

FILES = (
    *("a.py", "a.log", "keep.log", "sub/b.py", "sub/c.log", "data/small.csv", "data/large.bin"),
    *("data/deep/x.csv", "assets/film.bin", "sub/assets/x", "#odd", "!odd", "weights/w.pt"),
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def taken(root: Path) -> set[str]:
    home = root.parent / "home"
    code = packagers.measure(root, home / "code", home=home, workdir=".", now=4e9)
    assert code.files >= 0
    code = packagers.take(root, home / "code", home=home, workdir=".", now=4e9)
    found = (each for each in Path(code.path).rglob("*") if not each.is_dir())
    return {str(each.relative_to(code.path)) for each in found} - {".gitignore", ".nemorunignore"}


@pytest.mark.parametrize(
    ("ignored", "rules", "without"),
    [
        ("", "*.log\n", {"a.log", "keep.log", "sub/c.log"}),
        ("", "*.log\n!keep.log\n", {"a.log", "sub/c.log"}),
        ("", "/a.log\n", {"a.log"}),
        ("", "assets/\n", {"assets/film.bin", "sub/assets/x"}),
        ("", "/assets\n", {"assets/film.bin"}),
        ("", "\\#odd\n\\!odd\n", {"#odd", "!odd"}),
        ("", "# only a comment\n\n", set()),
        ("", "data/*\n!data/small.csv\n", {"data/large.bin", "data/deep/x.csv"}),
        ("data/\n", "", {"data/small.csv", "data/large.bin", "data/deep/x.csv"}),
        ("data/\n", "!data/small.csv\n", {"data/large.bin", "data/deep/x.csv"}),
        ("data/\n", "!/data/*.csv\n", {"data/large.bin", "data/deep/x.csv"}),
        ("data/\n", "!data/deep/\n", {"data/small.csv", "data/large.bin"}),
        ("data/\n", "!data/\ndata/large.bin\n", {"data/large.bin"}),
        ("*.log\n", "!*.log\n/sub/c.log\n", {"sub/c.log"}),
        ("*.log\nassets/\n", "!*.log\n!x\n", {"assets/film.bin", "sub/assets/x"}),
        ("data/x\n", "!../outside\n!data/../../outside\n", set()),
    ],
)
def test_it_leaves_out_and_takes(root: Path, ignored: str, rules: str, without: set[str]) -> None:
    (root.parent / "outside").write_text("not of the project")
    (root / ".gitignore").write_text(ignored)
    (root / ".nemorunignore").write_text(rules)
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)

    assert taken(root) == set(FILES) - without


def test_tracked_files_can_be_left_out(root: Path) -> None:
    (root / ".nemorunignore").write_text("weights/\n")
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    subprocess.run(["git", "add", "."], cwd=root, check=True)

    assert taken(root) == set(FILES) - {"weights/w.pt"}


def test_it_counts_without_git_too(root: Path) -> None:
    (root / ".hidden").mkdir()
    (root / ".hidden/x").touch()
    (root / ".nemorunignore").write_text("*.log\n!.hidden/x\n")

    assert taken(root) == {name for name in FILES if not name.endswith(".log")} | {".hidden/x"}


def test_it_counts_in_the_repositories_inside(root: Path) -> None:
    (root / ".nemorunignore").write_text("/sub/c.log\n*.bin\n")
    for folder in (root, root / "sub", root / "data"):
        subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    (root / "data/.nemorunignore").write_text("small.csv\n")

    without = {"sub/c.log", "data/large.bin", "assets/film.bin", "data/small.csv"}
    assert taken(root) == set(FILES) - without | {"data/.nemorunignore"}


def test_a_repository_inside_can_be_left_out(root: Path) -> None:
    (root / ".nemorunignore").write_text("/data/\n")
    for folder in (root, root / "data"):
        subprocess.run(["git", "init", "-q"], cwd=folder, check=True)

    assert taken(root) == {name for name in FILES if not name.startswith("data/")}


def test_what_cannot_be_understood_is_told(root: Path) -> None:
    (root / ".nemorunignore").mkdir()

    with pytest.raises(UsageError, match=r"cannot read .*\.nemorunignore"):
        taken(root)
