"""Tests of a function's first request: what the import loads, and the traces that Lambda's X-Ray daemon receives."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from tests.support.bundles import BUNDLES
from tests.support.folders import ROOT

pytestmark = pytest.mark.slow  # every test starts a process

SAMPLED = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
NOT_SAMPLED = SAMPLED.replace("Sampled=1", "Sampled=0")
NOT_LOADED = ("aws_xray_sdk", "asyncio", "boto3", "s3transfer", "aws_lambda_powertools.event_handler", "pillow_heif")
"""Packages that take much time at a cold start. No function needs them for an ordinary first request."""
PRINT_LOADED = f"\nimport sys\nprint([name for name in {NOT_LOADED} if name in sys.modules])"

SEND_EVENTS = """
import os, types
from {package}.handler import handler
context = types.SimpleNamespace(
    function_name="x", memory_limit_in_mb=512, invoked_function_arn="x", aws_request_id="x"
)
for header in {headers}:
    os.environ["_X_AMZN_TRACE_ID"] = header
    try:
        handler({event}, context)
    except Exception:
        pass
"""
S3_OBJECT = {"bucket": {"name": "x"}, "object": {"key": "a", "eTag": "e", "sequencer": "0055AED6DCD90281E5"}}
EVENTS: Mapping[str, Any] = {
    "api": {
        "httpMethod": "GET",
        "path": "/v1/notes",
        "requestContext": {"requestId": "x", "identity": {}},
    },
    "thumbnail": {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": S3_OBJECT}]},
}


class DenyAccess(BaseHTTPRequestHandler):
    """Answers each call to AWS with an error."""

    def do_GET(self) -> None:
        body = b'{"__type": "AccessDeniedException"}'
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """The address of a server in place of AWS. It denies access to every operation."""
    with ThreadingHTTPServer(("127.0.0.1", 0), DenyAccess) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def daemon() -> Iterator[socket.socket]:
    """A socket that receives traces in place of the X-Ray daemon."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(0)
        yield server


def run(code: str, package: str, **environment: str) -> str:
    """Run the code in a fresh process, with the environment variables of Lambda. Return its output."""
    settings = {
        **BUNDLES[package].environment,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
        "LAMBDA_TASK_ROOT": "/var/task",
        "POWERTOOLS_SERVICE_NAME": "test",
        "POWERTOOLS_METRICS_NAMESPACE": "Test",
        "PYTHONPATH": str(ROOT / "lambda_src"),
        "PATH": os.environ["PATH"],
        **environment,
    }
    result = subprocess.run([sys.executable, "-c", code], env=settings, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


Traces = Callable[[str, list[str]], tuple[str, list[dict[str, Any]]]]


@pytest.fixture
def traces(daemon: socket.socket, endpoint: str) -> Traces:
    """A function that sends an event with each trace header. It returns the loaded packages and the parts of traces."""

    def send(package: str, headers: list[str]) -> tuple[str, list[dict[str, Any]]]:
        code = SEND_EVENTS.format(package=package, headers=headers, event=EVENTS[package]) + PRINT_LOADED
        address = f"127.0.0.1:{daemon.getsockname()[1]}"
        output = run(code, package, AWS_XRAY_DAEMON_ADDRESS=address, AWS_ENDPOINT_URL=endpoint)
        return output.splitlines()[-1], [part for message in received(daemon) for part in flatten(message)]

    return send


def received(daemon: socket.socket) -> Iterator[dict[str, Any]]:
    """Yield the messages that the daemon received."""
    while True:
        try:
            yield json.loads(daemon.recv(65536).splitlines()[1])
        except BlockingIOError:
            return


def flatten(part: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a part of a trace, and all parts inside it."""
    return [part, *(inner for child in part.get("subsegments", []) for inner in flatten(child))]


@pytest.mark.parametrize("package", EVENTS)
def test_the_import_of_a_function_loads_only_what_its_requests_need(package: str) -> None:
    assert run(f"import {package}.handler{PRINT_LOADED}", package).splitlines()[-1] == "[]"


def test_the_import_of_the_thumbnail_function_loads_no_modules_of_rare_formats() -> None:
    names = ("tiff", "bmp", "heif", "avif", "png", "webp", "hdr", "rgb_spaces")
    code = f"\nimport sys\nprint([name for name in {names} if 'thumbnail.pictures.' + name in sys.modules])"
    assert run(f"import thumbnail.handler{code}", "thumbnail").splitlines()[-1] == "[]"


@pytest.mark.parametrize("package", EVENTS)
@pytest.mark.parametrize("header", [NOT_SAMPLED, ""])
def test_a_request_that_is_not_sampled_sends_no_trace_and_does_not_load_the_sdk(
    package: str, header: str, traces: Traces
) -> None:
    loaded, parts = traces(package, [header])
    assert "aws_xray_sdk" not in loaded
    assert parts == []


SERVICES = {"api": "dynamodb", "thumbnail": "s3"}
OPERATIONS = {"api": "Query", "thumbnail": "GetObject"}


@pytest.mark.parametrize("package", EVENTS)
def test_a_sampled_request_has_a_trace_with_its_calls_to_aws_and_their_errors(package: str, traces: Traces) -> None:
    _, parts = traces(package, [SAMPLED])
    by_name = {part["name"]: part for part in parts}
    root, call = by_name["## handler"], by_name[SERVICES[package]]
    assert (root["trace_id"], root["parent_id"]) == ("1-5759e988-bd862e3fe1be46a994272793", "53995c3f42cd8ad8")
    assert root["annotations"] == {"ColdStart": True, "Service": "test"}
    assert (call["namespace"], call["aws"]["operation"]) == ("aws", OPERATIONS[package])
    assert (call["error"], call["http"]["response"]["status"]) == (True, 403)
    assert call["cause"]["exceptions"][0]["type"] == "ClientError"


def test_the_trace_of_an_upload_shows_its_failed_steps(traces: Traces) -> None:
    _, parts = traces("thumbnail", [SAMPLED])
    failed = {part["name"] for part in parts if "cause" in part}
    assert failed == {"## handler", "## thumbnail.settle.settle", "s3"}


@pytest.mark.parametrize("package", EVENTS)
@pytest.mark.parametrize("first", [NOT_SAMPLED, SAMPLED])
def test_only_the_first_request_counts_as_a_cold_start(package: str, first: str, traces: Traces) -> None:
    _, parts = traces(package, [first, SAMPLED, NOT_SAMPLED, SAMPLED])
    cold_starts = [part["annotations"]["ColdStart"] for part in parts if part["name"] == "## handler"]
    assert cold_starts == ([True] if first == SAMPLED else []) + [False, False]
