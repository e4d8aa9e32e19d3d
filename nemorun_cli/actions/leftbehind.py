"""What a job lacks because it was launched where there is no project."""

import re
from pathlib import Path

from nemorun_cli.core.jobs import Reason
from nemorun_cli.core.runs import Run

_MISSING = re.compile(r"No module named '([^'.]+)")


def left_behind(run: Run) -> str:
    """What to do about a module that lies beside the recipe, and did not go along; else nothing."""
    record = run.record
    alone = record.code is not None and Path(record.folder).is_absolute()
    found = _MISSING.search(run.status.reason_detail)
    if run.reason is not Reason.IMPORT_ERROR or not alone or found is None:
        return ""
    folder = Path((record.code or {})["root"])
    if not any((folder / name).exists() for name in (found[1], f"{found[1]}.py")):
        return ""
    return (
        f"{found[1]} lies in {folder}, which is no project: of it the recipe's file alone went"
        f" along; `touch {folder / 'nemorun.toml'}` makes it one"
    )
