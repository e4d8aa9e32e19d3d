"""Which cluster is meant, and what it wants to be shown, as Ray's own commands find it out."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from nemorun_cli.core.errors import UsageError

LOCAL = "local"
AUTO = "auto"
_NEAREST = "http://127.0.0.1:8265"
_VARIABLES = ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS")
_SCHEMES = ("http", "https")


def settled(address: str, environ: Mapping[str, str] = os.environ) -> str:
    """`local`, or the URL of the dashboard that is meant. UsageError for what is neither."""
    if address == LOCAL:
        return LOCAL
    source = "address"
    if address == AUTO:
        named = [name for name in _VARIABLES if environ.get(name)]
        source = named[0] if named else "address"
        address = environ[source] if named else _NEAREST
        if address == AUTO:
            address = _NEAREST
    parts = urlsplit(address)
    if parts.scheme not in _SCHEMES or not parts.hostname:
        raise UsageError(
            f"{source}: {address!r} is not the address of a Ray dashboard",
            hint="-x address=http://HOST:8265, `auto` or `local`",
        )
    return address.rstrip("/")


def headers(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What requests carry: RAY_JOB_HEADERS, and the token of a cluster that wants one."""
    try:
        given = json.loads(environ.get("RAY_JOB_HEADERS") or "{}")
    except ValueError:
        raise UsageError("RAY_JOB_HEADERS is no JSON object") from None
    token = environ.get("RAY_AUTH_TOKEN") or _stored_token(environ)
    known = {"Authorization": f"Bearer {token}"} if token else {}
    return {**known, **{str(name): str(value) for name, value in dict(given).items()}}


def _stored_token(environ: Mapping[str, str]) -> str:
    path = environ.get("RAY_AUTH_TOKEN_PATH") or Path("~/.ray/auth_token").expanduser()
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""
