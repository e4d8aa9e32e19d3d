"""The script that is the first process of a job's container."""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import replace

from nemorun_cli.containers.asking import DockerResources, gpu_count
from nemorun_cli.core.jobs import JobSpec
from nemorun_cli.launchers import assemble, payload, recording, refuse_uncarriable

SECRETS = "secrets"
"""The file of the secrets in the job's folder: what the engine is told, it tells to everybody."""
_SOURCED = f'[ ! -e "$run_dir/{SECRETS}" ] || . "$run_dir/{SECRETS}"'
_LEAD = '[ -n "$node" ] || exec setsid sh "$run_dir/job.sh" lead "$attempt"'
_PORT = 29500
"""Where ranks on several nodes meet: the network is the job's own."""


def docker_script(spec: JobSpec, ask: DockerResources, directory: str, head: str) -> str:
    """The whole of job.sh, where `head` is the container of the first node. Pure; holds no secret.

    SpecError for an argument that no system could carry, and for an unknown launcher.
    """
    count = gpu_count(ask)
    several = ask.nproc > 1 or ask.launcher == "plain"
    asked = replace(ask, gpus_per_node=count, nproc=ask.nproc if several else count or 1)
    spec = replace(spec, resources=asked, workdir=ask.workdir or spec.workdir)
    python = ask.python or "python3"
    command = payload(spec, directory, python=python)
    refuse_uncarriable(spec, command)
    recorded = recording(spec, python)
    variables = {"other_user": str(int(ask.user is not None))}
    if ask.nodes == 1:
        start = (_SOURCED, recorded, f"exec setsid {shlex.join(command)}")
        return assemble(spec, directory, start=start, variables=variables, parts=("docker.sh",))
    variables |= {"nodes": str(ask.nodes), "ranks": str(asked.nproc), "node": ""}
    return assemble(
        spec,
        directory,
        start=(
            *(_LEAD, _SOURCED, *_place(asked, head)),
            f'[ "$node" != 0 ] || {recorded}',
            f"exec setsid {shlex.join(command)}",
        ),
        variables=variables,
        parts=("docker.sh", "nodes.sh"),
    )


def secrets_text(secrets: Mapping[str, str]) -> str:
    """Lines of sh that export the secrets."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in secrets.items())


def _place(ask: DockerResources, head: str) -> Iterator[str]:
    """Which of several nodes this is, and where their ranks meet."""
    yield f'export NEMORUN_NODE_RANK="$node" NEMORUN_HEAD_ADDR={head}'
    yield f"export MASTER_ADDR={head} MASTER_PORT={_PORT}"
    if ask.launcher == "plain":
        yield f'export RANK="$node" WORLD_SIZE={ask.nodes} LOCAL_RANK=0'
    else:
        yield f'export PET_NODE_RANK="$node" PET_MASTER_ADDR={head} PET_MASTER_PORT={_PORT}'
