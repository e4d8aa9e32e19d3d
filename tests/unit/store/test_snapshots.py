"""Snapshots are retired only when nobody can be about to use them."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nemorun_cli.store import snapshots

LONG_AGO = 10**9
COUNT = 400
LAUNCHES = """
import sys
from pathlib import Path
from nemorun_cli.store import snapshots
from nemorun_cli.watching import nap

code, own, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
(code.parent / f"ready-{own}").touch()
while not (code.parent / "go").exists():
    nap(0.001)
for number in range(count):
    folder = code / f"{number:04}"
    with snapshots.safe(code):  # As a launch: what is there is used, else it is stored anew.
        if not folder.is_dir():
            (code / f".new-{own}").mkdir()
            try:
                (code / f".new-{own}").rename(folder)
            except OSError:
                (code / f".new-{own}").rmdir()
        snapshots.touch(folder)
    if not folder.is_dir():
        sys.exit(f"lost {folder.name}")
"""


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    folder.mkdir()
    return folder


def snapshot(code: Path, name: str, when: float = LONG_AGO) -> Path:
    (code / name).mkdir()
    os.utime(code / name, (when, when))
    return code / name


def test_those_that_nobody_names_or_has_used_for_a_day_are_unused(code: Path) -> None:
    now = time.time()
    old, _, _ = snapshot(code, "a"), snapshot(code, "b", now - 1000), snapshot(code, "c")
    snapshot(code, ".new-x")
    (code / ".cache").mkdir()

    assert snapshots.unused(code, {"c"}, now=now) == [old]
    assert snapshots.unused(code / "nowhere", (), now=now) == []


def test_one_that_is_claimed_meanwhile_stays(code: Path) -> None:
    now = time.time()
    folder = snapshot(code, "a")
    (found,) = snapshots.unused(code, (), now=now)

    assert snapshots.claim(folder)

    assert snapshots.retire(found, now=now) is None
    assert folder.is_dir()
    assert not snapshots.claim(code / "b")


def test_nothing_is_retired_between_the_look_and_the_touch_of_a_launch(code: Path) -> None:
    folder = snapshot(code, "a")

    with ThreadPoolExecutor() as pool, snapshots.safe(code):
        retired = pool.submit(snapshots.retire, folder, now=time.time())
        with pytest.raises(TimeoutError):
            retired.result(timeout=0.2)
        with snapshots.safe(code):  # Another launch need not wait.
            assert snapshots.touch(folder)

    assert retired.result() is None
    assert folder.is_dir()


def test_one_that_is_retired_is_there_no_more_under_its_name(code: Path) -> None:
    folder = snapshot(code, "a")

    gone = snapshots.retire(folder, now=time.time())

    assert gone is not None
    assert gone.name.startswith(".new-")
    assert gone.is_dir()
    assert not snapshots.claim(folder)


def test_no_launch_ever_loses_its_snapshot(
    code: Path, until: Callable[[Callable[[], bool]], None]
) -> None:
    for number in range(COUNT):
        snapshot(code, f"{number:04}")
    launches = [
        subprocess.Popen(
            [sys.executable, "-c", LAUNCHES, str(code), str(number), str(COUNT)],
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    until(lambda: len(list(code.parent.glob("ready-*"))) == len(launches))
    (code.parent / "go").touch()

    # From the other end: somewhere they meet.
    for folder in reversed(snapshots.unused(code, (), now=time.time())):
        snapshots.retire(folder, now=time.time())

    assert [(each.communicate()[1], each.returncode) for each in launches] == [("", 0)] * 2
    assert sum(path.name.isalnum() for path in code.iterdir()) == COUNT
