"""These tests send HTTP requests to the web service, and check its answers and its log."""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
from starlette.datastructures import Headers

from tests.containers.servers import (
    TIMEOUT_SECONDS,
    WEB,
    WebServer,
    answers_of,
    example_answers,
    example_metadata,
    run_metadata_endpoint,
    run_web_server,
    send_request,
)
from tests.support.bundles import locked_versions
from tests.support.folders import ROOT
from tests.support.waiting import wait_for
from web.logs import client_of

SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
ACCEPT_HTML = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    with (
        run_metadata_endpoint(example_answers("fargate")) as endpoint,
        run_web_server(tmp_path_factory.mktemp("web"), ECS_CONTAINER_METADATA_URI_V4=endpoint) as web_server,
    ):
        yield web_server


def test_the_page_and_the_json_show_the_same_values(server: WebServer) -> None:
    info = send_request(server.port, "/api/whoami").json
    assert (info["task"], info["launch_type"]) == ("bfa2636268144d039771334145e490c5", "FARGATE")
    answer = send_request(server.port, "/")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    page = answer.body.decode()
    for value in ("ECS on Fargate", "us-east-1d", "MyEmptyCluster", info["task"], "sample-fargate:5", "0.25 vCPU"):
        assert value in page
    assert "512 MiB" in page
    assert "public.ecr.aws/docker/library/httpd:latest" in page
    assert info["python"] in page


def test_outside_ecs_the_page_shows_the_machine(tmp_path: Path) -> None:
    with run_web_server(tmp_path) as server:
        page = send_request(server.port, "/").body.decode()
        assert send_request(server.port, "/api/whoami").json["on_ecs"] is False
    assert "Not on ECS" in page
    assert socket.gethostname() in page
    assert "Cluster" not in page


def test_markup_in_the_metadata_is_shown_as_text(tmp_path: Path) -> None:
    metadata = example_metadata("fargate")
    metadata["task"]["AvailabilityZone"] = "<script>alert(1)</script>&"
    with (
        run_metadata_endpoint(answers_of(metadata)) as endpoint,
        run_web_server(tmp_path, ECS_CONTAINER_METADATA_URI_V4=endpoint) as server,
    ):
        page = send_request(server.port, "/").body
    assert b"&lt;script&gt;alert(1)&lt;/script&gt;&amp;" in page
    assert b"<script" not in page


def test_the_page_reports_that_the_metadata_endpoint_does_not_answer(tmp_path: Path) -> None:
    with run_web_server(tmp_path, ECS_CONTAINER_METADATA_URI_V4="http://127.0.0.1:9/v4/x") as server:
        answer = send_request(server.port, "/")
    assert answer.status == 200
    assert b"the task metadata endpoint did not answer" in answer.body


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/api/whoami", 200),
        ("GET", "/healthz", 200),
        ("GET", "/readyz", 200),
        ("GET", "/nowhere", 404),
        ("GET", "/api/whoami/", 404),  # a redirect would contain the host name that the client sent
        ("POST", "/", 405),
        ("DELETE", "/api/whoami", 405),
    ],
)
def test_every_answer_has_the_security_headers(server: WebServer, method: str, path: str, status: int) -> None:
    for headers in ({}, ACCEPT_HTML):
        answer = send_request(server.port, path, method=method, headers={"Host": "evil.example", **headers})
        assert answer.status == status
        assert {name: answer.headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "script-src" not in answer.headers["Content-Security-Policy"]
        assert "Server" not in answer.headers
        assert "Location" not in answer.headers
        assert b"evil" not in answer.body
        assert b"nowhere" not in answer.body
        assert set(answer.headers.get("Allow", "").split(", ")) == ({"GET", "HEAD"} if status == 405 else {""})
        is_page = (path == "/" and status == 200) or (
            headers == ACCEPT_HTML and status >= 400 and not path.startswith("/api")
        )
        assert answer.headers["Content-Type"] == ("text/html; charset=utf-8" if is_page else "application/json")


@pytest.mark.parametrize("prefix", ["", "/_alb/name"])
@pytest.mark.parametrize("path", ["/", "/nowhere", "/no/where/", "/no%2Fwhere"])
def test_the_links_of_a_page_work_if_a_proxy_adds_a_prefix_to_the_path(
    server: WebServer, path: str, prefix: str
) -> None:
    page = send_request(server.port, path, headers=ACCEPT_HTML).body.decode()
    service = f"http://127.0.0.1{prefix}"
    links = [urljoin(f"{service}{path}", link) for link in re.findall(r'<a [^>]*href="(.*?)"', page)]
    assert links == [f"{service}/", f"{service}/api/whoami"]


def test_a_head_request_gets_the_headers_of_get_without_a_body(server: WebServer) -> None:
    get, head = send_request(server.port, "/"), send_request(server.port, "/", method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == str(len(get.body))


def test_a_request_with_a_body_gets_413(server: WebServer) -> None:
    for headers in ({}, {"Transfer-Encoding": "chunked"}):
        answer = send_request(server.port, "/", body=b"3\r\nabc\r\n0\r\n\r\n", headers=headers)
        assert (answer.status, answer.json["error"]) == (413, "This service does not accept a request body.")
        assert answer.headers["Connection"] == "close"


def test_too_large_headers_get_431(server: WebServer) -> None:
    assert send_request(server.port, "/", headers={"X-Large": "x" * 10_000}).status == 200
    assert send_request(server.port, "/", headers={"X-Large": "x" * 20_000}).status == 431
    assert send_request(server.port, "/" + "x" * 20_000).status == 431


def test_headers_that_do_not_end_get_400(server: WebServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT_SECONDS) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: web\r\nX-Large: " + b"x" * 20_000)
        assert client.recv(64).startswith(b"HTTP/1.1 400 ")


# -- the log


def test_each_request_gets_one_log_line_of_json(server: WebServer) -> None:
    trace_id = "Self=1-67891234-12456789abcdef012345678;Root=1-67891233-abcdef012345678912345678"
    forwarded_for = "203.0.113.1, 198.51.100.7"  # the client invented the first address
    send_request(server.port, "/one?two=3", headers={"X-Forwarded-For": forwarded_for, "X-Amzn-Trace-Id": trace_id})
    (line,) = wait_for(
        lambda: [line for line in server.logged_requests() if line["path"] == "/one"], "the log line of the request"
    )
    assert line.pop("milliseconds") >= 0
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "INFO",
        "message": "request",
        "method": "GET",
        "path": "/one",
        "status": 404,
        "client": "198.51.100.7",
        "trace_id": trace_id,
    }


def test_a_client_cannot_write_its_own_log_lines(server: WebServer) -> None:
    forged_line = "%0A%7B%22message%22%3A%22request%22%2C%22path%22%3A%22/forged%22%7D%0A%1B[2J%E2%80%A8"
    headers = {"X-Forwarded-For": 'x"}, 1.2.3.4"', "X-Amzn-Trace-Id": 'Root=1" , "status": 200'}
    send_request(server.port, f"/{forged_line}", headers=headers)
    send_request(server.port, "/" + "long" * 1000)

    def log_lines() -> list[dict[str, object]]:
        return [line for line in server.logged_requests() if str(line["path"]).startswith(("/\n", "/long"))]

    first, second = wait_for(
        lambda: lines if len(lines := log_lines()) == 2 else None, "the log lines of both requests"
    )
    assert (first["client"], first["trace_id"]) == ("127.0.0.1", None)
    assert len(str(second["path"])) == 512
    assert not [line for line in server.logged_requests() if line["path"] == "/forged"]
    log = server.log.read_bytes()
    assert not set(log) - {*range(0x20, 0x7F), 0x0A}, (
        "the log must contain only printable ASCII characters and line ends"
    )


def test_successful_health_checks_are_not_logged(server: WebServer) -> None:
    for path in ("/healthz", "/readyz", "/last"):
        send_request(server.port, path)
    wait_for(
        lambda: [line for line in server.logged_requests() if line["path"] == "/last"],
        "the log line of the last request",
    )
    assert not {line["path"] for line in server.logged_requests() if line["status"] == 200} & {"/healthz", "/readyz"}


@pytest.mark.parametrize(
    ("forwarded_for", "expected"),
    [
        ([], "10.0.0.9"),
        (["198.51.100.7"], "198.51.100.7"),
        (["1.1.1.1", "2001:db8::7"], "2001:db8::7"),  # the request has the header twice
        (["1.1.1.1,"], "10.0.0.9"),
        (["unknown"], "10.0.0.9"),
        (["_hidden"], "10.0.0.9"),
        (["1.1.1.1, unknown"], "10.0.0.9"),
        (["1.1.1.1:80,  203.0.113.7:4711 "], "203.0.113.7"),
        (["1.1.1.1", "[2001:db8::1]:4711"], "2001:db8::1"),
        (["[2001:DB8::1]"], "2001:db8::1"),
        (["2001:db8::1:4711"], "2001:db8::1:4711"),  # without brackets, the last part belongs to the address
        (["203.0.113.7:port"], "10.0.0.9"),
        (["203.0.113.7:471100"], "10.0.0.9"),
        (["[203.0.113.999]:4711"], "10.0.0.9"),
        (["[2001:db8::1"], "10.0.0.9"),
    ],
)
def test_the_logged_client_is_the_address_that_the_load_balancer_saw(forwarded_for: list[str], expected: str) -> None:
    headers = Headers(raw=[(b"x-forwarded-for", value.encode()) for value in forwarded_for])
    assert client_of(headers, ("10.0.0.9", 1)) == expected
    assert client_of(Headers(), None) is None


# -- the health check, and the versions of packages


def test_the_health_check_does_not_import_uvicorn_and_starlette(server: WebServer) -> None:
    program = (
        "import runpy, sys; sys.modules.update(uvicorn=None, starlette=None);"
        "runpy.run_module('web.healthcheck', run_name='__main__')"
    )

    def exit_status(port: int) -> int:
        command = [sys.executable, "-c", program]
        return subprocess.run(
            command, cwd=WEB, env={"PORT": str(port)}, timeout=TIMEOUT_SECONDS, check=False
        ).returncode

    assert exit_status(server.port) == 0
    assert exit_status(9) == 1


def test_the_image_and_the_tests_use_the_same_versions_of_packages() -> None:
    installed = locked_versions(ROOT / "requirements-dev.txt")
    for name, version in locked_versions(WEB / "requirements.txt").items():
        assert installed[name] == version, f"{name}: the two files have different versions; run `make lock`"
