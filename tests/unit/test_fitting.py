"""A patch that was changed is told from the one that makes the code, and git is not asked."""

import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nemorun_cli.core.jobs import Code
from tests.unit.test_patches import fill, git, patch_of, rebuilt, take, wrong_with

OLD = b"".join(b"%d\n" % each for each in range(30))
BEFORE = {
    "a.py": (OLD, "plain"),
    "b.py": (b"one\ntwo", "plain"),
    "gone.py": (b"gone\n", "plain"),
    "gone.bin": (b"\0gone", "plain"),
    "mode": (b"same\n", "plain"),
    "image": (bytes(range(256)) * 4, "plain"),
    "link": (b"a.py", "link"),
    "part": (b"a file\n", "plain"),
}
AFTER = {
    "a.py": (
        OLD.replace(b"4\n", b"four\n", 1).replace(b"20\n", b"").replace(b"29", b"\r"),
        "plain",
    ),
    "b.py": (b"one\nand two", "program"),
    "mode": (b"same\n", "program"),
    "image": (bytes(range(256)) * 4 + b"more", "plain"),
    "new.bin": (b"\0" + bytes(99), "plain"),
    "link": (b"b.py", "link"),
    "part/é new.py": (b"", "plain"),
    "part/a b": (b"new\n", "plain"),
}


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Code, bytes]:
    """A repository, the code that was taken of it, and its patch, with all that can be in one."""
    folder = tmp_path_factory.mktemp("changed")
    root, home = folder / "project", folder / "home"
    root.mkdir()
    git(root, "init", "-q")
    fill(root, BEFORE)
    git(root, "add", "-A")
    git(root, "commit", "-qm", "one")
    for name in BEFORE:
        (root / name).unlink()
    fill(root, AFTER)
    code = take(root, home)
    return root, code, patch_of(code, home)


def test_the_patch_that_makes_the_code_fits(
    changed: tuple[Path, Code, bytes], tmp_path: Path
) -> None:
    root, code, patch = changed

    assert wrong_with(code, patch) is None
    assert rebuilt(root, code, patch, tmp_path / "again") == code.hash
    for part in (b"old mode", b"literal", b"delta", b"deleted file", b"\\ No newline", b'"a/part'):
        assert part in patch


@given(data=st.data())
@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_patch_that_fits_makes_nothing_but_the_code_whatever_was_changed_in_it(
    changed: tuple[Path, Code, bytes],
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
) -> None:
    root, code, patch = changed
    lines = patch.split(b"\n")[:-1]
    at = data.draw(st.integers(0, len(lines) - 1))
    how = data.draw(st.sampled_from(["drop", "repeat", "byte", "move"]))
    if how == "byte":
        column = data.draw(st.integers(0, max(len(lines[at]) - 1, 0)))
        byte = data.draw(st.sampled_from([b"+", b"-", b" ", b"0", b"7", b"a", b"/"]))
        lines[at] = lines[at][:column] + byte + lines[at][column + 1 :]
    elif how == "move":
        lines.insert(data.draw(st.integers(0, len(lines) - 1)), lines.pop(at))
    else:
        lines[at : at + 1] = [lines[at]] * (2 if how == "repeat" else 0)
    forged = b"".join(line + b"\n" for line in lines)

    if wrong_with(code, forged) is None:
        with suppress(subprocess.CalledProcessError):  # What the commit holds, git alone can tell.
            assert rebuilt(root, code, forged, tmp_path_factory.mktemp("again") / "x") == code.hash


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (b"+four", b"+evil", "a.py has other lines"),
        (b"-4\n", b"-5\n", "a.py was not so in the commit"),
        (b"+new\n", b"+evil\n", "part/a b has other lines"),
        (b"new mode 100755\ndiff", b"new mode 100644\ndiff", "mode has another mode"),
        (b"a/gone.py", b"a/evil.py", "evil.py is renamed"),
        (b"+b.py", b"+/etc", "link has other lines"),
        (b"b/link", b"b/gone.py", ""),
        (b"\n", b"\r\n", ""),
    ],
)
def test_what_does_not_fit_is_named(
    changed: tuple[Path, Code, bytes], old: bytes, new: bytes, why: str
) -> None:
    _, code, patch = changed

    assert why in (wrong_with(code, patch.replace(old, new)) or "none")
    assert wrong_with(code, patch.replace(old, new)) is not None


@pytest.mark.parametrize("patch", [b"", b"\n", b"diff --git a/x b/x\n", bytes(range(128, 256))])
def test_what_is_no_patch_does_not_fit(changed: tuple[Path, Code, bytes], patch: bytes) -> None:
    assert wrong_with(changed[1], patch) is not None
