"""Answers and logs of the web service, over real HTTP."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.datastructures import Headers

from tests.containers.servers import PATIENCE, WEB, Web, answers, ask, metadata, sample, web
from tests.support.bundles import locked_versions
from tests.support.folders import ROOT
from tests.support.waiting import wait_for
from web.logs import client_of

HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
HTML = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with (
        metadata(answers("fargate")) as endpoint,
        web(tmp_path_factory.mktemp("web"), ECS_CONTAINER_METADATA_URI_V4=endpoint) as running,
    ):
        yield running


def test_the_page_and_the_json_show_the_same(server: Web) -> None:
    place = ask(server.port, "/api/whoami").json
    assert (place["task"], place["launch_type"]) == ("bfa2636268144d039771334145e490c5", "FARGATE")
    answer = ask(server.port, "/")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    page = answer.body.decode()
    for value in ("ECS on Fargate", "us-east-1d", "MyEmptyCluster", place["task"], "sample-fargate:5", "0.25 vCPU"):
        assert value in page
    assert "512 MiB" in page
    assert "public.ecr.aws/docker/library/httpd:latest" in page
    assert place["python"] in page


def test_outside_ecs_the_page_shows_the_machine(tmp_path: Path) -> None:
    with web(tmp_path) as server:
        page = ask(server.port, "/").body.decode()
        assert ask(server.port, "/api/whoami").json["on_ecs"] is False
    assert "Not on ECS" in page
    assert socket.gethostname() in page
    assert "Cluster" not in page


def test_markup_in_the_metadata_is_shown_as_text(tmp_path: Path) -> None:
    found = sample("fargate")
    found["task"]["AvailabilityZone"] = "<script>alert(1)</script>&"
    with (
        metadata(
            lambda path: json.dumps(found["task" if path.endswith("/task") else "container"]).encode()
        ) as endpoint,
        web(tmp_path, ECS_CONTAINER_METADATA_URI_V4=endpoint) as server,
    ):
        page = ask(server.port, "/").body
    assert b"&lt;script&gt;alert(1)&lt;/script&gt;&amp;" in page
    assert b"<script" not in page


def test_the_page_says_that_the_metadata_endpoint_does_not_answer(tmp_path: Path) -> None:
    with web(tmp_path, ECS_CONTAINER_METADATA_URI_V4="http://127.0.0.1:9/v4/x") as server:
        answer = ask(server.port, "/")
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
        ("GET", "/api/whoami/", 404),  # a redirect would lead to any host that the client sends
        ("POST", "/", 405),
        ("DELETE", "/api/whoami", 405),
    ],
)
def test_every_answer_has_the_security_headers(server: Web, method: str, path: str, status: int) -> None:
    for headers in ({}, HTML):
        answer = ask(server.port, path, method=method, headers={"Host": "evil.example", **headers})
        assert answer.status == status
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "script-src" not in answer.headers["Content-Security-Policy"]
        assert "Server" not in answer.headers
        assert "Location" not in answer.headers
        assert b"evil" not in answer.body
        assert b"nowhere" not in answer.body
        assert set(answer.headers.get("Allow", "").split(", ")) == ({"GET", "HEAD"} if status == 405 else {""})
        is_page = (path == "/" and status == 200) or (headers == HTML and status >= 400 and not path.startswith("/api"))
        assert answer.headers["Content-Type"] == ("text/html; charset=utf-8" if is_page else "application/json")


def test_head_is_answered_like_get_without_a_body(server: Web) -> None:
    whole, head = ask(server.port, "/"), ask(server.port, "/", method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == str(len(whole.body))


def test_a_request_with_a_body_gets_413(server: Web) -> None:
    for headers in ({}, {"Transfer-Encoding": "chunked"}):
        answer = ask(server.port, "/", body=b"3\r\nabc\r\n0\r\n\r\n", headers=headers)
        assert (answer.status, answer.json["error"]) == (413, "Nothing here takes a body.")
        assert answer.headers["Connection"] == "close"


def test_too_large_headers_get_431(server: Web) -> None:
    assert ask(server.port, "/", headers={"X-Large": "x" * 10_000}).status == 200
    assert ask(server.port, "/", headers={"X-Large": "x" * 20_000}).status == 431
    assert ask(server.port, "/" + "x" * 20_000).status == 431


def test_endless_headers_are_cut_off_with_400(server: Web) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: web\r\nX-Large: " + b"x" * 20_000)
        assert client.recv(64).startswith(b"HTTP/1.1 400 ")


# -- the log


def test_each_request_is_one_line_of_json(server: Web) -> None:
    trace_id = "Self=1-67891234-12456789abcdef012345678;Root=1-67891233-abcdef012345678912345678"
    forged = "203.0.113.1, 198.51.100.7"
    ask(server.port, "/one?two=3", headers={"X-Forwarded-For": forged, "X-Amzn-Trace-Id": trace_id})
    (line,) = wait_for(lambda: [line for line in server.requests() if line["path"] == "/one"], "its line")
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


def test_a_client_cannot_forge_lines_of_the_log(server: Web) -> None:
    lie = "%0A%7B%22message%22%3A%22request%22%2C%22path%22%3A%22/lie%22%7D%0A%1B[2J%E2%80%A8"
    headers = {"X-Forwarded-For": 'x"}, 1.2.3.4"', "X-Amzn-Trace-Id": 'Root=1" , "status": 200'}
    ask(server.port, f"/{lie}", headers=headers)
    ask(server.port, "/" + "long" * 1000)

    def written() -> list[dict[str, object]]:
        return [line for line in server.requests() if str(line["path"]).startswith(("/\n", "/long"))]

    first, second = wait_for(lambda: found if len(found := written()) == 2 else None, "both lines")
    assert (first["client"], first["trace_id"]) == ("127.0.0.1", None)
    assert len(str(second["path"])) == 512
    assert not [line for line in server.requests() if line["path"] == "/lie"]
    log = server.log.read_bytes()
    assert not set(log) - {*range(0x20, 0x7F), 0x0A}, "the log may hold only printable ASCII and line ends"


def test_successful_health_checks_are_not_logged(server: Web) -> None:
    for path in ("/healthz", "/readyz", "/last"):
        ask(server.port, path)
    wait_for(lambda: [line for line in server.requests() if line["path"] == "/last"], "the last")
    assert not {line["path"] for line in server.requests() if line["status"] == 200} & {"/healthz", "/readyz"}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], "10.0.0.9"),
        (["198.51.100.7"], "198.51.100.7"),
        (["1.1.1.1", "2001:db8::7"], "2001:db8::7"),  # in two headers
        (["1.1.1.1,"], "10.0.0.9"),
        (["unknown"], "10.0.0.9"),
    ],
)
def test_the_client_is_the_address_that_the_load_balancer_saw(values: list[str], expected: str) -> None:
    headers = Headers(raw=[(b"x-forwarded-for", value.encode()) for value in values])
    assert client_of(headers, ("10.0.0.9", 1)) == expected
    assert client_of(Headers(), None) is None


# -- the health check, and the versions


def test_the_health_check_works_without_the_servers_packages(server: Web) -> None:
    program = (
        "import runpy, sys; sys.modules.update(uvicorn=None, starlette=None);"
        "runpy.run_module('web.healthcheck', run_name='__main__')"
    )

    def check(port: int) -> int:
        command = [sys.executable, "-c", program]
        return subprocess.run(command, cwd=WEB, env={"PORT": str(port)}, timeout=PATIENCE, check=False).returncode

    assert check(server.port) == 0
    assert check(9) == 1


def test_the_tests_run_the_versions_that_the_image_installs() -> None:
    installed = locked_versions(ROOT / "requirements-dev.txt")
    for name, version in locked_versions(WEB / "requirements.txt").items():
        assert installed[name] == version, f"{name}: make lock brings them together"
