"""A little of `make fuzz`."""

from tests.fuzz import fuzz


def test_rubbish_is_refused_and_does_nothing() -> None:
    fuzz.run(100)
