"""Which engine is meant."""

import json
from hashlib import sha256
from pathlib import Path

import pytest

from nemorun_cli.containers.hosts import USUAL, address
from nemorun_cli.core.errors import UsageError


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A folder as the docker command keeps it, with the context `lab`, which is the current one."""
    (tmp_path / "config.json").write_text('{"currentContext": "lab"}')
    folder = tmp_path / "contexts" / "meta" / sha256(b"lab").hexdigest()
    folder.mkdir(parents=True)
    meta = {"Name": "lab", "Endpoints": {"docker": {"Host": "unix:///run/lab.sock"}}}
    (folder / "meta.json").write_text(json.dumps(meta))
    return tmp_path


def test_the_setting_wins_then_the_variable_then_the_context(config: Path) -> None:
    environ = {"DOCKER_CONFIG": str(config), "DOCKER_HOST": "unix:///var.sock"}

    assert address("unix:///mine.sock", "", environ) == "unix:///mine.sock"
    assert address("", "", environ) == "unix:///var.sock"
    assert address("", "lab", environ) == "unix:///run/lab.sock"
    assert address("", "", {"DOCKER_CONFIG": str(config)}) == "unix:///run/lab.sock"
    assert address("", "default", {"DOCKER_CONFIG": str(config)}) == USUAL


def test_without_anything_it_is_the_usual_one(tmp_path: Path) -> None:
    assert address("", "", {"HOME": str(tmp_path)}) == USUAL


def test_a_context_that_there_is_not_is_named(config: Path) -> None:
    with pytest.raises(UsageError, match="'nosuch'"):
        address("", "nosuch", {"DOCKER_CONFIG": str(config)})


def test_a_host_and_a_context_at_once_are_refused() -> None:
    with pytest.raises(UsageError, match="both"):
        address("unix:///x", "lab", {})
