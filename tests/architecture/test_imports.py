"""What a command does not use it does not import."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    *("fiddle", "libcst", "absl", "pydantic", "docker", "paramiko", "torch", "ray", "asyncio"),
    *("importlib.metadata", "rich", "click", "numpy", "nemorun_cli.config", "yaml"),
    "nemorun_cli.actions.querying",
)
READING = {
    "--help": [],
    "list": [],
    "list --where state=failed --sort created": ["nemorun_cli.actions.querying"],
    "show": ["yaml", "nemorun_cli.config"],
    "diff last @-1": ["nemorun_cli.config"],
    "status": [],
    "logs": [],
    "cancel last": [],
    "wait": [],
    "tag last": [],
    "verify": ["nemorun_cli.config"],
    "metrics last": [],
    "compare last": ["nemorun_cli.config"],
    "pull last": [],
    "gc": [],
}
REPORT = """
import sys
sys.argv = ["nemorun", *sys.argv[1:]]
from nemorun_cli.cli import main
try:
    main()
finally:
    print("\\n".join(sys.modules), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    home = tmp_path_factory.mktemp("home")
    found = {"PATH": os.environ["PATH"], "HOME": str(home), "NEMORUN_HOME": str(home / "store")}
    launch = [sys.executable, "-m", "nemorun_cli", "launch", "--wait", "command", "true"]
    subprocess.run(launch, env=found, cwd=home, check=True, capture_output=True)
    return found


def modules_of(arguments: list[str], env: dict[str, str]) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", REPORT, *arguments],
        env=env,
        cwd=Path(env["HOME"]),
        check=True,
        capture_output=True,
        text=True,
    )
    return set(done.stderr.split())


@pytest.mark.parametrize("command", READING)
def test_a_reading_command_imports_nothing_heavy(command: str, env: dict[str, str]) -> None:
    modules = modules_of(command.split(), env)

    found = {name for name in HEAVY if name in modules} - set(READING[command])
    assert found == set()


def test_launching_a_command_line_imports_no_config_language(env: dict[str, str]) -> None:
    modules = modules_of(["launch", "command", "true"], env)

    assert not {"fiddle", "libcst", "yaml", "rich", "importlib.metadata"} & modules


def test_launching_a_recipe_imports_no_syntax_library(env: dict[str, str]) -> None:
    modules = modules_of(["launch", "hello", "--dry-run"], env)

    assert "fiddle" in modules
    assert not {"libcst._nodes", "pydantic", "rich", "torch"} & modules
