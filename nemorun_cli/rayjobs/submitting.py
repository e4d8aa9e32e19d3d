"""Handing a job to a Ray cluster: its packages first, then the job itself."""

import tempfile
from collections.abc import Mapping
from typing import Any

from nemorun_cli.core.errors import NotSentError, UnreachableError
from nemorun_cli.core.jobs import Code, JobSpec
from nemorun_cli.rayjobs import packages, script
from nemorun_cli.rayjobs.asking import RayResources, amounts, environment, labels
from nemorun_cli.rayjobs.dashboard import Dashboard


def request_of(spec: JobSpec, ask: RayResources) -> dict[str, Any]:
    """What the cluster is asked to do. Pure; holds no secret."""
    uris: dict[str, Any] = {"py_modules": [f"gcs://{job_package(spec.key)}"]}
    if spec.code is not None:
        uris["working_dir"] = f"gcs://{packages.code_package(spec.code)}"
    hook = {"worker_process_setup_hook": script.HOOK}
    return {
        "submission_id": spec.key,
        "entrypoint": script.entrypoint(spec.key),
        "runtime_env": {**environment(ask, spec.env), **uris, **hook},
        "metadata": {"job_name": f"nemorun-{spec.run_id}", "name": spec.name, **labels(ask)},
        **amounts(ask),
    }


def job_package(key: str) -> str:
    """What the package with a job's own files is called."""
    return f"{script.package_name(key)}.zip"


def submit(
    dashboard: Dashboard,
    request: Mapping[str, Any],
    files: Mapping[str, str],
    *,
    code: Code | None,
) -> None:
    """Have the cluster start the job; once for each submission id, from wherever it is called.

    NotSentError: it has not been asked to. UnreachableError: it may have been.
    """
    try:
        if code is not None and not dashboard.has_package(packages.code_package(code)):
            with tempfile.TemporaryFile() as file:
                size = packages.write_code(code, file)
                dashboard.upload(packages.code_package(code), file, size)
        _send_job(dashboard, str(request["submission_id"]), files)
    except UnreachableError as error:
        raise NotSentError(error.message, hint=error.hint) from None
    dashboard.submit(request)


def _send_job(dashboard: Dashboard, key: str, files: Mapping[str, str]) -> None:
    placed = {f"{script.FOLDER}/{name}": text for name, text in files.items()}
    placed[f"{script.HOOK.partition('.')[0]}.py"] = script.hook_text()
    # Asking keeps a package from being thrown away before there is a job that needs it.
    if not dashboard.has_package(job_package(key)):
        with tempfile.TemporaryFile() as file:
            dashboard.upload(job_package(key), file, packages.write_job(placed, file))
