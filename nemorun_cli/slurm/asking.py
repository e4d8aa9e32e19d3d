"""What a job may ask Slurm for: its settings, and the options of sbatch and srun they become."""

import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from nemorun_cli.core.errors import SpecError
from nemorun_cli.core.jobs import Dependency, JobSpec, Reason, Resources, setting
from nemorun_cli.core.retrying import ENDLESS, counts
from nemorun_cli.slurm.passing import passed_through

CONTAINERS = ("pyxis", "apptainer")
RUNTIMES = ("none", "venv", *CONTAINERS)
_QUEUED_AGAIN = ("auto_resume", Reason.TIME_LIMIT, Reason.PREEMPTED, Reason.NODE_FAILURE)
"""What the job is started again after by Slurm alone."""


@dataclass(frozen=True, kw_only=True)
class SlurmResources(Resources):
    """What a job asks Slurm for. Only what is set is asked for: sites differ in what they take."""

    causes: ClassVar[tuple[str, ...]] = (
        *(*Resources.causes, Reason.OOM),
        *(Reason.PREEMPTED, Reason.NODE_FAILURE),
    )
    nproc: int = setting(1, "processes on each node; with torchrun as many as GPUs unless set")
    grace: int = setting(180, "time between the signal and the end", kind="duration")
    time: int | None = setting(None, "time limit of one start of the job", kind="duration")
    signal: str = setting("USR2", "what the job gets when its time is nearly over")
    auto_resume: int = setting(0, "how often the run goes on in a new attempt after its time limit")
    requeue: bool = setting(True, "start again after preemption and node failure")  # noqa: FBT003
    account: str | None = setting(None, "account that is charged")
    partition: str | None = setting(None, "partition, or several with commas")
    qos: str | None = setting(None, "quality of service")
    constraint: str | None = setting(None, "features that the nodes must have")
    reservation: str | None = setting(None, "reservation to run in")
    ntasks: int | None = setting(None, "tasks in all that srun starts; with launcher=plain")
    ntasks_per_node: int | None = setting(None, "tasks on each node; with launcher=plain")
    cpus_per_task: int | None = setting(None, "CPUs of each task")
    cpus_per_gpu: int | None = setting(None, "CPUs for each GPU")
    gpus: str | None = setting(None, "GPUs of the whole job: `8`, `h100:8`")
    gpus_per_task: str | None = setting(None, "GPUs of each task")
    gres: str | None = setting(None, "generic resources of each node: `gpu:h100:8`")
    mem: str | None = setting(None, "memory of each node: `64G`; 0 is all of it")
    mem_per_cpu: str | None = setting(None, "memory for each CPU")
    mem_per_gpu: str | None = setting(None, "memory for each GPU")
    exclusive: bool = setting(False, "share no node with other jobs")  # noqa: FBT003
    exclude: str | None = setting(None, "nodes not to use: `n[3,7-9]`")
    exclude_bad: bool = setting(True, "nor those on which jobs have failed lately")  # noqa: FBT003
    nodelist: str | None = setting(None, "nodes that the job must have")
    begin: str | None = setting(None, "when it may start at the earliest: `now+1hour`, `20:00`")
    dependency: str | None = setting(None, "jobs of Slurm to wait for: `afterok:123`")
    licenses: str | None = setting(None, "licenses: `matlab:2`")
    nice: int | None = setting(None, "how far the job steps back for others")
    open_mode: str = setting(
        "append", "what a start of the job does to batch.log", choices=("append", "truncate")
    )
    mail_type: str | None = setting(None, "when to send mail: `END,FAIL`")
    mail_user: str | None = setting(None, "to whom")
    comment: str | None = setting(None, "text for the accounting, after nemorun's own")
    job_name_prefix: str = setting("", "goes before `nemorun-<id>` in the job's name")
    clusters: str | None = setting(None, "clusters of a federation or multi-cluster site (-M)")
    setup: str = setting("", "lines of sh that run before the payload, once, on the first node")
    modules: tuple[str, ...] = setting((), "environment modules to load before that")
    ray: bool = setting(False, "a cluster of Ray on the job's nodes, for the run alone")  # noqa: FBT003
    ray_timeout: int = setting(300, "time in which all nodes must have Ray", kind="duration")
    runtime: str = setting("none", "what the tasks run in", choices=RUNTIMES)
    venv: str | None = setting(None, "folder of a virtual environment; with runtime=venv")
    image: str | None = setting(None, "container image; with runtime=pyxis or apptainer")
    mounts: tuple[str, ...] = setting((), "folders for the container: `/data:/data:ro`")
    sbatch: str = setting("", "further options of sbatch, as typed in a shell")
    srun: str = setting("", "further options of srun, as typed in a shell")


_PLAIN_OPTIONS: Mapping[str, str] = MappingProxyType(
    {
        name: name.replace("_", "-")
        for name in (
            *("account", "partition", "qos", "constraint", "reservation", "cpus_per_task"),
            *("cpus_per_gpu", "gpus", "gpus_per_node", "gpus_per_task", "gres", "mem"),
            *("mem_per_cpu", "mem_per_gpu", "exclude", "nodelist", "begin", "licenses", "nice"),
            *("open_mode", "mail_type", "mail_user", "clusters"),
        )
    },
)


def asked(spec: JobSpec) -> SlurmResources:
    """What a job asks for, as this executor knows it."""
    if isinstance(spec.resources, SlurmResources):
        return spec.resources
    return SlurmResources(**vars(spec.resources))


def checked(ask: SlurmResources) -> SlurmResources:
    """The same settings, if they go together; SpecError naming the setting that does not."""
    _check_starts(ask)
    if ask.runtime in CONTAINERS and not ask.image:
        raise SpecError(f"runtime={ask.runtime} needs an image", hint="-x image=NAME or PATH")
    if ask.runtime == "venv" and not ask.venv:
        raise SpecError("runtime=venv needs a folder", hint="-x venv=PATH")
    if ask.image and ask.image.endswith(".sqsh") and not ask.image.startswith("/"):
        raise SpecError(f"image: {ask.image!r} is no absolute path", hint="where the nodes see it")
    _check_tasks(ask)
    warning = signal_name(ask)
    if f"SIG{warning}" not in signal.Signals.__members__ and not warning.isdecimal():
        raise SpecError(f"signal expects the name of a signal, got {ask.signal!r}", hint="USR2")
    return ask


def _check_tasks(ask: SlurmResources) -> None:
    if ask.launcher == "torchrun" and (ask.ntasks or ask.ntasks_per_node):
        raise SpecError(
            "ntasks and ntasks_per_node go with launcher=plain",
            hint="torchrun starts one agent a node, and nproc processes from it",
        )
    if ask.ntasks_per_node and ask.nproc > 1:
        raise SpecError("nproc and ntasks_per_node mean the same here", hint="set one of them")
    alone = {"launcher": "plain", "nproc": 1, "ntasks": None, "ntasks_per_node": None}
    for name, unset in alone.items():
        if ask.ray and getattr(ask, name) != unset:
            raise SpecError(
                f"{name}={getattr(ask, name)} does not go with ray=true",
                hint="the run is one process, the driver; its tasks and actors are on all nodes",
            )


def _check_starts(ask: SlurmResources) -> None:
    asked = counts(ask)
    if ask.auto_resume and asked[Reason.TIME_LIMIT] != "0":
        raise SpecError("auto_resume and time_limit in retry mean the same", hint="set one of them")
    for name, value in (("auto_resume", ask.auto_resume), *asked.items()):
        if not ask.requeue and name in _QUEUED_AGAIN and str(value) != "0":
            raise SpecError(f"{name} needs requeue=true: Slurm queues the job again for it")


def starts(ask: SlurmResources) -> dict[str, str]:
    """How often the job is started again, by cause; unlimited after what Slurm does to it."""
    asked = counts(ask)
    for cause in (Reason.PREEMPTED, Reason.NODE_FAILURE):
        asked.setdefault(cause, ENDLESS if ask.requeue else "0")
    if ask.auto_resume:
        asked[Reason.TIME_LIMIT] = str(ask.auto_resume)
    return asked


def _requeues(ask: SlurmResources) -> bool:
    """Whether Slurm may start the job again at all."""
    found = starts(ask)
    return any(found[cause] != "0" for cause in _QUEUED_AGAIN if cause in found)


def one_a_node(ask: SlurmResources) -> bool:
    """Whether srun starts one agent on each node, which starts the rest: torchrun's, or Ray's."""
    return ask.ray or ask.launcher != "plain"


def tasks(ask: SlurmResources) -> int:
    """How many tasks srun starts: one agent a node, or what was asked for."""
    if one_a_node(ask):
        return ask.nodes
    return ask.ntasks or ask.nodes * (ask.ntasks_per_node or ask.nproc)


def sbatch_options(
    ask: SlurmResources, *, name: str, comment: str, log: str, after: Sequence[Dependency]
) -> list[str]:
    """The options of sbatch for this job; only what was set, and what nemorun relies on.

    Facts are those of sbatch(1). Whether to requeue is always said: sites differ in their default.
    sbatch itself is given a bare environment, so that all of that is not much: a list of names
    here would have Slurm load the user's login environment, which may be slow or fail.
    """
    text = f"{comment} {ask.comment}" if ask.comment else comment
    options = [
        "--parsable",
        f"--job-name={ask.job_name_prefix}{name}",
        f"--comment={text}",
        f"--output={log}",
        "--export=ALL",
        "--requeue" if _requeues(ask) else "--no-requeue",
        f"--signal=B:USR2@{lead(ask)}",
        f"--nodes={ask.nodes}",
    ]
    if one_a_node(ask):
        options.append("--ntasks-per-node=1")
    else:
        options += _task_options(ask)
    if ask.time is not None:
        options.append(f"--time={clock(ask.time)}")
    for field, option in _PLAIN_OPTIONS.items():
        value = getattr(ask, field)
        if value is not None:
            options.append(f"--{option}={value}")
    if ask.exclusive:
        options.append("--exclusive")
    if parents := [*map(_awaited, after), *([ask.dependency] if ask.dependency else [])]:
        options.append(f"--dependency={','.join(parents)}")
    return [*options, *passed_through(ask.sbatch, "sbatch", options, _PLAIN_OPTIONS.values())]


def srun_options(ask: SlurmResources) -> list[str]:
    """The options of the srun that starts the tasks.

    A task that fails ends its siblings. cpus-per-task is said again: srun has not taken it from
    the job since 22.05 (srun(1)).
    """
    options = ["--kill-on-bad-exit=1", "--export=ALL", f"--nodes={ask.nodes}"]
    options.append(f"--ntasks={tasks(ask)}")
    if one_a_node(ask):
        options.append("--ntasks-per-node=1")
    if ask.cpus_per_task is not None:
        options.append(f"--cpus-per-task={ask.cpus_per_task}")
    return [*options, *passed_through(ask.srun, "srun", options, _PLAIN_OPTIONS.values())]


def lead(ask: SlurmResources) -> int:
    """Seconds before the end at which the job is told: the grace period, less of a short limit."""
    return ask.grace if ask.time is None else min(ask.grace, max(1, ask.time // 4))


def signal_name(ask: SlurmResources) -> str:
    """What the job gets near its end: `USR2` for `SIGUSR2` and `usr2`."""
    return ask.signal.upper().removeprefix("SIG")


def clock(seconds: int) -> str:
    """A length of time as Slurm reads it: `1-02:00:00`. Slurm counts in minutes and rounds up."""
    days, rest = divmod(seconds, 86400)
    hours, rest = divmod(rest, 3600)
    text = f"{hours:02}:{rest // 60:02}:{rest % 60:02}"
    return f"{days}-{text}" if days else text


def _awaited(parent: Dependency) -> str:
    words = {"ok": "afterok", "any": "afterany", "notok": "afternotok"}
    return f"{words[parent.condition]}:{parent.handle.native_id.partition(';')[0]}"


def _task_options(ask: SlurmResources) -> Iterator[str]:
    if ask.ntasks is not None:
        yield f"--ntasks={ask.ntasks}"
    per_node = ask.ntasks_per_node or (ask.nproc if ask.nproc > 1 else None)
    if per_node is not None:
        yield f"--ntasks-per-node={per_node}"
