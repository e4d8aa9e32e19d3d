"""The settings of each executor: `make completions` writes this file."""

from collections.abc import Mapping

SETTINGS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "local": {
        "job_dir": ("", "folder that holds the jobs' folders"),
        "shell": ("", "the POSIX shell that runs job.sh"),
        "nodes": ("", "how many nodes"),
        "nproc": ("", "processes per node; more than one needs launcher=torchrun"),
        "gpus_per_node": ("", "GPUs on each node"),
        "time": ("", "time limit of one attempt"),
        "grace": ("", "time between the first signal and KILL"),
        "retries": ("", "how often a failed attempt is started again"),
        "launcher": ("plain|torchrun", "how processes start: plain or torchrun"),
        "python": ("", "the interpreter that runs the recipe"),
        "link": ("", "ignored paths of the project that the job may read; `*`: all at its top"),
        "split_streams": ("true|false", "keep standard error in a file of its own"),
    },
}
