"""What a snapshot holds, as somebody sees it who launches: git, other repositories, limits."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Nemorun

SHOW_FILES = "import mine, library; print(mine.__file__, mine.W, library.__file__, library.W)"


def git(folder: Path, *arguments: str, data: bytes | None = None) -> str:
    who = ("-c", "user.name=n", "-c", "user.email=e@example.com")
    env = {"PATH": os.environ["PATH"], "HOME": "/nowhere"}
    argv = ["git", *who, *arguments]
    done = subprocess.run(argv, cwd=folder, env=env, input=data, check=True, capture_output=True)
    return done.stdout.decode().strip()


def commit(folder: Path) -> str:
    if not (folder / ".git").exists():
        git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "one")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def repository(project: Path) -> Path:
    (project / "train.py").write_text("print('first')\n")
    (project / ".gitignore").write_text("data/\n*.log\n")
    commit(project)
    return project


def editable(venv: Path, name: str, folder: Path, imported: Path, *, finder: bool) -> None:
    """Install a package as `pip install --editable` does, with setuptools' finder or without."""
    (library,) = venv.glob("lib/python3*/site-packages")
    about = library / f"{name}-1.dist-info"
    about.mkdir()
    about.joinpath("METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    origin = {"dir_info": {"editable": True}, "url": folder.as_uri()}
    about.joinpath("direct_url.json").write_text(json.dumps(origin))
    files = [f"__editable__.{name}-1.pth"]
    if finder:
        files.append(f"__editable___{name}_1_finder.py")
        hook = f"import sys; sys.path.append({str(imported)!r})"
        mapping = {name: str(imported / name)}
        (library / files[0]).write_text(hook)
        (library / files[1]).write_text(f"MAPPING: dict[str, str] = {mapping!r}\n")
    else:
        (library / files[0]).write_text(str(imported))
    about.joinpath("RECORD").write_text("".join(f"{each},,\n" for each in files))


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """An environment with the project and a library beside it, both installed as editable."""
    folder = tmp_path / "venv"
    argv = [sys.executable, "-m", "venv", "--without-pip", str(folder)]
    subprocess.run(argv, check=True)
    return folder


@pytest.fixture
def developed(repository: Path, venv: Path, tmp_path: Path) -> Path:
    library = tmp_path / "library"
    for package in (repository / "src/mine", library / "library"):
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("W = 'first'\n")
    commit(repository)
    commit(library)
    elsewhere = tmp_path / "elsewhere"  # As a home does on many clusters, it has two names.
    elsewhere.symlink_to(repository)
    editable(venv, "mine", elsewhere, elsewhere / "src", finder=False)
    editable(venv, "library", library, library, finder=True)
    return library


def test_the_patch_applies_to_the_commit_and_gives_the_code(
    nemorun: Nemorun, repository: Path, tmp_path: Path
) -> None:
    (repository / "train.py").write_text("print('second')\n")
    (repository / "new.bin").write_bytes(bytes(range(256)))
    run_id = nemorun.ok("launch", "--wait", "command", "true")
    shown = nemorun("show", run_id, "--patch")
    told = nemorun.json("show", run_id, "--patch")
    assert (told["repository"], told["patch"]) == ("", shown.out)
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(repository), str(clone))
    patch = shown.out.encode("utf-8", "surrogateescape")

    git(clone, "apply", "--check", data=patch)
    git(clone, "apply", data=patch)

    assert (clone / "train.py").read_text() == "print('second')\n"
    assert (clone / "new.bin").read_bytes() == bytes(range(256))
    code = nemorun.json("show", run_id)["run"]["code"]  # type: ignore[index]
    assert code["repositories"][0]["commit"] == git(clone, "rev-parse", "HEAD")
    assert "on main, 1 changed, 1 untracked" in nemorun.ok("show", run_id)


def test_many_runs_of_changed_code_store_one_snapshot_and_one_patch(
    nemorun: Nemorun, repository: Path
) -> None:
    (repository / "train.py").write_text("print('second')\n")

    for number in range(4):
        nemorun.ok("launch", "--name", str(number), "command", "true")

    assert len(list((nemorun.store / "code").glob("[0-9a-f]*"))) == 1
    assert len(list((nemorun.store / "code/.patches").iterdir())) == 1


def test_code_as_committed_has_no_patch(nemorun: Nemorun, repository: Path) -> None:
    run_id = nemorun.ok("launch", "--require-clean", "--wait", "command", "true")

    shown = nemorun("show", run_id, "--patch")

    assert (shown.code, shown.out, shown.err) == (0, "", "its code is as committed\n")
    assert repository.exists()


def test_code_that_is_not_as_committed_can_be_refused(nemorun: Nemorun, repository: Path) -> None:
    (repository / "train.py").write_text("print('second')\n")
    (repository / "new.py").touch()

    for more in ((), ("--dry-run",)):
        done = nemorun("launch", "--require-clean", *more, "command", "true")

        assert done.code == 3
        assert "changed    train.py\n" in done.err
        assert "untracked  new.py\n" in done.err
    assert not list(nemorun.store.glob("code/[0-9a-f]*"))
    assert nemorun.json("list")["runs"] == []


def test_what_is_in_no_repository_is_not_known_to_be_clean(
    nemorun: Nemorun, project: Path, tmp_path: Path
) -> None:
    outside = Nemorun(home=nemorun.home, cwd=tmp_path)

    for each in (nemorun, outside):
        assert each("launch", "--require-clean", "command", "true").code == 3
    run_id = nemorun.ok("launch", "--wait", "command", "true")
    done = nemorun("show", run_id, "--patch")
    assert done.code == 4
    assert "no repository" in done.err
    assert project.exists()


def test_nemorunignore_wins_over_gitignore(nemorun: Nemorun, repository: Path) -> None:
    (repository / "data/deep").mkdir(parents=True)
    (repository / "assets").mkdir()
    for name in ("data/small.csv", "data/large.csv", "data/deep/x.csv", "assets/film.bin"):
        (repository / name).write_text(name)
    (repository / ".nemorunignore").write_text(
        "# not code\nassets/\n!data/*.csv\n!data/deep\ndata/large.csv\n"
    )

    for _ in range(2):
        run_id = nemorun.ok("launch", "--wait", "command", "true")
        code = Path(nemorun.json("show", run_id)["run"]["code"]["path"])  # type: ignore[index]
        found = {str(each.relative_to(code)) for each in code.rglob("*") if each.is_file()}
        assert found - {".gitignore", ".nemorunignore", "nemorun.toml", "train.py"} == {
            "data/small.csv",
            "data/deep/x.csv",
        }
        subprocess.run(["rm", "-rf", ".git"], cwd=repository, check=True)  # Outside git too.
        (repository / "data/large.csv").unlink(missing_ok=True)


def test_a_dry_run_tells_what_goes_along_and_what_is_left_out(
    nemorun: Nemorun, repository: Path
) -> None:
    (repository / "data").mkdir()
    (repository / "data/large").touch()
    os.truncate(repository / "data/large", 3 * 2**30)
    (repository / "film.bin").write_bytes(bytes(5000))
    (repository / ".nemorunignore").write_text("film.bin\n")

    lines = nemorun.ok("launch", "--dry-run", "command", "true").splitlines()

    assert any(line.startswith("code ") and "4 files" in line for line in lines)
    assert "skipped    data/ 3.0 GiB (.gitignore)" in lines
    assert "skipped    film.bin 5 KiB (.nemorunignore)" in lines
    told = nemorun.json("launch", "--dry-run", "command", "true")["code"]["skipped"]  # type: ignore[index]
    assert {(each["path"], each["bytes"]) for each in told} == {
        ("data/", 3 * 2**30),
        ("film.bin", 5000),
    }


def test_a_folder_of_very_many_files_is_not_counted_to_the_end(
    nemorun: Nemorun, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nemorun_cli.packagers import skipped

    monkeypatch.setattr(skipped, "_LOOKED_AT", 5)
    (repository / "data").mkdir()
    for number in range(20):
        (repository / f"data/{number}").write_text("0123456789")

    (found,) = skipped.skipped(repository)

    assert (found.path, found.whole) == ("data/", False)
    assert 0 < found.bytes < 200
    assert nemorun.home.exists()


def test_the_limit_is_a_setting_and_can_be_passed_by(nemorun: Nemorun, repository: Path) -> None:
    (repository / "nemorun.toml").write_text('snapshot_limit = "1 MiB"\n')
    (repository / "weights").mkdir()
    (repository / "weights/large.bin").write_bytes(bytes(2 * 2**20))

    done = nemorun("launch", "command", "true")

    assert done.code == 3
    assert "the largest: weights/large.bin (2 MiB in 1 file)" in done.err
    assert "and may hold 1 MiB in" in done.err
    assert ".nemorunignore" in done.err
    assert nemorun("launch", "--yes-large", "--wait", "command", "true").code == 0
    (repository / "nemorun.toml").write_text('snapshot_limit = "much"\n')
    assert nemorun("launch", "command", "true").code == 2


def test_what_is_installed_as_editable_is_imported_from_the_snapshot(
    nemorun: Nemorun, repository: Path, developed: Path, venv: Path
) -> None:
    python = str(venv / "bin/python")
    (repository / "look.py").write_text(SHOW_FILES)
    program = venv / "bin/look"
    program.write_text(f"#!{python}\n{SHOW_FILES}\n")
    program.chmod(0o755)
    argv = ("sh", "-c", f"{python} look.py && {python} -m look && {program}")
    inside = Nemorun(home=nemorun.home, cwd=repository, env={"VIRTUAL_ENV": str(venv)})
    gate = ("sh", "-c", "until [ -e go ]; do sleep .05; done")
    parent = inside.ok("launch", "command", "--", *gate)
    run_id = inside.ok("launch", "--after", parent, "command", "--", *argv)

    for package in (repository / "src/mine", developed / "library"):
        (package / "__init__.py").write_text("W = 'later'\n")
    (nemorun.store / "jobs" / f"{parent}-1" / "work" / "go").touch()

    assert inside("wait", run_id).code == 0
    code = nemorun.json("show", run_id)["run"]["code"]["path"]  # type: ignore[index]
    told = f"{code}/src/mine/__init__.py first {code}/.nemorun/library/library/__init__.py first"
    assert inside.ok("logs", run_id).splitlines() == [told] * 3


def test_a_recipe_runs_the_snapshot_of_an_editable_project(
    nemorun: Nemorun, repository: Path, developed: Path, venv: Path
) -> None:
    (repository / "recipes").mkdir()
    (repository / "recipes/look.py").write_text(
        "import fiddle as fdl\nfrom nemorun_cli import recipe\n\n\n"
        f"def look() -> None:\n    {SHOW_FILES}\n\n\n"
        '@recipe\ndef looking() -> fdl.Partial:\n    """Look."""\n    return fdl.Partial(look)\n'
    )
    inside = Nemorun(home=nemorun.home, cwd=repository, env={"VIRTUAL_ENV": str(venv)})

    _, line = inside.ok("launch", "--follow", "looking").splitlines()

    assert line.count(str(nemorun.store / "code")) == 2
    assert developed.exists()


def test_commits_and_patches_of_what_goes_along_are_told(
    nemorun: Nemorun, repository: Path, developed: Path, venv: Path
) -> None:
    (developed / "library/__init__.py").write_text("W = 'second'\n")
    inside = Nemorun(home=nemorun.home, cwd=repository, env={"VIRTUAL_ENV": str(venv)})

    dry = inside.ok("launch", "--dry-run", "command", "true")
    run_id = inside.ok("launch", "--wait", "command", "true")

    head = git(developed, "rev-parse", "HEAD")
    line = f".nemorun/library: {head[:12]} on main, 1 changed, from {developed}"
    assert f"with       {line}" in dry
    assert line.replace(": ", "  ", 1) in nemorun.ok("show", run_id)
    patch = nemorun.ok("show", run_id, "--patch", "--repository", ".nemorun/library")
    assert "+W = 'second'" in patch
    git(developed, "checkout", "-q", ".")
    git(developed, "apply", "--check", data=f"{patch}\n".encode())


def test_a_submodule_at_another_commit_needs_no_patch(
    nemorun: Nemorun, repository: Path, tmp_path: Path
) -> None:
    library = tmp_path / "library"
    library.mkdir()
    (library / "lib.py").touch()
    commit(library)
    local = ("-c", "protocol.file.allow=always")
    git(repository, *local, "submodule", "add", "-q", str(library), "module")
    commit(repository)
    git(repository / "module", "commit", "-qm", "two", "--allow-empty")

    run_id = nemorun.ok("launch", "--wait", "command", "true")

    shown = nemorun("show", run_id, "--patch")
    assert (shown.code, shown.out) == (0, "")
    assert "on main, 1 changed" in nemorun.ok("show", run_id)
    assert nemorun("launch", "--require-clean", "command", "true").code == 3


def test_a_store_inside_the_project_does_not_make_it_unclean(
    nemorun: Nemorun, repository: Path
) -> None:
    inside = Nemorun(
        home=nemorun.home, cwd=repository, env={"NEMORUN_HOME": str(repository / "store")}
    )
    for _ in range(2):
        inside.ok("launch", "--wait", "--require-clean", "command", "true")

    assert inside.json("show", "last")["run"]["code"]["repositories"][0]["dirty"] is False  # type: ignore[index]


def test_a_repository_can_be_asked_for(nemorun: Nemorun, repository: Path, tmp_path: Path) -> None:
    for name, package in (("one", "one/first"), ("two", "two/src/second")):
        (tmp_path / package).mkdir(parents=True)
        (tmp_path / package / "__init__.py").write_text("print(__file__)\n")
        commit(tmp_path / name)
    (repository / "nemorun.toml").write_text('include_repos = ["../two"]\n')
    argv = ("command", "--", "python3", "-c", "import first, second")

    run_id, *lines = nemorun.ok(
        "launch", "--follow", "--include-repo", "../one", *argv
    ).splitlines()

    code = nemorun.json("show", run_id)["run"]["code"]["path"]  # type: ignore[index]
    assert lines == [
        f"{code}/.nemorun/one/first/__init__.py",
        f"{code}/.nemorun/two/src/second/__init__.py",
    ]
    again = nemorun.ok("rerun", run_id, "--follow").splitlines()
    assert again[1:] == lines


@pytest.mark.parametrize(
    ("folder", "said"), [("../nowhere", "there is no folder"), ("..", "holds the project itself")]
)
def test_what_cannot_go_along_is_refused(
    nemorun: Nemorun, repository: Path, folder: str, said: str
) -> None:
    done = nemorun("launch", "--include-repo", folder, "command", "true")

    assert done.code == 2
    assert said in done.err
    assert repository.exists()


def test_code_that_cannot_be_frozen_is_told(
    nemorun: Nemorun, repository: Path, developed: Path, venv: Path
) -> None:
    (library,) = venv.glob("lib/python3*/site-packages")
    (library / "__editable__.library-1.pth").write_text("import _hook\n")
    (library / "__editable___library_1_finder.py").unlink()
    (library / "library-1.dist-info/RECORD").write_text("__editable__.library-1.pth,,\n")
    inside = Nemorun(home=nemorun.home, cwd=repository, env={"VIRTUAL_ENV": str(venv)})

    done = inside("launch", "--wait", "command", "true")

    assert f"not frozen: library ({developed}): a hook of its own imports it" in done.err
    assert "not frozen" in nemorun.ok("show", "last")
    (repository / "nemorun.toml").write_text("include_editables = false\n")
    assert "not frozen" not in inside("launch", "--wait", "command", "true").err


def test_what_was_built_goes_along_with_an_editable_install(
    nemorun: Nemorun, repository: Path, developed: Path, venv: Path
) -> None:
    (developed / ".gitignore").write_text("*.so\n_version.py\n")
    (developed / "library/_version.py").write_text("V = 'built'\n")
    (developed / "library/core.so").write_text("")
    inside = Nemorun(home=nemorun.home, cwd=repository, env={"VIRTUAL_ENV": str(venv)})
    look = "import library._version as v; print(v.__file__)"
    argv = ("command", "--", str(venv / "bin/python"), "-c", look)

    _, line = inside.ok("launch", "--follow", *argv).splitlines()

    assert line.startswith(str(nemorun.store / "code"))
    assert Path(line).with_name("core.so").exists()
