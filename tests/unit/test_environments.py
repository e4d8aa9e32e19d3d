"""Records of environments: what is in them, and when two are the same."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nemorun_cli.core.environments import checked, fingerprint

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
PACKAGES: list[dict[str, Any]] = [
    {"name": "numpy", "version": "2.1", "hash": "aa", "editable": None},
    {"name": "mine", "version": "0.1", "hash": None, "editable": "file:///home/me/mine"},
]
WHOLE: dict[str, Any] = {
    "python": {"version": "3.12.4", "implementation": "cpython", "executable": "/a/python"},
    "platform": {"system": "Linux", "machine": "x86_64", "release": "6.1"},
    "host": "n1",
    "packages": PACKAGES,
    "variables": ["HOME"],
    "image": None,
}


def test_another_machine_with_the_same_packages_is_the_same() -> None:
    there = {
        **WHOLE,
        "python": {**WHOLE["python"], "executable": "/b/python", "prefix": "/b"},
        "platform": {**WHOLE["platform"], "release": "5.15"},
        "host": "n2",
        "variables": [],
        "packages": [{**PACKAGES[1], "editable": "file:///work/mine"}, PACKAGES[0]],
    }

    assert fingerprint(there) == fingerprint(WHOLE)


def test_what_may_change_a_result_is_told_apart() -> None:
    numpy, mine = PACKAGES
    others: list[dict[str, Any]] = [
        {"python": {**WHOLE["python"], "version": "3.12.5"}},
        {"python": {**WHOLE["python"], "implementation": "pypy"}},
        {"platform": {**WHOLE["platform"], "machine": "aarch64"}},
        {"packages": [numpy]},
        {"packages": [{**numpy, "version": "2.2"}, mine]},
        {"packages": [{**numpy, "hash": "ab"}, mine]},
        {"packages": [numpy, {**mine, "editable": None}]},
        {"image": "python@sha256:aa"},
    ]

    marks = {fingerprint({**WHOLE, **other}) for other in others}

    assert len(marks | {fingerprint(WHOLE)}) == len(others) + 1


def test_it_stays_what_it_is() -> None:
    """Fingerprints are kept and compared for years: a change here breaks them all."""
    assert fingerprint(WHOLE) == (
        "dc881f064a7ea99bc31d07e88664bb0699d0e35f9796e6031f910a8c64b3478a"
    )


@given(st.dictionaries(st.sampled_from([*WHOLE, "gpus", "lock_files", "else"]), JSON))
def test_whatever_is_in_the_file_comes_out_whole(found: dict[str, Any]) -> None:
    whole = checked(found)

    assert checked(whole) == whole
    assert set(whole) >= set(WHOLE)
    assert all("name" in each for each in whole["packages"])
    assert len(fingerprint(whole)) == 64
