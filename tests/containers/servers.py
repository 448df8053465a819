"""Helpers that run the web service as a process, and fake servers and clients around it.

The fake servers are a task metadata endpoint and a load balancer. The clients send requests without a pause.
"""

import http.client
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.support.folders import ROOT
from tests.support.waiting import wait_for

WEB = ROOT / "containers" / "web"
METADATA_FOLDER = Path(__file__).parent / "metadata"
"""Examples from AWS's documentation. Each file holds the two answers of the endpoint for one task.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-examples.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-fargate-examples.html
"""
MetadataAnswers = Callable[[str], bytes]
"""A function that returns the answer of the task metadata endpoint to a request for a path."""
TIMEOUT_SECONDS = 20


def example_metadata(name: str) -> dict[str, dict[str, Any]]:
    """Return the answers about the task and about its container, under the keys `task` and `container`."""
    return dict(json.loads((METADATA_FOLDER / f"{name}.json").read_text()))


def example_answers(name: str) -> MetadataAnswers:
    """Return an endpoint's answers about the task in an example, `ec2` or `fargate`."""
    return answers_of(example_metadata(name))


def answers_of(metadata: dict[str, dict[str, Any]]) -> MetadataAnswers:
    return lambda path: json.dumps(metadata["task" if path.endswith("/task") else "container"]).encode()


@dataclass(frozen=True)
class Answer:
    """The answer to an HTTP request."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def send_request(
    port: int, path: str, *, method: str = "GET", body: bytes | None = None, headers: dict[str, str] | None = None
) -> Answer:
    """Send one request on a new connection, and return the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    try:
        return send_request_on(connection, path, method=method, body=body, headers=headers)
    finally:
        connection.close()


def send_request_on(
    connection: http.client.HTTPConnection,
    path: str,
    *,
    method: str = "GET",
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> Answer:
    """Send one request on this connection, and return the answer."""
    connection.request(method, path, body=body, headers=headers or {})
    response = connection.getresponse()
    return Answer(response.status, response.headers, response.read())


@dataclass
class WebServer:
    """A running web service, with its port and its log file."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def log_lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def logged_requests(self) -> list[dict[str, Any]]:
        return [line for line in self.log_lines() if line["message"] == "request"]

    def is_ready(self) -> bool:
        return send_request(self.port, "/readyz").status == 200

    def send_signal(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def exit_status(self) -> int:
        """Wait until the process has ended, and return its exit status."""
        return self.process.wait(timeout=TIMEOUT_SECONDS)


@contextmanager
def run_web_server(folder: Path, **environment: str) -> Iterator[WebServer]:
    """Start a web service on a free port, and wait until it listens. At the end, kill the service if it still runs."""
    log = folder / f"{time.monotonic_ns()}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "web"],
            cwd=WEB,
            env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", "PORT": "0", **environment},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        port = wait_for(lambda: _port_in_log(log, process), "the port of the server", seconds=TIMEOUT_SECONDS)
        yield WebServer(process, port, log)
    finally:
        process.kill()
        process.wait()


def _port_in_log(log: Path, process: "subprocess.Popen[bytes]") -> int | None:
    assert process.poll() is None, log.read_text()
    found = re.search(r"running on http://127\.0\.0\.1:(\d+)", log.read_text())
    return int(found[1]) if found else None


@contextmanager
def run_metadata_endpoint(answers: MetadataAnswers) -> Iterator[str]:
    """Run a fake task metadata endpoint, and yield the value of ECS_CONTAINER_METADATA_URI_V4."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = answers(self.path)
            with suppress(OSError):  # the client closed the connection before the answer
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v4/1b2f"
    server.shutdown()
    server.server_close()


@dataclass
class FakeLoadBalancer:
    """Imitates an Application Load Balancer: it sends each request to the next healthy target.

    It keeps connections open, and does not repeat a failed request.
    """

    targets: list[WebServer] = field(default_factory=list)
    _healthy_targets: list[WebServer] = field(default_factory=list)
    _open_connections: dict[int, list[http.client.HTTPConnection]] = field(default_factory=dict)
    _counter: "itertools.count[int]" = field(default_factory=itertools.count)

    def check_health(self) -> None:
        """Check the health of every target. Then wait for a tenth of a second, the interval of the health checks."""
        self._healthy_targets = [target for target in list(self.targets) if _is_healthy(target)]
        time.sleep(0.1)

    def uses(self, target: WebServer) -> bool:
        """Whether the load balancer sends requests to this target."""
        return target in self._healthy_targets

    def forward(self, path: str) -> Answer:
        """Send a request for this path to the next healthy target, and return the target's answer."""
        targets = self._healthy_targets
        port = targets[next(self._counter) % len(targets)].port
        connections = self._open_connections.setdefault(port, [])
        connection = (
            connections.pop() if connections else http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
        )
        answer = send_request_on(connection, path)
        if answer.headers["Connection"] == "close":
            connection.close()
        else:
            connections.append(connection)
        return answer

    def close(self) -> None:
        for connection in itertools.chain.from_iterable(self._open_connections.values()):
            connection.close()


def _is_healthy(target: WebServer) -> bool:
    try:
        return target.is_ready()
    except OSError:
        return False


@dataclass
class Load:
    """Clients that send requests without a pause. Each client has its own thread."""

    send: Callable[[], Answer | None]
    """A function that sends one request. If it returns the answer, a client ends when the server closes the connection.
    If it returns None, only stop() ends the clients."""
    clients: int
    failures: list[str] = field(default_factory=list)
    _answers: list[None] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    @property
    def answer_count(self) -> int:
        return len(self._answers)

    def start(self) -> None:
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(self.clients)]
        for thread in self._threads:
            thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                answer = self.send()
                self._answers.append(None)
                if answer and answer.headers["Connection"] == "close":
                    return
            except Exception as error:  # noqa: BLE001 - every error is a failure, because a client would see it
                self.failures.append(repr(error))

    def join(self) -> None:
        """Wait until every client has ended."""
        for thread in self._threads:
            thread.join(TIMEOUT_SECONDS)
            assert not thread.is_alive()

    def stop(self) -> None:
        """Stop every client after its current request."""
        self._stop.set()
        self.join()
