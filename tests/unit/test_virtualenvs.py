"""Environments have names by what they hold, and say what cannot be had."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nemorun_cli import virtualenvs
from nemorun_cli.core.errors import RefusedError
from nemorun_cli.virtualenvs import Wanted, fingerprint, place

VERSION = ".".join(map(str, sys.version_info[:3]))


def wanted(python: str = VERSION, *folders: str, **packages: str) -> Wanted:
    return Wanted(python=python, executable=sys.executable, packages=packages, folders=folders)


def test_the_order_of_packages_makes_no_other_environment() -> None:
    one, other = wanted(a="==1", b="==2"), wanted(b="==2", a="==1")

    assert fingerprint(one, VERSION) == fingerprint(other, VERSION)
    assert fingerprint(one, VERSION) != fingerprint(wanted(a="==1", b="==3"), VERSION)
    assert fingerprint(one, VERSION) != fingerprint(one, "3.8.1")
    assert fingerprint(one, VERSION) != fingerprint(
        wanted(VERSION, "/x", a="==1", b="==2"), VERSION
    )


def test_a_python_that_is_not_here_is_told(tmp_path: Path) -> None:
    with pytest.raises(RefusedError) as raised:
        place(wanted("3.99.1"), tmp_path)

    assert raised.value.message == "there is no Python 3.99 here, and the run had 3.99.1"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("told", "package", "help_"),
    [
        (
            (
                "ERROR: Could not find a version that satisfies the requirement torch==2.6.0+cpu "
                "(from versions: 2)\nERROR: No matching distribution found for torch==2.6.0+cpu\n"
            ),
            "torch==2.6.0+cpu",
            "PIP_EXTRA_INDEX_URL",
        ),
        (
            "WARNING: x\nERROR: No matching distribution found for a.b-c==1\n",
            "a.b-c==1",
            "`pip config list`",
        ),
        (
            (
                "WARNING: Retrying (Retry(total=4, connect=None)) after connection broken by "
                "'NewConnectionError(...)': /simple/x/\nERROR: Could not find a version that "
                "satisfies the requirement x==1 (from versions: none)\n"
                "ERROR: No matching distribution found for x==1\n"
            ),
            "x==1",
            "does not answer",
        ),
        (
            (
                "  error: subprocess-exited-with-error\n  note: This error originates from a "
                "subprocess\n  ERROR: Failed building wheel for a-b\nERROR: Failed to build "
                "installable wheels for some pyproject.toml based projects (a-b)\n"
            ),
            "a-b",
            "no wheel of it",
        ),
        ("ERROR: something else\n", "the recorded packages", ""),
        ("", "the recorded packages", ""),
    ],
)
def test_the_package_that_cannot_be_had_is_named_with_what_may_help(
    told: str, package: str, help_: str
) -> None:
    error = virtualenvs._refused(told)

    assert error.message.startswith(f"cannot install {package}: ")
    assert "\n" not in error.message
    assert help_ in error.hint
    assert error.hint.endswith("`--environment here` uses this machine's, and tells what differs")


def test_a_changed_nemorun_of_the_same_version_is_another_one(tmp_path: Path) -> None:
    shutil.copytree(Path(virtualenvs.__file__).parent, tmp_path / "nemorun_cli")
    program = (
        "from nemorun_cli import virtualenvs as v; "
        "print(v.__file__, v.fingerprint(v.Wanted(python='3', executable='', "
        "packages={v.OWN: '==1', 'a': '==1'}), '3'))"
    )

    def told() -> list[str]:
        done = subprocess.check_output(
            [sys.executable, "-B", "-c", program], cwd=tmp_path, text=True
        )
        return done.split()

    before, again = told(), told()
    with (tmp_path / "nemorun_cli" / "job" / "track.py").open("a") as file:
        file.write("# changed")

    assert before[0].startswith(str(tmp_path))
    assert before == again != told()
