"""What Slurm's words say about a job, as a JobStatus."""

from nemorun_cli.core.jobs import JobStatus
from nemorun_cli.slurm.reading import Accounted, QueueRow
from nemorun_cli.slurm.states import reason_of, state_of


def status_from_queue(row: QueueRow, *, now: float | None = None) -> JobStatus:
    """What squeue says of a job."""
    del now
    return JobStatus(state=state_of(row.state), reason=reason_of(row.state))


def status_from_accounting(found: Accounted) -> JobStatus:
    """What sacct says of a job."""
    return JobStatus(state=state_of(found.state), reason=reason_of(found.state))
