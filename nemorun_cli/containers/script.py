"""The script that is the first process of a job's container."""

import shlex
from collections.abc import Mapping
from dataclasses import replace

from nemorun_cli.containers.asking import DockerResources, gpu_count
from nemorun_cli.core.jobs import JobSpec
from nemorun_cli.launchers import assemble, payload, recording, refuse_uncarriable

SECRETS = "secrets"
"""The file of the secrets in the job's folder: what the engine is told, it tells to everybody."""
_SOURCED = f'[ ! -e "$run_dir/{SECRETS}" ] || . "$run_dir/{SECRETS}"'


def docker_script(spec: JobSpec, ask: DockerResources, directory: str) -> str:
    """The whole of job.sh. Pure; holds no secret.

    SpecError for an argument that no system could carry, and for an unknown launcher.
    """
    count = gpu_count(ask)
    several = ask.nproc > 1 or ask.launcher == "plain"
    asked = replace(ask, gpus_per_node=count, nproc=ask.nproc if several else count or 1)
    spec = replace(spec, resources=asked, workdir=ask.workdir or spec.workdir)
    python = ask.python or "python3"
    command = payload(spec, directory, python=python)
    refuse_uncarriable(spec, command)
    start = (_SOURCED, recording(spec, python), f"exec setsid {shlex.join(command)}")
    variables = {"other_user": str(int(ask.user is not None))}
    return assemble(spec, directory, start=start, variables=variables, parts=("docker.sh",))


def secrets_text(secrets: Mapping[str, str]) -> str:
    """Lines of sh that export the secrets."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in secrets.items())
