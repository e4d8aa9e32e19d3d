"""The Docker executor keeps the contract on a real engine."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from nemorun_cli.containers.asking import DockerResources
from nemorun_cli.executors.docker import DockerExecutor
from nemorun_cli.testing import ExecutorContract
from tests.testbed.engine import IMAGE, TestEngine


@dataclass(frozen=True, kw_only=True)
class InTheImage(DockerResources):
    image: str | None = IMAGE


@dataclass(frozen=True, kw_only=True)
class ImagedExecutor(DockerExecutor):
    Resources: ClassVar[type[DockerResources]] = InTheImage


class TestDocker(ExecutorContract):
    @pytest.fixture
    def executor(self, engine: TestEngine, tmp_path: Path) -> Iterator[DockerExecutor]:
        yield ImagedExecutor.here(tmp_path, docker_host=engine.address)
        assert engine.containers(f"nemorun.jobs={tmp_path}/jobs") == []
