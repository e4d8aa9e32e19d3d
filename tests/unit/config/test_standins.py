"""fiddle does its work with the modules that it seldom uses left aside."""

import os
import subprocess
import sys

import pytest

LIGHT = """
import sys
from nemorun_cli.config import nodes
import fiddle as fdl
assert type(sys.modules.get("libcst")).__name__ == {kind!r}, sys.modules.get("libcst")
"""
WORK = """
from nemorun_cli.config import nodes
import fiddle as fdl
from fiddle import printing
from fiddle.codegen import codegen
from fiddle.experimental import auto_config, serialization
import dataclasses

@dataclasses.dataclass
class Part:
    size: int = 1

config = fdl.Config(dict, part=fdl.Config(Part, size=3), call=fdl.Partial(Part))
built = fdl.build(config)
assert built["part"] == Part(3) and built["call"]() == Part(1)
assert "part.size: int = 3" in printing.as_str_flattened(config), printing.as_str_flattened(config)
assert "size=3" in "".join(codegen.codegen_dot_syntax(config).lines()).replace(" ", "")
import libcst
assert libcst.parse_module("x = 1").code == "x = 1"
from absl import logging
logging.info("quiet")
"""


def python(code: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(("switch", "kind"), [("0", "_Deferred"), ("1", "module")])
def test_libcst_is_left_aside_unless_it_is_switched_off(switch: str, kind: str) -> None:
    told = python(LIGHT.format(kind=kind), NEMORUN_NO_LIBCST_STUB=switch)

    assert told.returncode == 0, told.stderr


@pytest.mark.parametrize("switch", ["0", "1"])
def test_fiddle_works_in_both_ways(switch: str) -> None:
    told = python(WORK, NEMORUN_NO_LIBCST_STUB=switch)

    assert told.returncode == 0, told.stderr
