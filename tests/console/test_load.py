"""These tests run the load of a page with a function that stands for the web service."""

import http.server
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from console import load as module
from console.load import Load, LoadState, answering_task
from tests.support.waiting import wait_for


def wait_until(load: Load, is_true: Callable[[LoadState], bool]) -> LoadState:
    wait_for(lambda: is_true(load.look()), "the load")
    return load.look()


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.01)


def test_the_load_counts_answers_by_task_and_failed_requests() -> None:
    numbers = itertools.count()

    def send(_url: str) -> str:
        number = next(numbers)
        if number % 3 == 2:
            raise ConnectionResetError("the connection broke")
        return f"task-{number % 3}"

    load = Load(send)
    load.start("http://service/")
    wait_until(load, lambda state: state.failed >= 4)
    load.stop()
    time.sleep(0.05)
    state = load.look()
    assert (state.is_on, state.reason, state.last_error) == (False, "", "the connection broke")
    assert set(state.answered) == {"task-0", "task-1"}
    assert state.recent[:6] == ("task-0", "task-1", "", "task-0", "task-1", "")
    answered, failed = load.totals()
    assert (sum(state.answered.values()), state.failed) == (answered, failed)
    assert state.half_ms is not None
    assert state.most_ms is not None
    assert state.half_ms <= state.most_ms


def test_a_second_start_begins_with_new_numbers_but_keeps_the_totals() -> None:
    load = Load(lambda _url: "task")
    load.start("http://service/")
    wait_until(load, lambda state: state.answered.get("task", 0) >= 20)
    load.stop()
    load.start("http://service/")
    assert load.look().answered.get("task", 0) < 20
    assert load.totals()[0] >= 20
    load.stop()


def test_the_load_ends_if_no_page_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "UNSEEN_SECONDS", 0.2)
    load = Load(lambda _url: "task")
    load.start("http://service/")
    time.sleep(0.5)
    state = load.look()
    assert not state.is_on
    assert "no page showed it" in state.reason


def test_the_load_ends_after_its_maximum_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SECONDS", 0.1)
    load = Load(lambda _url: "task")
    load.start("http://service/")
    state = wait_until(load, lambda state: not state.is_on)
    assert "ended by itself after" in state.reason


@contextmanager
def server(status: int, body: bytes) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}/"
        running.shutdown()
        thread.join()


def test_an_answer_names_its_task() -> None:
    with server(200, b'{"task": "abc"}') as url:
        assert answering_task(url) == "abc"


@pytest.mark.parametrize(
    ("status", "body"), [(503, b'{"task": "abc"}'), (200, b"<html>"), (200, b"[]"), (200, b'{"task": null}')]
)
def test_an_error_or_another_answer_is_a_failed_request(status: int, body: bytes) -> None:
    with server(status, body) as url, pytest.raises(module.ERRORS):
        answering_task(url)
