"""What docker-py is needed for: registries with their logins, and its own words for a container."""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

import docker
from docker.errors import APIError, DockerException
from requests.exceptions import RequestException

from nemorun_cli.containers.engine import Answer
from nemorun_cli.core.errors import RefusedError, UnreachableError


def pull(address: str, name: str, *, timeout: float) -> str:
    """Have the engine get an image from its registry; why it cannot, or nothing."""
    with _client(address, timeout) as client:
        try:
            client.images.pull(name)
        except APIError as error:
            return _said(error)
    return ""


def create(address: str, given: Mapping[str, Any], *, timeout: float) -> Answer:
    """Create a container of arguments that only docker-py knows.

    RefusedError for those that it does not know either.
    """
    with _client(address, timeout) as client:
        try:
            # The proxies of docker's own settings go along only where that is asked for.
            client.containers.create(**{"use_config_proxy": False, **given})
        except APIError as error:
            message = json.dumps({"message": _said(error)}).encode()
            return Answer(status=error.status_code or 500, body=message)
        except (TypeError, ValueError, DockerException) as error:
            raise RefusedError(
                f"docker-py does not take these arguments: {error}",
                hint="`create` takes those of its containers.create",
            ) from None
    return Answer(status=201, body=b"")


@contextmanager
def _client(address: str, timeout: float) -> Iterator[Any]:
    try:
        client = docker.DockerClient(base_url=address, version="auto", timeout=timeout)
        with closing(client):
            yield client
    except (DockerException, RequestException, OSError) as error:
        raise UnreachableError(
            f"the Docker engine at {address} does not answer: {_cause(error)}"
        ) from None


def _said(error: APIError) -> str:
    return " ".join(str(error.explanation or error).split())


def _cause(error: BaseException) -> BaseException:
    """What went wrong first: the SDK wraps it three times over."""
    while (deeper := error.__cause__ or error.__context__) is not None:
        error = deeper
    return error
