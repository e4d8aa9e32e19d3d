"""The files a job has left: which there are, here and on a host, and that no other is read."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nemorun_cli import farfiles, workfiles
from nemorun_cli.core.errors import NotFoundError, UnreachableError
from nemorun_cli.core.globs import matcher
from nemorun_cli.core.jobs import JobFile
from nemorun_cli.tunnels.local import LocalTunnel

ODD = (
    *("-rf", " a b ", "new\nline", "end\n", "tab\t", "quote'\"", "$HOME `x` $(y)", "*?[a]"),
    *("back\\slash", ".hidden", "naïve 漢字", "\udcff\udcfe", "ckpt/last.pt", "ckpt/deep/1.pt"),
)
Listing = Callable[[Path, str], Iterator[JobFile]]
Reading = Callable[[Path, str, int], Iterator[bytes]]


def far_listed(work: Path, pattern: str) -> Iterator[JobFile]:
    return farfiles.listed(LocalTunnel(), str(work), pattern)


def far_content(work: Path, path: str, offset: int) -> Iterator[bytes]:
    return farfiles.content(LocalTunnel(), str(work), path, offset=offset)


def near_content(work: Path, path: str, offset: int) -> Iterator[bytes]:
    return workfiles.content(work, path, offset=offset)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A working folder as a job leaves it: links to its code, odd names, links of its own."""
    folder = tmp_path / "job's" / "work"
    folder.mkdir(parents=True)
    code = tmp_path / "code"
    (code / "package").mkdir(parents=True)
    (code / "train.py").write_text("code")
    (code / "package" / "model.py").write_text("code")
    (folder / "train.py").symlink_to(code / "train.py")
    (folder / "package").symlink_to(code / "package")
    (folder / "gone").symlink_to("nowhere")
    os.mkfifo(folder / "pipe")
    for name in ODD:
        path = folder / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(os.fsencode(name))
    (folder / "best.pt").symlink_to("ckpt/last.pt")
    (folder.parent / "exit.json").write_text("{}")
    (folder / "outside").symlink_to("../exit.json")
    return folder


@pytest.mark.parametrize("listed", [workfiles.listed, far_listed])
def test_results_are_listed_and_code_is_not(work: Path, listed: Listing) -> None:
    found = list(listed(work, "**"))

    assert [each.path for each in found] == sorted([*ODD, "best.pt"])
    for each in found:
        status = (work / each.path).stat()
        assert (each.size, each.modified_ns) == (status.st_size, status.st_mtime_ns)


@pytest.mark.parametrize("listed", [workfiles.listed, far_listed])
def test_of_a_folder_that_is_gone_there_are_no_files(tmp_path: Path, listed: Listing) -> None:
    assert list(listed(tmp_path / "gone", "**")) == []


@pytest.mark.parametrize("content", [near_content, far_content])
def test_what_is_listed_can_be_read_from_any_byte(work: Path, content: Reading) -> None:
    for name in (*ODD, "best.pt"):
        whole = (work / name).read_bytes()
        assert b"".join(content(work, name, 0)) == whole
        assert b"".join(content(work, name, 3)) == whole[3:]


@pytest.mark.parametrize("content", [near_content, far_content])
@pytest.mark.parametrize("path", ["../exit.json", "outside", "train.py", "gone", "nothing", "ckpt"])
def test_nothing_else_can_be_read(work: Path, content: Reading, path: str) -> None:
    with pytest.raises(NotFoundError):
        list(content(work, path, 0))


def test_a_large_file_comes_in_parts(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(farfiles, "CHUNK", 1000)
    data = os.urandom(3500)
    (work / "large").write_bytes(data)

    pieces = list(far_content(work, "large", 0))

    assert list(map(len, pieces)) == [1000, 1000, 1000, 500]
    assert b"".join(pieces) == data


def test_a_file_that_cannot_be_read_there_is_never_taken_for_an_empty_one(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = work.parent / "bin"
    programs.mkdir()
    (programs / "dd").write_text(
        "#!/bin/sh\nprintf half\necho 'dd: Input/output error' >&2\nexit 1"
    )
    (programs / "dd").chmod(0o700)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")

    with pytest.raises(UnreachableError) as raised:
        list(far_content(work, "ckpt/last.pt", 0))

    assert raised.value.message == "cannot read ckpt/last.pt there: dd: Input/output error"


def test_behind_the_end_of_a_file_there_is_nothing(work: Path) -> None:
    assert list(far_content(work, "ckpt/last.pt", 10_000)) == []


def test_what_has_names_in_two_folders_counts_once(tmp_path: Path) -> None:
    for name in ("1", "2"):
        (tmp_path / name).mkdir()
    (tmp_path / "1" / "file").write_bytes(os.urandom(200_000))
    (tmp_path / "2" / "file").hardlink_to(tmp_path / "1" / "file")

    found = farfiles.sizes(LocalTunnel(), str(tmp_path), ("1", "gone", "2"))

    assert set(found) == {"1", "2"}
    assert 200_000 <= sum(found.values()) < 300_000


@pytest.mark.parametrize(
    ("pattern", "meant", "others"),
    [
        ("ckpt/last*", ("ckpt/last.pt", "ckpt/last"), ("ckpt/a/last", "ckpt/first", "last")),
        ("*.pt", ("a.pt",), ("ckpt/a.pt", "a.ptx")),
        ("**/*.pt", ("a.pt", "ckpt/a.pt", "a/b/c.pt"), ("a.py",)),
        ("**", ("a", "a/b"), ()),
        ("ckpt", ("ckpt/a", "ckpt/a/b", "ckpt"), ("ckpts/a", "a/ckpt")),
        ("./ckpt/", ("ckpt/a",), ("a",)),
        ("a/**/b", ("a/b", "a/x/y/b"), ("ab", "a/xb")),
        ("step-[0-9].pt", ("step-3.pt",), ("step-a.pt", "step-10.pt")),
        ("[!a-c]?", ("xy",), ("ay", "x", "/y")),
        ("a[", ("a[",), ("a",)),
        ("*/x/*", ("a/x/b",), ("x/b", "a/xb")),
        ("a.b", ("a.b",), ("axb",)),
        ("a[]]", ("a]",), ("a",)),
        ("a[^&&b~~c||]", ("a^", "a|"), ("ad",)),
    ],
)
def test_a_pattern_means_these(pattern: str, meant: tuple[str], others: tuple[str]) -> None:
    matches = matcher(pattern)

    assert [path for path in meant if not matches(path)] == []
    assert [path for path in others if matches(path)] == []
