"""Handing a job to the engine: the image, the containers, their start."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nemorun_cli.containers.arguments import JOBS, KEY
from nemorun_cli.containers.body import body_of, only_sdk_knows
from nemorun_cli.containers.engine import CONFLICT, NOT_FOUND, Answer, Engine
from nemorun_cli.core.errors import NotSentError, RefusedError, UnreachableError

SLOW = 300.0
"""Seconds that the engine may take for a request; disks are slow."""


def started_job(
    engine: Engine,
    nodes: Sequence[Mapping[str, Any]],
    *,
    pull: str,
    give_up: Callable[[], None],
) -> str:
    """Create and start the containers that these arguments describe; what is to be remembered.

    The first of several is the job's own; it begins when the others are there. A container of
    this name and job that is there already is the one. RefusedError and NotSentError: the job will
    never run, and `give_up` was called. UnreachableError: nobody knows.
    """
    try:
        image = _image(engine, nodes[0]["image"], pull)
        if len(nodes) > 1:
            _create_network(engine, nodes[0])
        for each in nodes:
            _create(engine, each)
        for each in nodes:
            _start(engine, each, nodes[0]["name"])
        return _remembered(engine, nodes[0]["name"], image)
    except (RefusedError, NotSentError):
        give_up()
        raise


def _image(engine: Engine, name: str, pull: str) -> Mapping[str, Any]:
    """The image, which the engine now has. NotSentError where there is no engine."""
    try:
        image = engine.image(name)
    except UnreachableError as error:
        raise NotSentError(error.message, hint=error.hint) from None
    if image is not None and pull != "always":
        return image
    if pull == "never":
        raise RefusedError(
            f"the engine has no image {name!r}, and pull=never",
            hint=f"`docker pull {name}`, or -x pull=missing",
        )
    from nemorun_cli.containers import sdk

    if why := sdk.pull(engine.address, name, timeout=SLOW):
        raise RefusedError(
            f"the engine has no image {name!r} and cannot pull it: {why}",
            hint="is its name right? `docker images` lists what is there, "
            "`docker login` lets you pull",
        )
    return engine.image(name) or {}


def _create_network(engine: Engine, head: Mapping[str, Any]) -> None:
    """The network of the job's own, which is called as its first container."""
    labels = {name: head["labels"][name] for name in (KEY, JOBS)}
    answer = engine.create_network(head["network"], labels)
    if answer.refused and answer.status != CONFLICT:
        full = "address pool" in answer.message
        hint = "end other runs, or add default-address-pools to its daemon.json" if full else ""
        raise RefusedError(
            f"the engine refused a network for the nodes: {answer.message}", hint=hint
        )


def _create(engine: Engine, given: Mapping[str, Any]) -> None:
    name = given["name"]
    answer = _creation(engine, given)
    if not answer.refused:
        return
    if answer.status != CONFLICT:
        raise RefusedError(
            f"the engine refused the container: {answer.message}", hint=_advice(answer.message)
        )
    found = engine.inspect(name)
    if found is None:
        raise RefusedError(f"another container was called {name} until just now")
    labels = found.get("Config", {}).get("Labels") or {}
    if any(labels.get(label) != given["labels"][label] for label in (KEY, JOBS)):
        raise RefusedError(
            f"there is a container {name!r}, which is not this job's",
            hint=f"`docker rm {name}` removes it; then launch again",
        )


def _creation(engine: Engine, given: Mapping[str, Any]) -> Answer:
    if only_sdk_knows(given):
        from nemorun_cli.containers import sdk

        return sdk.create(engine.address, given, timeout=SLOW)
    return engine.create(given["name"], body_of(given))


def _start(engine: Engine, given: Mapping[str, Any], head: str) -> None:
    name = given["name"]
    answer = engine.start(name)
    if not answer.refused:
        return
    if name != head and not (engine.inspect(head) or {}).get("State", {}).get("Running"):
        return  # Its end tells why, to whoever looks.
    if answer.status == NOT_FOUND and engine.inspect(name) is None:
        raise RefusedError(f"somebody removed the container {name} before it was started")
    raise RefusedError(
        f"the engine cannot start the container: {answer.message}", hint=_advice(answer.message)
    )


def _remembered(engine: Engine, name: str, image: Mapping[str, Any]) -> str:
    """What is true of the container, whatever its image is called later."""
    seen = engine.inspect(name) or {}
    told = {
        "container": seen.get("Id"),
        "image": seen.get("Config", {}).get("Image"),
        "image_id": seen.get("Image"),
        "digests": image.get("RepoDigests") or [],
        "engine": engine.info().get("ID"),
    }
    return json.dumps(told)


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
