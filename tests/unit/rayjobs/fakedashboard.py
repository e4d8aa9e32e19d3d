"""A dashboard of Ray in a few lines: it answers as it is told, and remembers what it was asked."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@dataclass
class FakeDashboard:
    """What it says, by method and path, and what has been asked of it."""

    address: str = ""
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    log: list[bytes] = field(default_factory=list)
    """The parts in which a log comes; an empty one breaks the connection."""

    def says(self, request: str, answer: object, *, status: int = 200) -> None:
        """Answer a request such as `GET /api/version` with this text, or this as JSON."""
        text = answer if isinstance(answer, str) else json.dumps(answer)
        self.answers[request] = (status, text.encode())

    def knows(self, key: str, status: str, **more: object) -> None:
        """Have a job of this id."""
        entry = {"submission_id": key, "type": "SUBMISSION", "status": status, **more}
        self.says(f"GET /api/jobs/{key}", entry)
        self.says("GET /api/jobs/", [entry, {"submission_id": None, "type": "DRIVER"}])


class _Handler(BaseHTTPRequestHandler):
    fake: FakeDashboard
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        path = urlsplit(self.path).path
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.fake.asked.append(f"{self.command} {path}")
        self.fake.headers.append(dict(self.headers))
        told = self.fake.answers.get(f"{self.command} {path}")
        if told is None and path.startswith("/api/v0/logs/"):
            self._tell_log(path, parse_qs(urlsplit(self.path).query))
            return
        status, body = told or (404, f"{path} does not exist".encode())
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _tell_log(self, path: str, query: dict[str, list[str]]) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        whole = b"".join(self.fake.log)
        lines = int(query["lines"][0])
        if lines >= 0:
            self._chunk(b"".join(whole.splitlines(keepends=True)[-lines:]))
        for part in self.fake.log if lines < 0 else ():
            if not part and path.endswith("stream"):
                self.fake.log.remove(part)
                self.close_connection = True
                return
            self._chunk(part)
        self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, data: bytes) -> None:
        if data:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def dashboard() -> Iterator[FakeDashboard]:
    """One that listens."""
    fake = FakeDashboard()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"fake": fake}))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    fake.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
