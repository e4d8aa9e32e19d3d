"""Whether a Ray cluster is in order, or this machine can have one."""

from collections.abc import Iterator
from importlib.util import find_spec

from nemorun_cli.core.errors import NemorunError
from nemorun_cli.rayjobs.dashboard import Dashboard


def examine(dashboard: Dashboard | None) -> Iterator[tuple[str, bool, str]]:
    """The dashboard, its version and the Jobs API; without one, whether Ray is installed here."""
    if dashboard is None:
        there = find_spec("ray") is not None
        yield "ray", there, "installed" if there else "pip install 'nemorun-cli[ray]'"
        return
    try:
        version = dashboard.version()
    except NemorunError as error:
        yield "dashboard", False, error.message
        return
    yield "dashboard", True, dashboard.address
    yield "version", True, str(version.get("ray_version", "not told"))
    try:
        yield "jobs", True, f"{len(dashboard.jobs())} known to the cluster"
    except NemorunError as error:
        yield "jobs", False, error.message
