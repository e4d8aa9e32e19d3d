"""Asking a Ray cluster by its dashboard's HTTP API: quickly, and without Ray."""

import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Any
from urllib.parse import quote, urlencode, urlsplit

from nemorun_cli.core.errors import NotSentError, RefusedError, UnreachableError
from nemorun_cli.rayjobs.access import headers

QUICK = 5.0
"""Seconds that a reading command waits for an answer."""
PATIENT = 60.0
UPLOAD = 600.0
_NOT_FOUND = 404
_BAD = 400
_DENIED = (401, 403)
_BROKEN = 500
_BLOCK = 64 * 1024
# What comes with the status 500 when the log's file or node is not there, or not any more.
_NO_LOG = (b"not found", b"not find", b"doesn't exist", b"does not exist", b"not available")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the dashboard said."""

    status: int
    body: bytes

    @property
    def message(self) -> str:
        """Its own words for what went wrong: of a traceback the last line."""
        lines = self.body.decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"status {self.status}"


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    """A cluster by its dashboard's address. Each call is one request.

    UnreachableError when nobody answers, or no dashboard of Ray.
    """

    address: str
    timeout: float = PATIENT

    def version(self) -> dict[str, Any]:
        """What the dashboard says of itself and of its cluster."""
        found = self._json("GET", "/api/version")
        return found if isinstance(found, dict) else {}

    def jobs(self) -> dict[str, dict[str, Any]]:
        """All jobs that were submitted to the cluster and that it remembers, by id."""
        found = self._json("GET", "/api/jobs/")
        if not isinstance(found, list):
            raise UnreachableError(f"what answers at {self.address} does not list jobs as Ray does")
        return {
            str(each["submission_id"]): each
            for each in found
            if isinstance(each, dict) and each.get("submission_id")
        }

    def job(self, key: str) -> dict[str, Any] | None:
        """What the cluster knows of a job; None if it does not know it."""
        answer = self._ask("GET", f"/api/jobs/{quote(key)}")
        if answer.status == _NOT_FOUND and b"not exist" in answer.body:
            return None
        found = self._read(answer)
        return found if isinstance(found, dict) else None

    def submit(self, request: Mapping[str, Any]) -> None:
        """Have the cluster start this job, unless it has one of this id.

        RefusedError when it will not. UnreachableError when that is not known.
        """
        body = json.dumps(request).encode()
        answer = self._ask("POST", "/api/jobs/", body=body)
        if answer.status < _BAD or b"already exists" in answer.body:
            return
        if answer.status < _BROKEN:
            raise RefusedError(f"the Ray cluster refuses the job: {answer.message}")
        raise UnreachableError(f"the Ray cluster could not take the job: {answer.message}")

    def stop(self, key: str) -> None:
        """Ask a job to end; one that has ended, or is not known, is left alone."""
        answer = self._ask("POST", f"/api/jobs/{quote(key)}/stop")
        if answer.status >= _BAD and answer.status != _NOT_FOUND:
            raise UnreachableError(f"the Ray cluster cannot stop the job: {answer.message}")

    def delete(self, key: str) -> None:
        """Have the cluster forget a job that has ended."""
        self._ask("DELETE", f"/api/jobs/{quote(key)}")

    def has_package(self, name: str) -> bool:
        """Whether the cluster has this package; it then keeps it for ten minutes at least."""
        answer = self._ask("GET", f"/api/packages/gcs/{quote(name)}")
        if answer.status == _NOT_FOUND and b"not exist" in answer.body:
            return False
        if answer.status >= _BAD:
            self._read(answer)
        return True

    def upload(self, name: str, data: IO[bytes], size: int) -> None:
        """Give the cluster a package; RefusedError when it does not take it."""
        known = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
        path = f"/api/packages/gcs/{quote(name)}"
        answer = self._ask("PUT", path, body=data, more=known, timeout=UPLOAD)
        if answer.status >= _BAD:
            raise RefusedError(f"the Ray cluster does not take the files: {answer.message}")

    def tail(self, job: Mapping[str, Any], lines: int) -> bytes | None:
        """The last lines of the log of a listed job; None if there is none that can be read."""
        if not job.get("driver_node_id"):
            return None  # It has not begun.
        answer = self._ask("GET", _log_path(job, "file", lines=str(lines)))
        return answer.body if _has_log(answer.status, answer.body) else None

    @contextmanager
    def log(self, job: Mapping[str, Any], *, follow: bool) -> Iterator[Iterator[bytes] | None]:
        """A listed job's log from its beginning, in pieces; None if there is none to be read.

        With `follow` it has no end: pieces come until the block is left.
        """
        if not job.get("driver_node_id"):
            yield None
            return
        way = {"kind": "stream", "interval": "0.3"} if follow else {"kind": "file"}
        path = _log_path(job, lines="-1", **way)
        connection = self._connection(self.timeout)
        wire = None
        try:
            answer = self._begin(connection, "GET", path)
            if answer.status >= _BAD and not _has_log(answer.status, answer.read()):
                yield None
                return
            if (wire := connection.sock) is not None:
                wire.settimeout(None)  # A job may be silent for long.
            yield self._pieces(answer)
        finally:
            if wire is not None:
                with suppress(OSError):  # Whoever waits for the next piece is waked.
                    wire.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _pieces(self, answer: http.client.HTTPResponse) -> Iterator[bytes]:
        try:
            while piece := answer.read1(_BLOCK):
                yield piece
        # One that is closed meanwhile has no file any more: AttributeError.
        except (OSError, ValueError, AttributeError, http.client.HTTPException) as error:
            raise self._silent(error) from None

    def _json(self, method: str, path: str) -> Any:  # noqa: ANN401
        return self._read(self._ask(method, path))

    def _read(self, answer: Answer) -> Any:  # noqa: ANN401
        if answer.status in _DENIED:
            raise UnreachableError(
                f"the Ray cluster at {self.address} denies access: {answer.message}",
                hint="RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH or RAY_JOB_HEADERS may be needed",
            )
        if answer.status >= _BAD:
            raise UnreachableError(f"the Ray cluster at {self.address}: {answer.message}")
        try:
            return json.loads(answer.body)
        except ValueError:
            raise UnreachableError(
                f"what answers at {self.address} is no dashboard of Ray"
            ) from None

    def _ask(
        self,
        method: str,
        path: str,
        *,
        body: bytes | IO[bytes] | None = None,
        more: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Answer:
        connection = self._connection(timeout or self.timeout)
        try:
            answer = self._begin(connection, method, path, body=body, more=more)
            return Answer(status=answer.status, body=answer.read())
        except (OSError, http.client.HTTPException) as error:
            raise self._silent(error) from None
        finally:
            connection.close()

    def _begin(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        *,
        body: bytes | IO[bytes] | None = None,
        more: Mapping[str, str] | None = None,
    ) -> http.client.HTTPResponse:
        """Send the request; NotSentError where it has reached nobody."""
        try:
            connection.connect()
        except OSError as error:
            silent = self._silent(error)
            raise NotSentError(silent.message, hint=silent.hint) from None
        kind = {} if body is None else {"Content-Type": "application/json"}
        try:
            prefix = urlsplit(self.address).path.rstrip("/")
            known = {**headers(), **kind, **(more or {})}
            connection.request(method, prefix + path, body=body, headers=known)
            return connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise self._silent(error) from None

    def _connection(self, timeout: float) -> http.client.HTTPConnection:
        parts = urlsplit(self.address)
        host = parts.hostname or "localhost"
        if parts.scheme == "https":
            return http.client.HTTPSConnection(host, parts.port, timeout=timeout)
        return http.client.HTTPConnection(host, parts.port, timeout=timeout)

    def _silent(self, error: Exception) -> UnreachableError:
        why = str(error) or type(error).__name__
        return UnreachableError(
            f"the Ray cluster at {self.address} does not answer: {why}",
            hint="is its dashboard running, and reachable from here? `nemorun doctor ray`",
        )


def _has_log(status: int, body: bytes) -> bool:
    """Whether this is a log; UnreachableError when that cannot be told now."""
    if status < _BAD:
        return True
    if any(each in body for each in _NO_LOG):
        return False
    raise UnreachableError(
        f"the Ray cluster cannot show the log: {Answer(status=status, body=body).message}"
    )


def _log_path(job: Mapping[str, Any], kind: str, **query: str) -> str:
    # The API tells logs apart by the node, too, and does not find it out itself.
    where = {"submission_id": job["submission_id"], "node_id": job["driver_node_id"]}
    return f"/api/v0/logs/{kind}?{urlencode({**where, **query})}"
