"""What runs inside a job is Python 3.8 and its standard library."""

import subprocess
import sys
from pathlib import Path

import nemorun_cli.job.worker
from nemorun_cli.payload import payload_files

VERMIN = "from vermin import main; main()"
FOLDER = Path(nemorun_cli.job.worker.__file__).parent


def test_nothing_newer_than_python_3_8_is_used() -> None:
    checked = subprocess.run(
        [sys.executable, "-c", VERMIN, "-t=3.8-", "--no-tips", "--violations", str(FOLDER)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, checked.stdout


def test_a_command_needs_no_config_and_a_config_brings_its_stand_ins() -> None:
    assert set(payload_files(None)) == {"worker.py", "builder.py", "environment.py"}
    files = payload_files('{"_target_": "é"}')
    assert files["config.json"] == '{"_target_": "é"}'
    assert files["shim/nemorun_cli/job/track.py"] == (FOLDER / "track.py").read_text()
    assert files["shim/nemorun_cli/track.py"] == (FOLDER.parent / "track.py").read_text()
    assert files["shim/nemorun_cli/job/__init__.py"] == ""
