"""Environments have names by what they hold, and say what cannot be had."""

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
    ("told", "package"),
    [
        (
            (
                "ERROR: Could not find a version that satisfies the requirement torch==2.6.0+cpu "
                "(from versions: 2)\nERROR: No matching distribution found for torch==2.6.0+cpu\n"
            ),
            "torch==2.6.0+cpu",
        ),
        ("WARNING: x\nERROR: No matching distribution found for a.b-c==1\n", "a.b-c==1"),
        ("ERROR: something else\n", "the recorded packages"),
        ("", "the recorded packages"),
    ],
)
def test_the_package_that_cannot_be_had_is_named(told: str, package: str) -> None:
    error = virtualenvs._refused(told)

    assert error.message.startswith(f"cannot install {package}: ")
    assert "--environment here" in error.hint
