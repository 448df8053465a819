"""An HTTP server whose answers fail in the ways in which real connections fail. It uses real sockets."""

import email.message
import http.client
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

Fault = Literal["503", "503 cut off", "reset", "cut off", "cut off by reset", "silence", "shortened"]
"""503: an error answer. 503 cut off: only half of its body. reset: no answer, and the connection is reset.
cut off: half of the body, and then the end of the connection. cut off by reset: the same with a reset.
silence: half of the body, and then nothing. shortened: half of the body, as if it were complete."""
ERROR_BODY = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"


@dataclass(frozen=True)
class Request:
    """A request, with the number of the earlier requests with the same method and path."""

    method: str
    path: str
    headers: email.message.Message
    body: bytes
    earlier: int


@dataclass(frozen=True)
class Response:
    """A complete response. A fault sends only a part of it."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, answer: Callable[[Request], Response], fault: Callable[[Request], Fault | None]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer, self.fault = answer, fault
        self.is_closing = threading.Event()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def count_earlier(self, method: str, path: str) -> int:
        """Return the number of the earlier requests with this method and path."""
        with self._lock:
            self._counts[method, path] += 1
            return self._counts[method, path] - 1

    def handle_error(self, *_: object) -> None:
        """Ignore the error, because clients close connections early."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        earlier = self.server.count_earlier(self.command, self.path)
        request = Request(self.command, self.path, self.headers, body, earlier)
        fault = self.server.fault(request)
        if fault == "reset":
            self._reset()
            return
        response = Response(ERROR_BODY, 503) if fault in ("503", "503 cut off") else self.server.answer(request)
        if fault == "shortened":
            response, fault = replace(response, body=response.body[: len(response.body) // 2]), None
        self._send_headers(response)
        if fault in (None, "503") or len(response.body) < 2:
            self.wfile.write(b"" if self.command == "HEAD" else response.body)
        else:
            self.wfile.write(response.body[: len(response.body) // 2])
            self._break_off(fault)

    do_GET = do_HEAD = do_PUT = do_POST = _handle  # noqa: N815 - the names that http.server calls

    def _send_headers(self, response: Response) -> None:
        self.send_response(response.status)
        for name, value in {"Content-Length": str(len(response.body)), **response.headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _break_off(self, fault: Fault | None) -> None:
        self.close_connection = True
        if fault == "silence":
            self.server.is_closing.wait()
        elif fault == "cut off by reset":
            self._reset()

    def _reset(self) -> None:
        # Zero seconds of linger make the kernel send RST instead of FIN.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def run_faulty_server(answer: Callable[[Request], Response], fault: Callable[[Request], Fault | None]) -> Iterator[str]:
    """Run a server on a free port, and yield its URL. `fault` chooses the fault of each answer."""
    server = _Server(answer, fault)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.is_closing.set()
        server.shutdown()
        server.server_close()


def forward_to(endpoint: str) -> Callable[[Request], Response]:
    """Return a function that sends each request to the server at this URL, and returns its response."""
    address = endpoint.removeprefix("http://")

    def forward(request: Request) -> Response:
        connection = http.client.HTTPConnection(address, timeout=30)
        try:
            headers = {name: value for name, value in request.headers.items() if name.lower() != "expect"}
            connection.request(request.method, request.path, request.body or None, headers)
            response = connection.getresponse()
            headers = {
                name: value
                for name, value in response.getheaders()
                if name.lower() not in ("transfer-encoding", "connection", "date", "server")
                and (name.lower() != "content-length" or request.method == "HEAD")
            }
            return Response(response.read(), response.status, headers)
        finally:
            connection.close()

    return forward
