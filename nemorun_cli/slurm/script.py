"""The script of a Slurm job: how its tasks start, on how many nodes, and in what."""

import shlex
from collections.abc import Iterator
from dataclasses import replace

from nemorun_cli.core.errors import SpecError
from nemorun_cli.core.jobs import JobSpec
from nemorun_cli.launchers import LAUNCHERS, assemble, interpreter, recording, refuse_uncarriable
from nemorun_cli.slurm.asking import (
    CONTAINERS,
    SlurmResources,
    lead,
    one_a_node,
    signal_name,
    srun_options,
    starts,
    tasks,
)

_SECRETS = '[ ! -e "$run_dir/secrets" ] || . "$run_dir/secrets"'
_MODULES = "command -v module >/dev/null 2>&1 || . /etc/profile"
_APPTAINER = "apptainer=$(command -v apptainer || command -v singularity || echo apptainer)"
_RECORD = (
    '[ "$SLURM_PROCID" != 0 ] || [ -e "$NEMORUN_RUN_DIR/environment.json" ] || timeout 20 {python}'
    ' "$NEMORUN_RUN_DIR/environment.py" </dev/null >/dev/null 2>&1; '
)
_ONE = 'export NEMORUN_NODE_RANK="$SLURM_NODEID"; exec "$@"'
_RANKS = (
    'export NEMORUN_NODE_RANK="$SLURM_NODEID" RANK="$SLURM_PROCID" WORLD_SIZE="$SLURM_NTASKS"'
    ' LOCAL_RANK="$SLURM_LOCALID"; exec "$@"'
)
_AGENT = (
    'export NEMORUN_NODE_RANK="$SLURM_NODEID"; python=$1 worker=$2; shift 2;'
    ' exec "$python" "$worker" --agent --nnodes="$SLURM_NNODES" --node-rank="$SLURM_NODEID"'
    ' --master-addr="$MASTER_ADDR" --master-port="$MASTER_PORT" "$@"'
)


def slurm_script(spec: JobSpec, ask: SlurmResources, directory: str) -> str:
    """The whole of job.sh, which is Slurm's batch script. Pure; holds no secret.

    SpecError for an argument that no system could carry, and for an unknown launcher.
    """
    if ask.launcher not in LAUNCHERS:
        raise SpecError(
            f"no launcher named {ask.launcher!r}",
            hint=f"use one of: {', '.join(sorted(LAUNCHERS))}",
        )
    command = _command(spec, ask, directory)
    refuse_uncarriable(spec, command)
    variables = {
        "time_limit": "0",
        "allotted": str(ask.time or 0),
        "warning": signal_name(ask),
        "lead": str(lead(ask)),
        "retry": " ".join(f"{cause}={count}" for cause, count in starts(ask).items()),
        "log_name": "launcher",
    }
    return assemble(
        replace(spec, after=()),
        directory,
        start=tuple(_start(spec, ask, command, directory)),
        variables=variables,
        parts=("slurm.sh",),
    )


def needs_worker(spec: JobSpec, ask: SlurmResources) -> bool:
    """Whether worker.py goes with the job: it builds recipes, and keeps several ranks apart."""
    return spec.argv is None or one_a_node(ask) or tasks(ask) > 1


def _start(spec: JobSpec, ask: SlurmResources, command: list[str], directory: str) -> Iterator[str]:
    yield _SECRETS
    if ask.modules:
        yield _MODULES
        yield f"module load {shlex.join(ask.modules)} || exit 70"
    if ask.runtime == "venv":
        yield f". {shlex.quote(f'{ask.venv}/bin/activate')} || exit 70"
    if ask.setup:
        yield f"run_setup {shlex.quote(ask.setup)}"
    yield "rendezvous || exit 70"
    if ask.ray:
        yield "ray_token || exit 70"
    if ask.ray or (ask.launcher == "plain" and tasks(ask) > 1):
        yield f"export NEMORUN_RANK_LOGS={2 if ask.split_streams else 1}"
    if ask.runtime == "apptainer":
        yield _APPTAINER
    if ask.runtime not in CONTAINERS:
        yield recording(spec, _python(ask))
    words = ["exec setsid srun", shlex.join(srun_options(ask)), *_outputs(ask)]
    container = _container(spec, ask, directory)
    yield " ".join([*words, *([container] if container else []), shlex.join(command)])


def _outputs(ask: SlurmResources) -> Iterator[str]:
    """A lone task writes its own log, in which srun's remarks have no place."""
    if one_a_node(ask) or tasks(ask) > 1:
        yield "--label"
        return
    yield '--open-mode=append --output="$run_dir/logs/$attempt/0.log"'
    if ask.split_streams:
        yield '--error="$run_dir/logs/$attempt/0.err"'


def _command(spec: JobSpec, ask: SlurmResources, directory: str) -> list[str]:
    """What srun starts in each task, by way of a line of sh that says which task it is."""
    # What is in a container can be seen from within alone, and briefly: its tasks end together.
    quoted = shlex.quote(interpreter(spec, _python(ask)))
    record = _RECORD.format(python=quoted) if ask.runtime in CONTAINERS else ""
    own = [_python(ask), f"{directory}/worker.py"]
    worker = own if spec.argv is None else [*own, "--", *spec.argv]
    if ask.launcher == "torchrun":
        processes = ask.nproc if ask.nproc > 1 else ask.gpus_per_node or 1
        agent = [*own, f"--nproc-per-node={processes}", "--no-python", *worker]
        return ["sh", "-c", record + _AGENT, "nemorun", *agent]
    if ask.ray:
        agent = [*own, "--ray", str(ask.ray_timeout)]
        return ["sh", "-c", record + _ONE, "nemorun", *agent, *worker]
    if tasks(ask) > 1:
        return ["sh", "-c", record + _RANKS, "nemorun", *worker]
    return ["sh", "-c", record + _ONE, "nemorun", *(spec.argv or worker)]


def _python(ask: SlurmResources) -> str:
    return ask.python or (f"{ask.venv}/bin/python" if ask.runtime == "venv" else "python3")


def _container(spec: JobSpec, ask: SlurmResources, directory: str) -> str:
    """What puts the tasks into a container; there the job's folder, its code and links are, too."""
    if ask.runtime not in CONTAINERS:
        return ""
    image = shlex.quote(ask.image or "")
    paths = [directory, *dict.fromkeys(spec.links.values())]
    if ask.runtime == "apptainer":
        gpus = " --nv" if ask.gpus or ask.gpus_per_node or ask.gres else ""
        mounts = _mounts([*paths, *ask.mounts], "$NEMORUN_CODE_DIR")
        return f'"$apptainer" exec{gpus} --bind {mounts} --pwd "$PWD" {image}'
    pairs = [f"{path}:{path}" for path in paths]
    mounts = _mounts([*pairs, *ask.mounts], "$NEMORUN_CODE_DIR:$NEMORUN_CODE_DIR")
    return f'--container-image={image} --container-mounts={mounts} --container-workdir="$PWD"'


def _mounts(mounts: list[str], code: str) -> str:
    """These, and that of the code if there is any; its place is known to the job alone."""
    return f'{shlex.quote(",".join(mounts))}"${{NEMORUN_CODE_DIR:+,{code}}}"'
