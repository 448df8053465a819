"""Stopping the server: no request is lost, and the exit status is 0."""

import asyncio
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.containers.servers import PATIENCE, WEB, Answer, Balancer, Load, answers, ask, ask_on, metadata, web
from tests.support.waiting import wait_for
from web.app import create_app
from web.drain import Drain
from web.server import LIMIT_SECONDS, QUIET_SECONDS, configuration

QUICK = {"DRAIN_QUIET_SECONDS": "0.5", "DRAIN_LIMIT_SECONDS": "5"}
STOP_TIMEOUT = 30
"""Seconds after which ECS kills a task that has not stopped."""


def test_a_stop_under_load_loses_no_request(tmp_path: Path) -> None:
    with web(tmp_path, **QUICK) as server:

        def on_a_new_connection() -> bool:
            return _checked(ask(server.port, "/")).headers["Connection"] != "close"

        def on_the_same_connection() -> bool:
            return _checked(ask_on(_connection_of_thread(server.port), "/")).headers["Connection"] != "close"

        fresh, kept = Load(on_a_new_connection, clients=8), Load(on_the_same_connection, clients=8)
        slow = _begin_request(server.port)
        idle = socket.create_connection(("127.0.0.1", server.port))
        for load in (fresh, kept):
            load.start()
        wait_for(lambda: fresh.done > 50 and kept.done > 50, "the load", seconds=PATIENCE)
        server.signal()
        wait_for(lambda: not server.ready(), "the readiness to fail", seconds=PATIENCE)
        assert ask(server.port, "/healthz").status == 200, "ECS would kill a draining task that is not healthy"
        fresh.join()
        kept.join()
        slow.sendall(b"\r\n\r\n")
        assert slow.recv(64).startswith(b"HTTP/1.1 200 OK\r\n")
        endless = _begin_request(server.port)
        assert server.exit_status() == 0
        assert fresh.failures == kept.failures == []
        assert [line for line in server.requests() if line["status"] != 200 and line["path"] == "/"] == []
        idle.close()
        slow.close()
        endless.close()


_thread_local = threading.local()


def _connection_of_thread(port: int) -> http.client.HTTPConnection:
    if not hasattr(_thread_local, "connection"):
        _thread_local.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    return _thread_local.connection  # type: ignore[no-any-return] # attributes of a thread have no types


def _begin_request(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    connection.sendall(b"GET / HTTP/1.1\r\nHost: web")
    return connection


def _checked(answer: Answer) -> Answer:
    assert answer.status == 200
    assert answer.body.endswith(b"</html>\n")
    return answer


def test_a_request_in_work_is_finished(tmp_path: Path) -> None:
    asked, go_on = threading.Event(), threading.Event()
    of_sample = answers("ec2")

    def answer(path: str) -> bytes:
        asked.set()
        go_on.wait(PATIENCE)
        return of_sample(path)

    found: list[Answer] = []
    with (
        metadata(answer) as endpoint,
        web(tmp_path, ECS_CONTAINER_METADATA_URI_V4=endpoint, DRAIN_QUIET_SECONDS="0") as server,
    ):
        client = threading.Thread(target=lambda: found.append(ask(server.port, "/")))
        client.start()
        assert asked.wait(PATIENCE)
        server.signal()
        wait_for(lambda: [line for line in server.lines() if line["message"] == "Shutting down"], "the end to begin")
        go_on.set()
        client.join(PATIENCE)
        assert server.exit_status() == 0
    _checked(found[0])


def test_replacing_two_tasks_behind_a_load_balancer_fails_no_request(tmp_path: Path) -> None:
    with (
        web(tmp_path, **QUICK) as one,
        web(tmp_path, **QUICK) as two,
        web(tmp_path, **QUICK) as three,
        web(tmp_path, **QUICK) as four,
    ):
        balancer = Balancer([one, two])
        balancer.check()
        load = Load(lambda: bool(_checked(balancer.forward("/"))), clients=8)
        checks = Load(balancer.check, clients=1)
        load.start()
        checks.start()
        for old, new in ((one, three), (two, four)):
            balancer.targets.append(new)
            wait_for(lambda: balancer.is_used(new), "the new task to be used", seconds=PATIENCE)  # noqa: B023 - at once
            wait_for(lambda: len(new.requests()) > 20, "requests to it", seconds=PATIENCE)  # noqa: B023
            old.signal()
            assert old.exit_status() == 0
            assert not balancer.is_used(old)
            balancer.targets.remove(old)
        load.stop()
        checks.stop()
        balancer.close()
        assert load.failures == checks.failures == []
        written = [line for task in (one, two, three, four) for line in task.requests() if line["path"] == "/"]
        assert load.done == len(written)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_stops_at_once_with_exit_status_0(tmp_path: Path, number: int) -> None:
    with web(tmp_path, DRAIN_QUIET_SECONDS="60", DRAIN_LIMIT_SECONDS="60") as server:
        server.signal(number)
        wait_for(lambda: not server.ready(), "the first signal to count", seconds=PATIENCE)
        server.signal(number)
        assert server.exit_status() == 0


def test_a_signal_during_the_start_stops_the_server() -> None:
    program = f"""
import os, runpy, sys

class DuringTheImports:
    def find_spec(self, name, *_):
        if name == "web.server":
            os.kill(os.getpid(), {signal.SIGTERM:d})

sys.meta_path.insert(0, DuringTheImports())
runpy.run_module("web", run_name="__main__")
"""
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=WEB, env={**os.environ, "PORT": "0"}, timeout=PATIENCE, check=False
    )
    assert run.returncode == 0


def test_the_drain_ends_after_a_quiet_time_or_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    drain = Drain(quiet=5, limit=15)
    drain.note_request()
    assert (drain.begun, drain.over) == (False, False)
    now += 100
    assert not drain.over, "a long time without requests does not end the server before the signal"
    drain.begin()
    seen = []
    for _ in range(6):
        drain.note_request()
        now += 3
        seen.append(drain.over)
    assert seen == [False, False, False, False, True, True], "requests go on and on, so it ends at the limit of 15 s"
    quiet = Drain(quiet=5, limit=15)
    quiet.begin()
    now += 4
    assert not quiet.over
    now += 1
    assert quiet.over


def test_the_time_limits_fit_the_load_balancer_and_ecs() -> None:
    config = configuration(Drain(quiet=QUIET_SECONDS, limit=LIMIT_SECONDS))
    assert config.timeout_keep_alive > 60, "an Application Load Balancer closes an idle connection after 60 s"
    assert QUIET_SECONDS < LIMIT_SECONDS
    assert config.timeout_graceful_shutdown
    assert 5 <= config.timeout_graceful_shutdown <= STOP_TIMEOUT - 5 - LIMIT_SECONDS


@pytest.mark.parametrize(("path", "counts"), [("/", True), ("/healthz", False), ("/readyz", False)])
def test_requests_prolong_the_drain_and_health_checks_do_not(
    path: str, monkeypatch: pytest.MonkeyPatch, *, counts: bool
) -> None:
    drain = Drain(quiet=5, limit=15)
    noted: list[None] = []
    monkeypatch.setattr(drain, "note_request", lambda: noted.append(None))
    scope = {"type": "http", "method": "GET", "path": path, "raw_path": b"", "query_string": b"", "headers": []}

    async def ignore(*_: Any) -> dict[str, str]:
        return {}

    asyncio.run(create_app(drain, None)({**scope, "client": None}, ignore, ignore))  # type: ignore[arg-type]
    assert bool(noted) is counts
