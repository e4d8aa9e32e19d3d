"""What the tests of whole launches share."""

from pathlib import Path

import pytest

from tests.conftest import Nemorun
from tests.e2e.tiny import TRAIN


@pytest.fixture
def tiny(nemorun: Nemorun, project: Path) -> Nemorun:
    (project / "recipes").mkdir()
    (project / "recipes" / "tiny.py").write_text(TRAIN)
    (project / "helpers.py").write_text('greeting = "trained"\n')
    return nemorun
