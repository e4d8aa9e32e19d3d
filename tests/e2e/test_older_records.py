"""What an earlier release has recorded is read for ever, as it was written then."""

import shutil
from pathlib import Path

import pytest

from tests.conftest import Nemorun

RECORDS = sorted(Path(__file__).with_name("records").iterdir())
TINY = '''import fiddle as fdl
from nemorun_cli import recipe

def train(*, lr: float = 0.1) -> None:
    print(lr)

@recipe
def tiny() -> fdl.Partial:
    """Small."""
    return fdl.Partial(train)
'''


@pytest.fixture(params=RECORDS, ids=lambda path: path.name)
def recorded(request: pytest.FixtureRequest, nemorun: Nemorun, project: Path) -> str:
    """The id of a run of that release, whose code is in the store."""
    run_id = "20261125-143942-uwqwic2h"
    folder = nemorun.store / "runs/2026-11" / run_id
    folder.mkdir(parents=True)
    for path in request.param.iterdir():
        text = path.read_text().replace("@STORE@", str(nemorun.store))
        (folder / path.name).write_text(text.replace("@PROJECT@", str(project)))
    code = nemorun.store / "code/273b5ae46f2da9ffb6d6cdb2368cf2dabc2dea5e1a2352ddf7e7fbf304b57cfc"
    (code / "recipes").mkdir(parents=True)
    (code / "recipes/tiny.py").write_text(TINY)
    (code / "nemorun.toml").touch()
    return run_id


def test_it_is_listed_and_shown(nemorun: Nemorun, recorded: str) -> None:
    shown = nemorun.ok("show", recorded)

    assert "SUCCEEDED" in nemorun.ok("list")
    assert "commit       3bf5e81eb1719a49b59260711e3c744221802d6b" in shown
    assert "lr=0.2" in shown
    done = nemorun("show", recorded, "--patch")
    assert done.code == 4
    assert "did not keep patches yet" in done.err


def test_it_can_be_run_again(nemorun: Nemorun, recorded: str, project: Path) -> None:
    again, *lines = nemorun.ok("rerun", recorded, "--follow").splitlines()

    assert lines == ["0.2"]
    assert nemorun.json("show", again)["run"]["parent"] == recorded  # type: ignore[index]
    assert project.exists()


def test_its_code_is_still_what_its_hash_says(nemorun: Nemorun, recorded: str) -> None:
    from nemorun_cli import packagers

    (code,) = (nemorun.store / "code").iterdir()

    assert packagers.verify(code, code.name)
    shutil.rmtree(code)
    assert nemorun("rerun", recorded).code == 4
