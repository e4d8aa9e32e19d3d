"""What a run ran with, as `show` prints it."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from nemorun_cli.cli import output
from nemorun_cli.core.environments import fingerprint
from nemorun_cli.core.errors import NotFoundError

if TYPE_CHECKING:
    from nemorun_cli.actions.show import Details


def show(found: "Details", *, json: bool) -> None:
    """Print the record alone. NotFoundError if there is none."""
    if found.environment is None:
        raise NotFoundError(
            f"{found.run.id} has no record of its environment",
            hint="it begins with the job, and takes a Python where the job runs"
            if not found.run.live
            else "it begins with the job; on a Ray cluster it comes at the end",
        )
    if json:
        output.document({**found.environment, "fingerprint": fingerprint(found.environment)})
        return
    for line in _lines(found.environment):
        output.answer(line)


def recorded(document: Mapping[str, Any] | None) -> dict[str, Any]:
    """The record as a part of what is told of a run; None where there is none."""
    known = None if document is None else fingerprint(document)
    return {"recorded": document, "fingerprint": known}


def brief(document: Mapping[str, Any] | None) -> str | None:
    """The interpreter and how many packages it has, on one line."""
    if document is None or document["python"] is None:
        return None
    count = len(document["packages"])
    return f"{_python(document)} ({count} package{'' if count == 1 else 's'})"


def _python(document: Mapping[str, Any]) -> str:
    python = document["python"] or {}
    implementation = python.get("implementation")
    other = "" if implementation in ("cpython", None) else f" {implementation}"
    return f"{python.get('version')}{other}"


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    python, platform = document["python"] or {}, document["platform"] or {}
    names = ("system", "machine", "release", "libc")
    facts = {
        "python": _python(document) if python else None,
        "executable": python.get("executable"),
        "platform": " ".join(str(platform[name]) for name in names if platform.get(name)),
        "host": document["host"],
        "image": document["image"],
        "modules": " ".join(map(str, document["modules"])),
        "gpus": ", ".join(f"{each.get('name')}" for each in document["gpus"]),
        "driver": next((each.get("driver") for each in document["gpus"]), None),
        "variables": " ".join(map(str, document["variables"])),
        "fingerprint": fingerprint(document)[:12],
    }
    yield from output.pairs({name: str(value) for name, value in facts.items() if value})
    if document["lock_files"]:
        yield output.head("lock files")
        locks = document["lock_files"]
        yield from output.pairs({str(each.get("path")): str(each.get("sha256")) for each in locks})
    if document["packages"]:
        yield output.head("packages")
        yield from output.pairs({each["name"]: _version(each) for each in document["packages"]})


def _version(package: Mapping[str, Any]) -> str:
    origin = package.get("editable") or package.get("url")
    return f"{package.get('version')}{f'  {origin}' if origin else ''}"
