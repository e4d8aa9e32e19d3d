"""Which engine is meant: a setting, DOCKER_HOST, a context of docker's, or the usual one."""

import json
from collections.abc import Mapping
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from nemorun_cli.core.errors import MissingExtraError, SpecError, UsageError

USUAL = "unix:///var/run/docker.sock"
_HERE = ("localhost", "127.0.0.1", "::1")


def address(host: str, context: str, environ: Mapping[str, str]) -> str:
    """The engine's address, as the docker command would choose it.

    UsageError for a context that there is not, and for a host and a context at once.
    """
    if host and context:
        raise UsageError("docker_host and context both name an engine", hint="set one of them")
    if host:
        return host
    folder = Path(environ.get("DOCKER_CONFIG") or Path(environ.get("HOME") or "/", ".docker"))
    if not context and environ.get("DOCKER_HOST"):
        return environ["DOCKER_HOST"]
    name = context or environ.get("DOCKER_CONTEXT") or _current(folder)
    if name in ("", "default"):
        return USUAL
    return _of_context(folder, name)


def refuse_remote(address: str) -> None:
    """SpecError for an engine that cannot see this machine's folders."""
    parts = urlsplit(address)
    near = parts.scheme == "unix" or (parts.scheme == "tcp" and parts.hostname in _HERE)
    if near:
        return
    raise SpecError(
        f"the Docker engine at {address!r} is not on this machine, and cannot see the job's folder",
        hint="launch on that machine, or use an engine of this one: -x docker_host=unix:///PATH",
    )


def require_sdk() -> None:
    """MissingExtraError where docker-py is not installed."""
    if find_spec("docker") is None:
        raise MissingExtraError(
            "the executor 'docker' needs the package 'docker', which is not installed",
            hint="pip install 'nemorun-cli[docker]'",
        )


def _current(folder: Path) -> str:
    return str(_read(folder / "config.json").get("currentContext") or "")


def _of_context(folder: Path, name: str) -> str:
    # The docker command keeps each context under the hash of its name.
    digest = sha256(name.encode()).hexdigest()
    meta = _read(folder / "contexts" / "meta" / digest / "meta.json")
    endpoint = meta.get("Endpoints", {}).get("docker", {}).get("Host")
    if not endpoint:
        raise UsageError(
            f"there is no Docker context {name!r}", hint="`docker context ls` lists them"
        )
    return str(endpoint)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
