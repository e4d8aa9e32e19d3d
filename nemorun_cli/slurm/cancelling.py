"""Asking jobs to end: those of one cluster in one trip."""

from collections.abc import Sequence

from nemorun_cli.core.errors import UnreachableError
from nemorun_cli.core.jobs import JobHandle
from nemorun_cli.core.ports import Tunnel
from nemorun_cli.slurm import scripts
from nemorun_cli.slurm.complaints import controller_busy

_TIMEOUT = 120.0


def cancel(handles: Sequence[JobHandle], folder: str, way: Tunnel) -> None:
    """Ask these jobs, whose folders are in `folder`, to end; what has ended stays as it is.

    UnreachableError when Slurm does not answer; some may have been asked then.
    """
    clusters: dict[str, list[str]] = {}
    for handle in handles:
        number, _, cluster = handle.native_id.partition(";")
        clusters.setdefault(cluster, []).append(f"{handle.key} {number}\n")
    for cluster, lines in clusters.items():
        script = scripts.cancellation(folder, cluster=cluster or None)
        finished = way.run(script, data="".join(lines).encode(), timeout=_TIMEOUT)
        complaint = finished.err.decode("utf-8", "replace").strip()
        if finished.code or controller_busy(complaint):
            told = complaint.splitlines() or [f"exit code {finished.code}"]
            raise UnreachableError(f"cannot cancel: {told[-1]}")
