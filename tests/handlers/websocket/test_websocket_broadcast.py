"""These tests call the broadcasting function with records of a DynamoDB stream. An object replaces API Gateway."""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from tests.handlers.lambda_function import CONTEXT
from tests.handlers.websocket.conftest import Board


class Gateway:
    """Records what API Gateway would send to each client. `fail` makes a connection fail."""

    def __init__(self, exceptions: Any) -> None:
        self.exceptions = exceptions
        self.received: dict[str, list[dict[str, Any]]] = {}
        self.closed: list[str] = []
        self.failures: dict[str, Callable[[], None]] = {}

    def post_to_connection(self, *, ConnectionId: str, Data: bytes) -> None:  # noqa: N803 - names of botocore
        assert len(Data) <= 32 * 1024
        if ConnectionId in self.failures:
            self.failures[ConnectionId]()
        message = json.loads(Data)
        assert message["type"] == "messages"
        self.received.setdefault(ConnectionId, []).extend(message["messages"])

    def delete_connection(self, *, ConnectionId: str) -> None:  # noqa: N803
        self.closed.append(ConnectionId)

    def fail(self, connection: str, error: str) -> None:
        def raise_error() -> None:
            if error == "ReadTimeout":
                raise ReadTimeoutError(endpoint_url="https://api.example.com")
            kind = getattr(self.exceptions, error, ClientError)
            raise kind({"Error": {"Code": error}}, "PostToConnection")

        self.failures[connection] = raise_error


@pytest.fixture
def gateway(board: Board, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    module = board.modules.broadcast
    gateway = Gateway(module.gateway.exceptions)
    monkeypatch.setattr(module.delivery, "_gateway", gateway)
    return gateway


def broadcast(board: Board, *records: dict[str, Any]) -> list[str]:
    """Return the numbers of the records that Lambda must retry."""
    answer = board.modules.broadcast.handler({"Records": list(records)}, CONTEXT)
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def record(number: int, room: str = "lobby", text: str = "hello") -> dict[str, Any]:
    texts = {"id": f"id-{number}", "user": "ada", "text": text, "at": "2026-11-28T20:00:00.000Z", "room": room}
    image = {**{name: {"S": value} for name, value in texts.items()}, "sequence": {"N": str(number)}}
    return {"eventName": "INSERT", "dynamodb": {"NewImage": image, "SequenceNumber": str(1000 + number)}}


def join(board: Board, *connections: str, room: str = "lobby") -> None:
    for connection in connections:
        board.resume(connection=connection, room=room)


def test_each_client_in_the_room_gets_each_message_in_order(board: Board, gateway: Gateway) -> None:
    join(board, "a", "b")
    join(board, "c", room="kitchen")
    assert broadcast(board, record(2), record(1), record(9, room="kitchen", text="soup")) == []
    assert {name: [one["sequence"] for one in messages] for name, messages in gateway.received.items()} == {
        "a": [1, 2],
        "b": [1, 2],
        "c": [9],
    }
    text = {"id": "id-9", "user": "ada", "text": "soup", "at": "2026-11-28T20:00:00.000Z"}
    assert gateway.received["c"] == [{"sequence": 9, **text}]


def test_many_messages_are_sent_in_frames_of_at_most_32_kb(board: Board, gateway: Gateway) -> None:
    join(board, "a")
    assert broadcast(board, *(record(number, text="\u0001" * 1000) for number in range(1, 101))) == []
    assert [one["sequence"] for one in gateway.received["a"]] == list(range(1, 101))


def test_a_connection_that_is_gone_is_removed(board: Board, gateway: Gateway) -> None:
    join(board, "a", "gone", "b")
    gateway.fail("gone", "GoneException")
    assert broadcast(board, record(1)) == []
    assert set(gateway.received) == {"a", "b"}
    assert board.connections() == {("lobby", "a"), ("lobby", "b")}


@pytest.mark.parametrize("error", ["LimitExceededException", "ReadTimeout"])
def test_a_slow_client_is_disconnected_so_that_it_resumes(board: Board, gateway: Gateway, error: str) -> None:
    join(board, "a", "slow")
    gateway.fail("slow", error)
    assert broadcast(board, record(1)) == []
    assert set(gateway.received) == {"a"}
    assert gateway.closed == ["slow"]
    assert board.connections() == {("lobby", "a")}


def test_a_slow_client_does_not_hold_up_the_others(board: Board, gateway: Gateway) -> None:
    join(board, *(f"c{number}" for number in range(10)), "a-slow")
    others_have_it = threading.Event()

    def wait_for_others() -> None:
        assert others_have_it.wait(10), "the others wait for the slow client"

    gateway.failures["a-slow"] = wait_for_others
    post = gateway.post_to_connection

    def post_and_notice(**arguments: Any) -> None:
        post(**arguments)
        if len(gateway.received) == 10:
            others_have_it.set()

    gateway.post_to_connection = post_and_notice  # type: ignore[method-assign]
    assert broadcast(board, record(1)) == []


def test_lambda_retries_from_the_first_message_of_a_room_that_failed(board: Board, gateway: Gateway) -> None:
    join(board, "a")
    join(board, "b", room="kitchen")
    gateway.fail("b", "ForbiddenException")
    assert broadcast(board, record(1), record(5, room="kitchen"), record(2), record(6, room="kitchen")) == ["1005"]
    assert [one["sequence"] for one in gateway.received["a"]] == [1, 2]
    assert board.connections() == {("lobby", "a"), ("kitchen", "b")}


def test_the_function_writes_metrics(board: Board, gateway: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    join(board, "a", "b", "gone")
    gateway.fail("gone", "GoneException")
    capsys.readouterr()
    broadcast(board, record(1))
    (line,) = [json.loads(text) for text in capsys.readouterr().out.splitlines() if '"_aws"' in text]
    assert (line["Delivered"], line["Gone"], line["Slow"]) == ([2.0], [1.0], [0.0])
