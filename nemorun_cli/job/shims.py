"""What each process of a Ray job does first, so that a recipe's file can be imported in all.

Standard library only, Python 3.8: inside a job this file stands alone.
"""

from __future__ import annotations

import os
import sys


def append() -> None:
    """Put the stand-ins for what only a launch needs to the end of the path."""
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
    shim = os.path.join(here, "nemorun-job", "shim")  # noqa: PTH118
    if os.path.isdir(shim) and shim not in sys.path:  # noqa: PTH112
        sys.path.append(shim)
