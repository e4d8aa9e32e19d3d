"""Rows are a dict of entries, sorted, and nothing but a text."""

import hashlib
import os

from hypothesis import given
from hypothesis import strategies as st

from nemorun_cli.packagers.rows import EXECUTABLE, LINK, PLAIN, Entry, Rows

NAMES = st.text("ab-/0 \n\udcff", min_size=1, max_size=3).filter(lambda name: "/" not in name)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
ENTRIES = st.builds(
    Entry,
    mode=st.sampled_from([PLAIN, EXECUTABLE, LINK]),
    digest=st.sampled_from([hashlib.sha256(text).hexdigest() for text in (b"a", b"b")]),
    size=st.integers(0, 2**40),
)
TREES = st.dictionaries(PATHS, ENTRIES, max_size=8)


@given(
    before=TREES,
    changes=st.dictionaries(PATHS, st.none() | ENTRIES, max_size=5),
    others=st.lists(PATHS, max_size=3),
)
def test_they_are_read_and_changed_as_a_dict_is(
    before: dict[str, Entry], changes: dict[str, Entry | None], others: list[str]
) -> None:
    rows = Rows.of(before).changed(changes)
    expected = {path: each for path, each in (before | changes).items() if each is not None}

    again = Rows(rows.text, rows.sizes)
    for found in (rows, again):
        assert dict(found.items()) == expected
        assert list(found) == sorted(expected)
        assert {path: found.get(path) for path in [*expected, *others]} == {
            path: expected.get(path) for path in [*expected, *others]
        }
        assert [path in found for path in others] == [path in expected for path in others]
    assert len(rows) == len(expected)
    assert rows.bytes == sum(each.size for each in expected.values())
    assert rows.manifest == Rows.of(expected).manifest
    assert rows.manifest == b"".join(
        os.fsencode(f"{each.mode:o} {each.digest} {path}\0")
        for path, each in sorted(expected.items())
    )


@given(tree=TREES, folder=st.just("") | PATHS.map(lambda path: f"{path}/"))
def test_the_names_in_a_folder_are_told_once_each(tree: dict[str, Entry], folder: str) -> None:
    inside = {path.removeprefix(folder) for path in tree if path.startswith(folder)}
    expected = {name + slash for name, slash, _ in (path.partition("/") for path in inside)}

    found = list(Rows.of(tree).names(folder))

    assert sorted(found) == sorted(expected)
