"""Tests of creating notes: the stored content, its limits, and Idempotency-Key."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urljoin
from uuid import UUID

import fastjsonschema
import pytest
from botocore.awsrequest import AWSResponse
from moto.dynamodb.models import dynamo_type

from api import jsontext, validation
from api.notes import MAX_BYTES
from tests.handlers.api.notes_client import Client, aws_response
from tests.support.fast import first_are_fast

MOMENT = datetime(2026, 11, 21, 10, 0, 0, 123456, UTC)
FULL_NOTE = {"title": "Shopping", "body": {"milk": 2, "tea": None}, "tags": ["home", "to do"]}


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """Return a function that sets the API's clock. The clock starts at MOMENT and stands still."""

    def set_clock(moment: datetime) -> None:
        monkeypatch.setattr("api.store.current_time", lambda: moment)

    set_clock(MOMENT)
    return set_clock


@pytest.mark.usefixtures("set_clock")
def test_creating_a_note_returns_the_whole_note(client: Client) -> None:
    answer = client.create(FULL_NOTE)
    assert answer.status == 201
    note = answer.json
    assert str(UUID(note["id"])) == note["id"]
    stamp = "2026-11-21T10:00:00.123456Z"
    assert note == {"id": note["id"], **FULL_NOTE, "created_at": stamp, "updated_at": stamp, "version": 1}
    location = urljoin(
        f"/live{client.notes_path}", answer.headers["location"]
    )  # Location fits every stage, such as "live"
    assert location == f"/live{client.notes_path}/{note['id']}"
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


@pytest.mark.parametrize(
    ("note", "detail"),
    [
        ("7", "The note must be a JSON object."),
        ({}, 'The note must have the member: "title".'),
        ({"title": "x", "bdoy": "y"}, 'The note has an unknown member: "bdoy".'),
        ({"title": "x", "id": "y", "bdoy": "z"}, 'The note has unknown members: "bdoy", "id".'),
        ({"title": "x", "": "y"}, 'The note has an unknown member: "".'),
        ({"title": "x", "a, b": "y"}, 'The note has an unknown member: "a, b".'),
        ({"title": "x", "b" * 1000: "y"}, f'The note has an unknown member: "{"b" * 199}….'),
        ({"title": 7}, "title must be a string."),
        ({"title": ""}, "title must have 1 character or more."),
        ({"title": "x" * 201}, "title must have 200 characters or fewer."),
        ({"title": "x", "tags": "home"}, "tags must be an array."),
        ({"title": "x", "tags": [*"abcdefghijklmnopqrstu"]}, "tags must have 20 items or fewer."),
        ({"title": "x", "tags": [*"aba"]}, "tags must not have the same item twice."),
        ({"title": "x", "tags": ["a", 5]}, "Item 2 of tags must be a string."),
    ],
)
def test_the_problem_says_in_plain_english_what_is_wrong_with_the_note(client: Client, note: Any, detail: str) -> None:
    (error,) = client.create(note).json["errors"]
    assert error["detail"] == detail


def test_the_problem_of_a_patch_names_both_types_that_are_possible(client: Client) -> None:
    (error,) = client.patch(client.new_id(), {"tags": 7}, If_Match="*").json["errors"]
    assert error["detail"] == "tags must be an array or null."


def test_a_rule_without_its_own_message_is_named(monkeypatch: pytest.MonkeyPatch, client: Client) -> None:
    pattern = fastjsonschema.compile({"properties": {"title": {"pattern": "^[a-z]*$"}}})
    monkeypatch.setitem(validation._VALIDATORS, "NoteInput", pattern)
    (error,) = client.create({"title": "7"}).json["errors"]
    assert error["detail"] == 'title breaks the rule pattern of the schema: "^[a-z]*$".'


# -- size


def largest_note(character: str) -> dict[str, Any]:
    """Return a note of exactly MAX_BYTES with the longest title and tags. Its body repeats the character."""
    title, tags = "😀" * 200, [str(number).rjust(50, "😀") for number in range(20)]
    other_bytes = sum(len(text.encode()) for text in (title, *tags, '""'))
    count, rest = divmod(MAX_BYTES - other_bytes, len(character.encode()))
    return {"title": title, "tags": tags, "body": character * count + "x" * rest}


@pytest.mark.parametrize("character", first_are_fast(1, ["😀", "é", "x"]))
def test_the_largest_note_fits_dynamodb_and_one_byte_more_gets_413(
    client: Client, monkeypatch: pytest.MonkeyPatch, character: str
) -> None:
    # moto accepts only items up to 405,000 bytes, but DynamoDB accepts 409,600.
    monkeypatch.setattr(dynamo_type.LimitedSizeDict, "__setitem__", dict.__setitem__)
    note = largest_note(character)
    note_id = client.new_note(note, key="k" * 255)["id"]
    (item,) = [item for item in client.items() if "created" in item]
    item["version"] = {"N": "9" * 18}
    # DynamoDB counts the names and the values, so an item is always smaller than its JSON text.
    assert len(json.dumps(item, ensure_ascii=False).encode()) <= 400 * 1024
    assert client.read(note_id).json["body"] == note["body"]

    too_long = note["body"] + "x"
    created = client.create({**note, "body": too_long})
    assert f"{MAX_BYTES + 1:,} bytes" in created.json["detail"]
    replaced = client.replace(note_id, {**note, "body": too_long}, If_Match="*")
    patched = client.patch(note_id, {"body": too_long}, If_Match="*")
    assert {created.status, replaced.status, patched.status} == {413}
    assert client.read(note_id).json["version"] == 1


def test_the_limit_counts_the_stored_bytes_and_not_the_sent_bytes(client: Client) -> None:
    body = "é" * 100_000
    escaped = '{"title":"x","body":"' + r"\u00e9" * 100_000 + '"}'
    assert len(escaped) > MAX_BYTES
    assert client.read(client.new_note(escaped)["id"]).json["body"] == body


# -- Idempotency-Key


def test_a_repeated_request_gets_the_first_answer_again_and_makes_no_second_note(client: Client) -> None:
    first = client.create(FULL_NOTE, key="once")
    second = client.create(FULL_NOTE, key="once")
    assert first.status == second.status == 201
    assert second.text == first.text
    assert "idempotency-replayed" not in first.headers
    assert second.headers == {**first.headers, "idempotency-replayed": "true"}
    assert client.note_ids() == {first.json["id"]}
    assert client.read(first.json["id"]).text == first.text


@pytest.mark.usefixtures("set_clock")
def test_an_idempotency_record_expires_after_a_day_and_hides_the_key(client: Client) -> None:
    client.create(FULL_NOTE, key="once")
    (record,) = client.idempotency_records()
    assert record["id"]["S"].startswith("idempotency#")
    assert record["expires_at"] == {"N": str(int((MOMENT + timedelta(hours=24)).timestamp()))}
    assert "once" not in str(record), "the table must not have the key, because it may be a secret"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ('{"title":"x","body":{"a":1,"b":[{"c":1,"d":2}]}}', '{"body":{"b":[{"d":2,"c":1}],"a":1},"title":"x"}'),
        ('{"title":"x","body":["y"]}', '\n{ "title": "x",\t"body" : [ "\\u0079" ] } '),
        ('{"title":"x"}', '{"title":"x","tags":[],"body":""}'),
    ],
    ids=["order of members", "white space and escapes", "defaults"],
)
def test_a_repeated_request_can_spell_the_same_note_differently(client: Client, first: str, second: str) -> None:
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
def test_a_used_key_with_different_content_gets_409(client: Client, change: Any) -> None:
    first = client.new_note(FULL_NOTE, key="once")
    answer = client.create({**FULL_NOTE, **change}, key="once")
    assert answer.status == 409
    assert "retry-after" not in answer.headers, "the client must not try again, because a second try cannot succeed"
    assert client.note_ids() == {first["id"]}
    assert client.create(FULL_NOTE, key="once").json == first


@pytest.mark.parametrize(("first_api_key", "second_api_key"), [("a", "b"), ("a", None), (None, "a"), ("a", "a ")])
def test_two_clients_can_use_the_same_idempotency_key(
    v1_client: Client, first_api_key: str | None, second_api_key: str | None
) -> None:
    created = v1_client.new_note(FULL_NOTE, key="once", api_key=first_api_key)
    assert v1_client.new_note(FULL_NOTE, key="once", api_key=second_api_key)["id"] != created["id"]


def test_different_idempotency_keys_make_different_notes(client: Client) -> None:
    keys = ["a", "A", "aa", "k" * 255, "k" * 254 + "l", "!", "~", '"a"', "#", "%20"]
    assert len({client.new_note(FULL_NOTE, key=key)["id"] for key in keys}) == len(keys)


def test_every_request_without_a_key_makes_a_note_in_one_write(client: Client) -> None:
    note_ids = {
        client.new_note(FULL_NOTE, key="once")["id"],
        client.new_note(FULL_NOTE)["id"],
        client.new_note(FULL_NOTE)["id"],
    }
    assert client.note_ids() == note_ids
    assert len(note_ids) == 3
    assert len(client.items()) == 4
    assert [operation for operation, _ in client.calls] == ["TransactWriteItems", "PutItem", "PutItem"]


def test_a_key_can_be_used_for_another_note_after_a_day(client: Client, set_clock: Callable[[datetime], None]) -> None:
    """DynamoDB may delete an expired record some days later, so the function must ignore expired records."""
    first = client.new_note(FULL_NOTE, key="once")
    set_clock(MOMENT + timedelta(hours=23, minutes=59, seconds=59))
    assert client.new_note(FULL_NOTE, key="once") == first
    set_clock(MOMENT + timedelta(hours=24))
    answer = client.create({"title": "another"}, key="once")
    assert answer.status == 201
    assert answer.json["id"] != first["id"]
    assert "idempotency-replayed" not in answer.headers
    set_clock(MOMENT + timedelta(hours=47))
    assert client.new_note({"title": "another"}, key="once") == answer.json


def test_a_repeated_request_ignores_later_changes_and_deletion(client: Client) -> None:
    first = client.create(FULL_NOTE, key="once")
    note_id = first.json["id"]
    client.patch(note_id, {"title": "changed"}, If_Match="*")
    assert client.create(FULL_NOTE, key="once").text == first.text
    assert client.read(note_id).json["title"] == "changed", "the repeated request must not undo the change"
    client.delete(note_id)
    assert client.create(FULL_NOTE, key="once").text == first.text
    assert client.note_ids() == set()


@pytest.mark.parametrize("key", ["", " ", "a b", "a\tb", "é", "k" * 256, "a\0", "٣"])
def test_a_malformed_key_gets_400(client: Client, key: str) -> None:
    answer = client.create(FULL_NOTE, key=key)
    assert answer.status == 400
    assert "Idempotency-Key" in answer.json["detail"]
    assert client.items() == []


@pytest.mark.parametrize("bad_note", [{}, {"title": ""}, "no JSON"])
def test_a_key_can_be_used_again_after_a_refused_request(client: Client, bad_note: Any) -> None:
    assert client.create(bad_note, key="once").status == 422
    assert client.create(FULL_NOTE, key="once").status == 201


def cancelled_transaction(*codes: str) -> AWSResponse:
    """Return an answer of DynamoDB: the transaction failed, with one code for each of its items."""
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
    with client.dynamodb_answers("TransactWriteItems", lambda _: cancelled_transaction(*codes)):
        answer = client.create(FULL_NOTE, key="once")
    assert answer.status == status
    assert int(answer.headers["retry-after"]) >= 1
    assert client.items() == []


# -- the table's items


def test_an_idempotency_record_is_never_a_note(client: Client) -> None:
    note = client.new_note(FULL_NOTE, key="once")
    (record,) = client.idempotency_records()
    record_id = record["id"]["S"]
    for answer in (
        client.read(record_id),
        client.replace(record_id, FULL_NOTE, If_Match="*"),
        client.patch(record_id, {}, If_Match="*"),
        client.delete(record_id),
    ):
        assert answer.status == 404
    assert [summary["id"] for summary in client.page().json["notes"]] == [note["id"]]
    assert len(client.items()) == 2


def test_the_item_of_a_note_has_the_documented_attributes(client: Client) -> None:
    body = {"n": 12345678901234567890123456789012345678901234567890}
    note = client.new_note({**FULL_NOTE, "body": body})
    (item,) = client.items()
    assert item == {
        "id": {"S": note["id"]},
        **({"owner": {"S": client.person}} if client.person else {"collection": {"S": "notes"}}),
        "created": {"S": f"{note['created_at']}#{note['id']}"},
        "created_at": {"S": note["created_at"]},
        "updated_at": {"S": note["updated_at"]},
        "title": {"S": "Shopping"},
        "tags": {"L": [{"S": "home"}, {"S": "to do"}]},
        "body": {"S": jsontext.dump(body)},
        "version": {"N": "1"},
    }
    assert client.send("GET", client.notes_path).json["notes"][0]["title"] == "Shopping"
