"""Stopping: no request is lost, however the load balancer and its clients behave, and the exit status is 0."""

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
"""Of the tasks: then they are killed."""


def test_a_stop_under_load_loses_no_request(tmp_path: Path) -> None:
    with web(tmp_path, **QUICK) as server:

        def until_told_to_leave() -> bool:
            return _well(ask(server.port, "/")).headers["Connection"] != "close"

        def on_one_connection() -> bool:
            return _well(ask_on(_own_connection(server.port), "/")).headers["Connection"] != "close"

        fresh, kept = Load(until_told_to_leave, clients=8), Load(on_one_connection, clients=8)
        slow = _begin_request(server.port)
        idle = socket.create_connection(("127.0.0.1", server.port))
        for load in (fresh, kept):
            load.start()
        wait_for(lambda: fresh.done > 50 and kept.done > 50, "the load", seconds=PATIENCE)
        server.signal()
        wait_for(lambda: not server.ready(), "the readiness to fail", seconds=PATIENCE)
        assert ask(server.port, "/healthz").status == 200, "it lives, and ECS must not kill it for its health"
        fresh.join()
        kept.join()
        slow.sendall(b"\r\n\r\n")
        assert slow.recv(64).startswith(b"HTTP/1.1 200 OK\r\n")
        _never_ends = _begin_request(server.port)
        assert server.exit_status() == 0
        assert fresh.failures == kept.failures == []
        assert [line for line in server.requests() if line["status"] != 200 and line["path"] == "/"] == []
        idle.close()
        slow.close()
        _never_ends.close()


_of_thread = threading.local()


def _own_connection(port: int) -> http.client.HTTPConnection:
    if not hasattr(_of_thread, "connection"):
        _of_thread.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    return _of_thread.connection  # type: ignore[no-any-return] # of a thread


def _begin_request(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    connection.sendall(b"GET / HTTP/1.1\r\nHost: web")
    return connection


def _well(answer: Answer) -> Answer:
    assert answer.status == 200
    assert answer.body.endswith(b"</html>\n")
    return answer


def test_what_is_being_answered_is_finished(tmp_path: Path) -> None:
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
    _well(found[0])


def test_two_tasks_are_replaced_behind_a_load_balancer_without_a_failed_request(tmp_path: Path) -> None:
    with (
        web(tmp_path, **QUICK) as one,
        web(tmp_path, **QUICK) as two,
        web(tmp_path, **QUICK) as three,
        web(tmp_path, **QUICK) as four,
    ):
        balancer = Balancer([one, two])
        balancer.check()
        load = Load(lambda: bool(_well(balancer.forward("/"))), clients=8)
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
def test_it_exits_with_0_and_at_once_when_told_twice(tmp_path: Path, number: int) -> None:
    with web(tmp_path, DRAIN_QUIET_SECONDS="60", DRAIN_LIMIT_SECONDS="60") as server:
        server.signal(number)
        wait_for(lambda: not server.ready(), "the first signal to count", seconds=PATIENCE)
        server.signal(number)
        assert server.exit_status() == 0


def test_a_signal_during_the_start_counts() -> None:
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


def test_the_drain_ends_when_nobody_asks_and_in_any_case_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    drain = Drain(quiet=5, limit=15)
    drain.note_request()
    assert (drain.begun, drain.over) == (False, False)
    now += 100
    assert not drain.over, "nobody asked for long, but nobody told it to stop"
    drain.begin()
    seen = []
    for _ in range(6):
        drain.note_request()
        now += 3
        seen.append(drain.over)
    assert seen == [False, False, False, False, True, True], "it is asked on and on, and ends after 15 s"
    quiet = Drain(quiet=5, limit=15)
    quiet.begin()
    now += 4
    assert not quiet.over
    now += 1
    assert quiet.over


def test_the_times_fit_the_load_balancer_and_the_task() -> None:
    config = configuration(Drain(quiet=QUIET_SECONDS, limit=LIMIT_SECONDS))
    assert config.timeout_keep_alive > 60, "an Application Load Balancer keeps an idle connection for so long"
    assert QUIET_SECONDS < LIMIT_SECONDS
    assert config.timeout_graceful_shutdown
    assert 5 <= config.timeout_graceful_shutdown <= STOP_TIMEOUT - 5 - LIMIT_SECONDS


@pytest.mark.parametrize(("path", "counts"), [("/", True), ("/healthz", False), ("/readyz", False)])
def test_a_request_keeps_the_server_open_and_a_health_check_does_not(
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
