"""These tests call the functions for tickets, connections and messages, with tables that moto imitates."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.handlers.lambda_function import CONTEXT
from tests.handlers.websocket.conftest import CONNECT_ARN, Board
from websocket import store
from websocket.protocol import MAX_BYTES


def effect(answer: dict[str, Any]) -> str:
    (statement,) = answer["policyDocument"]["Statement"]
    assert statement["Action"] == "execute-api:Invoke"
    assert statement["Resource"] == CONNECT_ARN
    return str(statement["Effect"])


# -- tickets


def test_a_ticket_opens_one_connection(board: Board) -> None:
    ticket = board.issue(user="Ada Lovelace", room="lobby")
    first, second = board.authorize(ticket), board.authorize(ticket)
    assert effect(first) == "Allow"
    assert first["context"] == {"user": "Ada Lovelace", "room": "lobby"}
    assert effect(second) == "Deny"
    assert second["context"] == {}


@pytest.mark.parametrize("ticket", [None, "", "wrong", "a" * 10_000])
def test_without_a_ticket_there_is_no_connection(board: Board, ticket: str | None) -> None:
    assert effect(board.authorize(ticket)) == "Deny"


def test_a_ticket_expires_after_a_minute(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    ticket = board.issue()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + store.TICKET_SECONDS + 1)
    assert effect(board.authorize(ticket)) == "Deny"


def test_the_table_contains_no_ticket_that_opens_a_connection(board: Board) -> None:
    board.issue()
    (item,) = board.dynamodb.scan(TableName="tickets")["Items"]
    assert effect(board.authorize(item["ticket"]["S"])) == "Deny"


@pytest.mark.parametrize(
    ("user", "room", "wrong"),
    [
        *((user, "lobby", "user:") for user in ("", " ada", "a" * 41, "a\nb", 7, None)),
        *(("ada", room, "room:") for room in ("", "Lobby", "a b", "a" * 41, "#", None)),
    ],
)
def test_a_bad_name_gets_no_ticket(board: Board, user: Any, room: Any, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        board.issue(user, room)


# -- messages


def test_the_numbers_of_messages_have_no_gap_and_each_room_has_its_own(board: Board) -> None:
    assert board.send("one", "a")["sequence"] == 1
    assert board.send("two", "b")["sequence"] == 2
    assert board.send("other", "a", room="kitchen")["sequence"] == 1
    assert board.send("three", "c") == {"type": "stored", "id": "c", "sequence": 3}


def test_a_message_that_is_sent_again_is_stored_once(board: Board) -> None:
    assert board.send("one", "a")["sequence"] == 1
    assert board.send("two", "b")["sequence"] == 2
    assert board.send("one", "a")["sequence"] == 1
    assert [message["text"] for message in board.resume()["messages"]] == ["one", "two"]


def test_two_users_may_choose_the_same_id(board: Board) -> None:
    assert board.send("one", "a", user="ada")["sequence"] == 1
    assert board.send("two", "a", user="bob")["sequence"] == 2


def test_simultaneous_messages_get_all_numbers(board: Board) -> None:
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda number: board.send(f"text {number}", f"id-{number}"), range(12)))
    assert sorted(answer["sequence"] for answer in answers) == list(range(1, 13))


def test_a_client_resumes_after_the_last_message_that_it_has_seen(board: Board) -> None:
    for number in range(1, 5):
        board.send(f"text {number}", f"id-{number}", user="bob")
    answer = board.resume(after=2)
    assert [(message["sequence"], message["text"]) for message in answer["messages"]] == [(3, "text 3"), (4, "text 4")]
    assert answer["more"] is False
    assert answer["messages"][0] | {"at": ""} == {
        "sequence": 3,
        "id": "id-3",
        "user": "bob",
        "text": "text 3",
        "at": "",
    }
    assert board.resume(after=4) == {"type": "messages", "after": 4, "messages": [], "more": False}


def test_a_new_client_gets_the_newest_messages(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "PAGE", 3)
    for number in range(1, 6):
        board.send(f"text {number}", f"id-{number}")
    assert [message["sequence"] for message in board.resume()["messages"]] == [3, 4, 5]


def test_a_client_gets_many_messages_in_several_answers(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "PAGE", 3)
    for number in range(1, 6):
        board.send(f"text {number}", f"id-{number}")
    first = board.resume(after=0)
    assert ([message["sequence"] for message in first["messages"]], first["more"]) == ([1, 2, 3], True)
    second = board.resume(after=3)
    assert ([message["sequence"] for message in second["messages"]], second["more"]) == ([4, 5], False)


@pytest.mark.parametrize("text", ["\u0001" * 1000, "\N{GRINNING FACE}" * 1000], ids=["escaped", "four bytes"])
def test_an_answer_fits_into_one_frame(board: Board, text: str) -> None:
    for number in range(12):
        assert board.send(text, f"id-{number}")["type"] == "stored"
    seen: list[int] = []
    more = True
    while more:
        body = board.event("MESSAGE", "resume", json.dumps({"action": "resume", "after": max(seen, default=0)}))
        assert len(body.encode()) < MAX_BYTES + 100
        answer = json.loads(body)
        seen += [message["sequence"] for message in answer["messages"]]
        more = answer["more"]
    assert seen == list(range(1, 13))


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        *((text, "must be JSON") for text in ("", "hello", "[" * 100_000, "null", "[]", "7", "{}", '{"action": []}')),
        ('{"action": "delete"}', "must be JSON with the action"),
        *(
            (json.dumps({"action": "send", "text": "x", "id": id_}), "id:")
            for id_ in (None, "", "a" * 65, "a b", "a#b", 7)
        ),
        *(
            (json.dumps({"action": "send", "id": "a", "text": text}), "text:")
            for text in (None, "", "  ", "a" * 1001, 7, "\ud800")
        ),
        *((json.dumps({"action": "resume", "after": after}), "after:") for after in ("1", -1, 1.5, True, 10**15, [1])),
    ],
)
def test_the_sender_of_a_bad_message_gets_the_reason(board: Board, message: str, reason: str) -> None:
    answer = board.message(message)
    assert answer["type"] == "error"
    assert reason in answer["reason"]
    assert board.dynamodb.scan(TableName="messages")["Items"] == []


# -- connections


def test_a_disconnection_without_the_values_of_the_authorizer_succeeds(board: Board) -> None:
    """AWS does not say that these values are in the event. The next broadcast deletes the connection."""
    board.resume(connection="c1")
    context = {"routeKey": "$disconnect", "eventType": "DISCONNECT", "connectionId": "c1"}
    answer = board.modules.handler.handler({"requestContext": context}, CONTEXT)
    assert answer == {"statusCode": 200, "body": ""}
    assert board.connections() == {("lobby", "c1")}


def test_a_message_without_the_values_of_the_authorizer_is_an_error(board: Board) -> None:
    context = {"routeKey": "$default", "eventType": "MESSAGE", "connectionId": "c1"}
    with pytest.raises(KeyError, match="authorizer"):
        board.modules.handler.handler({"requestContext": context, "body": "{}"}, CONTEXT)


def test_a_client_is_in_its_room_from_its_first_resume_until_it_disconnects(board: Board) -> None:
    assert board.event("CONNECT", "$connect", connection="c1") == ""
    assert board.connections() == set()
    board.resume(connection="c1", room="kitchen")
    assert board.connections() == {("kitchen", "c1")}
    board.event("DISCONNECT", "$disconnect", connection="c1", room="kitchen")
    assert board.connections() == set()


def test_a_client_is_in_the_table_before_the_function_reads_the_messages(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = store.Messages.after

    def read_and_check(*arguments: Any) -> Any:
        assert board.connections() == {("lobby", "c1")}
        return read(*arguments)

    monkeypatch.setattr(store.Messages, "after", read_and_check)
    board.resume()


@pytest.mark.parametrize(("table", "seconds"), [("tickets", 60), ("connections", 3 * 3600), ("messages", 7 * 86400)])
def test_items_expire(board: Board, table: str, seconds: int) -> None:
    board.issue()
    board.resume()
    board.send("one", "a")
    items = [item for item in board.dynamodb.scan(TableName=table)["Items"] if item.get("key") != {"S": "last"}]
    assert items
    for item in items:
        assert abs(int(item["expires_at"]["N"]) - time.time() - seconds) < 30
