"""Creating notes: the stored content, its limits, and Idempotency-Key."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urljoin
from uuid import UUID

import pytest
from botocore.awsrequest import AWSResponse
from moto.dynamodb.models import dynamo_type

from api import jsontext
from api.notes import MAX_BYTES, Content
from api.pages import Cursor
from api.problems import Problem
from tests.handlers.api.notes_client import NOTES, Client, aws_response

MOMENT = datetime(2026, 11, 21, 10, 0, 0, 123456, UTC)
FULL = {"title": "Shopping", "body": {"milk": 2, "tea": None}, "tags": ["home", "to do"]}


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """A call sets the function's clock. It starts at MOMENT."""

    def set_clock(moment: datetime) -> None:
        monkeypatch.setattr("api.store.current_time", lambda: moment)

    set_clock(MOMENT)
    return set_clock


@pytest.mark.usefixtures("set_clock")
def test_a_create_returns_the_whole_note(client: Client) -> None:
    answer = client.create(FULL)
    assert answer.status == 201
    note = answer.json
    assert str(UUID(note["id"])) == note["id"]
    stamp = "2026-11-21T10:00:00.123456Z"
    assert note == {"id": note["id"], **FULL, "created_at": stamp, "updated_at": stamp, "version": 1}
    location = urljoin("/live/v1/notes", answer.headers["location"])  # relative, so it fits every stage
    assert location == f"/live/v1/notes/{note['id']}"
    assert answer.etag == '"1"'
    assert answer.headers["content-type"] == "application/json"
    assert "idempotency-replayed" not in answer.headers
    assert client.send("GET", location.removeprefix("/live")).text == answer.text


@pytest.mark.parametrize(
    "note",
    [
        *({"title": "x" * 200}, {"title": "😀" * 200}, {"title": " "}, {"title": "\0\u2028\x7f\ufeff"}),
        {"title": "x", "tags": [str(number).rjust(50, "😀") for number in range(20)]},
        *({"title": "x", "tags": [], "body": ""}, {"title": "x", "body": None}),
    ],
)
def test_a_note_at_the_limits_of_the_schema_is_stored(client: Client, note: Any) -> None:
    created = client.new_note(note)
    read = client.read(created["id"]).json
    assert {name: read[name] for name in note} == note


NOT_A_NOTE: tuple[Any, ...] = ({}, {"body": "x"}, [], "7", "null", '"text"')


@pytest.mark.parametrize(
    ("note", "pointer"),
    [
        *((note, "") for note in NOT_A_NOTE),
        *(({"title": "x", **unknown}, "") for unknown in ({"colour": "red"}, {"id": "mine"}, {"version": 7})),
        *(({"title": title}, "/title") for title in ("", None, 7, "x" * 201, "😀" * 201)),
        *(({"title": "x", "tags": tags}, "/tags") for tags in ("home", None, [*"abcdefghijklmnopqrstu"], [*"aba"])),
        *(({"title": "x", "tags": tags}, "/tags/1") for tags in (["a", ""], ["a", 7])),
        ({"title": "x", "tags": ["x" * 51]}, "/tags/0"),
    ],
)
def test_a_note_that_does_not_fit_the_schema_gets_422_and_a_pointer(client: Client, note: Any, pointer: str) -> None:
    answer = client.create(note)
    assert (answer.status, answer.pointers) == (422, [pointer])
    assert client.items() == []


def test_the_problem_names_an_unknown_member(client: Client) -> None:
    (error,) = client.create({"title": "x", "colour": "red"}).json["errors"]
    assert "colour" in error["detail"]


# -- size


def dynamodb_bytes(value: Any) -> int:
    """Return the size of an attribute as DynamoDB counts it.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    ((kind, inner),) = value.items()
    if kind == "S":
        return len(inner.encode())
    if kind == "N":
        return (len(inner) + 1) // 2 + 1
    assert kind == "L"
    return 3 + sum(1 + dynamodb_bytes(element) for element in inner)


def largest_note(character: str) -> dict[str, Any]:
    """Return a note of MAX_BYTES with the longest title and tags. The body repeats the character."""
    title, tags = "😀" * 200, [str(number).rjust(50, "😀") for number in range(20)]
    size = sum(len(text.encode()) for text in (title, *tags, '""'))
    count, rest = divmod(MAX_BYTES - size, len(character.encode()))
    return {"title": title, "tags": tags, "body": character * count + "x" * rest}


@pytest.mark.parametrize("character", ["x", "é", "😀"])
def test_the_largest_note_fits_dynamodb_and_one_byte_more_gets_413(
    client: Client, monkeypatch: pytest.MonkeyPatch, character: str
) -> None:
    # moto's own limit is 405,000 bytes, less than DynamoDB's.
    monkeypatch.setattr(dynamo_type.LimitedSizeDict, "__setitem__", dict.__setitem__)
    note = largest_note(character)
    note_id = client.new_note(note, key="k" * 255)["id"]
    (item,) = [item for item in client.items() if "collection" in item]
    item["version"] = {"N": "9" * 18}
    size = sum(len(name.encode()) + dynamodb_bytes(value) for name, value in item.items())
    assert MAX_BYTES < size <= 400 * 1024
    assert client.read(note_id).json["body"] == note["body"]

    too_long = note["body"] + "x"
    created = client.create({**note, "body": too_long})
    assert f"{MAX_BYTES + 1:,} bytes" in created.json["detail"]
    replaced = client.replace(note_id, {**note, "body": too_long}, If_Match="*")
    patched = client.patch(note_id, {"body": too_long}, If_Match="*")
    assert {created.status, replaced.status, patched.status} == {413}
    assert client.read(note_id).json["version"] == 1


def test_the_limit_counts_the_stored_bytes_not_the_sent_ones(client: Client) -> None:
    body = "é" * 100_000
    escaped = '{"title":"x","body":"' + r"\u00e9" * 100_000 + '"}'
    assert len(escaped) > MAX_BYTES
    assert client.read(client.new_note(escaped)["id"]).json["body"] == body


# -- Idempotency-Key


def test_a_repeated_create_gets_the_first_answer_and_creates_nothing(client: Client) -> None:
    first = client.create(FULL, key="once")
    second = client.create(FULL, key="once")
    assert first.status == second.status == 201
    assert second.text == first.text
    assert "idempotency-replayed" not in first.headers
    assert second.headers == {**first.headers, "idempotency-replayed": "true"}
    assert client.note_ids() == {first.json["id"]}
    assert client.read(first.json["id"]).text == first.text


@pytest.mark.usefixtures("set_clock")
def test_an_idempotency_record_expires_after_a_day_and_hides_the_key(client: Client) -> None:
    client.create(FULL, key="once")
    (record,) = client.idempotency_records()
    assert record["id"]["S"].startswith("idempotency#")
    assert record["expires_at"] == {"N": str(int((MOMENT + timedelta(hours=24)).timestamp()))}
    assert "once" not in str(record), "a key may be a secret"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ('{"title":"x","body":{"a":1,"b":2}}', '{"body":{"b":2,"a":1},"title":"x"}'),
        ('{"title":"x","body":["y"]}', '\n{ "title": "x",\t"body" : [ "\\u0079" ] } '),
        ('{"title":"x"}', '{"title":"x","tags":[],"body":""}'),
    ],
    ids=["order of members", "white space and escapes", "defaults"],
)
def test_the_spelling_of_a_repeated_create_does_not_matter(client: Client, first: str, second: str) -> None:
    created = client.new_note(first, key="once")
    assert client.new_note(second, key="once") == created
    assert client.note_ids() == {created["id"]}


@pytest.mark.parametrize(
    "change",
    [
        *({"title": "Shopping."}, {"tags": ["to do", "home"]}, {"tags": []}),
        *({"body": {"milk": 3, "tea": None}}, {"body": {"milk": 2}}, {"body": '{"milk":2,"tea":null}'}),
    ],
)
def test_a_used_key_with_another_content_gets_409(client: Client, change: Any) -> None:
    first = client.new_note(FULL, key="once")
    answer = client.create({**FULL, **change}, key="once")
    assert answer.status == 409
    assert "retry-after" not in answer.headers, "a retry cannot succeed"
    assert client.note_ids() == {first["id"]}
    assert client.create(FULL, key="once").json == first


@pytest.mark.parametrize(("first", "second"), [("a", "b"), ("a", None), (None, "a"), ("a", "a ")])
def test_two_clients_may_use_the_same_key(client: Client, first: str | None, second: str | None) -> None:
    created = client.new_note(FULL, key="once", api_key=first)
    assert client.new_note(FULL, key="once", api_key=second)["id"] != created["id"]


def test_every_character_of_a_key_counts(client: Client) -> None:
    keys = ["a", "A", "aa", "k" * 255, "k" * 254 + "l", "!", "~", '"a"', "#", "%20"]
    assert len({client.new_note(FULL, key=key)["id"] for key in keys}) == len(keys)


def test_every_request_without_a_key_creates_a_note(client: Client) -> None:
    ids = {client.new_note(FULL, key="once")["id"], client.new_note(FULL)["id"], client.new_note(FULL)["id"]}
    assert client.note_ids() == ids
    assert len(ids) == 3
    assert len(client.items()) == 4


def test_a_key_is_new_again_after_a_day(client: Client, set_clock: Callable[[datetime], None]) -> None:
    """DynamoDB deletes expired records later, so the function must ignore them."""
    first = client.new_note(FULL, key="once")
    set_clock(MOMENT + timedelta(hours=23, minutes=59, seconds=59))
    assert client.new_note(FULL, key="once") == first
    set_clock(MOMENT + timedelta(hours=24))
    answer = client.create({"title": "another"}, key="once")
    assert answer.status == 201
    assert answer.json["id"] != first["id"]
    assert "idempotency-replayed" not in answer.headers
    set_clock(MOMENT + timedelta(hours=47))
    assert client.new_note({"title": "another"}, key="once") == answer.json


def test_a_repeated_create_ignores_later_changes_and_deletion(client: Client) -> None:
    first = client.create(FULL, key="once")
    note_id = first.json["id"]
    client.patch(note_id, {"title": "changed"}, If_Match="*")
    assert client.create(FULL, key="once").text == first.text
    assert client.read(note_id).json["title"] == "changed", "the repeated create undid the change"
    client.delete(note_id)
    assert client.create(FULL, key="once").text == first.text
    assert client.note_ids() == set()


@pytest.mark.parametrize("key", ["", " ", "a b", "a\tb", "é", "k" * 256, "a\0", "٣"])
def test_a_malformed_key_gets_400(client: Client, key: str) -> None:
    answer = client.create(FULL, key=key)
    assert answer.status == 400
    assert "Idempotency-Key" in answer.json["detail"]
    assert client.items() == []


@pytest.mark.parametrize("bad", [{}, {"title": ""}, "no JSON"])
def test_a_refused_create_does_not_use_its_key(client: Client, bad: Any) -> None:
    assert client.create(bad, key="once").status == 422
    assert client.create(FULL, key="once").status == 201


def test_creates_with_one_key_at_the_same_time_make_one_note(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixteen threads call the store, because the handler serves one request at a time in a process."""
    store, start, lock = client.store, threading.Barrier(16), threading.Lock()
    call_dynamodb = store._dynamodb._make_api_call

    def call_one_at_a_time(*arguments: Any) -> Any:
        with lock:  # moto mixes calls that run at the same time
            return call_dynamodb(*arguments)

    monkeypatch.setattr(store._dynamodb, "_make_api_call", call_one_at_a_time)
    content = Content.from_document(FULL)

    def create(_: int) -> Any:
        start.wait(10)
        return store.create_once(content, client="a", key="once")

    with ThreadPoolExecutor(16) as threads:
        creations = list(threads.map(create, range(16)))
    assert {creation.note.id for creation in creations} == client.note_ids()
    assert len(client.note_ids()) == 1
    assert [creation.replayed for creation in creations].count(False) == 1


def cancelled(*codes: str) -> AWSResponse:
    return aws_response(
        400,
        {
            "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
            "Message": "Transaction cancelled",
            "CancellationReasons": [{"Code": code, "Message": "x"} for code in codes],
        },
    )


@pytest.mark.parametrize(
    ("codes", "status"),
    [
        (("None", "TransactionConflict"), 409),  # a request with the same key is running
        (("TransactionConflict", "None"), 409),
        (("None", "ThrottlingError"), 503),
        (("ProvisionedThroughputExceeded", "None"), 503),
    ],
)
def test_a_cancelled_transaction_gets_retry_after(client: Client, codes: tuple[str, str], status: int) -> None:
    with client.dynamodb_answers("TransactWriteItems", lambda _: cancelled(*codes)):
        answer = client.create(FULL, key="once")
    assert answer.status == status
    assert int(answer.headers["retry-after"]) >= 1
    assert client.items() == []


def test_one_transaction_writes_the_note_and_the_key(client: Client) -> None:
    client.create(FULL, key="once")
    assert client.take_operations() == ["TransactWriteItems"]
    client.create(FULL)
    assert client.take_operations() == ["PutItem"]


# -- the table's items


def test_an_idempotency_record_is_never_a_note(client: Client) -> None:
    note = client.new_note(FULL, key="once")
    (record,) = client.idempotency_records()
    record_id = record["id"]["S"]
    for answer in (
        client.read(record_id),
        client.replace(record_id, FULL, If_Match="*"),
        client.patch(record_id, {}, If_Match="*"),
        client.delete(record_id),
    ):
        assert answer.status == 404
    assert [summary["id"] for summary in client.page().json["notes"]] == [note["id"]]
    assert len(client.items()) == 2
    with pytest.raises(Problem):
        Cursor.parse(str(Cursor(note["created_at"], record_id)))


def test_a_note_has_the_documented_item_in_the_table(client: Client) -> None:
    body = {"n": 12345678901234567890123456789012345678901234567890}
    note = client.new_note({**FULL, "body": body})
    (item,) = client.items()
    assert item == {
        "id": {"S": note["id"]},
        "collection": {"S": "notes"},
        "created": {"S": f"{note['created_at']}#{note['id']}"},
        "created_at": {"S": note["created_at"]},
        "updated_at": {"S": note["updated_at"]},
        "title": {"S": "Shopping"},
        "tags": {"L": [{"S": "home"}, {"S": "to do"}]},
        "body": {"S": jsontext.dump(body)},
        "version": {"N": "1"},
    }
    assert client.send("GET", NOTES).json["notes"][0]["title"] == "Shopping"
