"""When the web server has to stop, it first answers all requests. Then it ends with exit status 0."""

import asyncio
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.containers.servers import (
    TIMEOUT_SECONDS,
    WEB,
    Answer,
    FakeLoadBalancer,
    Load,
    WebServer,
    example_answers,
    run_metadata_endpoint,
    run_web_server,
    send_request,
    send_request_on,
)
from tests.support.waiting import wait_for
from web.app import create_app
from web.drain import Drain
from web.server import LIMIT_SECONDS, QUIET_SECONDS, configuration

SHORT_DRAIN = {"DRAIN_QUIET_SECONDS": "0.5", "DRAIN_LIMIT_SECONDS": "5"}
"""Settings of the drain, which is the time between the signal and the end. The server still answers requests then."""
STOP_TIMEOUT = 30
"""ECS kills a task that has not stopped after this number of seconds."""


def wait_until(condition: Callable[[], object], description: str) -> None:
    wait_for(condition, description, seconds=TIMEOUT_SECONDS)


def test_a_server_under_load_answers_all_requests_before_it_stops(tmp_path: Path) -> None:
    with run_web_server(tmp_path, **SHORT_DRAIN) as server:

        def send_on_new_connection() -> Answer:
            return require_page(send_request(server.port, "/"))

        def send_on_open_connection() -> Answer:
            return require_page(send_request_on(_connection_of_thread(server.port), "/"))

        new_connection_load = Load(send_on_new_connection, clients=8)
        open_connection_load = Load(send_on_open_connection, clients=8)
        loads = (new_connection_load, open_connection_load)
        unfinished_request = _begin_request(server.port)
        idle_connection = socket.create_connection(("127.0.0.1", server.port))
        for load in loads:
            load.start()
        wait_until(lambda: all(load.answer_count > 50 for load in loads), "50 answers of each load")

        server.send_signal()
        wait_until(lambda: not server.is_ready(), "a failed readiness check")
        assert send_request(server.port, "/healthz").status == 200, "ECS would kill a task that is not healthy"
        for load in loads:
            load.join()  # each client ends when the server closes the client's connection
        unfinished_request.sendall(b"\r\n\r\n")
        assert unfinished_request.recv(64).startswith(b"HTTP/1.1 200 OK\r\n")
        never_finished_request = _begin_request(server.port)
        assert server.exit_status() == 0

        assert new_connection_load.failures == open_connection_load.failures == []
        assert [line for line in server.logged_requests() if line["status"] != 200 and line["path"] == "/"] == []
        for connection in (idle_connection, unfinished_request, never_finished_request):
            connection.close()


_thread_local = threading.local()


def _connection_of_thread(port: int) -> http.client.HTTPConnection:
    if not hasattr(_thread_local, "connection"):
        _thread_local.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    return _thread_local.connection  # type: ignore[no-any-return] # attributes of a thread have no types


def _begin_request(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_SECONDS)
    connection.sendall(b"GET / HTTP/1.1\r\nHost: web")
    return connection


def require_page(answer: Answer) -> Answer:
    """Return the answer. Fail if it is not the whole page."""
    assert answer.status == 200
    assert answer.body.endswith(b"</html>\n")
    return answer


def test_a_request_in_progress_is_finished(tmp_path: Path) -> None:
    request_has_begun, request_may_finish = threading.Event(), threading.Event()
    example_answer = example_answers("ec2")

    def answer_later(path: str) -> bytes:
        request_has_begun.set()
        request_may_finish.wait(TIMEOUT_SECONDS)
        return example_answer(path)

    answers: list[Answer] = []
    with (
        run_metadata_endpoint(answer_later) as endpoint,
        run_web_server(tmp_path, ECS_CONTAINER_METADATA_URI_V4=endpoint, DRAIN_QUIET_SECONDS="0") as server,
    ):
        client = threading.Thread(target=lambda: answers.append(send_request(server.port, "/")))
        client.start()
        assert request_has_begun.wait(TIMEOUT_SECONDS)
        server.send_signal()
        wait_until(lambda: _logged_shutdown(server), "the log line of the shutdown")
        request_may_finish.set()
        client.join(TIMEOUT_SECONDS)
        assert server.exit_status() == 0
    require_page(answers[0])


def _logged_shutdown(server: WebServer) -> bool:
    return any(line["message"] == "Shutting down" for line in server.log_lines())


def test_all_requests_succeed_while_two_tasks_behind_a_load_balancer_are_replaced(tmp_path: Path) -> None:
    with (
        run_web_server(tmp_path, **SHORT_DRAIN) as first_old_task,
        run_web_server(tmp_path, **SHORT_DRAIN) as second_old_task,
        run_web_server(tmp_path, **SHORT_DRAIN) as first_new_task,
        run_web_server(tmp_path, **SHORT_DRAIN) as second_new_task,
    ):
        balancer = FakeLoadBalancer([first_old_task, second_old_task])
        balancer.check_health()

        def send() -> None:
            require_page(balancer.forward("/"))

        load, health_checks = Load(send, clients=8), Load(balancer.check_health, clients=1)
        load.start()
        health_checks.start()
        _replace_task(balancer, first_old_task, first_new_task)
        _replace_task(balancer, second_old_task, second_new_task)
        load.stop()
        health_checks.stop()
        balancer.close()
        assert load.failures == health_checks.failures == []
        tasks = (first_old_task, second_old_task, first_new_task, second_new_task)
        logged_requests = [line for task in tasks for line in task.logged_requests() if line["path"] == "/"]
        assert load.answer_count == len(logged_requests)


def _replace_task(balancer: FakeLoadBalancer, old_task: WebServer, new_task: WebServer) -> None:
    balancer.targets.append(new_task)
    wait_until(lambda: balancer.uses(new_task), "the load balancer to use the new task")
    wait_until(lambda: len(new_task.logged_requests()) > 20, "20 requests to the new task")
    old_task.send_signal()
    assert old_task.exit_status() == 0
    assert not balancer.uses(old_task)
    balancer.targets.remove(old_task)


@pytest.mark.parametrize("stop_signal", [signal.SIGTERM, signal.SIGINT])
def test_after_a_second_signal_the_server_stops_immediately_with_exit_status_0(
    tmp_path: Path, stop_signal: int
) -> None:
    with run_web_server(tmp_path, DRAIN_QUIET_SECONDS="60", DRAIN_LIMIT_SECONDS="60") as server:
        server.send_signal(stop_signal)
        wait_until(lambda: not server.is_ready(), "the start of the drain")
        server.send_signal(stop_signal)
        assert server.exit_status() == 0


def test_a_signal_during_the_start_stops_the_server() -> None:
    program = f"""
import os, runpy, sys

class SignalWhenServerIsImported:
    def find_spec(self, name, *_):
        if name == "web.server":
            os.kill(os.getpid(), {signal.SIGTERM:d})

sys.meta_path.insert(0, SignalWhenServerIsImported())
runpy.run_module("web", run_name="__main__")
"""
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=WEB, env={**os.environ, "PORT": "0"}, timeout=TIMEOUT_SECONDS, check=False
    )
    assert run.returncode == 0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time of `time.monotonic()` in seconds, as the only item of a list. Tests may change this item."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_the_drain_is_over_after_a_time_without_requests(clock: list[float]) -> None:
    drain = Drain(quiet=5, limit=15)
    drain.begin()
    clock[0] += 4
    assert not drain.is_over
    clock[0] += 1
    assert drain.is_over


def test_the_drain_is_over_at_the_limit_although_clients_send_requests(clock: list[float]) -> None:
    drain = Drain(quiet=5, limit=15)
    drain.begin()
    is_over_after = {}
    for seconds in (3, 6, 9, 12, 15, 18):
        drain.note_request()
        clock[0] += 3
        is_over_after[seconds] = drain.is_over
    assert is_over_after == {3: False, 6: False, 9: False, 12: False, 15: True, 18: True}


def test_the_drain_does_not_begin_before_the_signal(clock: list[float]) -> None:
    drain = Drain(quiet=5, limit=15)
    drain.note_request()
    assert (drain.has_begun, drain.is_over) == (False, False)
    clock[0] += 100
    assert not drain.is_over


def test_the_time_limits_fit_the_load_balancer_and_ecs() -> None:
    config = configuration(Drain(quiet=QUIET_SECONDS, limit=LIMIT_SECONDS))
    assert config.timeout_keep_alive > 60, "an Application Load Balancer closes an idle connection after 60 s"
    assert QUIET_SECONDS < LIMIT_SECONDS
    assert config.timeout_graceful_shutdown
    assert 5 <= config.timeout_graceful_shutdown <= STOP_TIMEOUT - 5 - LIMIT_SECONDS


@pytest.mark.parametrize(
    ("path", "prolongs_drain"), [("/", True), ("/healthz", False), ("/readyz", False)], ids=["page", "health", "ready"]
)
def test_a_request_prolongs_the_drain_but_a_health_check_does_not(
    path: str, monkeypatch: pytest.MonkeyPatch, *, prolongs_drain: bool
) -> None:
    drain = Drain(quiet=5, limit=15)
    noted_requests: list[None] = []
    monkeypatch.setattr(drain, "note_request", lambda: noted_requests.append(None))
    scope = {"type": "http", "method": "GET", "path": path, "raw_path": b"", "query_string": b"", "headers": []}

    async def do_nothing(*_: Any) -> dict[str, str]:
        return {}

    app = create_app(drain, None)
    asyncio.run(app({**scope, "client": None}, do_nothing, do_nothing))  # type: ignore[arg-type]
    assert bool(noted_requests) is prolongs_drain
