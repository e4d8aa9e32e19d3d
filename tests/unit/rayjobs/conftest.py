"""A dashboard that answers as it is told."""

from collections.abc import Iterator

import pytest

from tests.unit.rayjobs.fakedashboard import FakeDashboard, dashboard


@pytest.fixture
def fake() -> Iterator[FakeDashboard]:
    with dashboard() as found:
        yield found
