"""A Docker engine by its HTTP API: quickly, and without its SDK."""

import http.client
import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from nemorun_cli.core.errors import NemorunError, RefusedError, UnreachableError

QUICK = 2.0
"""Seconds that a reading command waits for an answer."""
PATIENT = 60.0
NOT_FOUND = 404
CONFLICT = 409
_ERRORS = 400
_MALFORMED = (301, 400)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the engine said."""

    status: int
    body: bytes

    @property
    def refused(self) -> bool:
        """Whether the engine has not done what it was asked."""
        return self.status >= _ERRORS

    @property
    def message(self) -> str:
        """The engine's own words for what went wrong."""
        try:
            return str(json.loads(self.body)["message"])
        except (ValueError, KeyError, TypeError):
            return self.body.decode(errors="replace").strip() or f"status {self.status}"


@dataclass(frozen=True, kw_only=True)
class Engine:
    """An engine by its address. Each call is one request; UnreachableError when none answers."""

    address: str
    """`unix:///PATH` or `tcp://HOST:PORT`."""
    timeout: float = PATIENT

    def containers(self, label: str) -> list[dict[str, Any]]:
        """One entry for each container with this label, running or not."""
        filters = json.dumps({"label": [label]})
        found = self._json("GET", "/containers/json", {"all": "1", "filters": filters})
        return [each for each in found if isinstance(each, dict)]

    def inspect(self, name: str) -> dict[str, Any] | None:
        """All that the engine knows of a container; None if there is no such."""
        return self._known(f"/containers/{quote(name)}/json")

    def image(self, name: str) -> dict[str, Any] | None:
        """All that the engine knows of an image; None if it does not have it.

        RefusedError for what cannot be the name of one.
        """
        answer = self._ask("GET", f"/images/{quote(name, safe='/:@')}/json")
        if answer.status in _MALFORMED:
            raise RefusedError(
                f"{name!r} is no name of an image", hint="-x image=NAME[:TAG], in small letters"
            )
        return None if answer.status == NOT_FOUND else self._object(answer)

    def info(self) -> dict[str, Any]:
        """What the engine says of itself."""
        return self._object(self._ask("GET", "/info"))

    def output(self, name: str) -> str:
        """The last lines that a container's first process has printed, while it is there."""
        query = {"stdout": "1", "stderr": "1", "tail": "50"}
        answer = self._ask("GET", f"/containers/{quote(name)}/logs", query)
        return unframed(answer.body) if not answer.refused else ""

    def create(self, name: str, body: Mapping[str, Any]) -> Answer:
        """Create a container; CONFLICT where there is one of this name."""
        return self._ask("POST", "/containers/create", {"name": name}, body)

    def start(self, name: str) -> Answer:
        """Start a container; one that runs is left alone."""
        return self._ask("POST", f"/containers/{quote(name)}/start")

    def create_network(self, name: str, labels: Mapping[str, str]) -> Answer:
        """Create a network of this machine; CONFLICT where there is one of this name."""
        body = {"Name": name, "Labels": dict(labels), "CheckDuplicate": True}
        return self._ask("POST", "/networks/create", body=body)

    def remove_network(self, name: str) -> bool:
        """Remove a network, and from it whatever is still connected; whether it is gone."""
        path = f"/networks/{quote(name)}"
        answer = self._ask("DELETE", path)
        if answer.refused and answer.status != NOT_FOUND:
            for each in (self._known(path) or {}).get("Containers") or {}:
                body = {"Container": each, "Force": True}
                self._ask("POST", f"{path}/disconnect", body=body)
            answer = self._ask("DELETE", path)
        return not answer.refused or answer.status == NOT_FOUND

    def remove(self, name: str, *, running: bool = False) -> bool:
        """Remove a container and its anonymous volumes; whether it is gone, or is going."""
        query = {"v": "1", "force": "1" if running else "0"}
        answer = self._ask("DELETE", f"/containers/{quote(name)}", query)
        if answer.status == CONFLICT:
            return "already in progress" in answer.message
        return not answer.refused or answer.status == NOT_FOUND

    def signal(self, name: str, signal: str) -> None:
        """Signal a container's first process; one that has ended, or is gone, is left alone."""
        answer = self._ask("POST", f"/containers/{quote(name)}/kill", {"signal": signal})
        if answer.status == CONFLICT and "paused" in answer.message:
            self._ask("POST", f"/containers/{quote(name)}/unpause")
            answer = self._ask("POST", f"/containers/{quote(name)}/kill", {"signal": signal})
        if answer.refused and answer.status not in (NOT_FOUND, CONFLICT):
            raise NemorunError(f"the engine cannot signal {name}: {answer.message}")

    def _known(self, path: str) -> dict[str, Any] | None:
        answer = self._ask("GET", path)
        return None if answer.status == NOT_FOUND else self._object(answer)

    def _object(self, answer: Answer) -> dict[str, Any]:
        found = self._read(answer)
        return found if isinstance(found, dict) else {}

    def _json(self, method: str, path: str, query: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401
        return self._read(self._ask(method, path, query))

    def _read(self, answer: Answer) -> Any:  # noqa: ANN401
        if answer.refused:
            raise UnreachableError(f"the Docker engine at {self.address}: {answer.message}")
        try:
            return json.loads(answer.body)
        except ValueError:
            raise UnreachableError(f"what answers at {self.address} is no Docker engine") from None

    def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Answer:
        connection = connection_to(self.address, self.timeout)
        target = f"{path}?{urlencode(query)}" if query else path
        headers = {"Host": "docker", "Content-Type": "application/json"}
        text = None if body is None else json.dumps(body)
        try:
            connection.request(method, target, text, headers)
            answer = connection.getresponse()
            return Answer(status=answer.status, body=answer.read())
        except (OSError, http.client.HTTPException) as error:
            raise UnreachableError(
                f"the Docker engine at {self.address} does not answer: {error}",
                hint=_advice(error),
            ) from None
        finally:
            connection.close()


def connection_to(address: str, timeout: float) -> http.client.HTTPConnection:
    """A connection that is made when it is first used."""
    parts = urlsplit(address)
    if parts.scheme == "unix":
        return _SocketConnection(parts.path, timeout)
    return http.client.HTTPConnection(parts.hostname or "localhost", parts.port, timeout=timeout)


def unframed(data: bytes) -> str:
    """The text of a stream in frames: a type, three zeros, a length in four bytes, the text."""
    texts: list[bytes] = []
    while len(data) >= 8 and data[1:4] == b"\0\0\0":  # noqa: PLR2004
        length = int.from_bytes(data[4:8], "big")
        texts.append(data[8 : 8 + length])
        data = data[8 + length :]
    return b"".join([*texts, data]).decode(errors="replace")


def names(entry: Mapping[str, Any]) -> Sequence[str]:
    """The names of a listed container, without the slash that the API puts before them."""
    found = entry.get("Names") or []
    return [str(name).removeprefix("/") for name in found]


class _SocketConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("docker", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _advice(error: Exception) -> str:
    if isinstance(error, PermissionError):
        return "may you use it? your group may have to be `docker`"
    return "is it running? `nemorun doctor docker` tells more"
