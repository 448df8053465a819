"""The web service as a process, and stand-ins for its surroundings: metadata endpoint, load balancer, clients."""

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
SAMPLES = Path(__file__).parent / "metadata"
"""Examples from AWS's documentation. Each file holds both answers of the endpoint.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-examples.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-fargate-examples.html
"""
Answers = Callable[[str], bytes]
PATIENCE = 20


def sample(name: str) -> dict[str, dict[str, Any]]:
    return dict(json.loads((SAMPLES / f"{name}.json").read_text()))


def answers(name: str) -> Answers:
    """Return the answers of the metadata endpoint, by path, for the task of a sample."""
    found = {path: json.dumps(found).encode() for path, found in sample(name).items()}
    return lambda path: found["task" if path.endswith("/task") else "container"]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    port: int, path: str, *, method: str = "GET", body: bytes | None = None, headers: dict[str, str] | None = None
) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        return ask_on(connection, path, method=method, body=body, headers=headers)
    finally:
        connection.close()


def ask_on(
    connection: http.client.HTTPConnection,
    path: str,
    *,
    method: str = "GET",
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> Answer:
    connection.request(method, path, body=body, headers=headers or {})
    response = connection.getresponse()
    return Answer(response.status, response.headers, response.read())


@dataclass
class Web:
    """A running server, with its port and its log."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def requests(self) -> list[dict[str, Any]]:
        return [line for line in self.lines() if line["message"] == "request"]

    def ready(self) -> bool:
        return ask(self.port, "/readyz").status == 200

    def signal(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def exit_status(self) -> int:
        return self.process.wait(timeout=PATIENCE)


@contextmanager
def web(folder: Path, **environment: str) -> Iterator[Web]:
    """Run a server on a free port until it is ready. Kill it in the end if it still runs."""
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
        port = wait_for(lambda: _port(log, process), "the server", seconds=PATIENCE)
        yield Web(process, port, log)
    finally:
        process.kill()
        process.wait()


def _port(log: Path, process: "subprocess.Popen[bytes]") -> int | None:
    assert process.poll() is None, log.read_text()
    found = re.search(r"running on http://127\.0\.0\.1:(\d+)", log.read_text())
    return int(found[1]) if found else None


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@contextmanager
def metadata(answer: Answers) -> Iterator[str]:
    """Serve a task metadata endpoint, and yield the value of ECS_CONTAINER_METADATA_URI_V4."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = answer(self.path)
            with suppress(OSError):  # the client closed the connection before the answer
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

    with serving(Handler) as port:
        yield f"http://127.0.0.1:{port}/v4/1b2f"


@dataclass
class Balancer:
    """Behaves as an ALB: sends requests to the ready targets in turn, keeps connections open, never tries twice."""

    targets: list[Web] = field(default_factory=list)
    _ready: list[Web] = field(default_factory=list)
    _idle: dict[int, list[http.client.HTTPConnection]] = field(default_factory=dict)
    _turn: "itertools.count[int]" = field(default_factory=itertools.count)

    def check(self) -> bool:
        """Check the readiness of every target, and wait a tenth of a second. Always returns True, for `Load`."""
        self._ready = [target for target in list(self.targets) if _says_ready(target)]
        time.sleep(0.1)  # a load balancer's interval
        return True

    def is_used(self, target: Web) -> bool:
        return target in self._ready

    def forward(self, path: str) -> Answer:
        ready = self._ready
        port = ready[next(self._turn) % len(ready)].port
        idle = self._idle.setdefault(port, [])
        connection = idle.pop() if idle else http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        answer = ask_on(connection, path)
        if answer.headers["Connection"] == "close":
            connection.close()
        else:
            idle.append(connection)
        return answer

    def close(self) -> None:
        for connection in itertools.chain.from_iterable(self._idle.values()):
            connection.close()


def _says_ready(target: Web) -> bool:
    try:
        return target.ready()
    except OSError:
        return False


@dataclass
class Load:
    """Clients that send requests without a pause, each in its own thread."""

    once: Callable[[], bool]
    """Sends one request and returns whether to go on."""
    clients: int
    answered: list[None] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    @property
    def done(self) -> int:
        return len(self.answered)

    def start(self) -> None:
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(self.clients)]
        for thread in self._threads:
            thread.start()

    def _run(self) -> None:
        go_on = True
        while go_on and not self._stop.is_set():
            try:
                go_on = self.once()
                self.answered.append(None)
            except Exception as error:  # noqa: BLE001 - any error counts, because a client would see it
                self.failures.append(repr(error))

    def join(self) -> None:
        """Wait until every client has ended."""
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()

    def stop(self) -> None:
        self._stop.set()
        self.join()
