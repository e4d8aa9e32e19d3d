"""Lengths of time, as people and schedulers write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemorun_cli.core.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("10m", 600),
        ("2h", 7200),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("1.1h", 3960),
        ("1.2s", 2),
        ("0.5s0.5s", 1),
        ("1w", 604800),
        (" 2H ", 7200),
        ("90", 5400),
        ("0", 0),
        ("2:30", 150),
        ("01:00:00", 3600),
        ("1-12", 129600),
        ("1-12:30", 131400),
        ("1-12:00:00", 129600),
    ],
)
def test_it_is_read_as_slurm_and_people_do(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "-5",
        "1x",
        "h",
        "1:2:3:4",
        "1h 30",
        "1,5h",
        "∞",
        "٣",
        "1e3",
        "1h-",
        "9" * 5000 + "h",
    ],
)
def test_anything_else_is_refused_in_its_own_words(text: str) -> None:
    with pytest.raises(ValueError, match="expects a length of time such as") as refusal:
        parse_duration(text)

    assert repr(text) in str(refusal.value)


@given(st.integers(min_value=0, max_value=10**9))
def test_what_is_shown_can_be_typed_again(seconds: int) -> None:
    assert parse_duration(format_duration(seconds)) == seconds


@given(st.text(max_size=12))
def test_no_text_is_worse_than_refused(text: str) -> None:
    try:
        seconds = parse_duration(text)
    except ValueError:
        return

    assert seconds >= 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (45, "45s"), (90, "1m30s"), (5400, "1h30m"), (90000, "1d1h")],
)
def test_it_is_shown_in_the_units_of_everyday(seconds: int, text: str) -> None:
    assert format_duration(seconds) == text
