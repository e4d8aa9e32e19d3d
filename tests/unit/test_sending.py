"""Snapshots on their way to a host: once, whole, exactly as they are, and no more than is new."""

import os
import shutil
import stat
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import pytest

from nemorun_cli import farcode
from nemorun_cli.core.errors import NemorunError, RefusedError, UnreachableError
from nemorun_cli.core.jobs import Code
from nemorun_cli.core.ports import Finished
from nemorun_cli.packagers.trees import stored
from nemorun_cli.sending import send
from nemorun_cli.tunnels.local import LocalTunnel

Content = Mapping[str, str | bytes | None]
"""Path to text, to bytes of a file that can be executed, or to None for a dangling link."""
ODD = (
    *("-rf", "--help", " a b ", "new\nline", "tab\t", "quote'\"", "$HOME `x` $(y)", "*?[a]"),
    *("back\\slash", ".hidden", "naïve 漢字", "\udcff\udcfe", "a:b", "#x", "~", "!", "=", "%n"),
    *("long" * 60, "deep/" * 40 + "file", "-/-", "...", "./x"[2:], "\x01\x7f"),
)


@dataclass
class Host:
    """A way to this machine that counts what goes over it."""

    tunnel: LocalTunnel = field(default_factory=LocalTunnel)
    sent: list[int] = field(default_factory=list)
    last: bytes = b""
    most: int | None = None
    """Bytes that arrive before the connection is cut."""
    host: str = "far"

    def run(self, script: str, *, data: bytes | BinaryIO = b"", timeout: float = 60) -> Finished:
        """As `Tunnel.run` says."""
        given = data if isinstance(data, bytes) else data.read()
        self.sent.append(len(given))
        self.last = given
        if given and self.most is not None:
            self.tunnel.run(script, data=given[: self.most], timeout=timeout)
            raise UnreachableError("the connection broke")
        return self.tunnel.run(script, data=given, timeout=timeout)


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(tmp_path / "the host's $disk" / "code")


@pytest.fixture
def snapshot(tmp_path: Path) -> Callable[[Content], Code]:
    store = tmp_path / "store"

    def made(content: Content) -> Code:
        stage = store / "stage"
        stage.mkdir(parents=True)
        for name, text in content.items():
            path = stage / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                path.symlink_to("/nowhere/\udcff it's")
            elif isinstance(text, bytes):
                path.write_bytes(text)
                path.chmod(0o500)
            else:
                path.write_text(text)
                path.chmod(0o400)
        found = stored(stage).hash
        if (store / found).exists():
            shutil.rmtree(stage)
        else:
            stage.rename(store / found)
        return Code(hash=found, path=str(store / found), root="/project", entries=())

    return made


def arrived(code: Code, folder: str) -> bool:
    """Whether all of it lies there, and nothing else, and no traces of the way."""
    there = Path(folder, code.hash)
    names = {path.name for path in Path(folder).iterdir()}
    return stored(there).hash == code.hash and not any(name.startswith(".") for name in names)


def test_a_snapshot_is_sent_once(
    host: Host, folder: str, snapshot: Callable[[Content], Code]
) -> None:
    code = snapshot({"a.py": "print()", "b/c.py": "x = 1"})

    send(code, folder, host)
    first = len(host.sent)
    send(code, folder, host)

    assert arrived(code, folder)
    assert (first, host.sent[first:]) == (2, [0])


def test_of_a_changed_one_only_what_has_changed_is_sent(
    host: Host, folder: str, snapshot: Callable[[Content], Code]
) -> None:
    big = {f"data/{number}": os.urandom(50_000).hex() for number in range(10)}
    before = snapshot({**big, "a.py": "x = 1", "gone.py": "", "tool": b"#!/bin/sh\n"})
    after = snapshot({**big, "a.py": "x = 2", "new/b.py": "", "tool": "#!/bin/sh\n"})
    send(before, folder, host)
    full = sum(host.sent)

    send(after, folder, host)

    assert full > 1_000_000
    assert sum(host.sent) - full < 20_000
    assert arrived(after, folder)
    assert arrived(before, folder)


def test_names_may_be_anything(
    host: Host, folder: str, snapshot: Callable[[Content], Code]
) -> None:
    first = snapshot(dict.fromkeys(ODD, "one"))
    second = snapshot({name: ("two" if number % 2 else "one") for number, name in enumerate(ODD)})
    third = snapshot(dict.fromkeys(ODD[::3], "one"))

    for code in (first, second, third):
        send(code, folder, host)
        assert arrived(code, folder)


def test_links_and_what_can_be_executed_stay_so(
    host: Host, folder: str, snapshot: Callable[[Content], Code]
) -> None:
    code = snapshot({"link": None, "run": b"#!/bin/sh\n", "plain": "", "empty": b""})

    send(code, folder, host)

    there = Path(folder, code.hash)
    assert arrived(code, folder)
    assert os.readlink(there / "link") == "/nowhere/\udcff it's"  # noqa: PTH115
    assert os.access(there / "run", os.X_OK)
    assert stat.S_IMODE((there / "plain").stat().st_mode) & 0o111 == 0


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"a": "x"}, {"a/b": "x"}),
        ({"a/b": "x", "a/c/d": "x"}, {"a": "x"}),
        ({"a": None}, {"a/b": "x"}),
        ({"a/b": "x"}, {"a": None}),
        ({"a": "x"}, {"a": None}),
        ({"a": None}, {"a": b"x"}),
        ({"a": "x"}, {"a": b"x"}),
        ({"a": "x", "b": "y"}, {"a": "y", "b": "x"}),
        ({"a": "x"}, {}),
        ({}, {"a": "x"}),
    ],
)
def test_whatever_a_file_becomes_it_arrives_as_that(
    host: Host,
    folder: str,
    snapshot: Callable[[Content], Code],
    before: Content,
    after: Content,
) -> None:
    same: Content = {"z/same": "same"}
    first, second = snapshot({**before, **same}), snapshot({**after, **same})

    for code in (first, second):
        send(code, folder, host)

    assert arrived(first, folder)
    assert arrived(second, folder)


def test_wherever_it_is_cut_nothing_is_there_and_it_can_be_sent_again(
    host: Host, folder: str, snapshot: Callable[[Content], Code]
) -> None:
    base = snapshot({"a.py": "x = 1", "gone.py": "x"})
    code = snapshot({f"{number}.py": "x" * number * 300 for number in range(6)} | {"a.py": "x = 1"})
    send(base, folder, host)
    send(base, str(Path(folder, "..", "measured")), measure := Host())
    send(code, str(Path(folder, "..", "measured")), measure)
    whole = len(measure.last.rstrip(b"\0"))  # A tar ends in zeros, which say nothing.

    for length in (*range(0, whole, 512), *range(3, whole, 1999), whole - 1):
        host.most = length
        with pytest.raises(NemorunError):
            send(code, folder, host)
        assert not Path(folder, code.hash).exists(), length
    host.most = None
    send(code, folder, host)

    assert arrived(code, folder)
    assert arrived(base, folder)


def test_an_answer_that_was_lost_costs_a_trip(
    host: Host, folder: str, snapshot: Callable[[Content], Code]
) -> None:
    code = snapshot({"a.py": "x"})
    host.most = 10**9
    with pytest.raises(UnreachableError):
        send(code, folder, host)
    host.most = None

    send(code, folder, host)

    assert arrived(code, folder)
    assert host.sent[-1] == 0


def test_two_who_send_the_same_do_not_disturb_each_other(
    folder: str, snapshot: Callable[[Content], Code]
) -> None:
    base = snapshot({"a": "1", "b": "2"})
    codes = [snapshot({"a": "1", "b": f"{number // 4}" * 50_000}) for number in range(8)]
    send(base, folder, Host())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda code: send(code, folder, Host()), codes))

    assert all(arrived(code, folder) for code in [base, *codes])


def test_a_disk_without_hard_links_takes_copies(
    host: Host,
    folder: str,
    snapshot: Callable[[Content], Code],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "cp").write_text(
        '#!/bin/sh\n[ "$1" != -al ] || { mkdir "$3"; touch "$3/half"; chmod 500 "$3"; exit 1; }\n'
        f'PATH={os.environ["PATH"]} exec cp "$@"\n'
    )
    (programs / "cp").chmod(0o755)
    first, second = snapshot({"a": "1", "b": "2"}), snapshot({"a": "1", "b": "3"})
    send(first, folder, host)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")

    send(second, folder, host)

    assert arrived(second, folder)
    assert arrived(first, folder)


def test_what_is_there_cannot_be_changed_by_mistake(
    host: Host, folder: str, snapshot: Callable[[Content], Code]
) -> None:
    code = snapshot({"a/b.py": "x"})

    send(code, folder, host)

    there = Path(folder, code.hash)
    for path in (there, there / "a", there / "a" / "b.py"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o277 == 0
    assert stat.S_IMODE(Path(folder).stat().st_mode) & 0o077 == 0


def test_a_snapshot_that_only_the_host_knows_is_no_base(
    host: Host, folder: str, snapshot: Callable[[Content], Code]
) -> None:
    Path(folder, "f" * 64, "file").mkdir(parents=True)
    Path(folder, "it's something else").mkdir()
    code = snapshot({"a": "1"})

    send(code, folder, host)

    assert arrived(code, folder)


def test_a_folder_that_cannot_be_written_is_told_of(
    host: Host, snapshot: Callable[[Content], Code]
) -> None:
    with pytest.raises(RefusedError, match="cannot store the code in /dev/null/x"):
        send(snapshot({"a": "1"}), "/dev/null/x", host)


def test_what_no_job_names_can_be_deleted_there(
    host: Host, folder: str, snapshot: Callable[[Content], Code], tmp_path: Path
) -> None:
    needed, old, young, found = (
        snapshot({"a.py": f"x = {n}", "b/c": "x" * 100_000}) for n in range(4)
    )
    jobs = str(Path(folder).parent)
    for code in (needed, old, young, found):
        send(code, folder, host)
    for code in (needed, old, found):
        os.utime(Path(folder, code.hash), (10**9, 10**9))
    Path(jobs, "key-1").mkdir()
    Path(jobs, "key-1", "job.sh").write_text(f"export NEMORUN_CODE_DIR='{folder}/{needed.hash}'\n")
    Path(folder, "..odd name").mkdir()

    unused = farcode.unused(host, jobs)
    assert set(unused) == {old.hash, found.hash}
    assert all(0 < room < 100_000 for room in unused.values())  # The rest has other names.
    assert farcode.unused(host, str(tmp_path / "nowhere")) == {}
    send(found, folder, host)
    gone = farcode.discard(host, jobs, [each.hash for each in (needed, old, young, found)])

    assert gone == {old.hash}
    left = {path.name for path in Path(folder).iterdir()}
    assert left == {needed.hash, young.hash, found.hash, "..odd name"}
    assert farcode.discard(host, jobs, [old.hash]) == set()
