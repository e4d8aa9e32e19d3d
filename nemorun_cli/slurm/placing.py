"""Where a job's code is for a cluster on another host."""

from dataclasses import replace

from nemorun_cli.core.errors import SpecError
from nemorun_cli.core.jobs import JobSpec


def placed(spec: JobSpec, host: str, folder: str) -> JobSpec:
    """The spec with its code in this folder of the host, where the cluster sees it. Pure."""
    if spec.links:
        raise SpecError(
            f"link: files of this machine are not on {host}",
            hint="put them there, and give their path in an override",
        )
    if spec.code is None:
        return replace(spec, workdir="")  # Where it was typed is a folder of this machine.
    return replace(spec, code=replace(spec.code, path=f"{folder}/{spec.code.hash}"))
