"""Handing a job to the engine, by docker-py: the image, the container, its start."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import docker
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from requests.exceptions import RequestException

from nemorun_cli.containers.arguments import JOBS, KEY
from nemorun_cli.core.errors import NotSentError, RefusedError, UnreachableError

_CONFLICT = 409
_ADVICE = "is it running? `nemorun doctor docker` tells more"
_SLOW = 300.0
"""Seconds that the engine may take for a request; disks are slow."""


def started_container(
    address: str, given: Mapping[str, Any], *, pull: str, give_up: Callable[[], None]
) -> str:
    """Create and start the container that these arguments describe; what is to be remembered of it.

    A container of this name and job that is there already is the one. RefusedError and
    NotSentError: the job will never run, and `give_up` was called. UnreachableError: nobody knows.
    """
    with _translated(address):
        try:
            client = docker.DockerClient(base_url=address, version="auto", timeout=_SLOW)
        except (DockerException, RequestException, OSError) as error:
            give_up()
            raise NotSentError(_silence(address, error), hint=_ADVICE) from None
        try:
            image = _image(client, given["image"], pull)
            container = _created(client, given)
            _start(container)
            return _remembered(client, container, image)
        except RefusedError:
            give_up()
            raise
        finally:
            client.close()


def _image(client: Any, name: str, pull: str) -> Any:  # noqa: ANN401
    """The image, which the engine now has."""
    try:
        if pull == "always":
            return client.images.pull(name)
        return client.images.get(name)
    except ImageNotFound as error:
        if pull == "never":
            raise RefusedError(
                f"the engine has no image {name!r}, and pull=never",
                hint=f"`docker pull {name}`, or -x pull=missing",
            ) from None
        if pull == "always":
            raise _not_pulled(name, error) from None
    except APIError as error:
        raise _not_pulled(name, error) from None
    try:
        return client.images.pull(name)
    except APIError as error:
        raise _not_pulled(name, error) from None


def _not_pulled(name: str, error: APIError) -> RefusedError:
    return RefusedError(
        f"the engine has no image {name!r} and cannot pull it: {_said(error)}",
        hint="is its name right? `docker images` lists what is there, `docker login` lets you pull",
    )


def _created(client: Any, given: Mapping[str, Any]) -> Any:  # noqa: ANN401
    name = given["name"]
    try:
        return client.containers.create(**given)
    except APIError as error:
        if error.status_code != _CONFLICT:
            raise RefusedError(
                f"the engine refused the container: {_said(error)}", hint=_advice(_said(error))
            ) from None
    except (TypeError, ValueError, DockerException) as error:
        raise RefusedError(
            f"docker-py does not take these arguments: {error}",
            hint="`create` takes those of its containers.create",
        ) from None
    try:
        found = client.containers.get(name)
    except NotFound:
        raise RefusedError(f"another container was called {name} until just now") from None
    if any(found.labels.get(label) != given["labels"][label] for label in (KEY, JOBS)):
        raise RefusedError(
            f"there is a container {name!r}, which is not this job's",
            hint=f"`docker rm {name}` removes it; then launch again",
        )
    return found


def _start(container: Any) -> None:  # noqa: ANN401
    try:
        container.start()
    except APIError as error:
        said = _said(error)
        raise RefusedError(
            f"the engine cannot start the container: {said}", hint=_advice(said)
        ) from None


def _remembered(client: Any, container: Any, image: Any) -> str:  # noqa: ANN401
    """What is true of the container, whatever its image is called later."""
    told = {
        "container": container.id,
        "image": container.attrs["Config"]["Image"],
        "image_id": container.attrs["Image"],
        "digests": image.attrs.get("RepoDigests") or [],
        "engine": client.info().get("ID"),
    }
    return json.dumps(told)


def _said(error: APIError) -> str:
    return " ".join(str(error.explanation or error).split())


def _advice(said: str) -> str:
    words = said.lower()
    if "executable file not found" in words:
        return "the image needs a POSIX shell, `sh`"
    if "bind source path does not exist" in words:
        return "a folder of -x mounts= has to exist, on the machine of the engine"
    if "device driver" in words:
        return "the engine needs NVIDIA's container toolkit for -x gpus="
    if "rlimit" in words:
        return "-x ulimits= sets other limits"
    return ""


@contextmanager
def _translated(address: str) -> Iterator[None]:
    """What goes wrong on the way to the engine, in our words."""
    try:
        yield
    except APIError as error:
        raise UnreachableError(f"the Docker engine at {address}: {_said(error)}") from None
    except (DockerException, RequestException, OSError) as error:
        raise UnreachableError(_silence(address, error), hint=_ADVICE) from None


def _silence(address: str, error: BaseException) -> str:
    """That there was no answer, and what went wrong first: the SDK wraps it three times over."""
    while (deeper := error.__cause__ or error.__context__) is not None:
        error = deeper
    return f"the Docker engine at {address} does not answer: {error}"
