"""The files that travel with a Ray job, and the command that starts them."""

import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from nemorun_cli.core.jobs import JobSpec
from nemorun_cli.launchers import assemble, payload, recording, refuse_uncarriable
from nemorun_cli.payload import payload_files, recorder_files

FOLDER = "nemorun-job"
"""The folder of the job's files in its package: no name of a module."""
HOOK = "nemorun_shims.append"
SECRETS = "secrets"
_SOURCED = f'[ ! -e "$run_dir/{SECRETS}" ] || . "$run_dir/{SECRETS}"'
_ENTRYPOINT = (
    "IFS=:; for each in $PYTHONPATH; do case $each in */{name}) "
    'exec /bin/sh "$each/{folder}/start.sh";; esac; done; '
    "echo 'nemorun: the files of the job are not there' >&2; exit 70"
)


def package_name(key: str) -> str:
    """What the package with a job's files is called, without its ending."""
    return f"nemorun_{key}"


def entrypoint(key: str) -> str:
    """The line of sh that finds the job's files where Ray has put them, and starts them."""
    return _ENTRYPOINT.format(name=package_name(key), folder=FOLDER)


def files_of(spec: JobSpec, directory: str) -> dict[str, str]:
    """The job's files, by their paths in the job's folder. Pure; hold no secret."""
    files = {"job.sh": job_text(spec, directory), "start.sh": start_text(spec, directory)}
    plain = spec.argv is not None and spec.resources.launcher == "plain"
    return files | (recorder_files() if plain else payload_files(spec.config))


def job_text(spec: JobSpec, directory: str) -> str:
    """The whole of job.sh. SpecError for an argument that no system could carry."""
    python = spec.resources.python or "python3"
    if spec.code is not None:
        # Where Ray unpacks the project is known on the node alone, which links to it.
        spec = replace(spec, code=replace(spec.code, path=f"{directory}/code"))
    command = payload(spec, directory, python=python)
    refuse_uncarriable(spec, command)
    start = (
        "export NEMORUN_STREAM=1",
        "unset NEMORUN_RANK_LOGS",  # All ranks write to the one log that there is.
        _SOURCED,
        recording(spec, python),
        f"exec setsid {shlex.join(command)}",
    )
    variables = {"stream": "1", "python": python}
    return assemble(spec, directory, start=start, variables=variables, parts=("ray.sh",))


def start_text(spec: JobSpec, directory: str) -> str:
    """The script that makes the job's folder on its node."""
    entries = spec.code.entries if spec.code is not None else ()
    targets = {**{name: f"{directory}/code/{name}" for name in entries}, **spec.links}
    links = (f"    link {shlex.quote(name)} {shlex.quote(to)}" for name, to in targets.items())
    head = [
        "#!/bin/sh",
        f"run_dir={shlex.quote(directory)}",
        f"has_code={int(spec.code is not None)}",
        "link_all() {",
        *links,
        "    return 0",
        "}",
    ]
    text = Path(__file__).parent.parent.joinpath("job", "start.sh").read_text(encoding="utf-8")
    return "\n".join([*head, text])


def secrets_text(secrets: Mapping[str, str]) -> str:
    """Lines of sh that export the secrets."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in secrets.items())


def hook_text() -> str:
    """The module that each process of the job runs first."""
    return Path(__file__).parent.parent.joinpath("job", "shims.py").read_text(encoding="utf-8")
